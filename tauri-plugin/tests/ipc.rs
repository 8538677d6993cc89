//! The commands as windows call them: real permissions from the committed files, mock webviews, and the real engine without a relay.

mod support;

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tauri::test::{MockRuntime, mock_builder, mock_context, noop_assets};
use tauri::{App, Listener, Manager, WebviewWindow, WebviewWindowBuilder};
use tauri_plugin_nostr_sync::{Builder, Error, Event, SecretKey, TauriPluginNostrSyncExt};

use support::{SECRET, authority, block_on, invoke, permission_files, test_app};

const READ: [&str; 14] = [
    "fetch",
    "sync_all",
    "poll",
    "subscribe",
    "listen",
    "unsubscribe",
    "wake",
    "history",
    "read_version",
    "inspect",
    "kept",
    "get_relays",
    "get_pubkey",
    "get_status",
];
const WRITE: [&str; 7] = ["publish", "update", "remove", "reset", "restore", "keep", "flush"];
const RELAYS: [&str; 2] = ["add_relay", "remove_relay"];
/// Those of the original plugin (0.1.0-alpha.3).
const DEFAULT: [&str; 9] = [
    "publish",
    "fetch",
    "poll",
    "sync_all",
    "add_relay",
    "remove_relay",
    "get_relays",
    "get_pubkey",
    "get_status",
];

fn all_commands() -> Vec<&'static str> {
    [&READ[..], &WRITE, &RELAYS].concat()
}

// --- Permissions ------------------------------------------------------------------------------------------------

#[test]
fn every_command_has_its_permissions_and_belongs_to_one_set() {
    let files = permission_files();
    let expected = |commands: &[&str], verb: &str| -> BTreeSet<String> {
        commands.iter().map(|command| format!("{verb}-{}", command.replace('_', "-"))).collect()
    };
    let named: BTreeSet<String> =
        files.iter().flat_map(|file| &file.permission).map(|p| p.identifier.clone()).collect();
    assert_eq!(named, &expected(&all_commands(), "allow") | &expected(&all_commands(), "deny"));
    let default = files.iter().find_map(|file| file.default.as_ref()).unwrap();
    assert_eq!(default.permissions.iter().cloned().collect::<BTreeSet<_>>(), expected(&DEFAULT, "allow"));
    let sets: Vec<(&str, BTreeSet<String>)> = files
        .iter()
        .flat_map(|file| &file.set)
        .map(|set| (set.identifier.as_str(), set.permissions.iter().cloned().collect()))
        .collect();
    let of = |name, commands: &[&str]| (name, expected(commands, "allow"));
    assert_eq!(sets, [of("read", &READ), of("write", &WRITE), of("relays", &RELAYS)]);
}

#[test]
fn a_window_is_refused_what_it_has_no_permission_for() {
    let test = test_app(|builder| builder);
    test.unlock();
    let is_refused = |window: &WebviewWindow<MockRuntime>, command: &str| {
        invoke(window, command, json!({}))
            .is_err_and(|error| error.as_str().is_some_and(|text| text.contains("not allowed")))
    };
    for command in all_commands() {
        assert!(is_refused(&test.stranger, command), "{command}");
        assert!(!is_refused(&test.main, command), "{command}");
        assert_eq!(is_refused(&test.viewer, command), !READ.contains(&command), "{command}");
        assert_eq!(is_refused(&test.old, command), !DEFAULT.contains(&command), "{command}");
    }
    let pubkey = SecretKey::parse(SECRET).unwrap().public_key().to_hex();
    assert_eq!(invoke(&test.viewer, "get_pubkey", json!({})), Ok(json!(pubkey)));
    assert!(!test.sent.lock().unwrap().contains(SECRET));
}

// --- Calls ------------------------------------------------------------------------------------------------------

