//! The commands as windows call them: real permissions from the committed files, a mock webview, and a host in Rust.

mod support;

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use tauri::test::{MockRuntime, mock_builder, mock_context, noop_assets};
use tauri::{App, Listener, WebviewWindowBuilder};
use tauri_plugin_nostr_sync::nostr::Keys;
use tauri_plugin_nostr_sync::{
    BaseKnown, Builder, Conflict, Error, MergedValues, PublishOptions, Reading, Shown, Source, Stage,
    TauriPluginNostrSyncExt, Why,
};

use support::{TestApp, authority, block_on, invoke, invoke_of, permission_files, test_app};

const SECRET: &str = "6b911fd37cdf5c81d4c0adb1ab7fa822ed253ab0ad9aa18d77257c88b29b718e";

const APP_COMMANDS: [&str; 18] = [
    "publish",
    "remove",
    "reset",
    "update",
    "history",
    "read_version",
    "restore",
    "inspect",
    "fetch",
    "sync_all",
    "poll",
    "subscribe",
    "add_relay",
    "remove_relay",
    "get_relays",
    "get_pubkey",
    "get_status",
    "flush",
];
const HOST_COMMANDS: [&str; 11] = [
    "engine_attach",
    "engine_detach",
    "engine_reply",
    "engine_emit",
    "sign_event",
    "nip44_encrypt",
    "nip44_decrypt",
    "store_get",
    "store_read",
    "store_list",
    "store_update",
];

impl TestApp {
    /// Makes a call in the background, answers it as the host would, and returns the request and what the caller got.
    fn answered<T: Send>(&self, answer: Value, call: impl FnOnce() -> T + Send) -> (Value, T) {
        let generation = self.attach()["generation"].clone();
        std::thread::scope(|scope| {
            let caller = scope.spawn(call);
            let request = self.next("request");
            let mut reply = json!({ "generation": generation, "id": request["id"] });
            reply.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
            invoke(&self.main, "engine_reply", reply).unwrap();
            (request, caller.join().unwrap())
        })
    }

    fn next(&self, kind: &str) -> Value {
        loop {
            let message = self
                .messages
                .recv_timeout(std::time::Duration::from_secs(20))
                .expect("the host was told nothing");
            if message["type"] == kind {
                return message;
            }
        }
    }

    fn unlock(&self) {
        block_on(self.app.nostr_sync().set_signer(Keys::parse(SECRET).unwrap())).unwrap();
    }

    fn pubkey(&self) -> String {
        Keys::parse(SECRET).unwrap().public_key().to_hex()
    }
}

// --- Permissions ------------------------------------------------------------------------------------------------

#[test]
fn every_command_has_its_permissions_and_belongs_to_one_set() {
    let files = permission_files();
    let named: BTreeSet<String> =
        files.iter().flat_map(|file| &file.permission).map(|p| p.identifier.clone()).collect();
    let expected = |commands: &[&str], verb: &str| -> BTreeSet<String> {
        commands.iter().map(|command| format!("{verb}-{}", command.replace('_', "-"))).collect()
    };
    let all = [&APP_COMMANDS[..], &HOST_COMMANDS[..]].concat();
    assert_eq!(named, &expected(&all, "allow") | &expected(&all, "deny"));
    let default = files.iter().find_map(|file| file.default.as_ref()).unwrap();
    assert_eq!(
        default.permissions.iter().cloned().collect::<BTreeSet<_>>(),
        expected(&APP_COMMANDS, "allow")
    );
    let [host] = &files.iter().flat_map(|file| &file.set).collect::<Vec<_>>()[..] else { panic!("one set") };
    assert_eq!((host.identifier.as_str(), host.permissions.len()), ("host", HOST_COMMANDS.len()));
    assert_eq!(host.permissions.iter().cloned().collect::<BTreeSet<_>>(), expected(&HOST_COMMANDS, "allow"));
}

#[test]
fn a_window_without_the_permission_is_refused_every_command() {
    let test = test_app(|builder| builder);
    test.unlock();
    test.attach();
    for command in [&APP_COMMANDS[..], &HOST_COMMANDS[..]].concat() {
        let refusal = invoke(&test.stranger, command, json!({})).unwrap_err();
        assert!(refusal.as_str().is_some_and(|text| text.contains("not allowed")), "{command}: {refusal}");
    }
    for command in HOST_COMMANDS {
        let refusal = invoke(&test.viewer, command, json!({})).unwrap_err();
        assert!(refusal.as_str().is_some_and(|text| text.contains("not allowed")), "{command}: {refusal}");
    }
    assert_eq!(invoke(&test.viewer, "get_pubkey", json!({})), Ok(json!(test.pubkey())));
}

