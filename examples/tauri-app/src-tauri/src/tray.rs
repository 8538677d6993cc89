//! The icon in the tray: with it the app goes on without a window.

use tauri::menu::{Menu, MenuItem};
use tauri::tray::{TrayIconBuilder, TrayIconEvent};
use tauri::{App, AppHandle};

use crate::windows;

const ICON: &str = "desk";

/// Without a tray the app starts as well, and ends with its last window.
pub(crate) fn start(app: &App) -> tauri::Result<()> {
    if !has_place() {
        return Ok(());
    }
    let open = MenuItem::with_id(app, "open", "Open Desk", true, None::<&str>)?;
    let quit = MenuItem::with_id(app, "quit", "Quit", true, None::<&str>)?;
    let mut tray = TrayIconBuilder::with_id(ICON)
        .menu(&Menu::with_items(app, &[&open, &quit])?)
        .tooltip("Desk")
        .on_menu_event(|app, event| match event.id.as_ref() {
            "open" => windows::show(app),
            "quit" => windows::quit_unless_changes_wait(app),
            _ => {}
        })
        .on_tray_icon_event(|icon, event| {
            // Linux tells of no clicks: there, the menu opens.
            if let TrayIconEvent::DoubleClick { .. } = event {
                windows::show(icon.app_handle());
            }
        });
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.build(app)?;
    Ok(())
}

pub(crate) fn is_there(app: &AppHandle) -> bool {
    app.tray_by_id(ICON).is_some()
}

/// An icon that nobody shows would leave an app that nobody can end.
#[cfg(target_os = "linux")]
fn has_place() -> bool {
    let has_watcher = || -> zbus::Result<bool> {
        let bus = zbus::blocking::Connection::session()?;
        let names = zbus::blocking::fdo::DBusProxy::new(&bus)?;
        Ok(names.name_has_owner("org.kde.StatusNotifierWatcher".try_into()?)?)
    };
    has_watcher().unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn has_place() -> bool {
    true
}
