//! End-to-end encrypted state sync for Tauri apps over Nostr relays.
//!
//! The engine of the crate [`nostr_sync`], for every window and all Rust code of an app. It runs in the app's own process: calls work in
//! `setup`, without a window, and with all windows closed. See `docs/TAURI.md` of the project.
//!
//! ```no_run
//! use tauri_plugin_nostr_sync::{Builder, TauriPluginNostrSyncExt};
//!
//! # fn run<R: tauri::Runtime>(builder: tauri::Builder<R>) -> tauri::Builder<R> {
//! builder.plugin(Builder::new().app_namespace("my-app").relays(["wss://relay.example.com"]).build())
//! # }
//! # async fn use_it<R: tauri::Runtime>(app: tauri::AppHandle<R>) -> Result<(), Box<dyn std::error::Error>> {
//! // On unlock: a key that is used for syncing this app and for nothing else.
//! app.nostr_sync().set_signer(nostr::Keys::parse("nsec1...")?).await?;
//! app.nostr_sync().publish("ui-settings", &serde_json::json!({ "theme": "dark" }), None).await?;
//! // On lock: the signer is dropped, and with it the key wiped.
//! app.nostr_sync().clear_signer().await;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A panic would take a command down without an answer, and what a window sends is anything.
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unwrap_used)
)]

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::Deserialize;
use tauri::plugin::TauriPlugin;
use tauri::webview::PageLoadEvent;
use tauri::{AppHandle, Emitter, Manager, RunEvent, Runtime, WindowEvent, async_runtime};

/// The examples of the documentation are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/TAURI.md")]
struct Documentation;

mod commands;
mod listeners;
mod once;

pub use Builder as PluginBuilder;
pub use nostr_sync::{
    BaseKnown, CategoryRow, Clash, Conflict, DEFAULT_PAYLOAD_LIMIT, Error, Event, EventTemplate, Events,
    FetchResult, MAX_PAYLOAD_LIMIT, MergedValues, NostrSync, Pieces, PublicKey, PublishOptions, Reading,
    Receipt, RelayInfo, Result, Schema, SecretKey, Shown, SignedEvent, Signer, SignerError, SignerFuture,
    Source, Stage, SyncStatus, Values, VersionInfo, Why, nostr,
};

use listeners::Listeners;
use nostr_sync::Preload;
use once::Once;

/// The events of the engine. A page can listen to each by a channel of its own.
const EVENTS: [&str; 7] = ["updated", "relay-status", "error", "delivery", "conflict", "merged", "status"];
/// What tells the handles of windows that another page has written what is local of a category. It is for the bindings alone.
const KEPT: &str = "kept";
/// Those that are events of the app as well, which every window may hear. `updated` is one for the sake of the original plugin; of the others
/// none has a value in it.
const EVENTS_OF_THE_APP: [&str; 5] = ["updated", "relay-status", "error", "delivery", "status"];

/// How long the end of an app waits for changes that a relay can still get.
const FLUSH_ON_EXIT: Duration = Duration::from_secs(2);
/// How long it waits for the store, and for what pages had not saved.
const CLOSE_ON_EXIT: Duration = Duration::from_secs(4);

/// `plugins.nostr-sync` in `tauri.conf.json`. What the Rust builder says wins over it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Relay URLs: `wss:`, or `ws:` to loopback.
    pub relays: Option<Vec<String>>,
    /// Prefix of what is stored on relays, so that apps can share a key.
    pub app_namespace: Option<String>,
    /// Tells this device from the user's others.
    pub device_id: Option<String>,
    /// Bytes of a payload's JSON, at most 409,600.
    pub max_payload_size: Option<usize>,
}

/// Configures the plugin.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Builder {
    config: Config,
    data_dir: Option<PathBuf>,
    categories: Option<Arc<str>>,
    waits_for_call: bool,
    flush_on_exit: Option<Duration>,
}

