use proptest::prelude::*;

use super::*;

const PUBKEY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const OTHER: &str = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
const NOW: u64 = 1_700_000_100;
const LATEST: u64 = NOW + 31_536_000;
const ID: &str = "0000000000000000000000000000000000000000000000000000000000000001";

fn relays() -> BTreeSet<String> {
    BTreeSet::from(["wss://relay.example.com".into(), "ws://127.0.0.1:7777/path".into()])
}

fn check(template: &EventTemplate) -> Result<()> {
    SigningPolicy { namespace: "sage", pubkey: PUBKEY, relays: &relays(), now: NOW }.check(template)
}

fn template(kind: u16, tags: &[&[&str]], content: &str) -> EventTemplate {
    let tags = tags.iter().map(|tag| tag.iter().map(|value| (*value).to_owned()).collect()).collect();
    EventTemplate { kind, created_at: 1_700_000_000, tags, content: content.into() }
}

fn ciphertext() -> String {
    format!("Ag{}", "B".repeat(130))
}

fn value(tags: &[&[&str]]) -> EventTemplate {
    template(30_078, tags, &ciphertext())
}

fn assert_refused(template: &EventTemplate, why: &str) {
    match check(template) {
        Err(Error::SignerRefused(message)) => {
            assert!(message.contains(why), "{message:?} does not say {why:?}")
        }
        other => panic!("{template:?} was not refused: {other:?}"),
    }
}

#[test]
fn the_engines_own_events_are_signed() {
    let address = format!("30078:{PUBKEY}:sage/notes/v1");
    let own = [
        value(&[&["d", "sage/ui-settings/v1"], &["device_id", "laptop"]]),
        value(&[
            &["d", "sage/ui settings ü/v1"],
            &["device_id", "laptop"],
            &["vv", "01234567:1700000000", "89abcdef:1"],
            &["expiration", "1800000000"],
            &["deleted", ""],
            &["format", "chunked/1"],
        ]),
        value(&[&["d", "sage/notes/c/0123456789abcdef0123456789abcdef"]]),
        template(5, &[&["a", &address], &["e", ID], &["k", "30078"], &["expiration", "1800000000"]], ""),
        template(22_242, &[&["relay", "wss://relay.example.com"], &["challenge", "any text"]], ""),
        template(22_242, &[&["relay", "ws://127.0.0.1:7777/path"], &["challenge", ""]], ""),
    ];
    for template in own {
        check(&template).unwrap();
    }
    // What the engine says again: one second later the same value, that it has ended, or a piece above its tombstone.
    let said = [&["d", "sage/notes/v1"][..], &["device_id", "laptop"], &["vv", "01234567:1700000000"]];
    let ended = [&said[..], &[&["deleted", ""]]].concat();
    let piece = [&["d", "sage/notes/c/0123456789abcdef0123456789abcdef"][..]];
    let voided = format!("{ID}:1800000000");
    let void: &[&str] = &["void", &voided];
    let after_a_reset = [&said[..], &[void]].concat();
    for tags in [&said[..], &ended, &piece, &after_a_reset] {
        let written = value(tags);
        check(&EventTemplate { created_at: written.created_at + 1, ..written }).unwrap();
    }
    // Up to the stamp that the engine takes, and not beyond.
    check(&EventTemplate { created_at: LATEST, ..value(&said) }).unwrap();
    assert_refused(&EventTemplate { created_at: LATEST + 1, ..value(&said) }, "a year ahead");
    // Pieces that nobody needs any more: overwritten, and as many as the engine takes at once deleted.
    let piece = "sage/notes/c/0123456789abcdef0123456789abcdef";
    check(&value(&[&["d", piece], &["deleted", ""], &["expiration", "1800000000"]])).unwrap();
    let address = format!("30078:{PUBKEY}:{piece}");
    let (addresses, ids) = (vec![["a", address.as_str()]; 30], vec![["e", ID]; 30]);
    let mut tags: Vec<&[&str]> = addresses.iter().chain(&ids).map(|tag| &tag[..]).collect();
    tags.extend([&["k", "30078"][..], &["expiration", "1800000000"]]);
    check(&template(5, &tags, "")).unwrap();
}

