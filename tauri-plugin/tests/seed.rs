//! What the documentation of the original plugin (0.1.0-alpha.3) has of Rust, in a whole program: it must compile, and work without a relay.

use tauri::Manager;
use tauri::plugin::Plugin;
use tauri::test::{mock_builder, mock_context, noop_assets};
// `nostr_sdk` shows the types of this crate under its own name.
use tauri_plugin_nostr_sync::nostr as nostr_sdk;
use tauri_plugin_nostr_sync::{Error, FetchResult, RelayInfo, SyncStatus};

fn derive_sync_key(_wallet_master_key: &[u8]) -> nostr_sdk::SecretKey {
    nostr_sdk::SecretKey::generate()
}

#[test]
fn what_the_documentation_has_of_setup_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let app = mock_builder()
        .plugin(
            tauri_plugin_nostr_sync::Builder::new()
                .relays(vec!["wss://relay.damus.io", "wss://relay.nostr.band", "wss://nos.lol"])
                .app_namespace("myapp") // prefixes all d-tags
                .max_payload_size(128 * 1024) // optional: default 64KB, cap 400KB
                // Not of the documentation: this test asks no relay, and has a folder of its own.
                .relays(Vec::<String>::new())
                .data_dir(folder.path().join("store"))
                .build(),
        )
        .build(mock_context(noop_assets()))
        .expect("error while running tauri application");
    let handle = app.handle().clone();
    tauri::async_runtime::block_on(use_it(&handle)).unwrap();
    let none = tauri_plugin_nostr_sync::init::<tauri::test::MockRuntime>;
    assert_eq!(none().name(), "nostr-sync");
}

async fn use_it<R: tauri::Runtime>(app: &tauri::AppHandle<R>) -> Result<(), Error> {
    let wallet_master_key = [7; 32];
    // Derive a dedicated sync subkey from your wallet master key.
    // Never pass the root wallet key — use BIP-32, HKDF, or equivalent.
    let sync_secret = derive_sync_key(&wallet_master_key);
    let signer = nostr_sdk::Keys::new(sync_secret);

    use tauri_plugin_nostr_sync::TauriPluginNostrSyncExt;

    let sync = app.nostr_sync();

    sync.set_signer(signer).await?; // impl NostrSigner + 'static

    let status = sync.status().await; // SyncStatus
    let pubkey = sync.pubkey().await; // Option<PublicKey>
    let status: SyncStatus = status;
    assert!(!status.ready && status.relay_count == 0 && status.connected_relay_count == 0);
    let pubkey: Option<nostr_sdk::PublicKey> = pubkey;
    assert!(pubkey.is_some() && !status.device_id.is_empty());

    sync.add_relay("wss://relay.example.com").await?;
    sync.remove_relay("wss://relay.example.com").await?;
    let relays = sync.relays().await; // Vec<RelayInfo>
    let relays: Vec<RelayInfo> = relays;
    assert!(relays.is_empty());

    sync.publish("ui-settings", &serde_json::json!({ "theme": "dark" }), None).await?;

    // NIP-40: optional expiration (Unix timestamp seconds); relay support is the caller's responsibility
    #[allow(deprecated, reason = "the documentation has it so")]
    let expires = nostr_sdk::Timestamp::now().as_u64() + 3600;
    sync.publish("ui-settings", &serde_json::json!({ "theme": "dark" }), Some(expires)).await?;
    let result = sync.fetch("ui-settings").await?; // Option<FetchResult>
    let result: Option<FetchResult> = result;
    let FetchResult { category, payload, device_id, .. } = result.unwrap();
    assert_eq!((&*category, payload), ("ui-settings", serde_json::json!({ "theme": "dark" })));
    assert_eq!(device_id, status.device_id);

    let categories = vec!["ui-settings".to_string(), "wallet".to_string()];
    let all = sync.sync_all(&categories).await?; // Vec<FetchResult>
    let updates = sync.poll(&categories).await?; // Vec<FetchResult> — only new; also emits nostr-sync://updated
    assert_eq!((all.len(), updates.len()), (1, 0));

    // Not in its documentation, and public in it.
    sync.wait_for_connection(std::time::Duration::from_millis(10)).await;
    let limits = [tauri_plugin_nostr_sync::DEFAULT_PAYLOAD_LIMIT, tauri_plugin_nostr_sync::MAX_PAYLOAD_LIMIT];
    assert_eq!(limits, [64 * 1024, 400 * 1024]);
    let _ = tauri_plugin_nostr_sync::PluginBuilder::new();

    sync.clear_signer().await; // drops signer; ZeroizeOnDrop zeroes key material

    // Publish calls before set_signer return SignerNotSet.
    let refused = app.app_handle().nostr_sync().publish("ui-settings", &serde_json::json!(1), None).await;
    assert!(matches!(refused, Err(Error::SignerNotSet)));
    Ok(())
}
