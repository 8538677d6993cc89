//! What happened, for the user to read: Rust hears of it, whether a window is open or not.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use tauri::{AppHandle, Emitter, Manager};
use tauri_plugin_nostr_sync::{Event, Stage, TauriPluginNostrSyncExt};

const MAX_LINES: usize = 200;

#[derive(Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    /// Unix time in ms.
    at: u64,
    text: String,
}

#[derive(Default)]
struct Log(Mutex<VecDeque<Line>>);

pub(crate) fn log(app: &AppHandle, text: impl Into<String>) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let line = Line { at, text: text.into() };
    if let Ok(mut lines) = app.state::<Log>().0.lock() {
        lines.push_back(line.clone());
        if lines.len() > MAX_LINES {
            lines.pop_front();
        }
    }
    // Windows that are gone need no line.
    let _ = app.emit("activity", line);
}

#[tauri::command]
pub(crate) fn activity(app: AppHandle) -> Vec<Line> {
    app.state::<Log>().0.lock().map(|lines| lines.iter().cloned().collect()).unwrap_or_default()
}

/// The categories of this app. While somebody subscribes to them they are received at once, so that a window that opens has the newest value.
const CATEGORIES: [&str; 2] = ["settings", "note"];

pub(crate) fn start(app: &AppHandle) {
    app.manage(Log::default());
    let mut events = app.nostr_sync().events();
    let to = app.clone();
    tauri::async_runtime::spawn(async move {
        while let Some(event) = events.next().await {
            if let Some(text) = text_of(&event) {
                log(&to, text);
            }
        }
    });
    let sync = app.nostr_sync().clone();
    tauri::async_runtime::spawn(async move {
        if let Ok(mut values) = sync.subscribe(&CATEGORIES).await {
            while values.next().await.is_some() {}
        }
    });
}

fn text_of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Updated(result) => {
            let device = &result.device_id;
            let verb = if result.deleted { "Removed" } else { "Received" };
            format!("{verb} {} from device {}", result.category, device.get(..8).unwrap_or(device))
        }
        Event::Delivery(receipt) => match receipt.stage {
            Stage::Saved => format!("Saved {} on this device", receipt.category),
            Stage::Replicated => format!("Every relay has {}", receipt.category),
            Stage::Delivered => return None,
        },
        Event::Conflict(conflict) => format!("{} was overwritten by another device", conflict.category),
        Event::Error(error) => format!("Problem: {error}"),
        _ => return None,
    })
}
