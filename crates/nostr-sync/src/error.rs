//! What can fail, with the codes of the TypeScript engine, so that an error is the same on both sides of the IPC.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

/// The result of every call.
pub type Result<T> = std::result::Result<T, Error>;

/// What can fail. As JSON it is `{ code, message, details? }`. No message holds a key or a payload.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call needs a signer and none is set, or it was cleared meanwhile.
    #[error("No signer is set: call set_signer first")]
    SignerNotSet,
    /// The payload's JSON is larger than the limit, both in bytes. Nothing was sent.
    #[error("The payload is too large: {size} bytes, the limit is {limit}")]
    PayloadTooLarge {
        /// Bytes of the payload's JSON.
        size: u64,
        /// The limit that holds, in bytes.
        limit: u64,
    },
    /// The configured limit of the payload's size is out of range, both in bytes.
    #[error("Invalid max_payload_size: expected 1 to {max} bytes, got {requested}")]
    InvalidPayloadLimit {
        /// What was configured.
        requested: u64,
        /// The most that can be.
        max: u64,
    },
    /// The namespace is empty, too long, or holds `/` or control characters.
    #[error("{0}")]
    InvalidNamespace(String),
    /// The category is empty, too long, or holds `/` or control characters.
    #[error("{0}")]
    InvalidCategory(String),
    /// The payload is not a JSON value, or nested too deep.
    #[error("{0}")]
    InvalidPayload(String),
    /// The expiration is not a Unix time in seconds, or past.
    #[error("{0}")]
    InvalidExpiration(String),
    /// The relay's URL is not `wss:` (or `ws:` to loopback), or has credentials or a fragment.
    #[error("{0}")]
    InvalidRelayUrl(String),
    /// Every relay refused the write for good; it was withdrawn.
    #[error("{message}")]
    NoRelaysAccepted {
        /// For people.
        message: String,
        /// What each relay said, by URL.
        reasons: BTreeMap<String, String>,
    },
    /// This device holds no copy, and not every relay has answered completely: the value is unknown, not absent.
    #[error("{message}")]
    NoRelaysReachable {
        /// For people.
        message: String,
        /// The relays that have answered completely, by URL.
        answered: Vec<String>,
        /// Those that have not.
        silent: Vec<String>,
    },
    /// A write that had failed is the newest value after all: a relay that had refused it kept it, and shows it.
    #[error("{message}")]
    WithdrawnWriteShown {
        /// For people.
        message: String,
        /// Whose value it is.
        category: String,
        /// The event of that write.
        event_id: String,
    },
    /// The signer could not encrypt.
    #[error("{0}")]
    EncryptionFailed(String),
    /// The signer could not decrypt.
    #[error("{0}")]
    DecryptionFailed(String),
    /// The signer could not sign, or returned something else than was asked for.
    #[error("{0}")]
    SigningFailed(String),
    /// The account behind the signer is not the one that it was set with. Nothing was saved.
    #[error("{0}")]
    SignerChanged(String),
    /// The store could not read or save; nothing was changed.
    #[error("{0}")]
    StoreFailed(String),
    /// The newest value of a category cannot be read.
    #[error("{message}")]
    Undecodable {
        /// For people.
        message: String,
        /// Whose value it is.
        category: String,
        /// The event that cannot be read.
        event_id: String,
    },
    /// The newest value of a category is larger than one event, and not all of its pieces were found yet.
    #[error("{message}")]
    Incomplete {
        /// For people.
        message: String,
        /// Whose value it is.
        category: String,
        /// The event that names the pieces.
        event_id: String,
        /// Pieces that are here, of `total`.
        have: u64,
        /// Pieces that there are.
        total: u64,
    },
    /// This device does not keep that version: it never had it, or has let it go to make room for others.
    #[error("{message}")]
    VersionNotKept {
        /// For people.
        message: String,
        /// Whose version it is.
        category: String,
        /// The event of that version.
        event_id: String,
    },
    /// What is to be stored, or is stored, does not fit the schema of its category.
    #[error("{message}")]
    InvalidValue {
        /// For people.
        message: String,
        /// Whose value it is.
        category: String,
        /// What does not fit, as the engine gave it: each is `{ path, message }`.
        issues: Vec<Value>,
    },
    /// A newer version of the app wrote the category, and said that older ones than `writable_by` must not write it.
    #[error("{message}")]
    SchemaNewer {
        /// For people.
        message: String,
        /// What it wrote.
        category: String,
        /// The version of what is stored.
        version: u64,
        /// The oldest version that may write it.
        writable_by: u64,
    },
    /// What is to be imported is no export of this library, or one of another key or namespace. Nothing was taken.
    #[error("{0}")]
    InvalidExport(String),
    /// What devices wrote apart cannot be one value, such as one that is too large. Told once.
    #[error("{message}")]
    MergeFailed {
        /// For people.
        message: String,
        /// What cannot be merged.
        category: String,
    },
    /// Devices merge a category again and again, as two versions of an app do that undo each other's work. Told once.
    #[error("{message}")]
    MergeLoop {
        /// For people.
        message: String,
        /// What they merge.
        category: String,
        /// Merges in a row, without a write of the app.
        times: u64,
    },
    /// A value is stamped far ahead of this device's clock, or relays find this clock wrong.
    #[error("{message}")]
    ClockSkew {
        /// For people.
        message: String,
        /// How far, in seconds; `None` if a relay refuses AUTH for its time, and does not say how far.
        ahead_seconds: Option<f64>,
    },
    /// Another device writes under this device's id, as a copied profile does: this one has a new id since.
    #[error("{message}")]
    DeviceIdTaken {
        /// For people.
        message: String,
        /// Where it was noticed.
        category: String,
        /// The event that this device's store has not written.
        event_id: String,
        /// The id that both had.
        former_device_id: String,
        /// The id that this device has now.
        device_id: String,
    },
    /// The engine was closed.
    #[error("{0}")]
    Closed(String),
    /// The engine ended in the middle of the call, out of memory for instance, and is started again from its store. Whether a write was
    /// saved is unknown: `history` tells.
    #[error("{0}")]
    EngineFailed(String),
    /// Too many calls are waiting for the engine. The call was not made.
    #[error("{0}")]
    EngineBusy(String),
    /// The engine reported an error that this version does not know.
    #[error("{message}")]
    Other {
        /// The code, as the engine gave it.
        code: String,
        /// For people.
        message: String,
    },
}

