//! End-to-end encrypted state sync for Tauri apps over Nostr relays.
//!
//! The engine is TypeScript and runs in one of the app's windows. This plugin holds the key and the durable store, and
//! carries the calls of every window, and of Rust, to the engine. See `docs/TAURI.md` of the project.
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

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nostr_sync::parts::{Held, SignerSlot, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tauri::ipc::{Channel, InvokeResponseBody};
use tauri::plugin::TauriPlugin;
use tauri::webview::PageLoadEvent;
use tauri::{AppHandle, Emitter, Manager, RunEvent, Runtime, Webview, WebviewWindow, WindowEvent};

/// The examples of the documentation are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/TAURI.md")]
struct Documentation;

mod broker;
mod commands;
mod once;
mod protocol;

pub use nostr::{self, PublicKey};
pub use nostr_sync::{
    BaseKnown, CategoryRow, Clash, Conflict, Error, EventTemplate, FetchResult, MergedValues, Pieces,
    PublishOptions, Reading, Receipt, RelayInfo, Result, Schema, Shown, SignedEvent, Signer, SignerError,
    SignerFuture, Source, Stage, SyncStatus, VersionInfo, Why,
};

use broker::{Broker, Host};
use commands::EngineEvent;
use once::Once;
use protocol::SigningPolicy;

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
    pub max_payload_size: Option<u64>,
}

/// Configures the plugin.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Builder {
    config: Config,
    data_dir: Option<PathBuf>,
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
        self.config.max_payload_size = Some(bytes as u64);
        self
    }

    /// Where the store is kept. Default: `nostr-sync` in the app's data folder.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// The plugin. A setting that cannot be fails the app's setup, with [`Error`] as its cause.
    pub fn build<R: Runtime>(self) -> TauriPlugin<R, Option<Config>> {
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
                commands::fetch,
                commands::sync_all,
                commands::poll,
                commands::subscribe,
                commands::add_relay,
                commands::remove_relay,
                commands::get_relays,
                commands::get_pubkey,
                commands::get_status,
                commands::flush,
                commands::engine_attach,
                commands::engine_detach,
                commands::engine_reply,
                commands::engine_emit,
                commands::sign_event,
                commands::nip44_encrypt,
                commands::nip44_decrypt,
                commands::store_get,
                commands::store_read,
                commands::store_list,
                commands::store_update,
            ])
            .setup(move |app, api| {
                let settings = Settings::new(self.config, api.config().clone().unwrap_or_default())?;
                let data_dir = match self.data_dir {
                    Some(folder) => folder,
                    None => app.path().app_data_dir()?.join("nostr-sync"),
                };
                app.manage(NostrSync::new(app.clone(), settings, data_dir));
                Ok(())
            })
            .on_page_load(|webview, load| {
                // The page that hosted the engine is about to be another one.
                if load.event() == PageLoadEvent::Started {
                    webview.nostr_sync().broker.detach(|_, host| host.webview == webview.label());
                }
            })
            .on_event(|app, event| {
                if let RunEvent::WindowEvent { label, event: WindowEvent::Destroyed, .. } = event {
                    app.nostr_sync().broker.detach(|_, host| host.window == *label);
                }
            })
            .build()
    }
}

/// The plugin with its defaults and what `tauri.conf.json` says.
pub fn init<R: Runtime>() -> TauriPlugin<R, Option<Config>> {
    Builder::new().build()
}

struct Settings {
    namespace: String,
    relays: BTreeSet<String>,
    device_id: Option<String>,
    max_payload_size: u64,
}

impl Settings {
    fn new(rust: Config, file: Config) -> Result<Self> {
        let namespace = rust.app_namespace.or(file.app_namespace).unwrap_or_else(|| "default".into());
        protocol::check_namespace(&namespace)?;
        let relays = rust.relays.or(file.relays).unwrap_or_default();
        let relays = relays.iter().map(|url| protocol::canonical_relay_url(url)).collect::<Result<_>>()?;
        let device_id = rust.device_id.or(file.device_id);
        if let Some(id) = &device_id {
            protocol::check_device_id(id)?;
        }
        let max_payload_size =
            rust.max_payload_size.or(file.max_payload_size).unwrap_or(protocol::DEFAULT_PAYLOAD_BYTES);
        protocol::check_payload_limit(max_payload_size)?;
        Ok(Self { namespace, relays, device_id, max_payload_size })
    }
}

