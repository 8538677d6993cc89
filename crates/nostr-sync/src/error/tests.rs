use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::store::arbitrary_json;

fn round_trip(wire: Value) -> Value {
    serde_json::to_value(Error::from(wire)).unwrap()
}

#[test]
fn every_code_of_the_engine_comes_through_with_its_details() {
    let codes = [
        ("PAYLOAD_TOO_LARGE", json!({ "size": 2, "limit": 1 })),
        ("INVALID_PAYLOAD_LIMIT", json!({ "requested": 500_000, "max": 409_600 })),
        ("NO_RELAYS_ACCEPTED", json!({ "reasons": { "wss://relay.example.com": "blocked: no" } })),
        ("NO_RELAYS_REACHABLE", json!({ "answered": ["wss://a.example"], "silent": ["wss://b.example"] })),
        ("WITHDRAWN_WRITE_SHOWN", json!({ "category": "notes", "eventId": "ab" })),
        ("UNDECODABLE", json!({ "category": "notes", "eventId": "ab" })),
        ("INCOMPLETE", json!({ "category": "notes", "eventId": "ab", "have": 1, "total": 2 })),
        ("VERSION_NOT_KEPT", json!({ "category": "notes", "eventId": "ab" })),
        ("INVALID_VALUE", json!({ "category": "notes", "issues": [{ "path": ["a", 0], "message": "m" }] })),
        ("SCHEMA_NEWER", json!({ "category": "notes", "version": 4, "writableBy": 3 })),
        ("MERGE_FAILED", json!({ "category": "notes" })),
        ("MERGE_LOOP", json!({ "category": "notes", "times": 6 })),
        ("CLOCK_SKEW", json!({ "aheadSeconds": 130.5 })),
        ("CLOCK_SKEW", json!({})),
        (
            "DEVICE_ID_TAKEN",
            json!({ "category": "notes", "eventId": "ab", "formerDeviceId": "laptop", "deviceId": "1-2-3" }),
        ),
    ];
    for (code, details) in codes {
        let error = round_trip(json!({ "code": code, "message": "m", "details": details }));
        assert_eq!((&error["code"], &error["details"]), (&json!(code), &details));
    }
    let plain = [
        "SIGNER_NOT_SET",
        "INVALID_NAMESPACE",
        "INVALID_CATEGORY",
        "INVALID_PAYLOAD",
        "INVALID_EXPIRATION",
        "INVALID_RELAY_URL",
        "ENCRYPTION_FAILED",
        "DECRYPTION_FAILED",
        "SIGNING_FAILED",
        "SIGNER_CHANGED",
        "STORE_FAILED",
        "INVALID_EXPORT",
        "CLOSED",
        "ENGINE_BUSY",
    ];
    for code in plain {
        let error = Error::from(json!({ "code": code, "message": "m" }));
        assert_eq!(error.code(), code);
        assert!(!matches!(error, Error::Other { .. }), "{code} has no variant");
        assert!(round_trip(json!({ "code": code, "message": "m" })).get("details").is_none());
    }
}

#[test]
fn every_code_of_the_typescript_engine_is_known() {
    let details = json!({
        "size": 1, "limit": 1, "requested": 1, "max": 1, "reasons": {}, "category": "", "eventId": "", "have": 1,
        "total": 1, "times": 1, "aheadSeconds": 1, "answered": [], "silent": [], "formerDeviceId": "", "deviceId": "",
        "issues": [], "version": 1, "writableBy": 1,
    });
    let codes = include_str!("../../../../src/errors.ts").lines().filter_map(|line| {
        let name = line.strip_prefix("  readonly ")?.split(':').next()?;
        name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_').then_some(name)
    });
    // The bindings make the first of Tauri's own refusal. The others are of pairing and of keys, which no engine takes part in.
    let of_others = ["NOT_PERMITTED", "WRONG_PASSPHRASE", "INVALID_KEY"];
    let rooms = ["PAIRING_", "RECOVERY_", "NCRYPTSEC_", "KEY_"];
    let codes: Vec<_> = codes
        .filter(|code| !of_others.contains(code) && !rooms.iter().any(|room| code.starts_with(room)))
        .collect();
    assert!(codes.len() > 20, "{codes:?}");
    for code in codes {
        let error = Error::from(json!({ "code": code, "message": "m", "details": details }));
        assert_eq!(error.code(), code);
        assert!(!matches!(error, Error::Other { .. }), "{code} has no variant");
    }
}

#[test]
fn a_code_that_is_not_known_keeps_its_text() {
    let error = Error::from(json!({ "code": "NEW_ONE", "message": "something else" }));
    assert_eq!(error, Error::Other { code: "NEW_ONE".into(), message: "something else".into() });
}

#[test]
fn details_that_are_missing_lose_only_themselves() {
    let codes = [
        "PAYLOAD_TOO_LARGE",
        "INVALID_PAYLOAD_LIMIT",
        "WITHDRAWN_WRITE_SHOWN",
        "UNDECODABLE",
        "INCOMPLETE",
        "VERSION_NOT_KEPT",
        "INVALID_VALUE",
        "SCHEMA_NEWER",
        "MERGE_FAILED",
        "MERGE_LOOP",
        "DEVICE_ID_TAKEN",
    ];
    for code in codes {
        assert_eq!(
            round_trip(json!({ "code": code, "message": "m" })),
            json!({ "code": code, "message": "m" })
        );
    }
}

proptest! {
    #[test]
    fn nothing_that_an_engine_reports_panics(value in arbitrary_json(), code in "[A-Z_]{0,24}") {
        let _ = Error::from(value.clone());
        let _ = Error::from(json!({ "code": code, "message": "", "details": value }));
    }
}
