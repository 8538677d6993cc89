//! The store between two pages: what the earlier one still asks is carried out before the later one looks, or never.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};

use tauri::App;
use tauri::test::{MockRuntime, mock_builder, mock_context, noop_assets};

use super::*;

fn app(folder: &tempfile::TempDir) -> App<MockRuntime> {
    let plugin = Builder::new().data_dir(folder.path().join("store")).build();
    mock_builder().plugin(plugin).build(mock_context(noop_assets())).unwrap()
}

/// A page in the window `main`, as after each reload of it. Returns its generation.
fn load_page(sync: &NostrSync<MockRuntime>) -> u64 {
    let host = Host { webview: "main".into(), window: "main".into(), send: Box::new(|_| Ok(())) };
    sync.broker.attach(host, |generation, _| generation)
}

fn update(store: &mut Store) -> Result<bool> {
    store.update(&HashMap::new(), &HashMap::from([("a".into(), Some("1".into()))]))
}

/// Lets it begin; it cannot end while the lock of the store is held.
fn begin<F: Future>(future: Pin<&mut F>) {
    assert!(matches!(future.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
}

#[test]
fn an_update_that_waits_while_its_page_is_reloaded_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(&folder);
    let sync = app.nostr_sync();
    let old = load_page(sync);
    let held = sync.store.lock().unwrap();
    let mut late = pin!(sync.store(old, "main", update));
    begin(late.as_mut());
    let new = load_page(sync);
    drop(held);
    assert_eq!(tauri::async_runtime::block_on(late).unwrap_err().code(), "ENGINE_GONE");
    let found = tauri::async_runtime::block_on(sync.store(new, "main", |store| store.list("")));
    assert!(found.unwrap().is_empty());
}

#[test]
fn an_update_that_is_under_way_while_its_page_is_reloaded_is_there_when_the_next_one_looks() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(&folder);
    let sync = app.nostr_sync();
    let old = load_page(sync);
    let ((begun, has_begun), (go, may_go)) = (channel(), channel());
    let mut slow = pin!(sync.store(old, "main", move |store| {
        begun.send(()).unwrap();
        may_go.recv().unwrap();
        update(store)
    }));
    begin(slow.as_mut());
    has_begun.recv().unwrap();
    let new = load_page(sync);
    let mut found = pin!(sync.store(new, "main", |store| store.list("")));
    begin(found.as_mut());
    go.send(()).unwrap();
    assert_eq!(tauri::async_runtime::block_on(slow), Ok(true));
    assert_eq!(tauri::async_runtime::block_on(found).unwrap().len(), 1);
}