/// Gives an app, its handle and its windows the plugin's Rust API.
pub trait TauriPluginNostrSyncExt<R: Runtime> {
    /// The plugin's Rust API. Panics where the plugin was not added to the app.
    fn nostr_sync(&self) -> &NostrSync<R>;
}

impl<R: Runtime, T: Manager<R>> TauriPluginNostrSyncExt<R> for T {
    fn nostr_sync(&self) -> &NostrSync<R> {
        self.state::<NostrSync<R>>().inner()
    }
}

/// How often in a row another value may come in while the function of an `update` is called.
const MAX_UPDATE_LAPS: usize = 100;

/// What the engine answers to an `update`: a function does not cross over to it, so the value does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Updated {
    Receipt(Receipt),
    /// Nothing was written. The value, as JSON text, which is compared as it is; `None`: there is none.
    Now(Option<String>),
}

/// What the hosting window learns when it attaches.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    generation: u64,
    run: String,
    namespace: String,
    relays: Vec<String>,
    device_id: Option<String>,
    max_payload_size: u64,
    pubkey: Option<String>,
    is_local: bool,
    subscriptions: Vec<String>,
}

/// The Rust API of the plugin: the same calls as in TypeScript, carried to the same engine.
///
/// Calls wait up to 10 s for a window that hosts the engine, then fail with [`Error::EngineNotRunning`]. A call whose
/// future is dropped is taken back if it can be.
pub struct NostrSync<R: Runtime> {
    app: AppHandle<R>,
    namespace: String,
    device_id: Option<String>,
    max_payload_size: u64,
    /// Configured and added, less those removed: what a new host connects to, and the signer answers AUTH for.
    relays: Mutex<BTreeSet<String>>,
    signer: SignerSlot,
    broker: Broker,
    once: Once,
    store: Mutex<Store>,
}

impl<R: Runtime> NostrSync<R> {
    fn new(app: AppHandle<R>, settings: Settings, data_dir: PathBuf) -> Self {
        let Settings { namespace, relays, device_id, max_payload_size } = settings;
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self {
            app,
            namespace,
            device_id,
            max_payload_size,
            relays: Mutex::new(relays),
            signer: SignerSlot::default(),
            broker: Broker::new(format!("{started:x}.{:x}", std::process::id())),
            once: Once::default(),
            store: Mutex::new(Store::new(data_dir)),
        }
    }

    /// Sets who signs: a [`nostr::Keys`], any other [`nostr::NostrSigner`], or a [`Signer`] of your own.
    ///
    /// Give it a key that was derived for syncing this app, never a wallet's root key. The key stays in Rust; the engine
    /// can only have this app's own values signed, and only encrypt to itself. Fails with [`Error::SigningFailed`] where the
    /// signer gives no public key, and with [`Error::SignerNotSet`] where it was cleared or replaced meanwhile.
    pub fn set_signer(&self, signer: impl Signer) -> impl Future<Output = Result<()>> + Send {
        // Not in the future: what is moved out of that leaves its bytes behind.
        let signer = Box::new(signer);
        let changed = |held: &Held| {
            let told = json!({ "type": "signer", "pubkey": held.pubkey_hex, "isLocal": held.is_local });
            self.broker.notify(&told);
        };
        // Boxed once it runs: the room that a future has for what it does later is moved with it, and may hold what the
        // stack held before, the key among it.
        async move { Box::pin(self.signer.set(signer, changed)).await }
    }

    /// Drops the signer. When this returns, no call to it is under way and its key is wiped.
    pub async fn clear_signer(&self) {
        let cleared = json!({ "type": "signer", "pubkey": null, "isLocal": false });
        self.signer.clear(|| self.broker.notify(&cleared)).await;
    }

    /// The sync public key, while a signer is set.
    pub async fn pubkey(&self) -> Option<PublicKey> {
        self.signer.pubkey()
    }

    /// The state of the engine.
    pub async fn status(&self) -> Result<SyncStatus> {
        self.call("get_status", json!({})).await
    }

