//! Devices that run the crate `nostr-sync`.

#[path = "../../speak.rs"]
mod speak;

use std::time::Duration;

use nostr_sync::{Builder, NostrSync, SecretKey, Values};
use serde_json::Value;
use speak::{Device, Failure};

struct Ours {
    sync: NostrSync,
    values: Option<Values>,
}

impl Device for Ours {
    async fn open(relay: &str, key: &str, categories: &[String]) -> Result<Self, Failure> {
        let sync = Builder::new().namespace("bench").relays([relay]).start()?;
        sync.set_signer(SecretKey::parse(key)?).await?;
        let values = if categories.is_empty() { None } else { Some(sync.subscribe(categories).await?) };
        sync.wait_for_connection(Duration::from_secs(10)).await;
        Ok(Self { sync, values })
    }

    async fn publish(&self, category: &str, payload: &Value) -> Result<(), Failure> {
        self.sync.publish(category, payload, None).await?;
        Ok(())
    }

    async fn hear(&mut self, category: &str, payload: &Value) -> Result<(), Failure> {
        let values = self.values.as_mut().ok_or("not subscribed")?;
        while let Some(value) = values.next().await {
            if value.category == category && value.payload == *payload {
                return Ok(());
            }
        }
        Err("the engine has ended".into())
    }

    async fn sync_all(&self, categories: &[String]) -> Result<usize, Failure> {
        Ok(self.sync.sync_all(categories).await?.len())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    speak::serve::<Ours>().await
}
