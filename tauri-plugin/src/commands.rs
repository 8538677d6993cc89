//! The commands of the windows. They check who asks, and hand on; nothing is decided here.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tauri::ipc::{Channel, InvokeBody, InvokeResponseBody, Request};
use tauri::{AppHandle, Runtime, Webview, command};

use crate::{Attachment, TauriPluginNostrSyncExt};
use nostr_sync::parts::Entries;
use nostr_sync::{Error, Result};
use nostr_sync::{EventTemplate, SignedEvent};

// --- Any window -------------------------------------------------------------------------------------------------
//
// The arguments go to the engine as they came: it checks them, with its own errors.

fn arguments(request: &Request<'_>, names: &[&str], from: &str) -> Value {
    let mut given = Map::new();
    if let InvokeBody::Json(Value::Object(body)) = request.body() {
        let named = names.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
        given.extend(named);
    }
    // Who writes needs not be told what it wrote.
    given.insert("from".into(), from.into());
    Value::Object(given)
}

/// What a window calls this call, if a copy of it would do harm: see `once`.
fn call_id<'a>(request: &'a Request<'_>, method: &str) -> Option<&'a str> {
    let InvokeBody::Json(body) = request.body() else { return None };
    let is_write = matches!(
        method,
        "publish" | "remove" | "reset" | "update" | "restore" | "add_relay" | "remove_relay"
    );
    body.get("callId").filter(|_| is_write).and_then(Value::as_str)
}

macro_rules! forward {
    ($($method:ident($($argument:literal),*);)*) => {
        $(#[command]
        pub(crate) async fn $method<R: Runtime>(
            app: AppHandle<R>,
            webview: Webview<R>,
            request: Request<'_>,
        ) -> Result<Value> {
            let args = arguments(&request, &[$($argument),*], webview.label());
            let sync = app.nostr_sync();
            let method = stringify!($method);
            // A subscription is kept for whoever comes.
            if method != "subscribe" {
                sync.check_hostable(method)?;
            }
            sync.once
                .call(webview.label(), call_id(&request, method), || sync.forward(method, args))
                .await
        })*
    };
}

forward! {
    publish("category", "payload", "options");
    remove("category", "options");
    reset("category", "options");
    update("category", "options", "now", "payload");
    history("category");
    read_version("category", "eventId");
    restore("category", "eventId", "options");
    inspect();
    fetch("category");
    sync_all("categories");
    poll("categories");
    subscribe("categories");
    add_relay("url");
    remove_relay("url");
    get_relays();
    get_status();
    flush();
}

#[command]
pub(crate) async fn get_pubkey<R: Runtime>(app: AppHandle<R>) -> Option<String> {
    app.nostr_sync().pubkey().await.map(|pubkey| pubkey.to_hex())
}

// --- The hosting window -----------------------------------------------------------------------------------------

#[command]
pub(crate) async fn engine_attach<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    channel: Channel<InvokeResponseBody>,
) -> Result<Attachment> {
    Ok(app.nostr_sync().attach(&webview, channel))
}

#[command]
pub(crate) async fn engine_detach<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
) -> Result<()> {
    app.nostr_sync().broker.detach(|current, host| current == generation && host.webview == webview.label());
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Reply {
    generation: u64,
    id: String,
    #[serde(default)]
    ok: Value,
    error: Option<Value>,
}

#[command]
pub(crate) async fn engine_reply<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    request: Request<'_>,
) -> Result<()> {
    let Reply { generation, id, ok, error } = parse(&request)?;
    let answer = error.map_or(Ok(ok), |error| Err(Error::from(error)));
    app.nostr_sync().broker.reply(generation, webview.label(), &id, answer);
    Ok(())
}

#[derive(Deserialize, Serialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EngineEvent {
    Updated,
    RelayStatus,
    Error,
    Delivery,
    Conflict,
    Merged,
    Status,
    /// The current value of a category that is subscribed to: for the bindings' `subscribe`.
    Value,
}

#[derive(Deserialize)]
pub(crate) struct Emission {
    generation: u64,
    event: EngineEvent,
    #[serde(default)]
    payload: Value,
}

#[command]
pub(crate) async fn engine_emit<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    request: Request<'_>,
) -> Result<()> {
    let Emission { generation, event, payload } = parse(&request)?;
    app.nostr_sync().emit(generation, webview.label(), event, payload)
}

/// The arguments of a command as one shape. Misuse by the bindings, never by an app: any code will do.
fn parse<T: for<'de> Deserialize<'de>>(request: &Request<'_>) -> Result<T> {
    let InvokeBody::Json(body) = request.body() else {
        return Err(Error::Other { code: "INVALID_ARGUMENTS".into(), message: "Expected JSON".into() });
    };
    T::deserialize(body)
        .map_err(|error| Error::Other { code: "INVALID_ARGUMENTS".into(), message: error.to_string() })
}

#[command]
pub(crate) async fn sign_event<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
    template: EventTemplate,
) -> Result<SignedEvent> {
    app.nostr_sync().sign(generation, webview.label(), template).await
}

#[command]
pub(crate) async fn nip44_encrypt<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
    peer: String,
    plaintext: String,
) -> Result<String> {
    app.nostr_sync().encrypt(generation, webview.label(), &peer, &plaintext).await
}

#[command]
pub(crate) async fn nip44_decrypt<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
    peer: String,
    ciphertext: String,
) -> Result<String> {
    app.nostr_sync().decrypt(generation, webview.label(), &peer, &ciphertext).await
}

#[command]
pub(crate) async fn store_get<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
    key: String,
) -> Result<Option<String>> {
    app.nostr_sync().store(generation, webview.label(), move |store| store.get(&key)).await
}

#[command]
pub(crate) async fn store_read<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
    keys: Vec<String>,
) -> Result<HashMap<String, String>> {
    let read = move |store: &mut nostr_sync::parts::Store| {
        let mut values = HashMap::new();
        for key in keys {
            if let Some(value) = store.get(&key)? {
                values.insert(key, value);
            }
        }
        Ok(values)
    };
    app.nostr_sync().store(generation, webview.label(), read).await
}

#[command]
pub(crate) async fn store_list<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
    prefix: String,
) -> Result<BTreeMap<String, String>> {
    app.nostr_sync().store(generation, webview.label(), move |store| store.list(&prefix)).await
}

#[command]
pub(crate) async fn store_update<R: Runtime>(
    app: AppHandle<R>,
    webview: Webview<R>,
    generation: u64,
    expected: Entries,
    changes: Entries,
) -> Result<bool> {
    app.nostr_sync().store(generation, webview.label(), move |store| store.update(&expected, &changes)).await
}
