//! What a program says of the engine that it wants.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::engine::{self, Limits, Plan, Preload};
use crate::error::Result;
use crate::handle::NostrSync;

/// Configures an engine, and starts it.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Builder {
    settings: Map<String, Value>,
    data_dir: Option<PathBuf>,
    limits: Limits,
    categories: Option<Arc<str>>,
    waits_for_call: bool,
}

impl Builder {
    /// The defaults: namespace `default`, no relays, payloads of 65,536 bytes, a store in memory.
    pub fn new() -> Self {
        Self::default()
    }

    fn set(mut self, name: &str, value: Value) -> Self {
        self.settings.insert(name.into(), value);
        self
    }

    /// Prefix of what is stored on relays, so that apps can share a key. Default `default`.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.set("namespace", namespace.into().into())
    }

    /// Relay URLs: `wss:`, or `ws:` to loopback.
    pub fn relays(self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let urls: Vec<String> = urls.into_iter().map(Into::into).collect();
        self.set("relays", urls.into())
    }

    /// Tells this device from the user's others; relays see it. Default: a UUID, made once and kept in the store.
    pub fn device_id(self, id: impl Into<String>) -> Self {
        self.set("deviceId", id.into().into())
    }

    /// The largest payload, in bytes of JSON. Default 65,536, at most 409,600.
    pub fn max_payload_size(self, bytes: usize) -> Self {
        self.set("maxPayloadSize", bytes.into())
    }

    /// Refuses payloads above 40,960 bytes, which the original plugin (0.1.0-alpha.3) could not read.
    pub fn strict_interop(self) -> Self {
        self.set("interop", json!("strict"))
    }

    /// Allows `ws:` relays beyond loopback: the network on the way then sees the metadata.
    pub fn allow_insecure_relays(self) -> Self {
        self.set("allowInsecureRelays", true.into())
    }

    /// What is special about single categories, such as how they are merged: a script whose global `nostrSyncCategories` has what
    /// `defineCategory` returned, by any name, and by the name `options` what `createNostrSync` takes as `categories`. It runs beside the
    /// engine, before anything else. esbuild makes one of a module: `--bundle --format=iife --global-name=nostrSyncCategories`.
    pub fn categories(mut self, script: impl Into<Arc<str>>) -> Self {
        self.categories = Some(script.into());
        self
    }

    /// Starts the engine with the first call that needs it. [`Builder::start`] then fails for no setting: calls do.
    pub fn start_on_first_call(mut self) -> Self {
        self.waits_for_call = true;
        self
    }

    /// Where values and outbox are kept: a folder of this program's own, which is made (0700) if it is missing. One process at a
    /// time can use it. Default: in memory, so that a restart begins empty.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// The most memory that the engine may take, in bytes; an engine that reaches half of it and cannot free any is started again from
    /// its store. Default 256 MiB; below 16 MiB it may not even start.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.limits.memory = bytes;
        self
    }

    /// How long the engine may work on one thing until it counts as run away, and is started again from its store. Default 20 s.
    pub fn run_time_limit(mut self, limit: Duration) -> Self {
        self.limits.run_time = limit;
        self
    }

    /// Starts the engine on a thread of its own, and waits for the tens of milliseconds that this takes: a [`Preload`] takes most of that off.
    ///
    /// Fails with `InvalidNamespace`, `InvalidRelayUrl`, `InvalidPayloadLimit`, or `Other` (`INVALID_ARGUMENT`) if a setting cannot be, and with
    /// `EngineFailed` if the script of [`Builder::categories`] throws. A folder that cannot be used is no failure here: the first call says so, and it is tried again.
    pub fn start(self) -> Result<NostrSync> {
        engine::start(self.plan())
    }

    /// As [`Builder::start`], with an engine that has been read meanwhile.
    pub fn start_on(self, preload: Preload) -> Result<NostrSync> {
        preload.start(self.plan())
    }

    fn plan(self) -> Plan {
        let Self { settings, data_dir, limits, categories, waits_for_call } = self;
        Plan { settings, data_dir, limits, categories, waits_for_call }
    }
}
