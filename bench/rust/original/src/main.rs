//! Devices that run the original plugin, as published: the state that its commands work on needs no window.

#[path = "../../speak.rs"]
mod speak;

use std::time::Duration;

use nostr_sdk::Keys;
use serde_json::Value;
use speak::{Device, Failure};
use tauri_plugin_nostr_sync::NostrSyncState;

struct Original(NostrSyncState);

impl Device for Original {
    async fn open(relay: &str, key: &str, _categories: &[String]) -> Result<Self, Failure> {
        let state = NostrSyncState::new("bench", "original", 65_536)?;
        state.set_signer(Keys::parse(key)?).await?;
        state.add_relay(relay).await?;
        state.wait_for_connection(Duration::from_secs(10)).await;
        Ok(Self(state))
    }

    async fn publish(&self, category: &str, payload: &Value) -> Result<(), Failure> {
        Ok(self.0.publish(category, payload, None).await?)
    }

    /// It is told of nothing: it asks, again as soon as it has an answer. `poll` would take nothing of the same second.
    async fn hear(&mut self, category: &str, payload: &Value) -> Result<(), Failure> {
        while self.0.fetch(category).await?.is_none_or(|found| found.payload != *payload) {}
        Ok(())
    }

    async fn sync_all(&self, categories: &[String]) -> Result<usize, Failure> {
        Ok(self.0.sync_all(categories).await?.len())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    speak::serve::<Original>().await
}