    /// Adds a relay, for as long as the app runs; it gets every value that this device has. Idempotent.
    pub async fn add_relay(&self, url: &str) -> Result<()> {
        self.call("add_relay", json!({ "url": url })).await
    }

    /// Removes a relay, for as long as the app runs.
    pub async fn remove_relay(&self, url: &str) -> Result<()> {
        self.call("remove_relay", json!({ "url": url })).await
    }

    /// The relays and their state.
    pub async fn relays(&self) -> Result<Vec<RelayInfo>> {
        self.call("get_relays", json!({})).await
    }

    /// Writes the value of a category. When this returns `Ok`, the value is encrypted, signed and saved on this device, and
    /// goes to every relay, over crashes and restarts. Waits up to 5 s for a relay to take it; being offline is no error.
    ///
    /// `options`: `None`, `Some(seconds)` for an expiration (NIP-40, Unix time), or [`PublishOptions`].
    pub async fn publish(
        &self,
        category: &str,
        payload: &Value,
        options: impl Into<PublishOptions>,
    ) -> Result<Receipt> {
        self.call("publish", json!({ "category": category, "payload": payload, "options": options.into() }))
            .await
    }

    /// Removes the value of a category on all devices: a write like any other, that holds nothing.
    pub async fn remove(&self, category: &str) -> Result<Receipt> {
        self.call("remove", json!({ "category": category })).await
    }

    /// The way back after a write by a wrong clock: what is stamped in the future does not count any more, and the
    /// value that it has is written again at the present time. `None`: nothing is stamped in the future.
    pub async fn reset(&self, category: &str) -> Result<Option<Receipt>> {
        self.call("reset", json!({ "category": category })).await
    }

    /// Makes the next value of the newest one; `None`: there is none. In a category that merges, that is what devices wrote
    /// without seeing each other, as one. `change` runs here, and is called again if another value comes in before this one
    /// is saved, so it must depend on nothing but its argument. Fails with [`Error::EngineBusy`] if values come in faster.
    ///
    /// `options` as of `publish`, without `based_on`.
    pub async fn update(
        &self,
        category: &str,
        mut change: impl FnMut(Option<Value>) -> Value + Send,
        options: impl Into<PublishOptions>,
    ) -> Result<Receipt> {
        let options = options.into();
        let mut made = Map::new();
        for _ in 0..=MAX_UPDATE_LAPS {
            let mut args = Map::from_iter([
                ("category".to_owned(), json!(category)),
                ("options".to_owned(), json!(options)),
            ]);
            args.extend(made.clone());
            match self.call("update", Value::Object(args)).await? {
                Updated::Receipt(receipt) => return Ok(receipt),
                Updated::Now(now) => {
                    let value = now
                        .as_deref()
                        .map(serde_json::from_str)
                        .transpose()
                        .map_err(|error| misshapen("update", &error))?;
                    made.insert("payload".to_owned(), change(value));
                    made.insert("now".to_owned(), json!(now));
                }
            }
        }
        Err(Error::EngineBusy("Cannot update: newer values come in faster than it is written".into()))
    }

    /// What this device keeps of a category, the newest first: its value, and former ones. Needs no signer.
    pub async fn history(&self, category: &str) -> Result<Vec<VersionInfo>> {
        self.call("history", json!({ "category": category })).await
    }

    /// What one of them says. `event_id` is as `history` gives it. Fails with [`Error::VersionNotKept`] if it is not kept.
    pub async fn read_version(&self, category: &str, event_id: &str) -> Result<FetchResult> {
        self.call("read_version", json!({ "category": category, "eventId": event_id })).await
    }

    /// Writes what one of them says again, on all devices: `history` then has what it replaces, so it can be undone in the
    /// same way. Of a removal it is a removal.
    pub async fn restore(&self, category: &str, event_id: &str) -> Result<Receipt> {
        self.call("restore", json!({ "category": category, "eventId": event_id })).await
    }

    /// What this device knows of each category, for tools: nothing is decrypted. Needs no signer.
    pub async fn inspect(&self) -> Result<Vec<CategoryRow>> {
        self.call("inspect", json!({})).await
    }

