//! What this plugin's own events look like, and the refusal of everything else: the key signs for the engine, and a
//! script in the hosting window must not get more out of it than the engine could.

use std::collections::BTreeSet;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use url::{Host, Url};

use nostr_sync::EventTemplate;
use nostr_sync::{Error, Result};

/// The default limit of a payload, in bytes of JSON.
pub(crate) const DEFAULT_PAYLOAD_BYTES: u64 = 65_536;
/// The most that `max_payload_size` may allow, in bytes of JSON.
const MAX_PAYLOAD_BYTES: u64 = 409_600;
/// Characters of a device id.
const MAX_DEVICE_ID_CHARS: usize = 128;

const KIND_DELETION: u16 = 5;
const KIND_AUTH: u16 = 22_242;
const KIND_APP_DATA: u16 = 30_078;

/// Bytes of a category's d-tag; that of a piece is longer by its own name.
const MAX_D_TAG_BYTES: usize = 180;
const VERSION_SUFFIX: &str = "/v1";
const PIECE_INFIX: &str = "/c/";
const MAX_TAGS: usize = 64;
const MAX_TAG_BYTES: usize = 4_096;
/// Characters of ciphertext: a little over the longest that the engine writes.
const MAX_CIPHERTEXT_BYTES: usize = 131_072;
/// The most that NIP-44 can encrypt in its short form.
const MAX_PLAINTEXT_BYTES: usize = 65_535;
/// How far ahead of this clock the engine may stamp an event, in seconds: as its own bound.
const MAX_AHEAD_SECONDS: u64 = 31_536_000;
/// The tags of a value, and of a piece of one.
const VALUE_TAGS: [&str; 8] = ["d", "device_id", "vv", "expiration", "deleted", "format", "schema", "void"];

/// What turns the direction of text, or takes no place in it: two names that look the same must be the same.
fn is_unseen(c: char) -> bool {
    use GeneralCategory::{Format, LineSeparator, ParagraphSeparator};
    matches!(CodePointMapData::<GeneralCategory>::new().get(c), Format | LineSeparator | ParagraphSeparator)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn check_part(name: &str, value: &str, room: usize) -> std::result::Result<(), String> {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let expected = if value.is_empty() {
        "a non-empty string".into()
    } else if value.chars().any(|c| c == '/' || c.is_control()) {
        "no \"/\" and no control characters".into()
    } else if value.chars().any(is_unseen) {
        "no characters that cannot be seen".into()
    } else if !nfc.is_normalized(value) {
        format!("the normal form NFC, {:?}", nfc.normalize(value))
    } else if value.len() > room {
        format!("at most {room} bytes of UTF-8 here (the whole d-tag: {MAX_D_TAG_BYTES})")
    } else {
        return Ok(());
    };
    let shown: String = value.chars().take(80).collect();
    Err(format!("Invalid {name}: expected {expected}, got {shown:?}"))
}

/// Fails with `INVALID_NAMESPACE` unless it can stand in a d-tag with at least one byte of category.
pub(crate) fn check_namespace(namespace: &str) -> Result<()> {
    check_part("namespace", namespace, MAX_D_TAG_BYTES - VERSION_SUFFIX.len() - 2)
        .map_err(Error::InvalidNamespace)
}

/// Fails with `INVALID_CATEGORY` unless it can stand in a d-tag after this namespace.
pub(crate) fn check_category(namespace: &str, category: &str) -> Result<()> {
    let room = MAX_D_TAG_BYTES.saturating_sub(VERSION_SUFFIX.len() + namespace.len() + 1);
    check_part("category", category, room).map_err(Error::InvalidCategory)
}

/// Fails with `INVALID_PAYLOAD_LIMIT` unless the engine can work with it.
pub(crate) fn check_payload_limit(bytes: u64) -> Result<()> {
    match bytes {
        1..=MAX_PAYLOAD_BYTES => Ok(()),
        requested => Err(Error::InvalidPayloadLimit { requested, max: MAX_PAYLOAD_BYTES }),
    }
}

/// Fails with `INVALID_DEVICE_ID` unless it can stand in a tag.
pub(crate) fn check_device_id(id: &str) -> Result<()> {
    // The engine counts characters as JavaScript does.
    let is_ok =
        (1..=MAX_DEVICE_ID_CHARS).contains(&id.encode_utf16().count()) && !id.chars().any(char::is_control);
    is_ok.then_some(()).ok_or_else(|| Error::Other {
        code: "INVALID_DEVICE_ID".into(),
        message: format!(
            "Invalid device_id: expected 1 to {MAX_DEVICE_ID_CHARS} characters without control characters"
        ),
    })
}

/// The canonical form of a relay URL, as the engine has it: `wss:`, or `ws:` to loopback, no credentials, no fragment.
pub(crate) fn canonical_relay_url(input: &str) -> Result<String> {
    let fail =
        |expected: &str| Err(Error::InvalidRelayUrl(format!("Invalid relay URL: expected {expected}")));
    let Ok(mut url) = Url::parse(input) else {
        return fail("a URL such as \"wss://relay.example.com\"");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return fail("no credentials in it");
    }
    if input.contains('#') {
        return fail("no fragment");
    }
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "wss" => {}
        "ws" if is_loopback => {}
        "ws" => return fail("wss: (ws: is for loopback only)"),
        _ => return fail("wss:"),
    }
    if url.query() == Some("") {
        url.set_query(None);
    }
    let text = url.to_string();
    Ok(match (url.path(), url.query()) {
        ("/", None) => text.trim_end_matches('/').to_owned(),
        _ => text,
    })
}

