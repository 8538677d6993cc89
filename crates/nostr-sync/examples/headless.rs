//! A program without a window: publishes what is typed, prints what other devices write.
//!
//! ```text
//! npx nostr-sync relay                                          # in another terminal
//! NOSTR_SYNC_KEY=$(openssl rand -hex 32) cargo run --example headless -- notes ws://localhost:7447
//! ```
//!
//! Lines on its input are JSON values, each of which is published; an empty line removes the value. Lines on its output are JSON: `{"event": …}`.

use std::io::{self, BufRead};

use nostr_sync::{Builder, Event, NostrSync, SecretKey};
use serde_json::{Value, json};

/// With the folder of the store, if `NOSTR_SYNC_DIR` names one, and the script of categories, if `NOSTR_SYNC_CATEGORIES` does.
fn builder(relays: Vec<String>) -> io::Result<Builder> {
    let mut builder = Builder::new().namespace("headless").relays(relays).max_payload_size(400_000);
    if let Some(folder) = std::env::var_os("NOSTR_SYNC_DIR") {
        builder = builder.data_dir(folder);
    }
    if let Some(file) = std::env::var_os("NOSTR_SYNC_CATEGORIES") {
        builder = builder.categories(std::fs::read_to_string(file)?);
    }
    Ok(builder)
}

fn tell(event: &Value) {
    println!("{event}");
}

async fn publish_lines(sync: NostrSync, category: String, mut lines: tokio::sync::mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        let published = match serde_json::from_str(&line) {
            _ if line.is_empty() => sync.remove(&category).await.map_err(|error| json!(error)),
            Ok(payload) => sync.publish(&category, &payload, None).await.map_err(|error| json!(error)),
            Err(error) => Err(json!({ "message": error.to_string() })),
        };
        match published {
            Ok(receipt) => {
                tell(&json!({ "event": "published", "eventId": receipt.event_id, "stage": receipt.stage }))
            }
            Err(error) => tell(&json!({ "event": "failed", "error": error })),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(category) = arguments.next() else {
        return Err("usage: headless CATEGORY [RELAY…], with the key in NOSTR_SYNC_KEY".into());
    };
    let key = std::env::var("NOSTR_SYNC_KEY").map_err(|_| "set NOSTR_SYNC_KEY: 64 hex digits, or an nsec")?;

    let sync = builder(arguments.collect())?.start()?;
    let mut events = sync.events();
    let mut values = sync.subscribe(&[&category]).await?;
    sync.set_signer(SecretKey::parse(&key)?).await?;
    tell(&json!({ "event": "started", "pubkey": sync.pubkey().await.map(|pubkey| pubkey.to_hex()) }));

    // The input is read on a thread of its own: reading blocks.
    let (send, lines) = tokio::sync::mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let publishing = tokio::spawn(publish_lines(sync.clone(), category, lines));
    // One for all turns of the loop: a new one in each would miss what comes between two.
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(publishing, interrupted);
    loop {
        tokio::select! {
            Some(value) = values.next() => tell(&json!({ "event": "value", "payload": value.payload, "deleted": value.deleted, "deviceId": value.device_id })),
            Some(event) = events.next() => match event {
                Event::RelayStatus(relay) => tell(&json!({ "event": "relay", "url": relay.url, "connected": relay.connected })),
                Event::Error(error) => tell(&json!({ "event": "error", "error": error })),
                _ => {}
            },
            // The input is over.
            _ = &mut publishing => break,
            _ = &mut interrupted => break,
        }
    }
    sync.close().await?;
    tell(&json!({ "event": "closed" }));
    Ok(())
}
