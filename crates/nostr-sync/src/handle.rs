//! The calls of a program: each goes to the thread of the engine, and its answer comes back.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use nostr::PublicKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::command::Command;
use crate::engine::SharedSigner;
use crate::error::{Error, Result};
use crate::models::{
    CategoryRow, Event, FetchResult, PublishOptions, Receipt, RelayInfo, SyncStatus, VersionInfo,
};
use crate::registry::{Registry, subscribe_args};
use crate::signer::Signer;
use crate::stream::{Events, Values};
use crate::traces::burn_stack;

/// Calls that may wait for the engine at once.
const MAX_CALLS: usize = 1_024;
/// How often in a row another value may come in while the function of an `update` is called.
const MAX_UPDATE_LAPS: usize = 100;

/// What all handles of one engine have in common.
pub(crate) struct Shared {
    pub commands: mpsc::UnboundedSender<Command>,
    pub registry: Arc<Registry>,
    pub signer: Arc<SharedSigner>,
    pub next_id: AtomicU64,
    pub calls: tokio::sync::Semaphore,
    pub is_closed: AtomicBool,
}

/// A running engine. Clones are handles of the same one. It ends with [`NostrSync::close`], or with its last handle; what is not
/// delivered then waits in the store.
///
/// A call whose future is dropped is taken back if it can be. Calls work on any runtime.
#[derive(Clone)]
pub struct NostrSync {
    shared: Arc<Shared>,
    /// Which part of the program this handle is of.
    origin: Arc<str>,
}

/// Takes a call back whose future is dropped before the answer.
struct Cancel<'a> {
    shared: &'a Shared,
    id: Option<u64>,
}

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // An engine that is gone has no calls.
            let _ = self.shared.commands.send(Command::Cancel { id });
        }
    }
}

/// What the engine answers to an `update`: a function does not cross over to it, so the value does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Updated {
    Receipt(Receipt),
    /// Nothing was written. The value, as JSON text, which is compared as it is; `None`: there is none.
    Now(Option<String>),
}

