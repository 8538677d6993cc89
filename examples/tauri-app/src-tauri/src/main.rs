//! Desk: the same settings on two devices. What Rust does here: it makes, keeps, locks and unlocks the key, goes on in the tray when all
//! windows are closed, writes the activity log from the engine's events, and publishes a value itself (`reset_settings`).

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod activity;
mod key;
mod tray;
mod windows;

use std::hash::{Hash, Hasher};

use serde_json::json;
use tauri::plugin::TauriPlugin;
use tauri::{AppHandle, RunEvent, WindowEvent, Wry};
use tauri_plugin_nostr_sync::{Builder, TauriPluginNostrSyncExt};

/// What a command fails with: a sentence for the user. The plugin's errors keep their code.
#[derive(serde::Serialize)]
struct Failure {
    code: String,
    message: String,
}

impl Failure {
    fn new(code: &str, message: impl ToString) -> Self {
        Self { code: code.into(), message: message.to_string() }
    }
}

impl From<tauri_plugin_nostr_sync::Error> for Failure {
    fn from(error: tauri_plugin_nostr_sync::Error) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string() }
    }
}

impl From<tauri::Error> for Failure {
    fn from(error: tauri::Error) -> Self {
        Self::new("APP", error)
    }
}

/// The state of the app's defaults, written from Rust like any other value: every window and device gets it.
#[tauri::command]
async fn reset_settings(app: AppHandle) -> Result<(), Failure> {
    let defaults = json!({ "theme": "system", "fontSize": 16 });
    app.nostr_sync().publish("settings", &defaults, None).await?;
    Ok(())
}

/// The user does not want to wait for the next attempt.
#[tauri::command]
async fn retry(app: AppHandle) {
    app.nostr_sync().wake();
}

/// A second Desk on the same data shows the first one's window, and ends.
fn single_instance() -> TauriPlugin<Wry> {
    let mut plugin = tauri_plugin_single_instance::Builder::new().callback(|app, _, _| windows::show(app));
    // Another data folder is another device.
    if let Some(folder) = std::env::var_os("XDG_DATA_HOME") {
        let mut hasher = std::hash::DefaultHasher::new();
        folder.hash(&mut hasher);
        plugin = plugin.dbus_id(format!("dev.nostr-sync.desk.at-{:x}", hasher.finish()));
    }
    plugin.build()
}

fn main() {
    // Relays for developing and testing; the user adds others in the app.
    let relays = std::env::var("DESK_RELAYS").unwrap_or_default();
    let relays = relays.split_whitespace().map(str::to_owned);
    let mut plugin = Builder::new();
    if relays.clone().next().is_some() {
        plugin = plugin.relays(relays);
    }
    // For testing: Desk itself has no definitions of categories.
    if let Some(script) = std::env::var_os("DESK_CATEGORIES") {
        plugin = plugin.categories(std::fs::read_to_string(script).expect("DESK_CATEGORIES names a file"));
    }
    tauri::Builder::default()
        .plugin(single_instance())
        .plugin(plugin.build())
        .manage(windows::Asked::default())
        .manage(windows::Closing::default())
        .setup(|app| {
            activity::start(app.handle());
            tray::start(app)?;
            Ok(())
        })
        .on_window_event(|window, event| match event {
            WindowEvent::CloseRequested { api, .. } => windows::on_close(window, api),
            WindowEvent::Destroyed => windows::on_closed(window),
            _ => {}
        })
        .invoke_handler(tauri::generate_handler![
            key::key_state,
            key::create_key,
            key::link_device,
            key::unlock,
            key::lock,
            key::device_code,
            key::forget_key,
            reset_settings,
            retry,
            windows::open_window,
            windows::may_close,
            windows::is_quitting,
            windows::stay,
            windows::quit,
            activity::activity,
        ])
        .build(tauri::generate_context!())
        .expect("error while building the app")
        .run(|app, event| match event {
            // All windows are closed: it goes on receiving.
            RunEvent::ExitRequested { code: None, api, .. } if tray::is_there(app) => api.prevent_exit(),
            _ => {}
        });
}