/// What the engine reads of the same tags is judged by the same file: see test/vectors/README.md.
#[test]
fn of_the_tag_vectors_those_of_the_engine_are_signed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/tags.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(vectors["namespace"], "sage");
    assert_eq!(vectors["pubkey"], PUBKEY);
    let created_at = vectors["created_at"].as_u64().unwrap();
    let mut counts = [0, 0];
    for (group, kind) in
        [("written", 30_078), ("read", 30_078), ("pieceTombstones", 30_078), ("deletions", 5)]
    {
        let content = if kind == 5 { String::new() } else { ciphertext() };
        for vector in vectors[group].as_array().unwrap() {
            let tags = serde_json::from_value(vector["tags"].clone()).unwrap();
            let event = EventTemplate { kind, created_at, tags, content: content.clone() };
            let is_signed = vector["signed"].as_bool().unwrap();
            assert_eq!(check(&event).is_ok(), is_signed, "{group}: {}", vector["name"]);
            counts[usize::from(is_signed)] += 1;
        }
    }
    assert!(counts.iter().all(|&count| count > 10), "{counts:?}");
}

#[test]
fn every_other_kind_is_refused() {
    let d_tag: &[&str] = &["d", "sage/notes/v1"];
    for kind in (0..=u16::MAX).filter(|kind| ![5, 22_242, 30_078].contains(kind)) {
        assert_refused(&template(kind, &[d_tag], &ciphertext()), "kind");
    }
}

#[test]
fn a_d_tag_outside_the_namespace_is_refused() {
    let piece = "0123456789abcdef0123456789abcdef";
    let d_tags = [
        "other/notes/v1".into(),
        "sage".into(),
        "sage/".into(),
        "sage//v1".into(),
        "sage/v1".into(),
        "sage/notes".into(),
        "sage/notes/v2".into(),
        "sage/notes/v1/".into(),
        "sage/notes/more/v1".into(),
        "sagenotes/v1".into(),
        "sage2/notes/v1".into(),
        "/sage/notes/v1".into(),
        " sage/notes/v1".into(),
        "sage/no\ntes/v1".into(),
        "sage/no\0tes/v1".into(),
        String::new(),
        format!("other/notes/c/{piece}"),
        format!("sage/notes/c/{}", &piece[1..]),
        format!("sage/notes/c/{piece}0"),
        format!("sage/notes/c/{}", piece.to_uppercase()),
        format!("sage/notes/c/{piece}/v1"),
        format!("sage/notes/v1/d/{piece}"),
        format!("sage/c/{piece}"),
        format!("sage/{}/v1", "x".repeat(173)),
    ];
    for d_tag in &d_tags {
        assert_refused(&value(&[&["d", d_tag]]), "outside its namespace");
    }
    check(&value(&[&["d", &format!("sage/{}/v1", "x".repeat(172))]])).unwrap();
}

#[test]
fn a_value_without_exactly_one_d_tag_is_refused() {
    let d_tag: &[&str] = &["d", "sage/notes/v1"];
    for tags in [&[][..], &[d_tag, d_tag], &[&["d"]], &[&["d", "sage/notes/v1", "more"]]] {
        assert_refused(&value(tags), "exactly one d-tag");
    }
}

#[test]
fn a_value_with_foreign_tags_is_refused() {
    for name in ["p", "e", "a", "t", "", "D", "relay", "client"] {
        assert_refused(&value(&[&["d", "sage/notes/v1"], &[name, OTHER]]), "not its own");
    }
    assert_refused(&value(&[&["d", "sage/notes/v1"], &[]]), "not its own");
}

#[test]
fn a_value_that_is_not_encrypted_is_refused() {
    let long = format!("Ag{}", "B".repeat(MAX_CIPHERTEXT_BYTES));
    let short = format!("Ag{}", "B".repeat(126));
    let other_version = format!("AQ{}", "B".repeat(130));
    for content in
        ["", "{\"theme\":\"dark\"}", "nsec1secret", &short, &long, &other_version, &"x".repeat(132)]
    {
        assert_refused(&template(30_078, &[&["d", "sage/notes/v1"]], content), "not encrypted");
    }
    for end in ["=", "==", "/", "+"] {
        let content = format!("Ag{}{end}", "B".repeat(130 - end.len()));
        check(&template(30_078, &[&["d", "sage/notes/v1"]], &content)).unwrap();
    }
    for end in ["===", "=B", " ", "ü"] {
        let content = format!("Ag{}{end}", "B".repeat(130 - end.len()));
        assert_refused(&template(30_078, &[&["d", "sage/notes/v1"]], &content), "not encrypted");
    }
}