    /// The newest value that the relays or this device know; `None` only where it is known that there is none.
    pub async fn fetch(&self, category: &str) -> Result<Option<FetchResult>> {
        self.call("fetch", json!({ "category": category })).await
    }

    /// The newest values of several categories; those without a value are left out.
    pub async fn sync_all(&self, categories: &[impl AsRef<str>]) -> Result<Vec<FetchResult>> {
        self.call("sync_all", json!({ "categories": texts(categories) })).await
    }

    /// Like `sync_all`, but only what the engine has neither written nor been asked for by `poll` before.
    pub async fn poll(&self, categories: &[impl AsRef<str>]) -> Result<Vec<FetchResult>> {
        self.call("poll", json!({ "categories": texts(categories) })).await
    }

    /// Has the engine hold a live subscription to these categories, for as long as the app runs. Values then come as
    /// `nostr-sync://updated` events, whose payload is a [`FetchResult`].
    pub async fn subscribe(&self, categories: &[impl AsRef<str>]) -> Result<()> {
        self.call("subscribe", json!({ "categories": texts(categories) })).await
    }

    /// Returns when every relay has, or has refused, all that this device has. Bound it with a timeout of your own.
    pub async fn flush(&self) -> Result<()> {
        self.call("flush", json!({})).await
    }

    async fn call<T: DeserializeOwned>(&self, method: &'static str, args: Value) -> Result<T> {
        let answer = self.forward(method, args).await?;
        serde_json::from_value(answer).map_err(|error| misshapen(method, &error))
    }

    /// Fails with `ENGINE_NOT_RUNNING` where nobody hosts the engine and no open window is allowed to: then it is a
    /// permission that is missing, and waiting brings nothing.
    fn check_hostable(&self, method: &str) -> Result<()> {
        if self.broker.is_hosted() {
            return Ok(());
        }
        let may_host = |window: &WebviewWindow<R>| {
            // What cannot be looked up may be allowed.
            !matches!(window.resolve_command_scope::<Value>("nostr-sync", "engine_attach"), Ok(None))
        };
        if self.app.webview_windows().values().any(may_host) {
            return Ok(());
        }
        Err(Error::EngineNotRunning(format!(
            "Cannot {method}: no open window has the permission nostr-sync:host, without which none can host the engine"
        )))
    }

    /// Carries a call to the engine, and keeps what every later host must know as well.
    async fn forward(&self, method: &'static str, args: Value) -> Result<Value> {
        match method {
            "add_relay" | "remove_relay" => self.forward_relay(method, &args).await,
            "subscribe" => {
                // What is no list of texts is for the engine to refuse.
                if let Some(Ok(categories)) = args.get("categories").map(Vec::<String>::deserialize) {
                    for category in &categories {
                        protocol::check_category(&self.namespace, category)?;
                    }
                    self.broker.subscribe(categories)?;
                    if !self.broker.is_hosted() {
                        self.warn_without_host(method);
                        return Ok(Value::Null);
                    }
                }
                self.broker.call(method, &args).await
            }
            _ => self.broker.call(method, &args).await,
        }
    }

    /// What was subscribed to is kept for a host that is still to come. If none comes, no call fails: it is told as an error.
    fn warn_without_host(&self, method: &'static str) {
        let app = self.app.clone();
        tauri::async_runtime::spawn(async move {
            let sync = app.nostr_sync();
            let warning = match sync.check_hostable(method) {
                Err(error) => error,
                Ok(()) if sync.broker.wait_for_host().await => return,
                Ok(()) => Error::EngineNotRunning(
                    "What was subscribed to is not heard of yet: no window hosts the engine".into(),
                ),
            };
            // The app is ending otherwise.
            let _ = app.emit("nostr-sync://error", warning);
        });
    }

    async fn forward_relay(&self, method: &'static str, args: &Value) -> Result<Value> {
        let Some(url) = args.get("url").and_then(Value::as_str) else {
            return Err(Error::InvalidRelayUrl("Invalid relay URL: expected a string".into()));
        };
        let url = protocol::canonical_relay_url(url)?;
        if method == "remove_relay" {
            let answer = self.broker.call(method, args).await?;
            self.relay_set().remove(&url);
            return Ok(answer);
        }
        // Before the engine connects: the relay may ask for AUTH at once.
        let is_new = self.relay_set().insert(url.clone());
        let answer = self.broker.call(method, args).await;
        if answer.is_err() && is_new {
            self.relay_set().remove(&url);
        }
        answer
    }