impl Builder {
    /// The defaults: namespace `default`, no relays, 65,536 bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Relay URLs: `wss:`, or `ws:` to loopback. Another one fails the app's setup.
    pub fn relays(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.relays = Some(urls.into_iter().map(Into::into).collect());
        self
    }

    /// Prefix of what is stored on relays, so that apps can share a key. Default `default`.
    pub fn app_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.config.app_namespace = Some(namespace.into());
        self
    }

    /// Tells this device from the user's others; relays see it. Default: a UUID, made once and kept in the store.
    pub fn device_id(mut self, id: impl Into<String>) -> Self {
        self.config.device_id = Some(id.into());
        self
    }

    /// The largest payload, in bytes of JSON. Default 65,536; over 409,600 the app's setup fails.
    pub fn max_payload_size(mut self, bytes: usize) -> Self {
        self.config.max_payload_size = Some(bytes);
        self
    }

    /// Where the store is kept. Default: `nostr-sync` in the app's data folder.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// What is special about single categories, such as how they are merged: a script, see [`nostr_sync::Builder::categories`].
    pub fn categories(mut self, script: impl Into<Arc<str>>) -> Self {
        self.categories = Some(script.into());
        self
    }

    /// Starts the engine with the first call of a window or of Rust code, not at the app's setup. A setting that cannot be then fails the
    /// calls, not the setup.
    pub fn start_on_first_call(mut self) -> Self {
        self.waits_for_call = true;
        self
    }

    /// How long the app's end waits for changes that no relay has yet, if one is connected. Default 2 s.
    pub fn flush_on_exit(mut self, limit: Duration) -> Self {
        self.flush_on_exit = Some(limit);
        self
    }

    /// The plugin. A setting that cannot be fails the app's setup, with [`Error`] as its cause.
    pub fn build<R: Runtime>(self) -> TauriPlugin<R, Option<Config>> {
        // Read while the app comes up, which only then has the folder of the store.
        let preload = if self.waits_for_call { None } else { Preload::begin().ok() };
        tauri::plugin::Builder::<R, Option<Config>>::new("nostr-sync")
            .invoke_handler(tauri::generate_handler![
                commands::publish,
                commands::remove,
                commands::reset,
                commands::update,
                commands::history,
                commands::read_version,
                commands::restore,
                commands::inspect,
                commands::kept,
                commands::keep,
                commands::fetch,
                commands::sync_all,
                commands::poll,
                commands::subscribe,
                commands::listen,
                commands::unsubscribe,
                commands::wake,
                commands::add_relay,
                commands::remove_relay,
                commands::get_relays,
                commands::get_pubkey,
                commands::get_status,
                commands::flush,
            ])
            .setup(move |app, api| {
                let flush_on_exit = self.flush_on_exit.unwrap_or(FLUSH_ON_EXIT);
                let default_dir = || Ok::<_, tauri::Error>(app.path().app_data_dir()?.join("nostr-sync"));
                let data_dir = self.data_dir.clone().map_or_else(default_dir, Ok)?;
                let engine = self.engine(api.config().clone().unwrap_or_default(), data_dir);
                let sync = match preload {
                    Some(preload) => engine.start_on(preload),
                    None => engine.start(),
                }?;
                tell_the_app(app.clone(), sync.events());
                let (once, listeners) = Default::default();
                app.manage(Plugin { sync, once, listeners, flush_on_exit });
                Ok(())
            })
            .on_page_load(|webview, load| {
                if load.event() == PageLoadEvent::Started {
                    webview.state::<Plugin>().listeners.end_page(webview.label());
                }
            })
            .on_event(on_event)
            .build()
    }

    fn engine(self, file: Config, data_dir: PathBuf) -> nostr_sync::Builder {
        let mut engine = nostr_sync::Builder::new().data_dir(data_dir);
        if let Some(namespace) = self.config.app_namespace.or(file.app_namespace) {
            engine = engine.namespace(namespace);
        }
        if let Some(relays) = self.config.relays.or(file.relays) {
            engine = engine.relays(relays);
        }
        if let Some(id) = self.config.device_id.or(file.device_id) {
            engine = engine.device_id(id);
        }
        if let Some(bytes) = self.config.max_payload_size.or(file.max_payload_size) {
            engine = engine.max_payload_size(bytes);
        }
        if let Some(script) = self.categories {
            engine = engine.categories(script);
        }
        if self.waits_for_call { engine.start_on_first_call() } else { engine }
    }
}