impl Error {
    /// The stable code, the same as in TypeScript.
    pub fn code(&self) -> &str {
        match self {
            Self::SignerNotSet => "SIGNER_NOT_SET",
            Self::PayloadTooLarge { .. } => "PAYLOAD_TOO_LARGE",
            Self::InvalidPayloadLimit { .. } => "INVALID_PAYLOAD_LIMIT",
            Self::InvalidNamespace(_) => "INVALID_NAMESPACE",
            Self::InvalidCategory(_) => "INVALID_CATEGORY",
            Self::InvalidPayload(_) => "INVALID_PAYLOAD",
            Self::InvalidExpiration(_) => "INVALID_EXPIRATION",
            Self::InvalidRelayUrl(_) => "INVALID_RELAY_URL",
            Self::NoRelaysAccepted { .. } => "NO_RELAYS_ACCEPTED",
            Self::NoRelaysReachable { .. } => "NO_RELAYS_REACHABLE",
            Self::WithdrawnWriteShown { .. } => "WITHDRAWN_WRITE_SHOWN",
            Self::EncryptionFailed(_) => "ENCRYPTION_FAILED",
            Self::DecryptionFailed(_) => "DECRYPTION_FAILED",
            Self::SigningFailed(_) => "SIGNING_FAILED",
            Self::SignerChanged(_) => "SIGNER_CHANGED",
            Self::StoreFailed(_) => "STORE_FAILED",
            Self::Undecodable { .. } => "UNDECODABLE",
            Self::Incomplete { .. } => "INCOMPLETE",
            Self::VersionNotKept { .. } => "VERSION_NOT_KEPT",
            Self::InvalidValue { .. } => "INVALID_VALUE",
            Self::SchemaNewer { .. } => "SCHEMA_NEWER",
            Self::InvalidExport(_) => "INVALID_EXPORT",
            Self::MergeFailed { .. } => "MERGE_FAILED",
            Self::MergeLoop { .. } => "MERGE_LOOP",
            Self::ClockSkew { .. } => "CLOCK_SKEW",
            Self::DeviceIdTaken { .. } => "DEVICE_ID_TAKEN",
            Self::Closed(_) => "CLOSED",
            Self::EngineFailed(_) => "ENGINE_FAILED",
            Self::EngineBusy(_) => "ENGINE_BUSY",
            Self::Other { code, .. } => code,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Self::PayloadTooLarge { size, limit } => Some(json!({ "size": size, "limit": limit })),
            Self::InvalidPayloadLimit { requested, max } => {
                Some(json!({ "requested": requested, "max": max }))
            }
            Self::NoRelaysAccepted { reasons, .. } => Some(json!({ "reasons": reasons })),
            Self::NoRelaysReachable { answered, silent, .. } => {
                Some(json!({ "answered": answered, "silent": silent }))
            }
            Self::WithdrawnWriteShown { category, event_id, .. }
            | Self::VersionNotKept { category, event_id, .. }
            | Self::Undecodable { category, event_id, .. } => {
                Some(json!({ "category": category, "eventId": event_id }))
            }
            Self::Incomplete { category, event_id, have, total, .. } => {
                Some(json!({ "category": category, "eventId": event_id, "have": have, "total": total }))
            }
            Self::InvalidValue { category, issues, .. } => {
                Some(json!({ "category": category, "issues": issues }))
            }
            Self::SchemaNewer { category, version, writable_by, .. } => {
                Some(json!({ "category": category, "version": version, "writableBy": writable_by }))
            }
            Self::MergeFailed { category, .. } => Some(json!({ "category": category })),
            Self::MergeLoop { category, times, .. } => Some(json!({ "category": category, "times": times })),
            Self::ClockSkew { ahead_seconds: Some(ahead_seconds), .. } => {
                Some(json!({ "aheadSeconds": ahead_seconds }))
            }
            Self::ClockSkew { ahead_seconds: None, .. } => Some(json!({})),
            Self::DeviceIdTaken { category, event_id, former_device_id, device_id, .. } => Some(json!({
                "category": category, "eventId": event_id, "formerDeviceId": former_device_id, "deviceId": device_id,
            })),
            _ => None,
        }
    }
}