    fn relay_set(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attach(&self, webview: &Webview<R>, channel: Channel<InvokeResponseBody>) -> Attachment {
        let host = Host {
            webview: webview.label().to_owned(),
            window: webview.window().label().to_owned(),
            send: Box::new(move |message| channel.send(InvokeResponseBody::Json(message)).map_err(drop)),
        };
        // In one step, so that every later change of the signer is a message to this host.
        self.signer.with_held(|held| {
            self.broker.attach(host, |generation, subscriptions| Attachment {
                generation,
                run: self.broker.run.clone(),
                namespace: self.namespace.clone(),
                relays: self.relay_set().iter().cloned().collect(),
                device_id: self.device_id.clone(),
                max_payload_size: self.max_payload_size,
                pubkey: held.map(|held| held.pubkey_hex.clone()),
                is_local: held.is_some_and(|held| held.is_local),
                subscriptions,
            })
        })
    }

    fn emit(&self, generation: u64, webview: &str, event: EngineEvent, payload: Value) -> Result<()> {
        if self.broker.check_host(generation, webview).is_err() {
            return Ok(());
        }
        let name = match event {
            EngineEvent::Updated => "nostr-sync://updated",
            EngineEvent::RelayStatus => "nostr-sync://relay-status",
            EngineEvent::Error => "nostr-sync://error",
            EngineEvent::Delivery => "nostr-sync://delivery",
            EngineEvent::Conflict => "nostr-sync://conflict",
            EngineEvent::Merged => "nostr-sync://merged",
            EngineEvent::Status => "nostr-sync://status",
            EngineEvent::Value => "nostr-sync://value",
        };
        self.app
            .emit(name, payload)
            .map_err(|error| Error::Other { code: "UNKNOWN".into(), message: error.to_string() })
    }

    async fn sign(&self, generation: u64, webview: &str, template: EventTemplate) -> Result<SignedEvent> {
        self.broker.check_host(generation, webview)?;
        let held = self.signer.held()?;
        SigningPolicy {
            namespace: &self.namespace,
            pubkey: &held.pubkey_hex,
            relays: &self.relay_set(),
            now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        }
        .check(&template)?;
        held.sign(template).await
    }

    async fn encrypt(&self, generation: u64, webview: &str, peer: &str, plaintext: &str) -> Result<String> {
        self.broker.check_host(generation, webview)?;
        let held = self.signer.held()?;
        protocol::check_encryption(&held.pubkey_hex, peer, plaintext)?;
        held.encrypt(plaintext).await
    }

    async fn decrypt(&self, generation: u64, webview: &str, peer: &str, ciphertext: &str) -> Result<String> {
        self.broker.check_host(generation, webview)?;
        let held = self.signer.held()?;
        protocol::check_decryption(&held.pubkey_hex, peer, ciphertext)?;
        held.decrypt(ciphertext).await
    }

    /// Works on the store where blocking hurts nobody.
    async fn store<T: Send + 'static>(
        &self,
        generation: u64,
        webview: &str,
        work: impl FnOnce(&mut Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (app, webview) = (self.app.clone(), webview.to_owned());
        tauri::async_runtime::spawn_blocking(move || {
            let sync = app.nostr_sync();
            let mut store = sync.store.lock().unwrap_or_else(PoisonError::into_inner);
            // Under the lock: a page sees all that its predecessors have written from its first look at the store on.
            sync.broker.check_host(generation, &webview)?;
            work(&mut store)
        })
        .await
        .unwrap_or_else(|_| Err(Error::StoreFailed("The store failed unexpectedly".into())))
    }
}

fn misshapen(method: &str, error: &serde_json::Error) -> Error {
    let message = format!("Cannot read what the engine returned for {method}: {error}");
    Error::Other { code: "UNKNOWN".into(), message }
}

fn texts(categories: &[impl AsRef<str>]) -> Vec<&str> {
    categories.iter().map(AsRef::as_ref).collect()
}

#[cfg(test)]
mod tests;
