//! Desk: the same settings on two devices. What Rust does here: it makes, keeps, locks and unlocks the key, writes the
//! activity log from the engine's events, and publishes a value itself (`reset_settings`).

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod activity;
mod key;

use serde_json::json;
use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder};
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

/// Opens the second window of the app, or the one that may not sync.
#[tauri::command]
async fn open_window(app: AppHandle, label: String) -> Result<(), Failure> {
    let (page, title) = match label.as_str() {
        "second" => ("index.html", "Desk, second window"),
        "about" => ("about.html", "About Desk"),
        _ => return Err(Failure::new("APP", format!("There is no window {label:?}"))),
    };
    if let Some(window) = app.get_webview_window(&label) {
        window.set_focus()?;
        return Ok(());
    }
    WebviewWindowBuilder::new(&app, &label, WebviewUrl::App(page.into()))
        .title(title)
        .inner_size(460.0, 760.0)
        .build()?;
    Ok(())
}

fn main() {
    // Relays for developing and testing; the user adds others in the app.
    let relays = std::env::var("DESK_RELAYS").unwrap_or_default();
    let relays = relays.split_whitespace().map(str::to_owned);
    let mut plugin = Builder::new();
    if relays.clone().next().is_some() {
        plugin = plugin.relays(relays);
    }
    tauri::Builder::default()
        .plugin(plugin.build())
        .setup(|app| {
            activity::start(app.handle());
            Ok(())
        })
        .invoke_handler(tauri::generate_handler![
            key::key_state,
            key::create_key,
            key::link_device,
            key::unlock,
            key::lock,
            key::device_code,
            reset_settings,
            open_window,
            activity::activity,
        ])
        .run(tauri::generate_context!())
        .expect("error while running the app");
}
