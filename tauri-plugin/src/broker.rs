//! The switchboard: carries calls from any window and from Rust to the engine in the hosting window, over its reloads.
//!
//! ```text
//!            attach(n+1), detach ──▶ what was sent to n is sent to n+1, with the same ids and in the same order
//!   call ──▶ queued ──attach──▶ sent to generation n ──reply(n)──▶ answered
//!              │ no host in time        │ no answer in time, or sent too often
//!              ▼                        ▼
//!       ENGINE_NOT_RUNNING          ENGINE_GONE
//! ```
//!
//! A reply counts only from the generation that hosts now. A caller that goes away takes its call with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use nostr_sync::{Error, Result};

/// How long a call waits for a window that hosts the engine.
pub(crate) const HOST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the engine may take over what asks nobody.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the engine may take over what may ask a person: its own bound on the signer, and a little.
const SIGNER_CALL_TIMEOUT: Duration = Duration::from_secs(330);
/// A call that was sent to this many hosts, and outlived each of them, may be what ends them.
const MAX_ATTEMPTS: u8 = 4;
/// Calls that wait at once.
const MAX_CALLS: usize = 1_024;
/// Bytes of arguments that wait at once.
const MAX_CALL_BYTES: usize = 32 * 1_024 * 1_024;
/// Categories that are subscribed to. The engine is tested to ten thousand.
const MAX_SUBSCRIPTIONS: usize = 10_000;

/// What goes to the host, a JSON text each. Fails where its window is gone.
pub(crate) type SendToHost = Box<dyn Fn(String) -> std::result::Result<(), ()> + Send + Sync>;

/// A window that wants to host the engine.
pub(crate) struct Host {
    /// Label of the webview.
    pub webview: String,
    /// Label of the window it is in.
    pub window: String,
    pub send: SendToHost,
}

struct Call {
    method: &'static str,
    /// JSON text of an object.
    args: String,
    /// How many hosts it was sent to. While there is a host, it has been sent to that one.
    attempts: u8,
    deadline: Instant,
    reply: oneshot::Sender<Result<Value>>,
}

#[derive(Default)]
struct State {
    generation: u64,
    host: Option<Host>,
    /// By number, and so in the order in which they were made.
    calls: BTreeMap<u64, Call>,
    last_call: u64,
    call_bytes: usize,
    subscriptions: BTreeSet<String>,
}

impl State {
    /// The label alone does not tell: a page that was reloaded has the one of its predecessor.
    fn is_hosted_by(&self, generation: u64, webview: &str) -> bool {
        self.generation == generation && self.host.as_ref().is_some_and(|host| host.webview == webview)
    }
}

pub(crate) struct Broker {
    state: Mutex<State>,
    /// Tells the waiting calls that their deadlines have changed.
    changed: watch::Sender<()>,
    /// What the ids of this process's calls begin with: it tells them from those of an earlier one, which the engine may
    /// remember.
    pub run: String,
}