/// What the signer may sign: this plugin's own events in this namespace by this key, and AUTH for these relays.
pub(crate) struct SigningPolicy<'a> {
    pub namespace: &'a str,
    /// 64 hex digits.
    pub pubkey: &'a str,
    /// Canonical URLs.
    pub relays: &'a BTreeSet<String>,
    /// Unix time in seconds.
    pub now: u64,
}

impl SigningPolicy<'_> {
    /// Fails with `SIGNER_REFUSED` for everything that the engine has no need of.
    pub fn check(&self, template: &EventTemplate) -> Result<()> {
        let EventTemplate { kind, created_at, tags, content } = template;
        if *created_at > self.now.saturating_add(MAX_AHEAD_SECONDS) {
            return refuse("sign an event stamped more than a year ahead of this clock");
        }
        let is_bounded = tags.len() <= MAX_TAGS
            && tags
                .iter()
                .all(|tag| tag.len() <= MAX_TAGS && tag.iter().all(|value| value.len() <= MAX_TAG_BYTES));
        if !is_bounded {
            return refuse("sign an event with that many or that long tags");
        }
        match *kind {
            KIND_APP_DATA => self.check_value(tags, content),
            KIND_DELETION => self.check_deletion(tags, content),
            KIND_AUTH => self.check_auth(tags, content),
            kind => refuse(&format!("sign an event of kind {kind}")),
        }
    }

    fn check_value(&self, tags: &[Vec<String>], content: &str) -> Result<()> {
        if tags.iter().any(|tag| !VALUE_TAGS.contains(&name_of(tag))) {
            return refuse("sign a value with a tag that is not its own");
        }
        let mut d_tags = tags.iter().filter(|tag| name_of(tag) == "d");
        let (Some([_, d_tag]), None) = (d_tags.next().map(Vec::as_slice), d_tags.next()) else {
            return refuse("sign a value without exactly one d-tag");
        };
        if !self.is_own_d_tag(d_tag) {
            return refuse("sign a value outside its namespace");
        }
        if !is_ciphertext(content) {
            return refuse("sign a value that is not encrypted");
        }
        Ok(())
    }

    fn check_deletion(&self, tags: &[Vec<String>], content: &str) -> Result<()> {
        if !content.is_empty() {
            return refuse("sign a deletion with content");
        }
        let mut has_target = false;
        for tag in tags {
            let is_own = match tag.as_slice() {
                [name, address] if name == "a" => {
                    has_target = true;
                    address
                        .strip_prefix(&format!("{KIND_APP_DATA}:{}:", self.pubkey))
                        .is_some_and(|d_tag| self.is_own_d_tag(d_tag))
                }
                [name, id] if name == "e" => {
                    // Relays delete by id what is of this key alone.
                    has_target = true;
                    is_lower_hex(id, 64)
                }
                [name, kind] if name == "k" => kind == "30078",
                [name, time] if name == "expiration" => {
                    !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit())
                }
                _ => false,
            };
            if !is_own {
                return refuse("sign a deletion of what is not its own");
            }
        }
        if !has_target {
            return refuse("sign a deletion that names nothing");
        }
        Ok(())
    }

    fn check_auth(&self, tags: &[Vec<String>], content: &str) -> Result<()> {
        if !content.is_empty() {
            return refuse("sign an AUTH with content");
        }
        let (mut relays, mut challenges) = (0, 0);
        for tag in tags {
            match tag.as_slice() {
                [name, url] if name == "relay" => {
                    if !canonical_relay_url(url).is_ok_and(|url| self.relays.contains(&url)) {
                        return refuse("sign an AUTH for a relay that is not configured");
                    }
                    relays += 1;
                }
                [name, _] if name == "challenge" => challenges += 1,
                _ => return refuse("sign an AUTH with other tags than relay and challenge"),
            }
        }
        if (relays, challenges) != (1, 1) {
            return refuse("sign an AUTH without exactly one relay and one challenge");
        }
        Ok(())
    }

    /// `{namespace}/{category}/v1`, or of a piece `{namespace}/{category}/c/{name}`, the name of 32 hex digits.
    fn is_own_d_tag(&self, d_tag: &str) -> bool {
        let Some(rest) = d_tag.strip_prefix(self.namespace).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        let category = match rest.split_once(PIECE_INFIX) {
            Some((category, piece)) => is_lower_hex(piece, 32).then_some(category),
            None => rest.strip_suffix(VERSION_SUFFIX),
        };
        category.is_some_and(|category| check_category(self.namespace, category).is_ok())
    }
}