#[test]
fn a_deletion_of_what_is_not_its_own_is_refused() {
    let own = format!("30078:{PUBKEY}:sage/notes/v1");
    let of_other = format!("30078:{OTHER}:sage/notes/v1");
    let of_other_kind = format!("30023:{PUBKEY}:sage/notes/v1");
    let outside = format!("30078:{PUBKEY}:other/notes/v1");
    let cases: &[&[&[&str]]] = &[
        &[&["a", &of_other]],
        &[&["a", &of_other_kind]],
        &[&["a", &outside]],
        &[&["a", &own], &["a", &outside]],
        &[&["a", &own], &["p", OTHER]],
        &[&["a", &own], &["k", "1"]],
        &[&["a", &own], &["e", "not hex"]],
        &[&["a", &own], &["e", ID, "wss://relay.example.com"]],
        &[&["a", &own], &["expiration", "soon"]],
        &[&["a", &own], &["expiration", ""]],
        &[&["a", &own], &[]],
        &[&["a"]],
    ];
    for tags in cases {
        assert_refused(&template(5, tags, ""), "not its own");
    }
    assert_refused(&template(5, &[], ""), "names nothing");
    assert_refused(&template(5, &[&["k", "30078"]], ""), "names nothing");
    // What a reset has voided is deleted by its id alone.
    check(&template(5, &[&["e", ID], &["k", "30078"]], "")).unwrap();
    assert_refused(&template(5, &[&["a", &own]], "reason"), "content");
}

#[test]
fn an_auth_for_a_relay_that_is_not_configured_is_refused() {
    let challenge: &[&str] = &["challenge", "x"];
    for url in ["wss://evil.example.com", "ws://relay.example.com", "wss://relay.example.com/other", "", "x"]
    {
        assert_refused(&template(22_242, &[&["relay", url], challenge], ""), "not configured");
    }
    let relay: &[&str] = &["relay", "wss://relay.example.com"];
    check(&template(22_242, &[&["relay", "wss://relay.example.com/"], challenge], "")).unwrap();
    assert_refused(&template(22_242, &[relay], ""), "exactly one");
    assert_refused(&template(22_242, &[challenge], ""), "exactly one");
    assert_refused(&template(22_242, &[relay, relay, challenge], ""), "exactly one");
    assert_refused(&template(22_242, &[relay, challenge, challenge], ""), "exactly one");
    assert_refused(&template(22_242, &[relay, challenge, &["p", OTHER]], ""), "other tags");
    assert_refused(&template(22_242, &[relay, challenge], "text"), "content");
}

#[test]
fn an_event_out_of_bounds_is_refused() {
    let d_tag: &[&str] = &["d", "sage/notes/v1"];
    let many = vec![d_tag; MAX_TAGS + 1];
    assert_refused(&value(&many), "tags");
    let wide = vec!["vv"; MAX_TAGS + 1];
    assert_refused(&value(&[d_tag, &wide]), "tags");
    assert_refused(&value(&[d_tag, &["device_id", &"x".repeat(MAX_TAG_BYTES + 1)]]), "tags");
    let late = EventTemplate { created_at: u64::MAX, ..value(&[d_tag]) };
    assert_refused(&late, "a year ahead");
}

#[test]
fn another_peer_is_refused() {
    for peer in [OTHER, "", &PUBKEY.to_uppercase(), "x"] {
        assert_eq!(check_encryption(PUBKEY, peer, "text").unwrap_err().code(), "SIGNER_REFUSED");
        assert_eq!(check_decryption(PUBKEY, peer, "text").unwrap_err().code(), "SIGNER_REFUSED");
    }
    check_encryption(PUBKEY, PUBKEY, "text").unwrap();
    check_decryption(PUBKEY, PUBKEY, "text").unwrap();
}

#[test]
fn texts_that_do_not_fit_are_refused() {
    assert_eq!(check_encryption(PUBKEY, PUBKEY, "").unwrap_err().code(), "SIGNER_REFUSED");
    let fits = "x".repeat(MAX_PLAINTEXT_BYTES);
    check_encryption(PUBKEY, PUBKEY, &fits).unwrap();
    assert_eq!(check_encryption(PUBKEY, PUBKEY, &(fits + "x")).unwrap_err().code(), "SIGNER_REFUSED");
    let long = "x".repeat(MAX_CIPHERTEXT_BYTES + 1);
    assert_eq!(check_decryption(PUBKEY, PUBKEY, &long).unwrap_err().code(), "SIGNER_REFUSED");
}