/// The plugin with its defaults and what `tauri.conf.json` says.
pub fn init<R: Runtime>() -> TauriPlugin<R, Option<Config>> {
    Builder::new().build()
}

fn on_event<R: Runtime>(app: &AppHandle<R>, event: &RunEvent) {
    // Without it the setup has failed.
    let Some(plugin) = app.try_state::<Plugin>() else { return };
    match event {
        RunEvent::Resumed => plugin.sync.wake(),
        RunEvent::WindowEvent { event: WindowEvent::Focused(true), .. } => plugin.sync.wake(),
        RunEvent::WindowEvent { label, event: WindowEvent::Destroyed, .. } => {
            plugin.end_window(label);
        }
        RunEvent::Exit => plugin.end(),
        _ => {}
    }
}

fn tell_the_app<R: Runtime>(app: AppHandle<R>, mut events: Events) {
    async_runtime::spawn(async move {
        while let Some((name, json)) = events.next_json().await {
            if EVENTS_OF_THE_APP.contains(&&*name) {
                // The app is ending otherwise.
                let _ = app.emit_str(&format!("nostr-sync://{name}"), json.to_string());
            }
        }
    });
}

/// Gives an app, its handle and its windows the plugin's Rust API.
pub trait TauriPluginNostrSyncExt<R: Runtime> {
    /// The engine of the app. Panics if the plugin was not added to the app.
    fn nostr_sync(&self) -> &NostrSync;
}

impl<R: Runtime, T: Manager<R>> TauriPluginNostrSyncExt<R> for T {
    fn nostr_sync(&self) -> &NostrSync {
        &self.state::<Plugin>().inner().sync
    }
}

/// What the commands of all windows have.
struct Plugin {
    sync: NostrSync,
    once: Once,
    listeners: Listeners,
    flush_on_exit: Duration,
}

impl Plugin {
    /// A window is gone, without a word to its page: what that has not saved is saved now.
    fn end_window(&self, window: &str) {
        let mut webviews = self.listeners.end_window(window);
        webviews.push(window.to_owned());
        // An engine that was never needed has nothing of them.
        for webview in webviews.into_iter().filter(|_| self.sync.last_status().is_some()) {
            let sync = self.sync.part(&webview);
            async_runtime::spawn(async move { sync.call_text("gone", "{}".into()).await });
        }
    }

    /// The app ends: what a relay can still get goes out, and the folder becomes free for the next process.
    fn end(&self) {
        let (sync, limit) = (self.sync.clone(), self.flush_on_exit);
        let (ended, end) = mpsc::channel();
        // On a thread of its own: this one may be in a runtime, which must not be blocked by another.
        std::thread::spawn(move || {
            async_runtime::block_on(async {
                // What pages wait with becomes changes first.
                if sync.last_status().is_some() {
                    let _ = sync.call_text("gone", r#"{"isAll":true}"#.into()).await;
                }
                let is_waiting =
                    |status: &SyncStatus| status.pending_changes > 0 && status.connected_relay_count > 0;
                if sync.last_status().is_some_and(|status| is_waiting(&status)) {
                    sync.wait_for(limit, |status| !is_waiting(status)).await;
                }
                let _ = sync.close().await;
            });
            let _ = ended.send(());
        });
        let _ = end.recv_timeout(limit + CLOSE_ON_EXIT);
    }
}

#[cfg(test)]
mod tests;