/// Fails with `SIGNER_REFUSED` unless this is a call of the engine's: to itself, of a size that NIP-44 knows.
pub(crate) fn check_encryption(pubkey: &str, peer: &str, plaintext: &str) -> Result<()> {
    if peer != pubkey {
        return refuse("encrypt to another key than its own");
    }
    if plaintext.is_empty() || plaintext.len() > MAX_PLAINTEXT_BYTES {
        return refuse(&format!("encrypt {} bytes: 1 to {MAX_PLAINTEXT_BYTES} fit", plaintext.len()));
    }
    Ok(())
}

/// Fails with `SIGNER_REFUSED` unless this is a call of the engine's: from itself, of a size that it takes.
pub(crate) fn check_decryption(pubkey: &str, peer: &str, ciphertext: &str) -> Result<()> {
    if peer != pubkey {
        return refuse("decrypt from another key than its own");
    }
    if ciphertext.len() > MAX_CIPHERTEXT_BYTES {
        return refuse(&format!("decrypt {} bytes: at most {MAX_CIPHERTEXT_BYTES}", ciphertext.len()));
    }
    Ok(())
}

fn refuse<T>(what: &str) -> Result<T> {
    Err(Error::SignerRefused(format!("The signer refuses to {what}")))
}

fn name_of(tag: &[String]) -> &str {
    tag.first().map_or("", String::as_str)
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// NIP-44 version 2 in base64, by shape: what is not encrypted does not begin with the byte 2.
fn is_ciphertext(content: &str) -> bool {
    let body = content.trim_end_matches('=');
    content.len() >= 132
        && content.len() <= MAX_CIPHERTEXT_BYTES
        && content.len().is_multiple_of(4)
        && content.len() - body.len() <= 2
        && matches!(body.as_bytes(), [b'A', b'g'..=b'v', ..])
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests;