#[test]
fn what_is_for_the_engine_is_refused_to_all_but_the_page_that_hosts() {
    let test = test_app(|builder| builder);
    test.unlock();
    let calls = [
        ("sign_event", json!({ "template": { "kind": 1, "created_at": 1, "tags": [], "content": "" } })),
        ("nip44_encrypt", json!({ "peer": test.pubkey(), "plaintext": "text" })),
        ("nip44_decrypt", json!({ "peer": test.pubkey(), "ciphertext": "text" })),
        ("store_get", json!({ "key": "a" })),
        ("store_read", json!({ "keys": ["a"] })),
        ("store_list", json!({ "prefix": "" })),
        ("store_update", json!({ "expected": {}, "changes": {} })),
    ];
    let are_refused = |generation: &Value| {
        for (command, arguments) in &calls {
            let refusal = invoke_of(&test.main, generation, command, arguments.clone()).unwrap_err();
            assert_eq!(refusal["code"], "ENGINE_GONE", "{command} of {generation}");
        }
    };
    are_refused(&json!(0));
    are_refused(&json!(1));
    let first = test.attach()["generation"].clone();
    assert_eq!(invoke_of(&test.main, &first, "store_get", json!({ "key": "a" })), Ok(Value::Null));
    are_refused(&json!(0));
    // Reloaded: of the same label, and not the same page.
    let second = test.attach()["generation"].clone();
    are_refused(&first);
    assert_eq!(invoke_of(&test.main, &second, "store_get", json!({ "key": "a" })), Ok(Value::Null));
    invoke(&test.main, "engine_detach", json!({ "generation": second })).unwrap();
    are_refused(&second);
}

// --- Calls ------------------------------------------------------------------------------------------------------

