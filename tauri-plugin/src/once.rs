//! Carries out once what is delivered twice.
//!
//! Tauri sends a call again when the page that made it reloads before it is answered (tauri-apps/tauri#14154). The copy of a
//! `publish` would write its value again, over whatever has come since. So windows number their calls, and a copy gets the
//! answer of the first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use nostr_sync::Result;

/// Calls that are remembered. As many can be under way; a copy comes at most as late as its page ends.
const MAX_CALLS: usize = 1_024;
/// Bytes of an id.
const MAX_ID_BYTES: usize = 64;

/// JSON.
pub(crate) type Answer = Result<Arc<str>>;

struct Call {
    webview: String,
    id: String,
    answer: Arc<OnceCell<Answer>>,
}

#[derive(Default)]
pub(crate) struct Once {
    /// The newest last.
    calls: Mutex<VecDeque<Call>>,
}

impl Once {
    /// What `carry_out` gives, or gave to the call of this webview that had the same id. A call without an id, or with one
    /// that is too long, is carried out.
    pub async fn call<F: Future<Output = Answer>>(
        &self,
        webview: &str,
        id: Option<&str>,
        carry_out: impl FnOnce() -> F,
    ) -> Answer {
        match id.filter(|id| id.len() <= MAX_ID_BYTES) {
            Some(id) => self.answer_to(webview, id).get_or_init(carry_out).await.clone(),
            None => carry_out().await,
        }
    }

    fn answer_to(&self, webview: &str, id: &str) -> Arc<OnceCell<Answer>> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = calls.iter().find(|call| call.id == id && call.webview == webview) {
            return Arc::clone(&known.answer);
        }
        if calls.len() == MAX_CALLS {
            calls.pop_front();
        }
        let answer = Arc::default();
        calls.push_back(Call { webview: webview.into(), id: id.into(), answer: Arc::clone(&answer) });
        answer
    }
}

#[cfg(test)]
mod tests;
