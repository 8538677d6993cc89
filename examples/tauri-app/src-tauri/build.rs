//! Lists the app's own commands, so that a window needs a permission for them as well.

fn main() {
    let commands = tauri_build::AppManifest::new().commands(&[
        "key_state",
        "create_key",
        "link_device",
        "unlock",
        "lock",
        "device_code",
        "forget_key",
        "reset_settings",
        "retry",
        "open_window",
        "may_close",
        "is_quitting",
        "stay",
        "quit",
        "activity",
    ]);
    tauri_build::try_build(tauri_build::Attributes::new().app_manifest(commands))
        .expect("failed to build the app");
}
