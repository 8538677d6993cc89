//! A device that runs the published reference plugin: the state that its commands work on needs no window.
//!
//! Arguments: relay URL, secret key (hex), namespace, device id, limit of payloads in bytes. Then a JSON request a line,
//! `[method, ...arguments]`, and a JSON answer a line, `{"ok": ...}` or `{"error": "..."}`, until its input ends.

use std::time::Duration;

use nostr_sdk::Keys;
use serde_json::{Value, json};
use tauri_plugin_nostr_sync::{Error, NostrSyncState};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [relay, key, namespace, device_id, limit] = arguments.as_slice() else {
        return Err("expected: relay key namespace device-id limit".into());
    };
    let state = NostrSyncState::new(namespace, device_id, limit.parse()?)?;
    state.add_relay(relay).await?;
    state.set_signer(Keys::parse(key)?).await?;
    state.wait_for_connection(Duration::from_secs(10)).await;

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut output = tokio::io::stdout();
    while let Some(line) = lines.next_line().await? {
        let request: Vec<Value> = serde_json::from_str(&line)?;
        let answer = match answer(&state, &request).await {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        output.write_all(format!("{answer}\n").as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}

async fn answer(state: &NostrSyncState, request: &[Value]) -> Result<Value, Error> {
    let text = |at: usize| request.get(at).and_then(Value::as_str).unwrap_or_default();
    let texts = || request.iter().skip(1).filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
    Ok(match text(0) {
        "publish" => {
            let payload = request.get(2).unwrap_or(&Value::Null);
            state.publish(text(1), payload, request.get(3).and_then(Value::as_u64)).await?;
            Value::Null
        }
        "fetch" => json!(state.fetch(text(1)).await?),
        "syncAll" => json!(state.sync_all(&texts()).await?),
        "poll" => json!(state.poll(&texts()).await?),
        "status" => json!(state.status().await),
        "pubkey" => json!(state.pubkey().await.map(|pubkey| pubkey.to_hex())),
        method => json!({ "unknown method": method }),
    })
}
