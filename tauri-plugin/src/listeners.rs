//! What windows listen to: values and events of the engine, each on a channel of its own into the page that asked, and nowhere else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nostr_sync::{Error, Events, Result, Values};
use tauri::async_runtime::JoinHandle;
use tauri::ipc::{Channel, InvokeResponseBody};
use tauri::{Runtime, Webview};

/// Of one page.
const MAX_LISTENERS: usize = 1_024;

/// What a page listens to.
pub(crate) enum Source {
    Values(Values),
    /// Those of one name.
    Events(Events, String),
}

impl Source {
    /// JSON.
    async fn next(&mut self) -> Option<Arc<str>> {
        match self {
            Self::Values(values) => values.next_json().await,
            Self::Events(events, wanted) => loop {
                let (name, json) = events.next_json().await?;
                if *name == **wanted {
                    return Some(json);
                }
            },
        }
    }
}

struct Listener {
    channel: Channel,
    task: JoinHandle<()>,
}

struct Page {
    /// Label of the window that the webview is in.
    window: String,
    listeners: HashMap<u64, Listener>,
}

#[derive(Default)]
struct Pages {
    last: u64,
    /// By the label of the webview.
    pages: HashMap<String, Page>,
}

#[derive(Default)]
pub(crate) struct Listeners(Mutex<Pages>);

impl Listeners {
    // Nothing panics while it holds the lock; were it so, what is there is still whole.
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the page of `webview` by `channel` what comes from `source`, until it is removed. Returns its number.
    pub fn add<R: Runtime>(&self, webview: &Webview<R>, channel: Channel, mut source: Source) -> Result<u64> {
        let mut guard = self.lock();
        let Pages { last, pages } = &mut *guard;
        let page = pages.entry(webview.label().to_owned()).or_insert_with(|| Page {
            window: webview.window().label().to_owned(),
            listeners: HashMap::new(),
        });
        if page.listeners.len() >= MAX_LISTENERS {
            return Err(Error::EngineBusy(format!(
                "Cannot listen: {MAX_LISTENERS} listeners of this window are there already"
            )));
        }
        *last += 1;
        let to_page = channel.clone();
        let task = tauri::async_runtime::spawn(async move {
            while let Some(json) = source.next().await {
                if to_page.send(text(&json)).is_err() {
                    break;
                }
            }
        });
        page.listeners.insert(*last, Listener { channel, task });
        Ok(*last)
    }

    pub fn remove(&self, webview: &str, number: u64) {
        let found = self.lock().pages.get_mut(webview).and_then(|page| page.listeners.remove(&number));
        if let Some(listener) = found {
            listener.task.abort();
        }
    }

    /// The page of this webview is about to be another one, which must not hear what this one listened to.
    pub fn end_page(&self, webview: &str) {
        let page = self.lock().pages.remove(webview);
        for listener in page.into_iter().flat_map(|page| page.listeners.into_values()) {
            listener.task.abort();
            // It may stay after all, as after a download: then it listens again.
            let _ = listener.channel.send(InvokeResponseBody::Json("null".into()));
        }
    }

    /// This window is gone. Returns the labels of those of its webviews that listened and are not called as it is.
    pub fn end_window(&self, window: &str) -> Vec<String> {
        let mut others = Vec::new();
        self.lock().pages.retain(|label, page| {
            let stays = page.window != window;
            if !stays {
                for listener in page.listeners.values() {
                    listener.task.abort();
                }
                if label != window {
                    others.push(label.clone());
                }
            }
            stays
        });
        others
    }
}

/// As a text: what is small goes to a page as JavaScript source, in which the key "__proto__" is no key.
fn text(json: &str) -> InvokeResponseBody {
    InvokeResponseBody::Json(serde_json::Value::from(json).to_string())
}
