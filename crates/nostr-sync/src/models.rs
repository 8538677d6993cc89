//! The shapes that calls take and return: those of the TypeScript engine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A value, as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchResult {
    /// Which value it is.
    pub category: String,
    /// The value; `null` where it was removed.
    pub payload: Value,
    /// When it was written, by the writer's clock, ISO 8601.
    pub updated_at: String,
    /// The device that wrote it; the sync public key where it did not say.
    pub device_id: String,
    /// Id of the Nostr event, 64 hex digits.
    pub event_id: String,
    /// Whether a relay answered.
    pub source: Source,
    /// The value was removed. Only from `poll` and events.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// This device wrote it, and no relay has said that it has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// The schema version of the app that wrote it, if that said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// At least one relay answered completely.
    Relay,
    /// None did: this is what the device knew.
    Local,
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// On this device; it goes out by itself.
    Saved,
    /// A relay said OK.
    Delivered,
    /// Read back from every relay.
    Replicated,
}

/// What `publish` and `remove` return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// What was written.
    pub category: String,
    /// Id of the Nostr event, 64 hex digits.
    pub event_id: String,
    /// When it was stamped, ISO 8601.
    pub updated_at: String,
    /// How far it has come.
    pub stage: Stage,
    /// What each relay has of it, by URL: `pending`, `unseen`, `acknowledged`, `confirmed` or `refused`.
    pub relays: BTreeMap<String, String>,
    /// Of a value larger than one event: how many pieces each relay has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<Pieces>,
    /// The write that took this one's place before it was delivered; stage and relays are then that one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
}

/// How far a value in pieces has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    /// How many there are.
    pub total: usize,
    /// How many of them a relay has, by URL.
    pub done: BTreeMap<String, usize>,
}

/// A value that a category has, or had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// Id of the Nostr event, 64 hex digits.
    pub event_id: String,
    /// When it was written by the writer's clock, ISO 8601.
    pub updated_at: String,
    /// The device that wrote it; the sync public key if it did not say.
    pub device_id: String,
    /// Of its event as JSON, without the pieces of a large value.
    pub bytes: usize,
    /// It is the newest one.
    pub is_current: bool,
    /// How it came there.
    pub why: Why,
}

/// How a version came into the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// This device wrote it.
    Own,
    /// Another device did.
    Received,
    /// What took its place had not seen it.
    Lost,
    /// It is a removal.
    Removed,
    /// It is of the key before, and gave way when this device joined another.
    BeforeJoining,
}

/// One category, as this device has it: its newest value, and how far that has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CategoryRow {
    /// Its name.
    pub category: String,
    /// Id of the Nostr event, 64 hex digits.
    pub event_id: String,
    /// When it was stamped, ISO 8601.
    pub updated_at: String,
    /// How far it has come.
    pub stage: Stage,
    /// What each relay has of it, by URL: as in [`Receipt`].
    pub relays: BTreeMap<String, String>,
    /// Of a value larger than one event: how many pieces each relay has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pieces: Option<Pieces>,
    /// The device that wrote it; the sync public key if it did not say.
    pub device_id: String,
    /// This device wrote it.
    pub is_own: bool,
    /// The newest value is a removal.
    pub is_removal: bool,
    /// When it ends (NIP-40), Unix time in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<u64>,
    /// Which version of the app's data it says that it is; none is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// Of its event as JSON, without the pieces of a large value.
    pub bytes: usize,
    /// Whether all pieces of a large value are here. Until then what was before it is shown.
    pub is_whole: bool,
    /// Whether it could be read.
    pub reading: Reading,
    /// Values of other devices that the newest has not seen.
    pub rivals: usize,
    /// Values that `history` gives beside the newest, the rivals among them.
    pub kept: usize,
}

/// A version of an app's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// From 1.
    pub version: u32,
    /// The oldest version of the app that may write over it.
    pub writable_by: u32,
}

/// Whether a value could be decrypted and parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Not tried yet.
    Unread,
    /// It was read.
    Read,
    /// It could not be: what was before it is shown.
    Unreadable,
}

/// Where a merge may have given something up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clash {
    /// Names of fields, and ids of items, from the outside in. Empty: the whole value.
    pub path: Vec<String>,
    /// `both-changed`, `uncertain` or `rule-failed`.
    pub reason: String,
    /// What both sides had seen; `None` if there was nothing.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub base: Option<Value>,
    /// What the older side has there; `None` if nothing.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub mine: Option<Value>,
    /// What the newer side has there; `None` if nothing.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Value>,
}

/// `null` is a value: only what is not there is `None`.
fn there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// What the engine tells beside the answers to calls.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A new value from another device, once, however it was learned.
    Updated(FetchResult),
    /// A relay was connected, lost, added or removed, or asked for AUTH.
    RelayStatus(RelayInfo),
    /// Something failed that no call was waiting for.
    Error(crate::Error),
    /// A write of this device came a step further.
    Delivery(Receipt),
    /// A write of this device was overwritten by one that had not seen it.
    Conflict(Box<Conflict>),
    /// What devices wrote without seeing each other is one value now: only categories that merge.
    Merged(Box<MergedValues>),
    /// The status has changed.
    Status(SyncStatus),
    /// The reader was slow: so many events were left out here.
    Missed(u64),
}