impl NostrSync {
    pub(crate) fn new(
        commands: mpsc::UnboundedSender<Command>,
        registry: Arc<Registry>,
        signer: Arc<SharedSigner>,
    ) -> Self {
        registry.serve(&commands);
        let shared = Shared {
            commands,
            registry,
            signer,
            // 0 is of calls that nobody waits for.
            next_id: AtomicU64::new(1),
            calls: tokio::sync::Semaphore::new(MAX_CALLS),
            is_closed: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), origin: "".into() }
    }

    /// A handle for a part of the program that is told what the other parts write: [`NostrSync::subscribe`] gives it what other devices
    /// and handles of another `name` write, and never what handles of this name do.
    pub fn part(&self, name: &str) -> Self {
        Self { shared: self.shared.clone(), origin: name.into() }
    }

    /// Sets who signs: a [`SecretKey`](crate::SecretKey), any [`nostr::NostrSigner`], or a [`Signer`] of your own. Values and outbox are kept per
    /// public key: those of the former key wait in the store until it comes back.
    ///
    /// Give it a key that was derived for syncing this app, never a wallet's root key. The key stays in Rust: the engine gives it what is to be
    /// signed, and texts to encrypt to itself and to decrypt. Fails with [`Error::SigningFailed`] if the signer gives no public key, with
    /// [`Error::SignerNotSet`] if it was cleared or replaced meanwhile, and with [`Error::StoreFailed`]: then it is set, and the engine tries again.
    pub fn set_signer<S: Signer>(&self, signer: S) -> impl Future<Output = Result<()>> + Send + use<S> {
        let (answer, answered) = oneshot::channel();
        // Not in the future: what is moved out of that leaves its bytes behind.
        let signer: Box<dyn Signer> = Box::new(signer);
        burn_stack();
        let turn = self.shared.signer.slot.take_turn();
        let is_sent = self.shared.commands.send(Command::SetSigner { turn, signer, answer }).is_ok();
        async move {
            if !is_sent {
                return Err(closed("set_signer"));
            }
            answered.await.unwrap_or_else(|_| Err(closed("set_signer"))).map(drop)
        }
    }

    /// Drops the signer. When this returns, no call to it is under way and its key is wiped. What was saved goes on to the relays.
    pub async fn clear_signer(&self) {
        let told = |shared: &Shared| {
            let (answer, _) = oneshot::channel();
            let _ = shared.commands.send(Command::Signer { info: None, answer });
        };
        self.shared.signer.slot.clear(|| told(&self.shared)).await;
    }

    /// The sync public key, while a signer is set.
    pub async fn pubkey(&self) -> Option<PublicKey> {
        self.shared.signer.slot.pubkey()
    }

    /// The state of the engine. Of one that is closed, or whose store fails, it is the last that is known, not ready.
    pub async fn status(&self) -> SyncStatus {
        if let Ok(status) = self.call("get_status", json!({})).await {
            return status;
        }
        SyncStatus { ready: false, connected_relay_count: 0, ..self.last_status().unwrap_or_default() }
    }

    /// The status that was last told of; `None`: the engine was not needed yet.
    #[doc(hidden)]
    pub fn last_status(&self) -> Option<SyncStatus> {
        let last = self.shared.registry.last_status();
        last.and_then(|json| serde_json::from_str(&json).ok())
    }

    /// Returns once a relay is connected, or when that time is over.
    pub async fn wait_for_connection(&self, limit: Duration) {
        self.wait_for(limit, |status| status.connected_relay_count > 0).await;
    }

    /// Returns once the status is as `is_there` wants it, or when that time is over.
    #[doc(hidden)]
    pub async fn wait_for(&self, limit: Duration, is_there: impl Fn(&SyncStatus) -> bool) {
        let mut events = self.events_from_now();
        let there = async {
            if is_there(&self.status().await) {
                return;
            }
            while let Some(event) = events.next().await {
                if matches!(event, Event::Status(status) if is_there(&status)) {
                    return;
                }
            }
        };
        // The program's runtime may have no clock.
        let (answer, over) = oneshot::channel();
        let _ = self.shared.commands.send(Command::Sleep { limit, answer });
        tokio::select! {
            () = there => {}
            _ = over => {}
        }
    }

    /// Adds a relay, for as long as the program runs; it gets every value that this device has. Idempotent.
    pub async fn add_relay(&self, url: &str) -> Result<()> {
        self.call("add_relay", json!({ "url": url })).await
    }

    /// Removes a relay, for as long as the program runs.
    pub async fn remove_relay(&self, url: &str) -> Result<()> {
        self.call("remove_relay", json!({ "url": url })).await
    }

    /// The relays and their state. Of an engine that is closed or that cannot be opened, none.
    pub async fn relays(&self) -> Vec<RelayInfo> {
        self.call("get_relays", json!({})).await.unwrap_or_default()
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

    /// Makes the next value of the newest one; `None`: there is none. `change` runs here, and is called again if another value comes in
    /// before this one is saved, so it must depend on nothing but its argument. Fails with [`Error::EngineBusy`] if values come in faster.
    ///
    /// `options` as of `publish`, without `based_on`.
    pub async fn update(
        &self,
        category: &str,
        mut change: impl FnMut(Option<Value>) -> Value + Send,
        options: impl Into<PublishOptions>,
    ) -> Result<Receipt> {
        let options = options.into();
        let mut made = json!({});
        for _ in 0..=MAX_UPDATE_LAPS {
            let mut args = json!({ "category": category, "options": options });
            if let (Value::Object(args), Value::Object(made)) = (&mut args, made) {
                args.extend(made);
            }
            match self.call("update", args).await? {
                Updated::Receipt(receipt) => return Ok(receipt),
                Updated::Now(now) => {
                    let value = now
                        .as_deref()
                        .map(serde_json::from_str)
                        .transpose()
                        .map_err(|error| misshapen("update", &error))?;
                    made = json!({ "payload": change(value), "now": now });
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

    /// The newest value that the relays or this device know; `None` only if it is known that there is none.
    pub async fn fetch(&self, category: &str) -> Result<Option<FetchResult>> {
        self.call("fetch", json!({ "category": category })).await
    }

    /// The newest values of several categories, with one request per relay; those without a value are left out.
    pub async fn sync_all(&self, categories: &[impl AsRef<str>]) -> Result<Vec<FetchResult>> {
        self.call("sync_all", json!({ "categories": texts(categories) })).await
    }

    /// Like `sync_all`, but only what the engine has neither written nor been asked for by `poll` before.
    pub async fn poll(&self, categories: &[impl AsRef<str>]) -> Result<Vec<FetchResult>> {
        self.call("poll", json!({ "categories": texts(categories) })).await
    }

    /// The current value of each of these categories as soon as one is known, then each newer one of another device or of another part
    /// of the program ([`NostrSync::part`]); never what this part itself writes.
    pub async fn subscribe(&self, categories: &[impl AsRef<str>]) -> Result<Values> {
        let categories: Vec<String> = categories.iter().map(|category| category.as_ref().into()).collect();
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let args = subscribe_args(id, &categories);
        let queue = self.shared.registry.subscribe(id, self.origin.clone(), categories);
        let values = Values { id, queue, registry: self.shared.registry.clone() };
        self.call_text("subscribe", args).await?;
        Ok(values)
    }

    /// What happens from now on, and for the first call what has happened since the start: see [`Event`].
    pub fn events(&self) -> Events {
        match self.shared.registry.take_first() {
            Some(queue) => Events { queue, registry: self.shared.registry.clone() },
            None => self.events_from_now(),
        }
    }

    fn events_from_now(&self) -> Events {
        let registry = &self.shared.registry;
        let queue = registry.listen();
        if self.shared.is_closed.load(Ordering::SeqCst) {
            queue.end();
        }
        Events { queue, registry: registry.clone() }
    }

    /// Returns when every relay has, or has refused, all that this device has. Bound it with a timeout of your own.
    pub async fn flush(&self) -> Result<()> {
        self.call("flush", json!({})).await
    }

    /// The machine was asleep, the network may be another one, or the user has come back: connections are checked at once instead of after
    /// the next ping. A sleep of the machine is noticed without it.
    pub fn wake(&self) {
        self.set_online(true);
    }

    /// `false`: the system says that there is no network, so that connecting is not tried all the time. It may be wrong, and is tried all the same.
    pub fn set_online(&self, is_online: bool) {
        // An engine that is gone needs no network.
        let _ = self.shared.commands.send(Command::Wake { is_online });
    }

    /// Stops everything, drops the signer and closes the store, for all handles. What is not delivered waits in the store. Idempotent.
    pub async fn close(&self) -> Result<()> {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        let closed = self.call("close", json!({})).await;
        self.shared.signer.slot.clear(|| ()).await;
        match closed {
            Err(Error::Closed(_)) => Ok(()),
            other => other,
        }
    }

    async fn call<T: DeserializeOwned>(&self, method: &'static str, args: Value) -> Result<T> {
        let answer = self.call_text(method, args.to_string()).await?;
        serde_json::from_str(&answer).map_err(|error| misshapen(method, &error))
    }

    /// A call by its name in the engine: arguments and answer are JSON.
    #[doc(hidden)]
    pub async fn call_text(&self, method: &'static str, args: String) -> Result<String> {
        let _place = self.shared.calls.try_acquire().map_err(|_| {
            Error::EngineBusy(format!("Cannot {method}: {MAX_CALLS} calls are waiting for the engine"))
        })?;
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let call = Command::Call { id, origin: self.origin.clone(), method, args, answer };
        self.shared.commands.send(call).map_err(|_| closed(method))?;
        let mut cancel = Cancel { shared: &self.shared, id: Some(id) };
        let result = answered.await;
        cancel.id = None;
        result.unwrap_or_else(|_| Err(closed(method)))
    }
}

pub(crate) fn closed(method: &str) -> Error {
    Error::Closed(format!("Cannot {method}: the engine is closed"))
}

fn misshapen(method: &str, error: &serde_json::Error) -> Error {
    let message = format!("Cannot read what the engine returned for {method}: {error}");
    Error::Other { code: "UNKNOWN".into(), message }
}

fn texts(categories: &[impl AsRef<str>]) -> Vec<&str> {
    categories.iter().map(AsRef::as_ref).collect()
}