#[test]
fn a_value_of_a_window_is_what_rust_and_other_windows_read() {
    let test = test_app(|builder| builder);
    test.unlock();
    // Order of keys, numbers to the last bit, null, a key that is none in JavaScript source.
    let text = r#"{"z":1,"a":[31.245270191439438,121.48791951161945,0.1,3.0000000000000004e-8,-0.5,9007199254740991],"__proto__":{"x":null},"\u2028":"\u2029"}"#;
    let payload: Value = serde_json::from_str(text).unwrap();
    let receipt = invoke(&test.main, "publish", json!({ "category": "notes", "payload": payload })).unwrap();
    assert_eq!((&receipt["stage"], &receipt["category"]), (&json!("saved"), &json!("notes")));
    let found = invoke(&test.viewer, "fetch", json!({ "category": "notes" })).unwrap();
    assert_eq!(found["payload"].to_string(), payload.to_string());
    let sync = test.app.nostr_sync();
    assert_eq!(block_on(sync.fetch("notes")).unwrap().unwrap().payload, payload);
    block_on(sync.publish("notes", &json!("of Rust"), None)).unwrap();
    let found = invoke(&test.old, "sync_all", json!({ "categories": ["notes", "none"] })).unwrap();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["payload"]), (1, &json!("of Rust")));
}

