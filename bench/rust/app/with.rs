//! The plugin, unlocked as soon as the app is set up: ours and the original take the same.

use tauri_plugin_nostr_sync::{Builder, TauriPluginNostrSyncExt};

fn from_environment(name: &str) -> String {
    std::env::var(name).expect("the benchmark sets it")
}

pub fn add(builder: tauri::Builder<tauri::Wry>) -> tauri::Builder<tauri::Wry> {
    let plugin = Builder::new().app_namespace("bench").relays([from_environment("BENCH_RELAY")]).build();
    builder.plugin(plugin).setup(|app| {
        let app = app.handle().clone();
        tauri::async_runtime::spawn(async move {
            let keys = nostr::Keys::parse(&from_environment("BENCH_KEY")).expect("a key");
            app.nostr_sync().set_signer(keys).await.expect("a signer");
        });
        Ok(())
    })
}
