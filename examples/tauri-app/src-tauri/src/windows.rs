//! The app's windows: how they open, and what is said before the last one takes the app with it.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tauri::{
    AppHandle, CloseRequestApi, Emitter, Manager, State, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    Window,
};
use tauri_plugin_nostr_sync::TauriPluginNostrSyncExt;

use crate::Failure;
use crate::tray;

/// Those of the user: the others close with the last of them.
const OF_THE_USER: [&str; 2] = ["main", "second"];
/// Time for changes that a relay can still get, before the user is asked.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// The user was asked whether to quit. Who asks for it once more, instead of an answer, means it.
#[derive(Default)]
pub(crate) struct Asked(AtomicBool);

/// The windows that are closing: their pages save what was just typed.
#[derive(Default)]
pub(crate) struct Closing(Mutex<HashSet<String>>);

impl Closing {
    fn begins(&self, label: &str) -> bool {
        self.0.lock().is_ok_and(|mut labels| labels.insert(label.to_owned()))
    }

    fn ends(&self, label: &str) {
        if let Ok(mut labels) = self.0.lock() {
            labels.remove(label);
        }
    }
}

/// Shows the main window: the one that is there, or a new one.
pub(crate) fn show(app: &AppHandle) {
    if let Err(error) = try_show(app) {
        eprintln!("Cannot open the window: {error}");
    }
}

fn try_show(app: &AppHandle) -> tauri::Result<()> {
    let window = match app.get_webview_window("main") {
        Some(window) => window,
        None => WebviewWindowBuilder::from_config(app, &app.config().app.windows[0])?.build()?,
    };
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

/// Opens one of the windows for developers, or goes to it.
#[tauri::command]
pub(crate) async fn open_window(app: AppHandle, label: String) -> Result<(), Failure> {
    let (page, title) = match label.as_str() {
        "second" => ("index.html", "Desk, second window"),
        "about" => ("about.html", "About Desk"),
        "developer" => ("developer.html", "Desk for developers"),
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

/// Whether the user has no window beside this one.
fn is_last(app: &AppHandle, label: &str) -> bool {
    OF_THE_USER.iter().all(|other| *other == label || app.get_webview_window(other).is_none())
}

/// A window is asked to close. Its page saves what was just typed, and says so by `may_close`; of a page that does not, the second try closes it.
pub(crate) fn on_close(window: &Window, api: &CloseRequestApi) {
    let label = window.label();
    if OF_THE_USER.contains(&label) && window.state::<Closing>().begins(label) {
        api.prevent_close();
        let _ = window.emit_to(label, "closing", ());
    }
}

#[tauri::command]
pub(crate) fn may_close(app: AppHandle, window: WebviewWindow) -> Result<(), Failure> {
    app.state::<Closing>().ends(window.label());
    if is_last(&app, window.label()) && !tray::is_there(&app) {
        quit_unless_changes_wait(&app);
        return Ok(());
    }
    // In the tray it goes on: what was asked there needs no answer any more.
    app.state::<Asked>().0.store(false, Ordering::SeqCst);
    Ok(window.destroy()?)
}

/// A window is gone.
pub(crate) fn on_closed(window: &Window) {
    let (app, label) = (window.app_handle(), window.label());
    app.state::<Closing>().ends(label);
    if is_last(app, label) {
        for other in app.webview_windows().into_values() {
            // One that is closing already.
            let _ = other.destroy();
        }
    }
}

pub(crate) fn quit_unless_changes_wait(app: &AppHandle) {
    if app.state::<Asked>().0.swap(true, Ordering::SeqCst) {
        return app.exit(0);
    }
    quit_or_ask(app);
}

fn quit_or_ask(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let sync = app.nostr_sync();
        let status = sync.status().await;
        if status.pending_changes > 0 && status.connected_relay_count > 0 {
            let _ = tokio::time::timeout(LAST_CHANCE, sync.flush()).await;
        }
        if sync.status().await.pending_changes == 0 {
            return app.exit(0);
        }
        show(&app);
        let _ = app.emit("quitting", ());
    });
}

/// Whether the user is asked: a page that opens for that has not heard it.
#[tauri::command]
pub(crate) fn is_quitting(asked: State<'_, Asked>) -> bool {
    asked.0.load(Ordering::SeqCst)
}

#[tauri::command]
pub(crate) fn stay(asked: State<'_, Asked>) {
    asked.0.store(false, Ordering::SeqCst);
}

#[tauri::command]
pub(crate) fn quit(app: AppHandle) {
    quit_unless_changes_wait(&app);
}
