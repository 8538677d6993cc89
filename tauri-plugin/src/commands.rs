//! The commands of the windows. They hand on; nothing is decided here.

use serde_json::{Map, Value};
use tauri::ipc::{Channel, InvokeBody, Request, Response};
use tauri::{Runtime, State, Webview, command};

use crate::Plugin;
use crate::listeners::Source;
use nostr_sync::{Error, Result};

/// The arguments go to the engine as they came: it checks them, with its own errors.
fn arguments(request: &Request<'_>, names: &[&str]) -> String {
    let mut given = Map::new();
    if let InvokeBody::Json(Value::Object(body)) = request.body() {
        let named = names.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone())));
        given.extend(named);
    }
    Value::Object(given).to_string()
}

/// What a window calls this call, if a copy of it would do harm: see `once`.
fn call_id<'a>(request: &'a Request<'_>, method: &str) -> Option<&'a str> {
    let InvokeBody::Json(body) = request.body() else { return None };
    let changes_something = match method {
        "publish" | "remove" | "reset" | "restore" | "keep" | "add_relay" | "remove_relay" => true,
        // Without one it asks what the value is.
        "update" => body.get("payload").is_some(),
        _ => false,
    };
    body.get("callId").filter(|_| changes_something).and_then(Value::as_str)
}

macro_rules! forward {
    ($($method:ident($($argument:literal),*);)*) => {
        $(#[command]
        pub(crate) async fn $method<R: Runtime>(
            plugin: State<'_, Plugin>,
            webview: Webview<R>,
            request: Request<'_>,
        ) -> Result<Response> {
            let method = stringify!($method);
            let args = arguments(&request, &[$($argument),*]);
            // Who writes needs not be told what it wrote.
            let sync = plugin.sync.part(webview.label());
            let answer = plugin.once.call(webview.label(), call_id(&request, method), async || {
                sync.call_text(method, args).await.map(Into::into)
            });
            Ok(Response::new(answer.await?.to_string()))
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
    kept("category", "pubkey", "page", "what");
    keep("category", "pubkey", "page", "what", "draft", "instead", "document", "keys");
    fetch("category");
    sync_all("categories");
    poll("categories");
    add_relay("url");
    remove_relay("url");
    get_relays();
    get_status();
    flush();
}

#[command]
pub(crate) async fn get_pubkey(plugin: State<'_, Plugin>) -> Result<Option<String>> {
    Ok(plugin.sync.pubkey().await.map(|pubkey| pubkey.to_hex()))
}

/// Values of these categories go to the page by this channel. Returns a number for `unsubscribe`.
#[command]
pub(crate) async fn subscribe<R: Runtime>(
    plugin: State<'_, Plugin>,
    webview: Webview<R>,
    categories: Vec<String>,
    channel: Channel,
) -> Result<u64> {
    let values = plugin.sync.part(webview.label()).subscribe(&categories).await?;
    plugin.listeners.add(&webview, channel, Source::Values(values))
}

/// The same for the events of one name.
#[command]
pub(crate) async fn listen<R: Runtime>(
    plugin: State<'_, Plugin>,
    webview: Webview<R>,
    event: String,
    channel: Channel,
) -> Result<u64> {
    if !crate::EVENTS.contains(&&*event) && event != crate::KEPT {
        let message = format!("Invalid event: expected one of {}, got {event:?}", crate::EVENTS.join(", "));
        return Err(Error::Other { code: "INVALID_ARGUMENT".into(), message });
    }
    plugin.listeners.add(&webview, channel, Source::Events(plugin.sync.events(), event))
}

/// The page is shown again, or hears of the network.
#[command]
pub(crate) async fn wake(plugin: State<'_, Plugin>, is_online: bool) -> Result<()> {
    plugin.sync.set_online(is_online);
    Ok(())
}

/// Ends what `subscribe` or `listen` has begun.
#[command]
pub(crate) async fn unsubscribe<R: Runtime>(
    plugin: State<'_, Plugin>,
    webview: Webview<R>,
    number: u64,
) -> Result<()> {
    plugin.listeners.remove(webview.label(), number);
    Ok(())
}