#[test]
fn no_refusal_repeats_what_it_was_given() {
    let refusals = [
        check(&template(30_078, &[&["d", "sage/notes/v1"]], "nsec1secret")),
        check(&template(1, &[&["nsec1secret"]], "nsec1secret")),
        check(&value(&[&["d", "other/nsec1secret/v1"]])),
        check_encryption(PUBKEY, "nsec1secret", "nsec1secret"),
        check_decryption(PUBKEY, "nsec1secret", "nsec1secret"),
    ];
    for refusal in refusals {
        assert!(!refusal.unwrap_err().to_string().contains("secret"));
    }
}

#[test]
fn relay_urls_have_the_engines_canonical_form() {
    // The table of test/relay/url.test.ts.
    let canonical = [
        ("wss://relay.example.com", "wss://relay.example.com"),
        ("wss://relay.example.com/", "wss://relay.example.com"),
        ("WSS://Relay.EXAMPLE.com:443", "wss://relay.example.com"),
        ("  wss://relay.example.com\n", "wss://relay.example.com"),
        ("wss://relay.example.com:7777/", "wss://relay.example.com:7777"),
        ("wss://relay.example.com/path/", "wss://relay.example.com/path/"),
        ("wss://relay.example.com/a/../b?c=d", "wss://relay.example.com/b?c=d"),
        ("wss://relay.example.com/?", "wss://relay.example.com"),
        ("wss://relay.example.com/path?", "wss://relay.example.com/path"),
        ("wss://b\u{fc}cher.example", "wss://xn--bcher-kva.example"),
        ("ws://127.0.0.1:7777", "ws://127.0.0.1:7777"),
        ("ws://127.1:7777", "ws://127.0.0.1:7777"),
        ("ws://2130706433", "ws://127.0.0.1"),
        ("ws://localhost:80/", "ws://localhost"),
        ("ws://relay.localhost", "ws://relay.localhost"),
        ("ws://[::1]:7777", "ws://[::1]:7777"),
    ];
    for (input, expected) in canonical {
        assert_eq!(canonical_relay_url(input).unwrap(), expected, "{input}");
        assert_eq!(canonical_relay_url(expected).unwrap(), expected);
    }
    let refused = [
        "",
        "relay.example.com",
        "https://relay.example.com",
        "wss://",
        "ws://relay.example.com",
        "ws://192.168.0.1",
        "ws://localhost.example.com",
        "ws://127.0.0.1.example.com",
        "ws://notlocalhost",
        "ws://relay.example.com/?localhost",
        "ws://localhost@relay.example.com",
        "wss://user@relay.example.com",
        "wss://user:secret@relay.example.com",
        "wss://relay.example.com/#fragment",
        "wss://relay.example.com/#",
    ];
    for input in refused {
        assert_eq!(canonical_relay_url(input).unwrap_err().code(), "INVALID_RELAY_URL", "{input}");
    }
}

#[test]
fn namespaces_and_categories_are_those_of_the_engine() {
    for name in ["a", "my-app", "ü", "a b", "__proto__", "🦩", "משתמש"] {
        check_namespace(name).unwrap();
        check_category("sage", name).unwrap();
    }
    let unseen = [
        "a\u{202e}b",
        "a\u{2067}b",
        "ui\u{200b}",
        "👩\u{200d}👧",
        "set\u{ad}tings",
        "\u{feff}a",
        "❤\u{fe0f}",
        "a\u{3164}",
        "a\u{2028}b",
        "a\u{e0061}",
    ];
    let decomposed = ["cafe\u{301}", "\u{212b}"];
    for name in ["", "a/b", "/", "a\n", "\0", "\u{85}"].into_iter().chain(unseen).chain(decomposed) {
        assert_eq!(check_namespace(name).unwrap_err().code(), "INVALID_NAMESPACE");
        assert_eq!(check_category("sage", name).unwrap_err().code(), "INVALID_CATEGORY");
    }
    check_namespace(&"x".repeat(175)).unwrap();
    assert_eq!(check_namespace(&"x".repeat(176)).unwrap_err().code(), "INVALID_NAMESPACE");
    check_category("sage", &"x".repeat(172)).unwrap();
    assert_eq!(check_category("sage", &"x".repeat(173)).unwrap_err().code(), "INVALID_CATEGORY");
}