/// An error as it crosses the IPC.
#[derive(Serialize, Deserialize)]
struct Wire {
    code: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Wire { code: self.code().to_owned(), message: self.to_string(), details: self.details() }
            .serialize(serializer)
    }
}

impl From<Value> for Error {
    /// An error as the engine reports it; whatever is missing or misshapen in it becomes `Other`.
    fn from(value: Value) -> Self {
        let Ok(Wire { code, message, details }) = serde_json::from_value(value) else {
            return Self::Other {
                code: "UNKNOWN".into(),
                message: "The engine failed without saying how".into(),
            };
        };
        let details = details.unwrap_or_default();
        let number = |name: &str| details.get(name).and_then(Value::as_u64);
        let text = |name: &str| details.get(name).and_then(Value::as_str).map(str::to_owned);
        match code.as_str() {
            "SIGNER_NOT_SET" => Self::SignerNotSet,
            "PAYLOAD_TOO_LARGE" => match (number("size"), number("limit")) {
                (Some(size), Some(limit)) => Self::PayloadTooLarge { size, limit },
                _ => Self::Other { code, message },
            },
            "INVALID_PAYLOAD_LIMIT" => match (number("requested"), number("max")) {
                (Some(requested), Some(max)) => Self::InvalidPayloadLimit { requested, max },
                _ => Self::Other { code, message },
            },
            "INVALID_NAMESPACE" => Self::InvalidNamespace(message),
            "INVALID_CATEGORY" => Self::InvalidCategory(message),
            "INVALID_PAYLOAD" => Self::InvalidPayload(message),
            "INVALID_EXPIRATION" => Self::InvalidExpiration(message),
            "INVALID_RELAY_URL" => Self::InvalidRelayUrl(message),
            "NO_RELAYS_ACCEPTED" => {
                let reasons = details.get("reasons").cloned().unwrap_or_default();
                Self::NoRelaysAccepted {
                    message,
                    reasons: serde_json::from_value(reasons).unwrap_or_default(),
                }
            }
            "NO_RELAYS_REACHABLE" => {
                let urls = |name: &str| {
                    details.get(name).and_then(|urls| Vec::deserialize(urls).ok()).unwrap_or_default()
                };
                Self::NoRelaysReachable { message, answered: urls("answered"), silent: urls("silent") }
            }
            "WITHDRAWN_WRITE_SHOWN" => match (text("category"), text("eventId")) {
                (Some(category), Some(event_id)) => Self::WithdrawnWriteShown { message, category, event_id },
                _ => Self::Other { code, message },
            },
            "ENCRYPTION_FAILED" => Self::EncryptionFailed(message),
            "DECRYPTION_FAILED" => Self::DecryptionFailed(message),
            "SIGNING_FAILED" => Self::SigningFailed(message),
            "SIGNER_CHANGED" => Self::SignerChanged(message),
            "STORE_FAILED" => Self::StoreFailed(message),
            "UNDECODABLE" => match (text("category"), text("eventId")) {
                (Some(category), Some(event_id)) => Self::Undecodable { message, category, event_id },
                _ => Self::Other { code, message },
            },
            "INCOMPLETE" => match (text("category"), text("eventId"), number("have"), number("total")) {
                (Some(category), Some(event_id), Some(have), Some(total)) => {
                    Self::Incomplete { message, category, event_id, have, total }
                }
                _ => Self::Other { code, message },
            },
            "VERSION_NOT_KEPT" => match (text("category"), text("eventId")) {
                (Some(category), Some(event_id)) => Self::VersionNotKept { message, category, event_id },
                _ => Self::Other { code, message },
            },
            "INVALID_VALUE" => match (text("category"), details.get("issues").and_then(Value::as_array)) {
                (Some(category), Some(issues)) => {
                    Self::InvalidValue { message, category, issues: issues.clone() }
                }
                _ => Self::Other { code, message },
            },
            "SCHEMA_NEWER" => match (text("category"), number("version"), number("writableBy")) {
                (Some(category), Some(version), Some(writable_by)) => {
                    Self::SchemaNewer { message, category, version, writable_by }
                }
                _ => Self::Other { code, message },
            },
            "INVALID_EXPORT" => Self::InvalidExport(message),
            "MERGE_FAILED" => match text("category") {
                Some(category) => Self::MergeFailed { message, category },
                None => Self::Other { code, message },
            },
            "MERGE_LOOP" => match (text("category"), number("times")) {
                (Some(category), Some(times)) => Self::MergeLoop { message, category, times },
                _ => Self::Other { code, message },
            },
            "CLOCK_SKEW" => Self::ClockSkew {
                message,
                ahead_seconds: details.get("aheadSeconds").and_then(Value::as_f64),
            },
            "DEVICE_ID_TAKEN" => {
                match (text("category"), text("eventId"), text("formerDeviceId"), text("deviceId")) {
                    (Some(category), Some(event_id), Some(former_device_id), Some(device_id)) => {
                        Self::DeviceIdTaken { message, category, event_id, former_device_id, device_id }
                    }
                    _ => Self::Other { code, message },
                }
            }
            "CLOSED" => Self::Closed(message),
            "ENGINE_FAILED" => Self::EngineFailed(message),
            "ENGINE_BUSY" => Self::EngineBusy(message),
            _ => Self::Other { code, message },
        }
    }
}

#[cfg(test)]
mod tests;