impl Event {
    /// `name` as in TypeScript. `None`: it is of a kind that this version does not know.
    pub(crate) fn from_json(name: &str, json: &str) -> Option<Self> {
        fn read<T: serde::de::DeserializeOwned>(json: &str, of: fn(T) -> Event) -> Option<Event> {
            serde_json::from_str(json).ok().map(of)
        }
        match name {
            "updated" => read(json, Self::Updated),
            "relay-status" => read(json, Self::RelayStatus),
            "error" => read(json, |error: Value| Self::Error(error.into())),
            "delivery" => read(json, Self::Delivery),
            "conflict" => read(json, |conflict| Self::Conflict(Box::new(conflict))),
            "merged" => read(json, |merged| Self::Merged(Box::new(merged))),
            "status" => read(json, Self::Status),
            "missed" => read(json, Self::Missed),
            _ => None,
        }
    }
}

/// What a conflict tells: a write of this device was replaced by one that had not seen it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Where.
    pub category: String,
    /// What this device had written.
    pub mine: FetchResult,
    /// The other one.
    pub theirs: FetchResult,
    /// Which of them is the newer, and the value unless something has come since.
    pub shown: Shown,
    /// Of a category that merges: the newest value that both had seen, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<FetchResult>,
    /// Of a category that merges: where the merge may have given something up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clashes: Option<Vec<Clash>>,
}

/// Which of two values is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// What this device had written.
    Mine,
    /// The other one.
    Theirs,
}

/// What was merged: what devices wrote without seeing each other is one value now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedValues {
    /// Where.
    pub category: String,
    /// The value now.
    pub value: FetchResult,
    /// What it was made of: the value that was the newest, then what that had not seen.
    pub parts: Vec<FetchResult>,
    /// Whether what they had in common was known.
    pub base: BaseKnown,
    /// Where the merge may have given something up. Empty: each edit is in `value`.
    pub clashes: Vec<Clash>,
}

/// Whether what two values have in common is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaseKnown {
    /// All of it.
    Exact,
    /// Not all of it: every difference is a clash.
    Older,
    /// They have nothing in common.
    Absent,
}

/// How `publish` writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PublishOptions {
    /// When the value ends (NIP-40), Unix time in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<u64>,
    /// The `event_id` of the value that the app has made this one of, if that is not the newest that the engine has. In a
    /// category that merges, what the app has changed there is changed in the newest value; in any other, devices are told of
    /// a conflict with what the app had not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub based_on: Option<String>,
    /// What to wait for, at most 5 s. Default: delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<Stage>,
}

impl PublishOptions {
    /// Waits for this stage, at most 5 s.
    #[must_use]
    pub fn wait_for(mut self, stage: Stage) -> Self {
        self.wait_for = Some(stage);
        self
    }

    /// Says of which value this one was made: see [`PublishOptions::based_on`].
    #[must_use]
    pub fn based_on(mut self, event_id: impl Into<String>) -> Self {
        self.based_on = Some(event_id.into());
        self
    }

    /// Ends the value at this time (NIP-40), Unix time in seconds.
    #[must_use]
    pub fn expiration(mut self, seconds: u64) -> Self {
        self.expiration = Some(seconds);
        self
    }
}

impl From<Option<u64>> for PublishOptions {
    fn from(expiration: Option<u64>) -> Self {
        Self { expiration, ..Self::default() }
    }
}

/// A relay and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayInfo {
    /// Canonical URL.
    pub url: String,
    /// Whether the connection is open.
    pub connected: bool,
    /// When it last sent something valid, ISO 8601.
    pub last_seen: Option<String>,
    /// `waiting` (the next attempt is scheduled), `connecting`, `open` or `closed`.
    pub state: String,
    /// Round trip of the last answered request, in ms.
    pub latency_ms: Option<f64>,
    /// Whether it asked for AUTH (NIP-42): `none`, `required` or `accepted`.
    pub auth: String,
    /// What the relay or the network last said against us. For people.
    pub last_error: Option<String>,
    /// The largest event that it has taken, in bytes of JSON; `None` before the first.
    pub accepted_bytes: Option<u64>,
    /// The smallest event that it has refused for its size; `None` while it has not.
    pub refused_bytes: Option<u64>,
    /// Frames of it that failed a check, by kind of fault.
    #[serde(default)]
    pub violations: BTreeMap<String, u64>,
}

/// The state of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// The public key of the signer that is set, in hex; `None`: none is, and values cannot be read.
    pub pubkey: Option<String>,
    /// A signer is set and at least one relay is connected.
    pub ready: bool,
    /// `false`: the system says that there is no network. `true` proves nothing.
    pub online: bool,
    /// Relays that are configured.
    pub relay_count: usize,
    /// Of them, connected now.
    pub connected_relay_count: usize,
    /// This device's id.
    pub device_id: String,
    /// (category, relay) pairs for which the relay has not yet got, nor refused, what this device has.
    pub outbox_depth: usize,
    /// Writes of this device that no relay has, each counted once.
    pub pending_changes: usize,
    /// When a relay last answered while no change was pending, ISO 8601, in this run of the engine.
    pub last_synced_at: Option<String>,
}

/// What is to be signed (NIP-01).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventTemplate {
    /// kind of the event.
    pub kind: u16,
    /// Unix time in seconds.
    pub created_at: u64,
    /// The tags, in their order.
    pub tags: Vec<Vec<String>>,
    /// The content, in our case ciphertext.
    pub content: String,
}

/// A signed Nostr event (NIP-01).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEvent {
    /// SHA-256 of the serialised event, lower-case hex.
    pub id: String,
    /// 32 bytes, lower-case hex.
    pub pubkey: String,
    /// Unix time in seconds.
    pub created_at: u64,
    /// kind of the event.
    pub kind: u16,
    /// The tags, in their order.
    pub tags: Vec<Vec<String>>,
    /// The content.
    pub content: String,
    /// BIP-340 signature, 64 bytes, lower-case hex.
    pub sig: String,
}
