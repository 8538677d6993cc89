//! What happened, for the user to read: Rust listens to the plugin's events, whichever window is open.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tauri::{AppHandle, Emitter, Listener, Manager};

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

pub(crate) fn start(app: &AppHandle) {
    app.manage(Log::default());
    listen(app, "updated", |result| {
        let device = result["deviceId"].as_str().unwrap_or_default();
        let verb = if result["deleted"] == true { "Removed" } else { "Received" };
        Some(format!("{verb} {} from device {}", name(result), device.get(..8).unwrap_or(device)))
    });
    listen(app, "delivery", |report| match report["stage"].as_str()? {
        "saved" => Some(format!("Saved {} on this device", name(report))),
        "replicated" => Some(format!("Every relay has {}", name(report))),
        _ => None,
    });
    listen(app, "conflict", |conflict| Some(format!("{} was overwritten by another device", name(conflict))));
    listen(app, "error", |error| Some(format!("Problem: {}", error["message"].as_str()?)));
}

fn name(event: &Value) -> &str {
    event["category"].as_str().unwrap_or("a value")
}

fn listen(app: &AppHandle, event: &str, to_text: impl Fn(&Value) -> Option<String> + Send + 'static) {
    let handle = app.clone();
    app.listen(format!("nostr-sync://{event}"), move |event| {
        let text = serde_json::from_str(event.payload()).ok().and_then(|payload| to_text(&payload));
        if let Some(text) = text {
            log(&handle, text);
        }
    });
}
