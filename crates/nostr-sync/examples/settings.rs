//! The settings of a program: read, changed, and followed. `docs/RUST.md` of the project shows it.

use nostr_sync::{Builder, NostrSync, SecretKey};
use serde_json::json;

#[tokio::main]
async fn main() -> nostr_sync::Result<()> {
    let sync = Builder::new()
        .namespace("my-app")
        .relays(["wss://relay.example.com", "wss://relay.example.org"])
        .data_dir("my-app/sync")
        .start()?;
    // Works at once: without a signer and without a network, what this device has is known.
    println!("{:?}", sync.inspect().await?);

    // A key that is used for syncing this app and for nothing else.
    sync.set_signer(SecretKey::parse("nsec1...")?).await?;
    let receipt = sync.publish("ui-settings", &json!({ "theme": "dark" }), None).await?;
    println!("{:?} on {:?}", receipt.stage, receipt.relays);
    sync.update("counter", |now| json!(now.and_then(|n| n.as_i64()).unwrap_or(0) + 1), None).await?;
    follow(sync.part("display")).await?;
    sync.close().await
}

/// What other devices write, and what this program itself writes outside of this part.
async fn follow(sync: NostrSync) -> nostr_sync::Result<()> {
    let mut values = sync.subscribe(&["ui-settings"]).await?;
    while let Some(value) = values.next().await {
        println!("{} says {}", value.device_id, value.payload);
    }
    Ok(())
}
