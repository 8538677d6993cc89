//! The sync key: made here, kept on disk under a passphrase (NIP-49), handed to the plugin on unlock. No window ever has it:
//! what is shown to bring it to another device is the same text as on disk, worth nothing without the passphrase.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use nostr::Keys;
use nostr::nips::nip19::{FromBech32, ToBech32};
use nostr::nips::nip49::{EncryptedSecretKey, KeySecurity};
use tauri::{AppHandle, Manager};
use tauri_plugin_nostr_sync::TauriPluginNostrSyncExt;

use crate::Failure;
use crate::activity;

/// scrypt's work: 64 MiB, a fraction of a second.
const LOG_N: u8 = 16;
const MIN_PASSPHRASE_CHARS: usize = 8;

#[derive(serde::Serialize)]
pub(crate) enum KeyState {
    #[serde(rename = "none")]
    None,
    #[serde(rename = "locked")]
    Locked,
    #[serde(rename = "unlocked")]
    Unlocked,
}

fn file(app: &AppHandle) -> Result<PathBuf, Failure> {
    Ok(app.path().app_data_dir()?.join("key.ncryptsec"))
}

fn read(app: &AppHandle) -> Result<String, Failure> {
    fs::read_to_string(file(app)?).map_err(|_| Failure::new("NO_KEY", "There is no key on this device yet."))
}

/// Never over another key: that would cut this device off from its values.
fn write(app: &AppHandle, code: &str) -> Result<(), Failure> {
    let path = file(app)?;
    let failed = |error: std::io::Error| Failure::new("APP", format!("Cannot save the key: {error}"));
    fs::create_dir_all(path.parent().expect("a file in the data folder")).map_err(failed)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(code.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

async fn decrypt(code: String, passphrase: String) -> Result<Keys, Failure> {
    let work = move || {
        let encrypted = EncryptedSecretKey::from_bech32(&code)
            .map_err(|_| Failure::new("BAD_CODE", "This is not a device code."))?;
        let secret = encrypted
            .decrypt(&passphrase)
            .map_err(|_| Failure::new("BAD_PASSPHRASE", "The passphrase does not fit."))?;
        Ok(Keys::new(secret))
    };
    tauri::async_runtime::spawn_blocking(work).await?
}

async fn hand_over(app: &AppHandle, keys: Keys, how: &str) -> Result<(), Failure> {
    app.nostr_sync().set_signer(keys).await?;
    activity::log(app, how);
    Ok(())
}

#[tauri::command]
pub(crate) async fn key_state(app: AppHandle) -> Result<KeyState, Failure> {
    if app.nostr_sync().pubkey().await.is_some() {
        return Ok(KeyState::Unlocked);
    }
    Ok(if file(&app)?.exists() { KeyState::Locked } else { KeyState::None })
}

#[tauri::command]
pub(crate) async fn create_key(app: AppHandle, passphrase: String) -> Result<(), Failure> {
    if passphrase.chars().count() < MIN_PASSPHRASE_CHARS {
        let message = format!("The passphrase needs at least {MIN_PASSPHRASE_CHARS} characters.");
        return Err(Failure::new("BAD_PASSPHRASE", message));
    }
    let keys = Keys::generate();
    let secret = keys.secret_key().clone();
    let work = move || EncryptedSecretKey::new(&secret, &passphrase, LOG_N, KeySecurity::Medium);
    let encrypted = tauri::async_runtime::spawn_blocking(work).await?;
    let code = encrypted.map_err(|error| Failure::new("APP", error))?.to_bech32();
    write(&app, &code.map_err(|error| Failure::new("APP", error))?)?;
    hand_over(&app, keys, "Made a key for this device").await
}

/// `code` is what `device_code` shows on the other device.
#[tauri::command]
pub(crate) async fn link_device(app: AppHandle, code: String, passphrase: String) -> Result<(), Failure> {
    // Of a picture, it comes in capitals.
    let code = code.trim().to_lowercase();
    let keys = decrypt(code.clone(), passphrase).await?;
    write(&app, &code)?;
    hand_over(&app, keys, "Linked this device").await
}

#[tauri::command]
pub(crate) async fn unlock(app: AppHandle, passphrase: String) -> Result<(), Failure> {
    let keys = decrypt(read(&app)?, passphrase).await?;
    hand_over(&app, keys, "Unlocked").await
}

#[tauri::command]
pub(crate) async fn lock(app: AppHandle) -> Result<(), Failure> {
    app.nostr_sync().clear_signer().await;
    activity::log(&app, "Locked");
    Ok(())
}

/// A wrong key was made or linked, or its passphrase is forgotten. Its file is put aside: it may have been the right one after all.
#[tauri::command]
pub(crate) async fn forget_key(app: AppHandle) -> Result<(), Failure> {
    app.nostr_sync().clear_signer().await;
    let path = file(&app)?;
    let mut asides = (1..).map(|number| path.with_file_name(format!("key-{number}.ncryptsec")));
    let aside = asides.find(|aside| !aside.exists()).expect("numbers do not end");
    fs::rename(&path, aside)
        .map_err(|error| Failure::new("APP", format!("Cannot put the key aside: {error}")))?;
    activity::log(&app, "Put the key aside");
    Ok(())
}

#[tauri::command]
pub(crate) async fn device_code(app: AppHandle) -> Result<String, Failure> {
    read(&app)
}
