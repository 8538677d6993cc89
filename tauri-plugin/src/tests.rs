//! What no command does: pages and windows that end, and the end of the app.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Instant;

use serde_json::{Value, json};
use tauri::ipc::{Channel, InvokeResponseBody};
use tauri::test::{MockRuntime, mock_builder, mock_context, noop_assets};
use tauri::{App, WebviewWindowBuilder};

use super::*;
use crate::listeners::Source as ListenerSource;

fn app(folder: &tempfile::TempDir) -> App<MockRuntime> {
    app_of(Builder::new(), folder)
}

fn app_of(builder: Builder, folder: &tempfile::TempDir) -> App<MockRuntime> {
    let plugin = builder.data_dir(folder.path().join("store")).build();
    let app = mock_builder().plugin(plugin).build(mock_context(noop_assets())).unwrap();
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    async_runtime::block_on(app.nostr_sync().set_signer(key)).unwrap();
    app
}

fn publish(app: &App<MockRuntime>, payload: &str) {
    async_runtime::block_on(app.nostr_sync().publish("notes", &json!(payload), None)).unwrap();
}

#[test]
fn a_page_that_ends_is_told_and_hears_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(&folder);
    let plugin = app.state::<Plugin>();
    let (sender, told) = channel();
    let listen = |label: &str| {
        let window = app
            .get_webview_window(label)
            .unwrap_or_else(|| WebviewWindowBuilder::new(&app, label, Default::default()).build().unwrap());
        let sender = sender.clone();
        let label = label.to_owned();
        let channel = Channel::new(move |body| {
            let InvokeResponseBody::Json(text) = body else { panic!("no JSON") };
            let message = serde_json::from_str::<Value>(&text).unwrap();
            sender.send((label.clone(), message.as_str().map(str::to_owned))).unwrap();
            Ok(())
        });
        // A part of its own: the values that the test writes are of another.
        let part = plugin.sync.part("window");
        let values = async_runtime::block_on(part.subscribe(&["notes"])).unwrap();
        plugin.listeners.add(window.as_ref(), channel, ListenerSource::Values(values)).unwrap();
    };
    let next = || told.recv_timeout(Duration::from_secs(30)).unwrap();
    listen("main");
    listen("second");
    publish(&app, "to both");
    let mut labels = [next(), next()].map(|(label, message)| {
        assert!(message.unwrap().contains("to both"));
        label
    });
    labels.sort();
    assert_eq!(labels, ["main", "second"]);

    plugin.listeners.end_page("main");
    assert_eq!(next(), ("main".to_owned(), None));
    publish(&app, "to one");
    let (label, message) = next();
    assert!(label == "second" && message.unwrap().contains("to one"));
    plugin.listeners.end_window("second");
    publish(&app, "to none");
    listen("main");
    let (label, message) = next();
    assert!(label == "main" && message.unwrap().contains("to none"));
    assert!(told.try_recv().is_err());
}

#[test]
fn a_page_has_a_bounded_number_of_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(&folder);
    let plugin = app.state::<Plugin>();
    let window = WebviewWindowBuilder::new(&app, "main", Default::default()).build().unwrap();
    let add = || {
        let source = ListenerSource::Events(plugin.sync.events(), "status".into());
        plugin.listeners.add(window.as_ref(), Channel::new(|_| Ok(())), source)
    };
    let numbers: Vec<u64> = (0..1_024).map(|_| add().unwrap()).collect();
    assert_eq!(add().unwrap_err().code(), "ENGINE_BUSY");
    plugin.listeners.remove("main", numbers[0]);
    assert!(add().is_ok());
}

#[test]
fn the_end_of_the_app_frees_the_folder_and_waits_for_no_relay_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let first = app(&folder);
    async_runtime::block_on(first.nostr_sync().add_relay("ws://127.0.0.1:1")).unwrap();
    let saved = PublishOptions::default().wait_for(Stage::Saved);
    async_runtime::block_on(first.nostr_sync().publish("notes", &json!(1), saved)).unwrap();
    let start = Instant::now();
    first.state::<Plugin>().end();
    assert!(start.elapsed() < FLUSH_ON_EXIT);
    let second = app(&folder);
    assert_eq!(async_runtime::block_on(second.nostr_sync().inspect()).unwrap().len(), 1);
    let closed = async_runtime::block_on(first.nostr_sync().inspect()).unwrap_err();
    assert_eq!(closed.code(), "CLOSED");
}