#[test]
fn every_command_reaches_the_engine_with_its_arguments() {
    let test = test_app(|builder| builder);
    test.unlock();
    let call = |command: &str, body: Value| invoke(&test.main, command, body).unwrap();
    let on = |more: Value| {
        let mut body = json!({ "category": "notes", "options": { "waitFor": "saved" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    call("publish", on(json!({ "payload": 1 })));
    assert_eq!(call("update", on(json!({}))), json!({ "now": "1" }));
    assert_eq!(call("update", on(json!({ "now": "7", "payload": 2 }))), json!({ "now": "1" }));
    let written = call("update", on(json!({ "now": "1", "payload": 2 })));
    let id = &written["receipt"]["eventId"];
    let history = call("history", json!({ "category": "notes" }));
    assert_eq!((&history[0]["eventId"], &history[0]["isCurrent"]), (id, &json!(true)));
    let version = call("read_version", json!({ "category": "notes", "eventId": id }));
    assert_eq!(version["payload"], json!(2));
    assert_eq!(call("restore", on(json!({ "eventId": id })))["stage"], "saved");
    assert_eq!(call("reset", on(json!({}))), Value::Null);
    assert_eq!(call("inspect", json!({}))[0]["category"], "notes");
    let who = call("kept", on(json!({ "page": "p", "what": "who" })));
    let kept = |more: Value| {
        let mut body = on(json!({ "page": "p", "pubkey": who["pubkey"] }));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let document = json!({ "version": 1, "value": { "window": [1, 2] } });
    call("keep", kept(json!({ "what": "local", "document": document })));
    assert_eq!(call("kept", kept(json!({ "what": "local" })))["value"], document["value"]);
    let draft = json!({ "key": who["draftKey"], "version": 1, "at": 1, "value": { "size": 9 } });
    call("keep", kept(json!({ "what": "draft", "draft": draft, "instead": [] })));
    assert_eq!(call("kept", kept(json!({ "what": "drafts" })))[0]["value"], draft["value"]);
    call("keep", kept(json!({ "what": "dropped", "keys": [draft["key"]] })));
    assert_eq!(call("kept", kept(json!({ "what": "drafts" }))), json!([]));
    assert_eq!(call("poll", json!({ "categories": ["notes"] })), json!([]));
    assert_eq!(call("remove", on(json!({})))["stage"], "saved");
    assert_eq!(call("fetch", json!({ "category": "notes" })), Value::Null);
    assert_eq!(call("flush", json!({})), Value::Null);
    call("wake", json!({ "isOnline": false }));
    assert_eq!(call("get_status", json!({}))["online"], false);
    call("wake", json!({ "isOnline": true }));
    assert_eq!(call("get_status", json!({}))["online"], true);
    call("add_relay", json!({ "url": "ws://LOCALHOST:1/" }));
    assert_eq!(call("get_relays", json!({}))[0]["url"], "ws://localhost:1");
    assert_eq!(call("get_status", json!({}))["relayCount"], 1);
    call("remove_relay", json!({ "url": "ws://localhost:1" }));
    assert_eq!(call("get_relays", json!({})), json!([]));
}

#[test]
fn what_changes_something_is_carried_out_once_however_often_tauri_delivers_it() {
    let test = test_app(|builder| builder);
    test.unlock();
    let first = invoke(&test.main, "publish", json!({ "category": "notes", "payload": 0 })).unwrap();
    let on = |more: Value| {
        let mut body = json!({ "category": "notes", "options": { "waitFor": "saved" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let calls = [
        ("publish", on(json!({ "payload": 1 }))),
        ("update", on(json!({ "payload": 2, "now": "1" }))),
        ("restore", on(json!({ "eventId": first["eventId"] }))),
        ("remove", on(json!({}))),
        ("reset", on(json!({}))),
        ("add_relay", json!({ "url": "ws://localhost:1" })),
        ("remove_relay", json!({ "url": "ws://localhost:1" })),
    ];
    for (command, mut body) in calls {
        body["callId"] = command.into();
        let answer = invoke(&test.main, command, body.clone());
        let between = invoke(&test.second, "publish", on(json!({ "payload": command }))).unwrap();
        assert_eq!(invoke(&test.main, command, body), answer, "{command}");
        // The copy has written nothing.
        let now = invoke(&test.viewer, "fetch", json!({ "category": "notes" })).unwrap();
        assert_eq!(now["eventId"], between["eventId"], "{command}");
        invoke(&test.second, "publish", on(json!({ "payload": 1 }))).unwrap();
    }
    // The same number of another window is another call, and so is one without a number.
    let publish = |window, id: Option<&str>| {
        let body = on(json!({ "payload": 1, "callId": id }));
        invoke(window, "publish", body).unwrap()["eventId"].clone()
    };
    let ids = [publish(&test.main, Some("n")), publish(&test.second, Some("n")), publish(&test.main, None)];
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
}

#[test]
fn errors_cross_the_ipc_with_code_message_and_details() {
    let test = test_app(|builder| builder.max_payload_size(10));
    let publish = |category: &str, payload: Value| {
        invoke(&test.main, "publish", json!({ "category": category, "payload": payload })).unwrap_err()
    };
    assert_eq!(publish("notes", json!(1))["code"], "SIGNER_NOT_SET");
    test.unlock();
    let error = publish("notes", json!("0123456789"));
    assert_eq!(
        (&error["code"], &error["details"]),
        (&json!("PAYLOAD_TOO_LARGE"), &json!({ "size": 12, "limit": 10 }))
    );
    assert_eq!(publish("a/b", json!(1))["code"], "INVALID_CATEGORY");
    let error = invoke(&test.main, "add_relay", json!({ "url": "nonsense" })).unwrap_err();
    assert_eq!(error["code"], "INVALID_RELAY_URL");
    let gone = json!({ "category": "notes", "eventId": "f".repeat(64) });
    let error = invoke(&test.main, "read_version", gone.clone()).unwrap_err();
    assert_eq!((&error["code"], &error["details"]), (&json!("VERSION_NOT_KEPT"), &gone));
}

// --- Listening --------------------------------------------------------------------------------------------------

const SEVEN: &str = "__CHANNEL__:7";
const EIGHT: &str = "__CHANNEL__:8";

#[test]
fn a_value_goes_to_those_who_subscribed_and_not_to_the_window_that_wrote_it() {
    let test = test_app(|builder| builder);
    test.unlock();
    let subscribe = |window, channel: &str, categories: Value| {
        invoke(window, "subscribe", json!({ "categories": categories, "channel": channel })).unwrap()
    };
    let publish = |window, category: &str, payload: &str| {
        let body = json!({ "category": category, "payload": payload });
        invoke(window, "publish", body).unwrap();
    };
    publish(&test.main, "notes", "before");
    let number = subscribe(&test.main, SEVEN, json!(["notes"]));
    let (label, channel, value) = test.next();
    assert_eq!((&*label, channel, &value["payload"]), ("main", 7, &json!("before")));

    publish(&test.main, "notes", "of its own");
    publish(&test.main, "other", "nobody asked");
    test.assert_nothing_more();
    publish(&test.second, "notes", "of the second window");
    assert_eq!(test.next().2["payload"], "of the second window");
    let sync = test.app.nostr_sync();
    block_on(sync.publish("notes", &json!({ "__proto__": 1 }), None)).unwrap();
    assert_eq!(test.next().2["payload"].to_string(), r#"{"__proto__":1}"#);
    block_on(sync.remove("notes")).unwrap();
    assert_eq!(test.next().2["deleted"], true);

    // Two of one window, and a second window.
    subscribe(&test.main, EIGHT, json!(["notes"]));
    subscribe(&test.viewer, SEVEN, json!(["notes"]));
    block_on(sync.publish("notes", &json!("to three"), None)).unwrap();
    let mut told: Vec<_> = (0..3).map(|_| test.next()).map(|(label, channel, _)| (label, channel)).collect();
    told.sort();
    assert_eq!(told, [("main".into(), 7), ("main".into(), 8), ("viewer".into(), 7)]);

    // Of another window it ends nothing.
    invoke(&test.viewer, "unsubscribe", json!({ "number": number })).unwrap();
    invoke(&test.main, "unsubscribe", json!({ "number": number })).unwrap();
    block_on(sync.publish("notes", &json!("to two"), None)).unwrap();
    let mut told: Vec<_> = (0..2).map(|_| test.next()).map(|(label, channel, _)| (label, channel)).collect();
    told.sort();
    assert_eq!(told, [("main".into(), 8), ("viewer".into(), 7)]);
    test.assert_nothing_more();
    let error = invoke(&test.main, "subscribe", json!({ "categories": ["a/b"], "channel": SEVEN }));
    assert_eq!(error.unwrap_err()["code"], "INVALID_CATEGORY");
}

#[test]
fn events_go_to_the_pages_that_listen_and_those_without_values_to_the_app() {
    let test = test_app(|builder| builder);
    let (sender, heard) = channel();
    for name in ["updated", "relay-status", "error", "delivery", "status", "conflict", "merged"] {
        let sender = sender.clone();
        test.app.listen_any(format!("nostr-sync://{name}"), move |event| {
            sender.send((name, event.payload().to_owned())).unwrap();
        });
    }
    let delivery = json!({ "event": "delivery", "channel": SEVEN });
    let number = invoke(&test.viewer, "listen", delivery).unwrap();
    test.unlock();
    invoke(&test.main, "publish", json!({ "category": "notes", "payload": "a secret" })).unwrap();
    let (label, channel, event) = test.next();
    assert_eq!((&*label, channel, &event["category"]), ("viewer", 7, &json!("notes")));
    assert_eq!(event["stage"], "saved");
    let names: BTreeSet<&str> = std::iter::from_fn(|| heard.recv_timeout(Duration::from_secs(1)).ok())
        .inspect(|(_, payload)| assert!(!payload.contains("a secret")))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, BTreeSet::from(["delivery", "status"]));
    invoke(&test.viewer, "unsubscribe", json!({ "number": number })).unwrap();
    invoke(&test.main, "publish", json!({ "category": "notes", "payload": "another" })).unwrap();
    test.assert_nothing_more();
    let error = invoke(&test.viewer, "listen", json!({ "event": "nonsense", "channel": SEVEN })).unwrap_err();
    assert_eq!(error["code"], "INVALID_ARGUMENT");
}

#[test]
fn rust_hears_by_streams() {
    let test = test_app(|builder| builder);
    test.unlock();
    let sync = test.app.nostr_sync();
    let mut values = block_on(sync.subscribe(&["notes"])).unwrap();
    let mut events = sync.events();
    invoke(&test.main, "publish", json!({ "category": "notes", "payload": 1 })).unwrap();
    assert_eq!(block_on(values.next()).unwrap().payload, json!(1));
    loop {
        if let Event::Delivery(receipt) = block_on(events.next()).unwrap() {
            assert_eq!(receipt.category, "notes");
            break;
        }
    }
}

// --- The app ----------------------------------------------------------------------------------------------------

fn setup(builder: Builder, file: Value) -> Result<App<MockRuntime>, String> {
    let mut context = mock_context(noop_assets());
    *context.runtime_authority_mut() = authority();
    if !file.is_null() {
        context.config_mut().plugins.0.insert("nostr-sync".into(), file);
    }
    mock_builder().plugin(builder.build()).build(context).map_err(|error| error.to_string())
}

#[test]
fn calls_work_in_setup_without_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = Builder::new().data_dir(folder.path().join("store")).build();
    // The mock runs no setup of the app; that of a plugin that is added later has as little of an app.
    let later = tauri::plugin::Builder::<MockRuntime>::new("later").setup(|app, _| {
        let sync = app.nostr_sync();
        block_on(sync.set_signer(SecretKey::parse(SECRET)?))?;
        block_on(sync.publish("notes", &json!("in setup"), None))?;
        Ok(())
    });
    let app = mock_builder().plugin(plugin).plugin(later.build()).build(mock_context(noop_assets())).unwrap();
    assert!(app.webview_windows().is_empty());
    let found = block_on(app.nostr_sync().fetch("notes")).unwrap().unwrap();
    assert_eq!(found.payload, json!("in setup"));
    assert_eq!(block_on(app.nostr_sync().status()).pending_changes, 1);
    assert_eq!(block_on(app.nostr_sync().relays()), []);
}

/// What the engine of this app was told: device id, relays, largest payload, and the namespace that its store has.
fn settings_of(builder: Builder, file: Value) -> (String, Vec<String>, u64, String) {
    let folder = tempfile::tempdir().unwrap();
    let app = setup(builder.data_dir(folder.path().join("store")), file).unwrap();
    let sync = app.nostr_sync();
    block_on(sync.set_signer(SecretKey::parse(SECRET).unwrap())).unwrap();
    let too_large = json!("x".repeat(409_600));
    let Err(Error::PayloadTooLarge { limit, .. }) = block_on(sync.publish("n", &too_large, None)) else {
        panic!("it was taken")
    };
    let saved = tauri_plugin_nostr_sync::PublishOptions::default();
    let saved = saved.wait_for(tauri_plugin_nostr_sync::Stage::Saved);
    block_on(sync.publish("n", &json!(1), saved)).unwrap();
    let log = std::fs::read(folder.path().join("store/entries.log")).unwrap();
    let log = String::from_utf8_lossy(&log).into_owned();
    let namespaces = ["default", "file", "rust"].into_iter();
    let namespace = namespaces.filter(|name| log.contains(&format!("{name}/n/v1"))).collect();
    let relays = block_on(sync.relays()).into_iter().map(|relay| relay.url).collect();
    (block_on(sync.status()).device_id, relays, limit, namespace)
}

#[test]
fn settings_come_from_the_config_file_and_rust_wins() {
    let (device, relays, limit, namespace) = settings_of(Builder::new(), Value::Null);
    assert_eq!((device.len(), relays.len(), limit, &*namespace), (36, 0, 65_536, "default"));
    let file = json!({
        "relays": ["ws://127.0.0.1:1"], "appNamespace": "file", "deviceId": "from-file", "maxPayloadSize": 100_000,
    });
    let (device, relays, limit, namespace) = settings_of(Builder::new(), file.clone());
    assert_eq!((&*device, limit, &*namespace), ("from-file", 100_000, "file"));
    assert_eq!(relays, ["ws://127.0.0.1:1"]);
    let rust = Builder::new().app_namespace("rust").relays(Vec::<String>::new()).max_payload_size(1);
    let (device, relays, limit, namespace) = settings_of(rust, file);
    assert_eq!((&*device, relays.len(), limit, &*namespace), ("from-file", 0, 1, "rust"));
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
    fails(Builder::new().device_id(""), Value::Null, "deviceId");
    fails(Builder::new().relays(["ws://relay.example.com"]), Value::Null, "relay URL");
    fails(Builder::new().categories("throw new Error('of the app')"), Value::Null, "of the app");
    fails(Builder::new(), json!({ "maxPayloadSize": 409_601 }), "409600");
    fails(Builder::new(), json!({ "maxPayloadSize": -1 }), "-1");
    fails(Builder::new(), json!({ "namespace": "sage" }), "unknown field");
}

#[test]
fn an_engine_that_waits_starts_with_the_first_call() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let app = setup(Builder::new().data_dir(&store).start_on_first_call(), Value::Null).unwrap();
    app.nostr_sync().wake();
    block_on(app.nostr_sync().clear_signer());
    assert!(app.nostr_sync().last_status().is_none() && !store.exists());
    assert_eq!(block_on(app.nostr_sync().inspect()).unwrap(), []);
    assert!(store.exists());
    let wrong = Builder::new().data_dir(&store).app_namespace("a/b").start_on_first_call();
    let app = setup(wrong, Value::Null).unwrap();
    for _ in 0..2 {
        assert_eq!(block_on(app.nostr_sync().inspect()).unwrap_err().code(), "INVALID_NAMESPACE");
    }
}

#[test]
fn a_second_process_on_the_folder_is_told_and_the_first_notices_nothing() {
    let test = test_app(|builder| builder);
    test.unlock();
    invoke(&test.main, "publish", json!({ "category": "notes", "payload": 1 })).unwrap();
    let other = setup(Builder::new().data_dir(test.data.path().join("store")), Value::Null).unwrap();
    let error = block_on(other.nostr_sync().inspect()).unwrap_err();
    assert_eq!(error.code(), "STORE_FAILED");
    let reason = "another process is using it";
    assert!(error.to_string().contains(reason), "{error}");
    let window = WebviewWindowBuilder::new(&other, "main", Default::default()).build().unwrap();
    let refused = invoke(&window, "get_status", json!({})).unwrap_err();
    assert_eq!(refused["code"], "STORE_FAILED");
    assert!(refused["message"].as_str().unwrap().contains(reason), "{refused}");
    invoke(&test.main, "publish", json!({ "category": "notes", "payload": 2 })).unwrap();
}

#[test]
fn categories_are_special_as_the_script_of_the_app_says() {
    let script = "var nostrSyncCategories = { options: { notes: { history: { versions: 3 } } } }";
    let test = test_app(|builder| builder.categories(script));
    test.unlock();
    invoke(&test.main, "publish", json!({ "category": "notes", "payload": 1 })).unwrap();
    // A window's handle writes nothing of which the engine does not know the form.
    let handle = json!({ "category": "notes", "options": { "isDefined": true }, "payload": 2, "now": "1" });
    assert_eq!(invoke(&test.main, "update", handle).unwrap_err()["code"], "INVALID_ARGUMENT");
    let wrong = "var nostrSyncCategories = { options: { notes: { misspelt: 1 } } }";
    let Err(error) = setup(Builder::new().categories(wrong), Value::Null) else { panic!("it was taken") };
    assert!(error.contains("misspelt"), "{error}");
    let wrong = "var nostrSyncCategories = { notes: {} }";
    let Err(error) = setup(Builder::new().categories(wrong), Value::Null) else { panic!("it was taken") };
    assert!(error.contains("defineCategory"), "{error}");
}

// --- Any input --------------------------------------------------------------------------------------------------

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(notes|a/b|updated|__CHANNEL__:7|http://a.example|.{0,9})".prop_map(Value::from),
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
        "eventId",
        "now",
        "event",
        "channel",
        "number",
        "callId",
        "isOnline",
        "what",
        "pubkey",
        "draft",
        "keys",
    ];
    let test = test_app(|builder| builder);
    test.unlock();
    let run = (
        proptest::sample::select(all_commands()),
        proptest::collection::btree_map(proptest::sample::select(names.to_vec()), arbitrary_json(), 0..6),
        proptest::option::weighted(0.1, arbitrary_json()),
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(3_000)
    });
    let result = runner.run(&run, |(command, arguments, body)| {
        // A command that panics gives no answer, which `invoke` takes for a failure.
        let _ = invoke(&test.main, command, body.unwrap_or_else(|| json!(arguments)));
        Ok(())
    });
    result.unwrap();
    assert!(block_on(test.app.nostr_sync().pubkey()).is_some());
    assert!(block_on(test.app.nostr_sync().inspect()).is_ok());
}
