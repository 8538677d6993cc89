//! What no command does: pages and windows that end, and the end of the app.

use std::sync::mpsc::channel;
use std::time::Instant;

use serde_json::{Value, json};
use tauri::ipc::{Channel, InvokeResponseBody};
use tauri::test::{MockRuntime, mock_builder, mock_context, noop_assets};
use tauri::{App, WebviewWindowBuilder};

use super::*;
use crate::listeners::Source as ListenerSource;

fn app(folder: &tempfile::TempDir) -> App<MockRuntime> {
    let plugin = Builder::new().data_dir(folder.path().join("store")).build();
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