#[test]
fn a_call_of_another_window_reaches_the_host_as_it_was_made() {
    let test = test_app(|builder| builder);
    // Order of keys, numbers to the last bit, null and absence, a key that is none in JavaScript source.
    let text = r#"{"category":"notes","payload":{"z":1,"a":[31.245270191439438,121.48791951161945,0.1,3.0000000000000004e-8,1e300,-0.5,9007199254740991],"__proto__":{"x":null},"\u2028":"\u2029"},"options":null}"#;
    let body: Value = serde_json::from_str(text).unwrap();
    let call = || invoke(&test.viewer, "publish", body.clone());
    let (request, answer) = test.answered(json!({ "ok": { "z": 1, "a": 5e-324 } }), call);
    assert_eq!((&request["method"], &request["attempt"]), (&json!("publish"), &json!(1)));
    assert_eq!(request["args"].as_str().unwrap(), from_viewer(&body));
    let numbers = r#""payload":{"z":1,"a":[31.245270191439438,121.48791951161945,0.1,"#;
    assert!(request["args"].as_str().unwrap().contains(numbers));
    assert_eq!(answer.unwrap().to_string(), r#"{"z":1,"a":5e-324}"#);

    let call = || invoke(&test.viewer, "publish", json!({ "category": "notes", "more": 1 }));
    let (request, _) = test.answered(json!({}), call);
    assert_eq!(request["args"], r#"{"category":"notes","from":"viewer"}"#);
}

/// The arguments of a call as the host gets them: with the label of the window that made it.
fn from_viewer(arguments: &Value) -> String {
    let mut arguments = arguments.clone();
    arguments["from"] = json!("viewer");
    arguments.to_string()
}

#[test]
fn every_app_command_is_carried_with_its_arguments() {
    let test = test_app(|builder| builder);
    let calls = [
        ("publish", json!({ "category": "notes", "payload": 1, "options": { "waitFor": "saved" } })),
        ("remove", json!({ "category": "notes", "options": { "waitFor": "saved" } })),
        ("reset", json!({ "category": "notes", "options": { "waitFor": "saved" } })),
        ("update", json!({ "category": "notes", "options": {}, "now": "1", "payload": 2 })),
        ("history", json!({ "category": "notes" })),
        ("read_version", json!({ "category": "notes", "eventId": "ab" })),
        ("restore", json!({ "category": "notes", "eventId": "ab", "options": { "waitFor": "saved" } })),
        ("inspect", json!({})),
        ("fetch", json!({ "category": "notes" })),
        ("sync_all", json!({ "categories": ["notes"] })),
        ("poll", json!({ "categories": ["notes"] })),
        ("subscribe", json!({ "categories": ["notes"] })),
        ("add_relay", json!({ "url": "wss://relay.example.com" })),
        ("remove_relay", json!({ "url": "wss://relay.example.com" })),
        ("get_relays", json!({})),
        ("get_status", json!({})),
        ("flush", json!({})),
    ];
    for (command, arguments) in calls {
        let call = || invoke(&test.viewer, command, arguments.clone());
        let (request, answer) = test.answered(json!({ "ok": command }), call);
        assert_eq!(
            (&request["method"], &request["args"]),
            (&json!(command), &json!(from_viewer(&arguments)))
        );
        assert_eq!(answer, Ok(json!(command)));
    }
}

#[test]
fn what_changes_something_is_carried_out_once_however_often_tauri_delivers_it() {
    let test = test_app(|builder| builder);
    let args = json!({
        "category": "note", "categories": [], "payload": 1, "url": "wss://relay.example.com", "callId": "a",
    });
    for command in ["publish", "remove", "reset", "update", "restore", "add_relay", "remove_relay"] {
        let mut args = args.clone();
        args["callId"] = command.into();
        let call = || invoke(&test.main, command, args.clone());
        let (_, first) = test.answered(json!({ "ok": { "of": command } }), call);
        assert_eq!(first, Ok(json!({ "of": command })));
        // Nobody answers for the engine now.
        assert_eq!(call(), first, "{command}");
    }
    // What only reads is asked anew, and its answers are not kept.
    for command in
        ["fetch", "sync_all", "poll", "history", "read_version", "inspect", "get_relays", "get_status"]
    {
        for round in 0..2 {
            let call = || invoke(&test.main, command, args.clone());
            let (_, answer) = test.answered(json!({ "ok": round }), call);
            assert_eq!(answer, Ok(json!(round)), "{command}");
        }
    }
}

#[test]
fn errors_cross_the_ipc_with_code_message_and_details() {
    let test = test_app(|builder| builder);
    let error = json!({ "code": "PAYLOAD_TOO_LARGE", "message": "m", "details": { "size": 2, "limit": 1 } });
    let call = || invoke(&test.viewer, "publish", json!({}));
    let (_, answer) = test.answered(json!({ "error": error }), call);
    let answer = answer.unwrap_err();
    assert_eq!((&answer["code"], &answer["details"]), (&error["code"], &error["details"]));
    let sync = test.app.nostr_sync();
    let call = || block_on(sync.publish("notes", &json!(1), None));
    let (_, answer) = test.answered(json!({ "error": error }), call);
    assert_eq!(answer.unwrap_err(), Error::PayloadTooLarge { size: 2, limit: 1 });
    let (_, answer) =
        test.answered(json!({ "ok": { "not": "a receipt" } }), || block_on(sync.remove("notes")));
    assert_eq!(answer.unwrap_err().code(), "UNKNOWN");
}

#[test]
fn rust_code_gets_typed_results() {
    let test = test_app(|builder| builder);
    let sync = test.app.nostr_sync();
    let receipt = json!({ "ok": {
        "category": "notes", "eventId": "ab", "updatedAt": "2026-01-01T00:00:00.000Z", "stage": "delivered",
        "relays": { "wss://relay.example.com": "acknowledged" },
    } });
    let (request, answer) =
        test.answered(receipt.clone(), || block_on(sync.publish("notes", &json!([1]), Some(1_800_000_000))));
    assert_eq!(request["args"], r#"{"category":"notes","payload":[1],"options":{"expiration":1800000000}}"#);
    let delivered = answer.unwrap();
    assert_eq!((delivered.stage, delivered.pieces), (Stage::Delivered, None));
    let saved = PublishOptions::default().wait_for(Stage::Saved);
    let mut in_pieces = receipt;
    in_pieces["ok"]["pieces"] = json!({ "total": 3, "done": { "wss://relay.example.com": 2 } });
    let (request, answer) = test.answered(in_pieces, || block_on(sync.publish("notes", &json!([1]), saved)));
    assert_eq!(answer.unwrap().pieces.unwrap().done["wss://relay.example.com"], 2);
    assert_eq!(request["args"], r#"{"category":"notes","payload":[1],"options":{"waitFor":"saved"}}"#);

    let result = json!({
        "category": "notes", "payload": { "a": 1 }, "updatedAt": "2026-01-01T00:00:00.000Z", "deviceId": "laptop",
        "eventId": "ab", "source": "local",
    });
    let (_, answer) = test.answered(json!({ "ok": result }), || block_on(sync.fetch("notes")));
    let found = answer.unwrap().unwrap();
    assert_eq!((found.payload, found.source, found.deleted), (json!({ "a": 1 }), Source::Local, false));
    let (_, answer) = test.answered(json!({ "ok": null }), || block_on(sync.fetch("notes")));
    assert_eq!(answer.unwrap(), None);
    let (request, answer) =
        test.answered(json!({ "ok": [result] }), || block_on(sync.sync_all(&["notes", "wallet"])));
    assert_eq!(
        (&request["args"], answer.unwrap().len()),
        (&json!(r#"{"categories":["notes","wallet"]}"#), 1)
    );
    let (_, answer) = test.answered(json!({ "ok": [] }), || block_on(sync.poll(&["notes".to_string()])));
    assert_eq!(answer.unwrap(), []);

    let relay = json!({
        "url": "wss://relay.example.com", "connected": true, "lastSeen": null, "state": "open", "latencyMs": 3,
        "auth": "none", "lastError": null, "acceptedBytes": 55000, "refusedBytes": null, "violations": { "signature": 2 },
    });
    let (_, answer) = test.answered(json!({ "ok": [relay] }), || block_on(sync.relays()));
    let relay = &answer.unwrap()[0];
    assert_eq!(relay.violations["signature"], 2);
    assert_eq!((relay.accepted_bytes, relay.refused_bytes), (Some(55_000), None));
    let status = json!({
        "ready": true, "online": true, "relayCount": 2, "connectedRelayCount": 1, "deviceId": "laptop", "outboxDepth": 3,
        "pendingChanges": 2, "lastSyncedAt": "2026-01-01T00:00:00Z",
    });
    let (_, answer) = test.answered(json!({ "ok": status }), || block_on(sync.status()));
    let status = answer.unwrap();
    assert_eq!((status.outbox_depth, status.pending_changes, status.online), (3, 2, true));
    assert_eq!(status.last_synced_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    let (_, answer) = test.answered(json!({}), || block_on(sync.flush()));
    answer.unwrap();
}

fn receipt() -> Value {
    json!({
        "category": "notes", "eventId": "ab", "updatedAt": "2026-01-01T00:00:00.000Z", "stage": "saved", "relays": {},
    })
}

#[test]
fn rust_code_updates_a_value_and_its_function_is_called_again_if_another_comes_in() {
    let test = test_app(|builder| builder);
    let sync = test.app.nostr_sync();
    let generation = test.attach()["generation"].clone();
    let answer = |ok: Value| {
        let request = test.next("request");
        let reply = json!({ "generation": generation, "id": request["id"], "ok": ok });
        invoke(&test.main, "engine_reply", reply).unwrap();
        serde_json::from_str::<Value>(request["args"].as_str().unwrap()).unwrap()
    };
    let mut given = Vec::new();
    let change = |now: Option<Value>| {
        given.push(now.clone());
        json!({ "n": now.map_or(0, |now| now["n"].as_i64().unwrap()) + 1 })
    };
    std::thread::scope(|scope| {
        let until = PublishOptions::default().expiration(1_800_000_000);
        let caller = scope.spawn(|| block_on(sync.update("notes", change, until)));
        let options = json!({ "expiration": 1_800_000_000 });
        assert_eq!(answer(json!({ "now": null })), json!({ "category": "notes", "options": options }));
        let second = json!({ "category": "notes", "options": options, "payload": { "n": 1 }, "now": null });
        assert_eq!(answer(json!({ "now": "{\"n\": 7}" })), second);
        let third =
            json!({ "category": "notes", "options": options, "payload": { "n": 8 }, "now": "{\"n\": 7}" });
        assert_eq!(answer(json!({ "receipt": receipt() })), third);
        assert_eq!(caller.join().unwrap().unwrap().event_id, "ab");
    });
    assert_eq!(given, [None, Some(json!({ "n": 7 }))]);
}

#[test]
fn an_update_into_which_values_come_in_for_ever_ends() {
    let test = test_app(|builder| builder);
    let sync = test.app.nostr_sync();
    let generation = test.attach()["generation"].clone();
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| block_on(sync.update("notes", |_| json!(1), None)));
        for n in 0..=100 {
            let request = test.next("request");
            let now = json!({ "now": n.to_string() });
            let reply = json!({ "generation": generation, "id": request["id"], "ok": now });
            invoke(&test.main, "engine_reply", reply).unwrap();
        }
        assert_eq!(caller.join().unwrap().unwrap_err().code(), "ENGINE_BUSY");
    });
}

#[test]
fn rust_code_reads_and_restores_the_history() {
    let test = test_app(|builder| builder);
    let sync = test.app.nostr_sync();
    let version = json!({
        "eventId": "ab", "updatedAt": "2026-01-01T00:00:00.000Z", "deviceId": "laptop", "bytes": 400,
        "isCurrent": false, "why": "lost",
    });
    let (_, answer) = test.answered(json!({ "ok": [version] }), || block_on(sync.history("notes")));
    let [version] = &answer.unwrap()[..] else { panic!("one version") };
    assert_eq!((version.why, version.bytes, version.is_current), (Why::Lost, 400, false));

    let removal = json!({
        "category": "notes", "payload": null, "updatedAt": "2026-01-01T00:00:00.000Z", "deviceId": "laptop",
        "eventId": "ab", "source": "local", "deleted": true,
    });
    let (request, answer) =
        test.answered(json!({ "ok": removal }), || block_on(sync.read_version("notes", "ab")));
    assert_eq!(request["args"], r#"{"category":"notes","eventId":"ab"}"#);
    assert!(answer.unwrap().deleted);
    let gone = json!({ "error": {
        "code": "VERSION_NOT_KEPT", "message": "m", "details": { "category": "notes", "eventId": "ab" },
    } });
    let (_, answer) = test.answered(gone, || block_on(sync.read_version("notes", "ab")));
    assert!(matches!(answer.unwrap_err(), Error::VersionNotKept { category, .. } if category == "notes"));

    let (request, answer) =
        test.answered(json!({ "ok": receipt() }), || block_on(sync.restore("notes", "ab")));
    assert_eq!((&request["method"], answer.unwrap().stage), (&json!("restore"), Stage::Saved));

    let mut row = receipt();
    let more = json!({
        "deviceId": "laptop", "isOwn": true, "isRemoval": false, "expiration": 1_800_000_000, "bytes": 400,
        "isWhole": true, "reading": "unreadable", "rivals": 1, "kept": 2,
    });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (_, answer) = test.answered(json!({ "ok": [row] }), || block_on(sync.inspect()));
    let row = &answer.unwrap()[0];
    assert_eq!((row.reading, row.rivals, row.kept), (Reading::Unreadable, 1, 2));

    let based = PublishOptions::default().based_on("ab");
    let (request, _) =
        test.answered(json!({ "ok": receipt() }), || block_on(sync.publish("notes", &json!(1), based)));
    assert_eq!(request["args"], r#"{"category":"notes","payload":1,"options":{"basedOn":"ab"}}"#);
}

#[test]
fn what_events_tell_of_merges_is_typed_and_null_is_a_value() {
    let value = |payload: Value| {
        json!({
            "category": "notes", "payload": payload, "updatedAt": "2026-01-01T00:00:00.000Z", "deviceId": "laptop",
            "eventId": "ab", "source": "local",
        })
    };
    let clash = json!({ "path": ["font"], "reason": "both-changed", "base": null, "theirs": 18 });
    let conflict = json!({
        "category": "notes", "mine": value(json!(1)), "theirs": value(json!(2)), "shown": "theirs",
        "base": value(json!(0)), "clashes": [clash],
    });
    let told: Conflict = serde_json::from_value(conflict.clone()).unwrap();
    let told_clash = &told.clashes.as_ref().unwrap()[0];
    assert_eq!((&told_clash.base, &told_clash.mine), (&Some(Value::Null), &None));
    assert_eq!(told.shown, Shown::Theirs);
    assert_eq!(serde_json::to_value(&told).unwrap(), conflict);
    let merged = json!({
        "category": "notes", "value": value(json!(3)), "parts": [value(json!(2)), value(json!(1))], "base": "exact",
        "clashes": [],
    });
    let told: MergedValues = serde_json::from_value(merged.clone()).unwrap();
    assert_eq!((told.base, told.parts.len()), (BaseKnown::Exact, 2));
    assert_eq!(serde_json::to_value(&told).unwrap(), merged);
}

#[test]
fn without_a_host_a_call_waits_for_one() {
    let test = test_app(|builder| builder);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| invoke(&test.viewer, "fetch", json!({ "category": "notes" })));
        let generation = test.attach()["generation"].clone();
        let request = test.next("request");
        invoke(&test.main, "engine_reply", json!({ "generation": generation, "id": request["id"], "ok": 1 }))
            .unwrap();
        assert_eq!(caller.join().unwrap(), Ok(json!(1)));
    });
}

#[test]
fn without_a_window_that_may_host_a_call_says_at_once_which_permission_is_missing() {
    let data = tempfile::tempdir().unwrap();
    let mut context = mock_context(noop_assets());
    *context.runtime_authority_mut() = authority();
    let plugin = Builder::new().data_dir(data.path().join("store")).build();
    let app = mock_builder().plugin(plugin).build(context).unwrap();
    let viewer = WebviewWindowBuilder::new(&app, "viewer", Default::default()).build().unwrap();
    let start = std::time::Instant::now();
    let error = invoke(&viewer, "fetch", json!({ "category": "notes" })).unwrap_err();
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(error["code"], "ENGINE_NOT_RUNNING");
    assert!(error["message"].as_str().unwrap().contains("nostr-sync:host"), "{error}");

    // A subscription fails no call, and is told of as an error.
    let (sender, warnings) = channel();
    app.listen_any("nostr-sync://error", move |event| sender.send(event.payload().to_owned()).unwrap());
    assert_eq!(invoke(&viewer, "subscribe", json!({ "categories": ["notes"] })), Ok(Value::Null));
    let warning = warnings.recv_timeout(std::time::Duration::from_secs(5)).unwrap();
    assert!(warning.contains("ENGINE_NOT_RUNNING") && warning.contains("nostr-sync:host"), "{warning}");
}

// --- The host ---------------------------------------------------------------------------------------------------

#[test]
fn a_host_learns_the_settings_and_every_change_of_the_signer() {
    let relays = ["wss://Relay.example.com/", "ws://127.0.0.1:7777"];
    let test = test_app(|builder| builder.relays(relays).device_id("laptop").max_payload_size(409_600));
    let expected = json!({
        "generation": 1, "namespace": "sage", "relays": ["ws://127.0.0.1:7777", "wss://relay.example.com"],
        "deviceId": "laptop", "maxPayloadSize": 409_600, "pubkey": null, "isLocal": false, "subscriptions": [],
    });
    let mut granted = test.attach();
    let run = granted.as_object_mut().unwrap().remove("run").unwrap();
    assert_eq!(granted, expected);
    test.unlock();
    assert_eq!(test.next("signer"), json!({ "type": "signer", "pubkey": test.pubkey(), "isLocal": true }));
    let second = test.attach();
    assert_eq!((&second["generation"], &second["pubkey"]), (&json!(2), &json!(test.pubkey())));
    assert_eq!((&second["run"], &second["isLocal"]), (&run, &json!(true)));
    test.next("detached");
    block_on(test.app.nostr_sync().clear_signer());
    assert_eq!(test.next("signer"), json!({ "type": "signer", "pubkey": null, "isLocal": false }));
    assert_eq!(block_on(test.app.nostr_sync().pubkey()), None);
    assert_eq!(test.attach()["pubkey"], Value::Null);
}

#[test]
fn a_new_host_is_given_added_relays_and_subscriptions() {
    let test = test_app(|builder| builder.relays(["wss://one.example.com"]));
    let sync = test.app.nostr_sync();
    // No host yet: it is remembered.
    block_on(sync.subscribe(&["notes"])).unwrap();
    let (_, answer) = test.answered(json!({}), || block_on(sync.subscribe(&["wallet", "notes"])));
    answer.unwrap();
    let (_, answer) = test.answered(json!({}), || block_on(sync.add_relay("wss://two.example.com/")));
    answer.unwrap();
    let refusal = json!({ "error": { "code": "CLOSED", "message": "m" } });
    for url in ["wss://three.example.com", "wss://two.example.com"] {
        let (_, answer) = test.answered(refusal.clone(), || block_on(sync.add_relay(url)));
        assert_eq!(answer.unwrap_err().code(), "CLOSED");
    }
    let (_, answer) = test.answered(json!({}), || block_on(sync.remove_relay("wss://one.example.com")));
    answer.unwrap();
    let attachment = test.attach();
    assert_eq!(attachment["relays"], json!(["wss://two.example.com"]));
    assert_eq!(attachment["subscriptions"], json!(["notes", "wallet"]));
    assert_eq!(block_on(sync.subscribe(&["a/b"])).unwrap_err().code(), "INVALID_CATEGORY");
    assert_eq!(block_on(sync.add_relay("ws://relay.example.com")).unwrap_err().code(), "INVALID_RELAY_URL");
}

#[test]
fn events_of_the_current_host_reach_rust_and_stale_ones_nobody() {
    let test = test_app(|builder| builder);
    let (sender, events) = channel();
    for name in ["updated", "relay-status", "error", "delivery", "conflict", "merged"] {
        let sender = sender.clone();
        test.app.listen(format!("nostr-sync://{name}"), move |event| {
            sender.send((name, event.payload().to_owned())).unwrap();
        });
    }
    let old = test.attach()["generation"].clone();
    let generation = test.attach()["generation"].clone();
    let stale = json!({ "generation": old, "event": "updated", "payload": "stale" });
    invoke(&test.main, "engine_emit", stale).unwrap();
    for name in ["updated", "relay-status", "error", "delivery", "conflict", "merged"] {
        invoke(
            &test.main,
            "engine_emit",
            json!({ "generation": generation, "event": name, "payload": [name] }),
        )
        .unwrap();
        let event = events.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(event, (name, format!("[\"{name}\"]")));
    }
    let unknown = json!({ "generation": generation, "event": "tauri://close-requested", "payload": 1 });
    assert_eq!(invoke(&test.main, "engine_emit", unknown).unwrap_err()["code"], "INVALID_ARGUMENTS");
}

// --- Signer and store, through the IPC --------------------------------------------------------------------------

#[test]
fn the_engine_can_sign_and_encrypt_what_is_its_own_and_nothing_else() {
    let test = test_app(|builder| builder.relays(["wss://relay.example.com"]));
    let generation = test.attach()["generation"].clone();
    let sign = |kind: u16, tags: Value, content: &str| {
        let template = json!({ "kind": kind, "created_at": 1_700_000_000, "tags": tags, "content": content });
        invoke_of(&test.main, &generation, "sign_event", json!({ "template": template }))
    };
    let code = |result: Result<Value, Value>| result.unwrap_err()["code"].clone();
    assert_eq!(
        code(sign(22_242, json!([["relay", "wss://relay.example.com"], ["challenge", "x"]]), "")),
        "SIGNER_NOT_SET"
    );
    test.unlock();
    let peer = test.pubkey();
    let encrypted =
        invoke_of(&test.main, &generation, "nip44_encrypt", json!({ "peer": peer, "plaintext": "text" }))
            .unwrap();
    let decrypt = |peer: &str| {
        invoke_of(&test.main, &generation, "nip44_decrypt", json!({ "peer": peer, "ciphertext": encrypted }))
    };
    assert_eq!(decrypt(&peer), Ok(json!("text")));
    let value = sign(30_078, json!([["d", "sage/notes/v1"]]), encrypted.as_str().unwrap()).unwrap();
    assert_eq!((&value["pubkey"], &value["kind"]), (&json!(peer), &json!(30_078)));
    sign(22_242, json!([["relay", "wss://relay.example.com"], ["challenge", "x"]]), "").unwrap();
    let address = format!("30078:{peer}:sage/notes/v1");
    sign(5, json!([["a", address], ["k", "30078"]]), "").unwrap();
    sign(5, json!([["e", "00".repeat(32)], ["k", "30078"]]), "").unwrap();

    let other = Keys::generate().public_key().to_hex();
    assert_eq!(code(sign(1, json!([]), "hello")), "SIGNER_REFUSED");
    assert_eq!(
        code(sign(30_078, json!([["d", "other/notes/v1"]]), encrypted.as_str().unwrap())),
        "SIGNER_REFUSED"
    );
    assert_eq!(code(sign(30_078, json!([["d", "sage/notes/v1"]]), "text")), "SIGNER_REFUSED");
    let foreign = format!("30078:{peer}:other/notes/v1");
    for tags in [json!([["a", foreign]]), json!([["e", "x"]]), json!([["k", "30078"]])] {
        assert_eq!(code(sign(5, tags, "")), "SIGNER_REFUSED");
    }
    let auth = json!([["relay", "wss://evil.example.com"], ["challenge", "x"]]);
    assert_eq!(code(sign(22_242, auth, "")), "SIGNER_REFUSED");
    assert_eq!(code(decrypt(&other)), "SIGNER_REFUSED");
    assert_eq!(
        code(invoke_of(
            &test.main,
            &generation,
            "nip44_encrypt",
            json!({ "peer": other, "plaintext": "text" })
        )),
        "SIGNER_REFUSED"
    );
    block_on(test.app.nostr_sync().clear_signer());
    assert_eq!(code(decrypt(&peer)), "SIGNER_NOT_SET");
    assert!(!test.sent.lock().unwrap().contains(SECRET));
}

#[test]
fn an_added_relay_is_answered_and_a_removed_one_no_longer() {
    let test = test_app(|builder| builder);
    test.unlock();
    let sync = test.app.nostr_sync();
    let auth = || {
        let generation = test.attach()["generation"].clone();
        let tags = json!([["relay", "wss://relay.example.com"], ["challenge", "x"]]);
        let template = json!({ "kind": 22_242, "created_at": 1, "tags": tags, "content": "" });
        invoke_of(&test.main, &generation, "sign_event", json!({ "template": template }))
            .map_err(|error| error["code"].clone())
    };
    assert_eq!(auth().unwrap_err(), "SIGNER_REFUSED");
    test.answered(json!({}), || block_on(sync.add_relay("wss://relay.example.com"))).1.unwrap();
    auth().unwrap();
    test.answered(json!({}), || block_on(sync.remove_relay("wss://relay.example.com"))).1.unwrap();
    assert_eq!(auth().unwrap_err(), "SIGNER_REFUSED");
}

#[test]
fn the_store_keeps_what_it_is_given_and_compares_before_it_changes() {
    let test = test_app(|builder| builder);
    let generation = test.attach()["generation"].clone();
    let store =
        |command: &str, arguments: Value| invoke_of(&test.main, &generation, command, arguments).unwrap();
    let first = json!({ "expected": { "a": null }, "changes": { "a": "1", "b": "2" } });
    assert_eq!(store("store_update", first.clone()), json!(true));
    assert_eq!(store("store_update", first), json!(false));
    assert_eq!(
        store("store_update", json!({ "expected": { "a": "1" }, "changes": { "b": null } })),
        json!(true)
    );
    assert_eq!(store("store_get", json!({ "key": "a" })), json!("1"));
    assert_eq!(store("store_get", json!({ "key": "b" })), Value::Null);
    assert_eq!(store("store_read", json!({ "keys": ["a", "b", "__proto__"] })), json!({ "a": "1" }));
    assert_eq!(store("store_list", json!({ "prefix": "" })), json!({ "a": "1" }));
}

#[test]
fn an_update_of_a_page_that_was_reloaded_changes_nothing() {
    let test = test_app(|builder| builder);
    let old = test.attach()["generation"].clone();
    let late = json!({ "expected": {}, "changes": { "a": "late" } });
    let new = test.attach()["generation"].clone();
    assert_eq!(invoke_of(&test.main, &old, "store_update", late).unwrap_err()["code"], "ENGINE_GONE");
    assert_eq!(invoke_of(&test.main, &new, "store_list", json!({ "prefix": "" })), Ok(json!({})));
}

// --- Setup ------------------------------------------------------------------------------------------------------

fn setup(builder: Builder, file: Value) -> Result<App<MockRuntime>, String> {
    let mut context = mock_context(noop_assets());
    *context.runtime_authority_mut() = authority();
    if !file.is_null() {
        context.config_mut().plugins.0.insert("nostr-sync".into(), file);
    }
    mock_builder().plugin(builder.build()).build(context).map_err(|error| error.to_string())
}

fn attachment(app: &App<MockRuntime>) -> Value {
    let window = WebviewWindowBuilder::new(app, "main", Default::default()).build().unwrap();
    invoke(&window, "engine_attach", json!({ "channel": "__CHANNEL__:1" })).unwrap()
}

#[test]
fn settings_come_from_the_config_file_and_rust_wins() {
    let nothing = attachment(&setup(Builder::new(), Value::Null).unwrap());
    assert_eq!((&nothing["namespace"], &nothing["relays"]), (&json!("default"), &json!([])));
    assert_eq!((&nothing["maxPayloadSize"], &nothing["deviceId"]), (&json!(65_536), &Value::Null));
    let file = json!({
        "relays": ["wss://file.example.com"], "appNamespace": "file", "deviceId": "from-file", "maxPayloadSize": 100_000,
    });
    let from_file = attachment(&setup(Builder::new(), file.clone()).unwrap());
    assert_eq!(
        (&from_file["namespace"], &from_file["relays"]),
        (&json!("file"), &json!(["wss://file.example.com"]))
    );
    assert_eq!(
        (&from_file["maxPayloadSize"], &from_file["deviceId"]),
        (&json!(100_000), &json!("from-file"))
    );
    let rust = Builder::new().app_namespace("rust").relays(Vec::<String>::new()).max_payload_size(1);
    let from_rust = attachment(&setup(rust, file).unwrap());
    assert_eq!((&from_rust["namespace"], &from_rust["relays"]), (&json!("rust"), &json!([])));
    assert_eq!((&from_rust["maxPayloadSize"], &from_rust["deviceId"]), (&json!(1), &json!("from-file")));
}

#[test]
fn a_setting_that_cannot_be_fails_the_setup() {
    let fails = |builder: Builder, file: Value, why: &str| {
        let Err(error) = setup(builder, file) else { panic!("no failure: {why}") };
        assert!(error.contains("nostr-sync") && error.contains(why), "{error}");
    };
    fails(Builder::new().max_payload_size(409_601), Value::Null, "409600");
    fails(Builder::new().max_payload_size(0), Value::Null, "max_payload_size");
    fails(Builder::new().app_namespace("a/b"), Value::Null, "namespace");
    fails(Builder::new().device_id(""), Value::Null, "device_id");
    fails(Builder::new().relays(["ws://relay.example.com"]), Value::Null, "relay URL");
    fails(Builder::new(), json!({ "maxPayloadSize": 409_601 }), "409600");
    fails(Builder::new(), json!({ "maxPayloadSize": -1 }), "-1");
    fails(Builder::new(), json!({ "namespace": "sage" }), "unknown field");
}

// --- Any input --------------------------------------------------------------------------------------------------

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(run-1|notes|a/b|wss://relay.example.com|.{0,9})".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec((".{0,6}", inner), 0..3).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

#[test]
fn no_command_panics_whatever_its_arguments() {
    let names = [
        "category",
        "payload",
        "options",
        "categories",
        "url",
        "generation",
        "id",
        "ok",
        "error",
        "event",
        "template",
        "peer",
        "plaintext",
        "ciphertext",
        "key",
        "keys",
        "prefix",
        "expected",
        "changes",
    ];
    let test = test_app(|builder| builder);
    test.unlock();
    // Answers everything, so that no call waits.
    let (app, main) = (test.app.handle().clone(), test.main.clone());
    let generation = Arc::new(Mutex::new(test.attach()["generation"].clone()));
    let current = Arc::clone(&generation);
    let messages = test.messages;
    std::thread::spawn(move || {
        for message in messages.iter().filter(|message| message["type"] == "request") {
            let generation = current.lock().unwrap().clone();
            let _ = invoke(&main, "engine_reply", json!({ "generation": generation, "id": message["id"] }));
        }
    });
    let commands = [&APP_COMMANDS[..], &HOST_COMMANDS[..]].concat();
    let run = (
        proptest::sample::select(commands),
        proptest::collection::btree_map(proptest::sample::select(names.to_vec()), arbitrary_json(), 0..6),
        proptest::option::weighted(0.1, arbitrary_json()),
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(3_000)
    });
    let result = runner.run(&run, |(command, arguments, body)| {
        let mut body = body.unwrap_or_else(|| json!(arguments));
        if command == "engine_attach"
            && let Some(body) = body.as_object_mut()
        {
            body.insert("channel".into(), json!("__CHANNEL__:7"));
        }
        // Most calls are of the page that hosts: they get further. Nobody would answer the calls after its end.
        if command != "engine_detach"
            && let Some(body) = body.as_object_mut()
        {
            body.entry("generation").or_insert_with(|| generation.lock().unwrap().clone());
        }
        // A command that panics gives no answer, which `invoke` takes for a failure.
        let answer = invoke(&test.main, command, body);
        if let (Ok(attachment), "engine_attach") = (&answer, command) {
            *generation.lock().unwrap() = attachment["generation"].clone();
        }
        Ok(())
    });
    result.unwrap();
    assert!(block_on(app.nostr_sync().pubkey()).is_some());
}