fn kept(app: &App<MockRuntime>, window: &str, method: &'static str, more: Value) -> Value {
    let mut args = json!({ "category": "notes", "page": window });
    args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let part = app.nostr_sync().part(window);
    let answer = async_runtime::block_on(part.call_text(method, args.to_string())).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// An edit waits in the page of that window.
fn hold(app: &App<MockRuntime>, window: &str) {
    let who = kept(app, window, "kept", json!({ "what": "who" }));
    let draft = json!({ "key": who["draftKey"], "version": 1, "at": 1, "value": window });
    let held = json!({ "pubkey": who["pubkey"], "what": "held", "draft": draft, "instead": [] });
    kept(app, window, "keep", held);
}

/// What a page that opens finds of edits that were never made.
fn drafts(app: &App<MockRuntime>) -> Vec<Value> {
    let who = kept(app, "later", "kept", json!({ "what": "who" }));
    let found = kept(app, "later", "kept", json!({ "what": "drafts", "pubkey": who["pubkey"] }));
    found.as_array().unwrap().iter().map(|draft| draft["value"].clone()).collect()
}

#[test]
fn what_a_page_waits_with_is_kept_when_its_window_goes_and_when_the_app_ends() {
    let folder = tempfile::tempdir().unwrap();
    let first = app(&folder);
    hold(&first, "main");
    hold(&first, "second");
    assert_eq!(drafts(&first), Vec::<Value>::new());
    first.state::<Plugin>().end_window("main");
    let start = Instant::now();
    while drafts(&first).is_empty() && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(drafts(&first), ["main"]);
    first.state::<Plugin>().end();
    let mut all = drafts(&app(&folder));
    all.sort_by_key(Value::to_string);
    assert_eq!(all, ["main", "second"]);
}

#[derive(Clone, Copy)]
enum Relay {
    /// Has nothing, and takes what it gets after that time.
    TakesAfter(Duration),
    /// Has nothing, and says so; of what it gets it says nothing.
    TakesNothing,
    /// Is there, and says nothing at all.
    SaysNothing,
}

/// Gives its URL, and how many events it has taken.
fn relay(relay: Relay) -> (String, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let taken = Arc::<AtomicUsize>::default();
    let count = taken.clone();
    std::thread::spawn(move || {
        let mut peer = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        while let Ok(message) = peer.read() {
            let Ok(frame) = serde_json::from_str::<Value>(message.to_text().unwrap()) else { continue };
            let answer = match (frame[0].as_str(), relay) {
                (_, Relay::SaysNothing) => continue,
                (Some("REQ"), _) => json!(["EOSE", frame[1]]),
                (Some("NEG-OPEN"), _) => json!(["NEG-ERR", frame[1], "blocked: not here"]),
                (Some("EVENT"), Relay::TakesAfter(delay)) => {
                    std::thread::sleep(delay);
                    count.fetch_add(1, Ordering::SeqCst);
                    json!(["OK", frame[1]["id"], true, ""])
                }
                _ => continue,
            };
            if peer.send(answer.to_string().into()).is_err() {
                break;
            }
        }
    });
    (url, taken)
}

/// Says how long the end took.
fn publish_and_end(builder: Builder, folder: &tempfile::TempDir, url: String) -> Duration {
    let app = app_of(builder.relays([url]), folder);
    async_runtime::block_on(app.nostr_sync().wait_for_connection(Duration::from_secs(10)));
    let saved = PublishOptions::default().wait_for(Stage::Saved);
    async_runtime::block_on(app.nostr_sync().publish("notes", &json!(1), saved)).unwrap();
    let start = Instant::now();
    app.state::<Plugin>().end();
    start.elapsed()
}

#[test]
fn the_end_of_the_app_waits_for_a_relay_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (url, taken) = relay(Relay::TakesAfter(Duration::from_millis(300)));
    publish_and_end(Builder::new(), &folder, url);
    assert_eq!(taken.load(Ordering::SeqCst), 1);
    assert_eq!(async_runtime::block_on(app(&folder).nostr_sync().status()).pending_changes, 0);
}

#[test]
fn the_end_of_the_app_waits_no_longer_than_it_may() {
    let of_limit = |limit| Builder::new().flush_on_exit(limit);
    let ends = [
        (Builder::new(), FLUSH_ON_EXIT, Relay::TakesNothing),
        (Builder::new(), FLUSH_ON_EXIT, Relay::SaysNothing),
        (of_limit(Duration::ZERO), Duration::ZERO, Relay::TakesNothing),
        (of_limit(Duration::ZERO), Duration::ZERO, Relay::SaysNothing),
    ];
    // For the store, and for the thread. A close that hangs is given up after CLOSE_ON_EXIT.
    let margin = CLOSE_ON_EXIT / 2;
    for (builder, limit, of_relay) in ends {
        let folder = tempfile::tempdir().unwrap();
        let (url, _) = relay(of_relay);
        let took = publish_and_end(builder, &folder, url);
        assert!(took >= limit, "{took:?} of {limit:?}");
        assert!(took < limit + margin, "{took:?} of {limit:?}");
        // What was not taken is there at the next start, and the folder is free for it.
        assert_eq!(async_runtime::block_on(app(&folder).nostr_sync().status()).pending_changes, 1);
    }
}

#[test]
fn an_app_that_is_resumed_checks_its_connections() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(&folder);
    let sync = app.nostr_sync();
    sync.set_online(false);
    assert!(!async_runtime::block_on(sync.status()).online);
    on_event(app.handle(), &RunEvent::Resumed);
    assert!(async_runtime::block_on(sync.status()).online);
}
