use super::*;

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_was_deflated_comes_back() {
    for bytes in [Vec::new(), b"text".to_vec(), vec![0; 409_600]] {
        assert_eq!(inflate_bounded(&deflated(&bytes), 409_600).as_ref(), Some(&bytes));
    }
}

#[test]
fn no_more_comes_out_than_was_allowed() {
    let bomb = deflated(&vec![0; 50_000_000]);
    assert!(bomb.len() < 100_000);
    assert_eq!(inflate_bounded(&bomb, 409_600), None);
    assert_eq!(inflate_bounded(&deflated(b"four"), 4).as_deref(), Some(&b"four"[..]));
    assert_eq!(inflate_bounded(&deflated(b"fives"), 4), None);
}

#[test]
fn what_is_no_whole_stream_is_refused() {
    let whole = deflated(b"a value that is long enough to be cut");
    assert_eq!(inflate_bounded(&whole[..whole.len() - 1], 1_000), None);
    assert_eq!(inflate_bounded(&[&whole[..], b"more"].concat(), 1_000), None);
    assert_eq!(inflate_bounded(b"\xff\xff\xff", 1_000), None);
    assert_eq!(inflate_bounded(b"", 1_000), None);
}

#[test]
fn hex_is_lower_case_and_of_one_length() {
    assert_eq!(unhex::<2>("00ff"), Some([0, 255]));
    for text in ["00fF", "00f", "00ff0", "00", "", "zz00", "é0"] {
        assert_eq!(unhex::<2>(text), None, "{text}");
    }
}

#[test]
fn a_url_has_the_parts_of_whatwg() {
    let parts =
        |text: &str| serde_json::from_str::<serde_json::Value>(&parse_url(text.into()).unwrap()).unwrap();
    let url = parts("WSS://Relay.Example.COM:443/a/../b?q#f");
    assert_eq!(url["href"], "wss://relay.example.com/b?q#f");
    assert_eq!(url["origin"], "wss://relay.example.com");
    assert_eq!((&url["search"], &url["hash"]), (&json!("?q"), &json!("#f")));
    assert_eq!(parts("ws://[::1]:7777/")["hostname"], "[::1]");
    assert_eq!(parse_url("relay.example.com".into()), None);
}