#[test]
fn limits_of_settings_hold() {
    for bytes in [1, 65_536, 409_600] {
        check_payload_limit(bytes).unwrap();
    }
    for requested in [0, 409_601, u64::MAX] {
        assert_eq!(
            check_payload_limit(requested),
            Err(Error::InvalidPayloadLimit { requested, max: MAX_PAYLOAD_BYTES })
        );
    }
    check_device_id(&"x".repeat(128)).unwrap();
    // The engine counts 2 for each of these.
    check_device_id(&"👩".repeat(64)).unwrap();
    for id in ["", "a\nb", &"x".repeat(129), &"👩".repeat(65)] {
        assert_eq!(check_device_id(id).unwrap_err().code(), "INVALID_DEVICE_ID");
    }
}

/// Texts near to what is allowed: pure chance would never get past the first check.
fn text() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("sage/notes/v1".to_owned()),
        Just("sage/notes/c/0123456789abcdef0123456789abcdef".to_owned()),
        Just("other/notes/v1".to_owned()),
        Just(format!("30078:{PUBKEY}:sage/notes/v1")),
        Just(format!("30078:{OTHER}:sage/notes/v1")),
        Just(format!("30078:{PUBKEY}:other/notes/v1")),
        Just("wss://relay.example.com".to_owned()),
        Just("wss://evil.example.com".to_owned()),
        Just("30078".to_owned()),
        Just(ID.to_owned()),
        Just(String::new()),
        ".{0,20}",
    ];
    (parts, prop_oneof![9 => Just(String::new()), 1 => ".{1,3}"]).prop_map(|(text, end)| text + &end)
}

fn name() -> impl Strategy<Value = String> {
    const NAMES: [&str; 12] =
        ["d", "device_id", "vv", "expiration", "deleted", "format", "a", "e", "k", "relay", "challenge", "p"];
    prop_oneof![9 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,3}"]
}

fn templates() -> impl Strategy<Value = EventTemplate> {
    let kind = prop_oneof![Just(30_078), Just(5), Just(22_242), any::<u16>()];
    let tag = (name(), proptest::collection::vec(text(), 0..3))
        .prop_map(|(name, values)| std::iter::once(name).chain(values).collect::<Vec<_>>());
    let content = prop_oneof![Just(String::new()), Just(ciphertext()), ".{0,200}"];
    (kind, any::<u64>().prop_map(|n| n % (2 * LATEST)), proptest::collection::vec(tag, 0..4), content)
        .prop_map(|(kind, created_at, tags, content)| EventTemplate { kind, created_at, tags, content })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn what_is_signed_names_nothing_outside(template in templates()) {
        if check(&template).is_ok() {
            let texts: Vec<&str> = template.tags.iter().flatten().map(String::as_str).collect();
            prop_assert!([5, 22_242, 30_078].contains(&template.kind));
            prop_assert!(!texts.contains(&"p") && template.created_at <= LATEST);
            match template.kind {
                30_078 => {
                    let d_tags: Vec<_> = template.tags.iter().filter(|tag| tag[0] == "d").collect();
                    prop_assert_eq!(d_tags.len(), 1);
                    prop_assert!(d_tags[0][1].starts_with("sage/") && template.content.starts_with("Ag"));
                }
                5 => for tag in template.tags.iter().filter(|tag| tag[0] == "a") {
                    let prefix = format!("30078:{PUBKEY}:sage/");
                    prop_assert!(tag[1].starts_with(&prefix));
                },
                _ => prop_assert!(!texts.contains(&"wss://evil.example.com") && template.content.is_empty()),
            }
        }
    }

    #[test]
    fn a_canonical_url_is_its_own_canonical_form(input in "(wss?|WSS)?(://)?[a-z0-9.:@\\[\\]#?/ %-]{0,30}") {
        if let Ok(url) = canonical_relay_url(&input) {
            prop_assert_eq!(canonical_relay_url(&url).unwrap(), url);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = (canonical_relay_url(&text), check_namespace(&text), check_category(&text, &text));
        let _ = (check_device_id(&text), is_ciphertext(&text));
        let _ = check_decryption(PUBKEY, &text, &text);
    }
}
