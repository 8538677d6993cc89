//! An app with one window. `plugin.rs` is its own.

mod plugin;

use tauri::webview::PageLoadEvent;

fn main() {
    plugin::add(tauri::Builder::default())
        .on_page_load(|_, load| {
            if load.event() == PageLoadEvent::Finished {
                println!("loaded");
            }
        })
        .run(tauri::generate_context!())
        .expect("the app runs");
}
