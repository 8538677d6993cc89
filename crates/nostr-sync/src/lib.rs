//! End-to-end encrypted state sync over Nostr relays, for any Rust program.
//!
//! The engine is the TypeScript one of the npm package `nostr-sync`, as one script inside this crate. It runs in QuickJS on a
//! thread of its own; what touches the world is Rust: sockets, store, signer, signatures, clock. See `docs/RUST.md` of the project.
//!
//! ```no_run
//! # async fn run() -> nostr_sync::Result<()> {
//! let sync = nostr_sync::Builder::new()
//!     .namespace("my-app")
//!     .relays(["wss://relay.example.com"])
//!     .data_dir("/home/me/.local/share/my-app/sync")
//!     .start()?;
//! // A key that is used for syncing this app and for nothing else.
//! sync.set_signer(nostr_sync::SecretKey::parse("nsec1...")?).await?;
//! sync.publish("ui-settings", &serde_json::json!({ "theme": "dark" }), None).await?;
//! let mut settings = sync.subscribe(&["ui-settings"]).await?;
//! while let Some(value) = settings.next().await {
//!     println!("{} by {}: {}", value.category, value.device_id, value.payload);
//! }
//! sync.close().await
//! # }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]
// A panic would take the engine's thread down, and what relays and the disk say is anything.
#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unwrap_used)
)]

/// The examples of the documentation are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/RUST.md")]
struct Documentation;

mod builder;
mod command;
mod engine;
mod error;
mod handle;
mod limits;
mod models;
mod registry;
mod secret_key;
mod signer;
mod store;
mod stream;
mod traces;

pub use builder::Builder;
pub use engine::Preload;
pub use error::{Error, Result};
pub use handle::NostrSync;
pub use limits::{DEFAULT_PAYLOAD_LIMIT, MAX_PAYLOAD_LIMIT};
pub use models::{
    BaseKnown, CategoryRow, Clash, Conflict, Event, EventTemplate, FetchResult, MergedValues, Pieces,
    PublishOptions, Reading, Receipt, RelayInfo, Schema, Shown, SignedEvent, Source, Stage, SyncStatus,
    VersionInfo, Why,
};
pub use nostr::{self, PublicKey};
pub use secret_key::SecretKey;
pub use signer::{Signer, SignerError, SignerFuture};
pub use stream::{Events, Values};