impl Broker {
    /// `run` must differ from that of every other process on the same store.
    pub fn new(run: String) -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(()), run }
    }

    // Nothing panics while it holds the lock; were it so, the state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `host` the one that hosts, sends it what waits, and returns its generation.
    /// `greet` makes the first thing that it needs, while nothing can be sent to it.
    pub fn attach<T>(&self, host: Host, greet: impl FnOnce(u64, Vec<String>) -> T) -> T {
        let state = &mut *self.lock();
        detach(state);
        state.generation += 1;
        state.host = Some(host);
        let greeting = greet(state.generation, state.subscriptions.iter().cloned().collect());
        let waiting: Vec<u64> = state.calls.keys().copied().collect();
        for number in waiting {
            self.send_call(state, number);
        }
        self.changed.send_replace(());
        greeting
    }

    /// Ends the hosting that `is_over` recognises, if it is under way. What was sent waits for the next host.
    pub fn detach(&self, is_over: impl FnOnce(u64, &Host) -> bool) {
        let state = &mut *self.lock();
        if state.host.as_ref().is_some_and(|host| is_over(state.generation, host)) {
            detach(state);
            self.changed.send_replace(());
        }
    }

    /// Fails with `ENGINE_GONE` unless this webview hosts the engine, in this generation.
    pub fn check_host(&self, generation: u64, webview: &str) -> Result<()> {
        if self.lock().is_hosted_by(generation, webview) {
            return Ok(());
        }
        Err(Error::EngineGone("This page does not host the engine, or no longer".into()))
    }

    pub fn is_hosted(&self) -> bool {
        self.lock().host.is_some()
    }

    /// Whether a window hosts the engine in time.
    pub async fn wait_for_host(&self) -> bool {
        let mut changed = self.changed.subscribe();
        let hosted = async {
            while !self.is_hosted() {
                let _ = changed.changed().await;
            }
        };
        tokio::time::timeout(HOST_TIMEOUT, hosted).await.is_ok()
    }

    /// Tells the host something that needs no answer. Without a host it is not told: it learns it when it attaches.
    pub fn notify(&self, message: &Value) {
        if let Some(host) = &self.lock().host {
            let _ = (host.send)(message.to_string());
        }
    }

    /// Remembers categories for this host and every later one. Returns whether all of them fit.
    pub fn subscribe(&self, categories: impl IntoIterator<Item = String>) -> Result<()> {
        let state = &mut *self.lock();
        for category in categories {
            if state.subscriptions.len() >= MAX_SUBSCRIPTIONS && !state.subscriptions.contains(&category) {
                return Err(Error::EngineBusy(format!(
                    "Cannot subscribe to more than {MAX_SUBSCRIPTIONS} categories"
                )));
            }
            state.subscriptions.insert(category);
        }
        Ok(())
    }

    /// Calls `method` of the engine. `args` is an object. Dropping the future takes the call back.
    pub async fn call(&self, method: &'static str, args: &Value) -> Result<Value> {
        let mut changed = self.changed.subscribe();
        let (number, mut reply) = self.enqueue(method, args.to_string())?;
        let _taken_back = TakeBack { broker: self, number };
        loop {
            let Some(deadline) = self.lock().calls.get(&number).map(|call| call.deadline) else {
                // Answered, or failed: whoever took the call out has said how.
                return reply.await.unwrap_or_else(|_| Err(Error::EngineGone("The call was dropped".into())));
            };
            tokio::select! {
                biased;
                answer = &mut reply => {
                    return answer.unwrap_or_else(|_| Err(Error::EngineGone("The call was dropped".into())));
                }
                _ = changed.changed() => {}
                () = tokio::time::sleep_until(deadline) => self.expire(number),
            }
        }
    }

    /// The answer of the host of this generation. Those of other generations, and to calls that are gone, are ignored.
    pub fn reply(&self, generation: u64, webview: &str, id: &str, answer: Result<Value>) {
        let state = &mut *self.lock();
        let number =
            id.strip_prefix(&self.run).and_then(|rest| rest.strip_prefix('-')).and_then(|n| n.parse().ok());
        let (true, Some(number)) = (state.is_hosted_by(generation, webview), number) else { return };
        settle(state, number, answer);
    }

    fn enqueue(&self, method: &'static str, args: String) -> Result<(u64, oneshot::Receiver<Result<Value>>)> {
        let state = &mut *self.lock();
        if state.calls.len() >= MAX_CALLS || state.call_bytes + args.len() > MAX_CALL_BYTES {
            return Err(Error::EngineBusy("Too many calls are waiting for the engine".into()));
        }
        state.last_call += 1;
        state.call_bytes += args.len();
        let number = state.last_call;
        let (sender, receiver) = oneshot::channel();
        let deadline = Instant::now() + HOST_TIMEOUT;
        state.calls.insert(number, Call { method, args, attempts: 0, deadline, reply: sender });
        self.send_call(state, number);
        Ok((number, receiver))
    }

    fn send_call(&self, state: &mut State, number: u64) {
        let (Some(host), Some(call)) = (&state.host, state.calls.get_mut(&number)) else { return };
        if call.attempts >= MAX_ATTEMPTS {
            let gone = format!("{MAX_ATTEMPTS} windows in turn went away before they answered");
            return settle(state, number, Err(Error::EngineGone(gone)));
        }
        call.attempts += 1;
        call.deadline = Instant::now() + timeout_of(call.method);
        // The arguments travel as text: what is small goes to a window as JavaScript source, in which the key "__proto__"
        // is no key.
        let message = json!({
            "type": "request",
            "id": format!("{}-{number}", self.run),
            "method": call.method,
            "attempt": call.attempts,
            "args": call.args,
        });
        if (host.send)(message.to_string()).is_err() {
            detach(state);
            self.changed.send_replace(());
        }
    }

    fn expire(&self, number: u64) {
        let state = &mut *self.lock();
        let Some(call) = state.calls.get(&number) else { return };
        if call.deadline > Instant::now() {
            return;
        }
        let error = match (&state.host, call.attempts) {
            (None, 0) => {
                Error::EngineNotRunning(format!("Cannot {}: no window hosts the engine", call.method))
            }
            (None, _) => Error::EngineGone(format!(
                "Cannot {}: the window that hosted the engine went away",
                call.method
            )),
            (Some(_), _) => {
                Error::EngineGone(format!("Cannot {}: the engine did not answer in time", call.method))
            }
        };
        settle(state, number, Err(error));
    }
}

/// Takes a call out when its caller goes away, and tells the host, which may then stop waiting for it.
struct TakeBack<'a> {
    broker: &'a Broker,
    number: u64,
}

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        let state = &mut *self.broker.lock();
        let Some(call) = state.calls.remove(&self.number) else { return };
        state.call_bytes -= call.args.len();
        if let Some(host) = &state.host {
            let id = format!("{}-{}", self.broker.run, self.number);
            let _ = (host.send)(json!({ "type": "cancel", "id": id }).to_string());
        }
    }
}

fn detach(state: &mut State) {
    let Some(host) = state.host.take() else { return };
    // The page may still be there: it then learns that it no longer hosts.
    let _ = (host.send)(json!({ "type": "detached" }).to_string());
    let deadline = Instant::now() + HOST_TIMEOUT;
    for call in state.calls.values_mut() {
        call.deadline = deadline;
    }
}

fn settle(state: &mut State, number: u64, answer: Result<Value>) {
    if let Some(call) = state.calls.remove(&number) {
        state.call_bytes -= call.args.len();
        // The caller may just have gone.
        let _ = call.reply.send(answer);
    }
}

fn timeout_of(method: &str) -> Duration {
    match method {
        "add_relay" | "remove_relay" | "get_relays" | "get_status" | "subscribe" | "history" | "inspect" => {
            CALL_TIMEOUT
        }
        // It waits for relays that may be away for days; the caller decides how long.
        "flush" => Duration::from_secs(365 * 86_400),
        _ => SIGNER_CALL_TIMEOUT,
    }
}

#[cfg(test)]
mod tests;
