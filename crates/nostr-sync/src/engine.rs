//! The thread of the engine: starts the script, carries what comes from the program, the network, the store and the clock to it, one
//! thing at a time, and starts it again if it dies.
//!
//! ```text
//! starting ──▶ running ──close, or no handle left──▶ over
//!    ▲            │
//!    └─ waiting ◀─┘ out of memory, run away, threw
//! ```

mod clock;
mod natives;
mod preload;
mod script;
mod sockets;
mod source;
mod storage;

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, mpsc as sync_mpsc};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use crate::command::{Answer, Command};
use crate::error::{Error, Result};
use crate::handle::closed;
use crate::registry::Registry;
use crate::signer::SignerSlot;
use clock::Gap;
use natives::Natives;
pub use preload::Preload;
pub(crate) use preload::start;
use script::{Death, Script};
use sockets::Tls;
use source::Source;
use storage::Storage;

/// From the death of an engine to the next; doubled each time, up to the other.
const FIRST_RESTART: Duration = Duration::from_secs(1);
const LAST_RESTART: Duration = Duration::from_secs(60);
/// An engine that has run for so long did not die of how it was started.
const STEADY: Duration = Duration::from_secs(300);
/// How long an engine without a handle may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What QuickJS may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes.
    pub memory: usize,
    /// For one turn: what came in, and all that follows at once.
    pub run_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 256 * 1_024 * 1_024, run_time: Duration::from_secs(20) }
    }
}

/// The place of the signer, which the handles fill and the engine's thread uses.
#[derive(Default)]
pub(crate) struct SharedSigner {
    pub slot: SignerSlot,
}

/// What the program wants.
#[derive(Default)]
pub(crate) struct Plan {
    pub settings: Map<String, Value>,
    pub data_dir: Option<PathBuf>,
    pub limits: Limits,
    /// A script of the program, which runs after the engine was loaded and before it starts.
    pub categories: Option<Arc<str>>,
    /// Whether the engine starts with the first call that needs it.
    pub waits_for_call: bool,
}

/// What an engine is made of, each time it is started.
struct Parts {
    plan: Plan,
    registry: Arc<Registry>,
    signer: Arc<SharedSigner>,
}

/// What comes to the engine from the ports of Rust.
pub(crate) enum Arrival {
    /// Of the store or the signer.
    Reply {
        id: f64,
        result: std::result::Result<Option<String>, String>,
    },
    Socket {
        id: f64,
        event: SocketEvent,
    },
}

pub(crate) enum SocketEvent {
    Opened,
    Message(String),
    Pong,
    Closed(String),
}

/// How the run of an engine ended.
enum End {
    Closed,
    Died(Death),
}

/// Messages of sockets that may wait for the engine; a socket that has more is read no further.
const MAX_ARRIVALS: usize = 32;

/// `ahead`: the script as it was read before there were any parts.
async fn run(
    source: Source,
    mut ahead: Option<std::result::Result<Script, Death>>,
    parts: Parts,
    mut commands: mpsc::UnboundedReceiver<Command>,
    started: sync_mpsc::SyncSender<Result<()>>,
) {
    let mut first = None;
    if parts.plan.waits_for_call {
        first = first_call(&mut commands).await;
        if first.is_none() {
            return parts.registry.end();
        }
    }
    let mut started = Some(started);
    let storage = Storage::start(parts.plan.data_dir.clone());
    let tls = Rc::new(Tls::default());
    let mut wait = FIRST_RESTART;
    loop {
        let (replies, replied) = mpsc::unbounded_channel();
        let (sockets, from_sockets) = mpsc::channel(MAX_ARRIVALS);
        let natives = Natives::new(
            replies,
            sockets,
            storage.clone(),
            parts.registry.clone(),
            parts.signer.clone(),
            tls.clone(),
        );
        let began = Instant::now();
        let read = ahead.take().unwrap_or_else(|| Script::read(&source, parts.plan.limits));
        let start = |script: Script| script.start(&parts.plan, &natives, &settings_of(&parts));
        let death = match read.and_then(start) {
            Ok(script) => {
                let is_first = started.take().is_some_and(|started| {
                    // Who does not wait for it has gone.
                    let _ = started.send(Ok(()));
                    true
                });
                let mut engine = Engine {
                    script,
                    natives: natives.clone(),
                    commands: &mut commands,
                    replied,
                    from_sockets,
                };
                // An engine that is started again knows of no subscription.
                let again = if is_first { Vec::new() } else { parts.registry.subscriptions() };
                match engine.run(again, first.take()).await {
                    End::Closed => break,
                    End::Died(death) => death,
                }
            }
            Err(death) => {
                if let Some(started) = started.take() {
                    let error = death.into_error();
                    let _ = started.send(Err(error.clone()));
                    refuse(&error, first, commands, &parts.registry).await;
                    return;
                }
                death
            }
        };
        if began.elapsed() > STEADY {
            wait = FIRST_RESTART;
        }
        let error = death.into_error();
        natives.fail_all(&error);
        // Its script is gone, and with it its sockets and timers.
        drop(natives);
        if let Ok(json) = serde_json::to_string(&error) {
            parts.registry.event("error", &json);
        }
        if !wait_to_restart(wait, &mut commands).await {
            break;
        }
        wait = (2 * wait).min(LAST_RESTART);
    }
    storage.close().await;
    parts.registry.end();
    // Whoever has called meanwhile learns that it is closed: what was sent is dropped with the receiver.
}

/// The first command for which the engine is needed; `None`: it is closed, or no handle is left.
async fn first_call(commands: &mut mpsc::UnboundedReceiver<Command>) -> Option<Command> {
    loop {
        match commands.recv().await? {
            Command::Call { method: "close", answer, .. } => {
                let _ = answer.send(Ok("null".into()));
                return None;
            }
            // Nothing is there yet that it could change.
            Command::Cancel { .. } | Command::Wake { .. } | Command::Signer { .. } => {}
            command => return Some(command),
        }
    }
}

/// A setting cannot be, which is only known now: every call fails with that, until the last handle is gone.
async fn refuse(
    error: &Error,
    first: Option<Command>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    registry: &Registry,
) {
    if let Ok(json) = serde_json::to_string(error) {
        registry.event("error", &json);
    }
    let mut next = first;
    while let Some(command) = next {
        if let Some((method, answer)) = answer_of(command) {
            let _ = answer.send(if method == "close" { Ok("null".into()) } else { Err(error.clone()) });
        }
        next = commands.recv().await;
    }
    registry.end();
}

/// Calls wait as well, but for one that closes. Returns whether to start again.
async fn wait_to_restart(wait: Duration, commands: &mut mpsc::UnboundedReceiver<Command>) -> bool {
    let restart = tokio::time::Instant::now() + wait;
    let mut waiting = Vec::new();
    let goes_on = loop {
        tokio::select! {
            () = tokio::time::sleep_until(restart) => break true,
            command = commands.recv() => match command {
                None => break false,
                Some(Command::Call { method: "close", answer, .. }) => {
                    let _ = answer.send(Ok("null".into()));
                    break false;
                }
                Some(command) => waiting.push(command),
            },
        }
    };
    for command in waiting {
        if let Some((method, answer)) = answer_of(command) {
            let error = if goes_on {
                Error::EngineFailed(format!("Cannot {method}: the engine has failed, and is started again"))
            } else {
                closed(method)
            };
            let _ = answer.send(Err(error));
        }
    }
    goes_on
}

fn answer_of(command: Command) -> Option<(&'static str, Answer)> {
    match command {
        Command::Call { method, answer, .. } => Some((method, answer)),
        Command::SetSigner { answer, .. } | Command::Signer { answer, .. } => Some(("set_signer", answer)),
        Command::Sleep { answer, .. } => Some(("wait_for_connection", answer)),
        Command::Cancel { .. } | Command::Wake { .. } => None,
    }
}

/// The settings of the program, with the signer that is set now.
fn settings_of(parts: &Parts) -> String {
    let mut settings = parts.plan.settings.clone();
    parts.signer.slot.with_held(|held| {
        let info = held.and_then(|held| serde_json::from_str(&held.info()).ok());
        settings.extend(info.map(|info| ("signer".to_owned(), info)));
    });
    Value::Object(settings).to_string()
}

/// One run of an engine.
struct Engine<'a> {
    script: Script,
    natives: Rc<Natives>,
    commands: &'a mut mpsc::UnboundedReceiver<Command>,
    replied: mpsc::UnboundedReceiver<Arrival>,
    from_sockets: mpsc::Receiver<Arrival>,
}

impl Engine<'_> {
    /// `again`: origin and arguments of the subscriptions that the program has. `first`: what the engine was started for.
    async fn run(&mut self, again: Vec<(Arc<str>, String)>, first: Option<Command>) -> End {
        let subscribe = |(origin, args)| {
            let (answer, _) = oneshot::channel();
            Command::Call { id: 0, origin, method: "subscribe", args, answer }
        };
        for command in again.into_iter().map(subscribe).chain(first) {
            if let Err(death) = self.carry(command) {
                return End::Died(death);
            }
        }
        let mut gap = Gap::default();
        loop {
            let outcome = tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.carry(command),
                    None => return self.close().await,
                },
                Some(arrival) = self.replied.recv() => self.arrived(arrival),
                Some(arrival) = self.from_sockets.recv() => self.arrived(arrival),
                id = self.natives.timers.due() => self.script.timer(id),
                () = gap.found() => self.script.wake(true),
            };
            if let Err(death) = outcome {
                return End::Died(death);
            }
            if self.natives.is_closed() {
                return End::Closed;
            }
        }
    }

    fn carry(&mut self, command: Command) -> std::result::Result<(), Death> {
        match command {
            Command::Call { id, origin, method, args, answer } => {
                let call = self.natives.expect_answer(id, method, answer);
                self.script.call(call, &origin, method, &args)
            }
            Command::Cancel { id } => match self.natives.forget_answer(id) {
                Some(call) => self.script.cancel(call),
                None => Ok(()),
            },
            Command::SetSigner { turn, signer, answer } => {
                self.natives.set_signer(turn, signer, answer);
                Ok(())
            }
            Command::Signer { info, answer } => {
                let call = self.natives.expect_answer(0, "set_signer", answer);
                self.script.signer(call, info.as_deref())
            }
            Command::Wake { is_online } => self.script.wake(is_online),
            Command::Sleep { limit, answer } => {
                spawn_local(async move {
                    tokio::time::sleep(limit).await;
                    let _ = answer.send(Ok("null".into()));
                });
                Ok(())
            }
        }
    }

    fn arrived(&mut self, arrival: Arrival) -> std::result::Result<(), Death> {
        match arrival {
            Arrival::Reply { id, result } => self.script.reply(id, result),
            Arrival::Socket { id, event } => {
                // What a socket still had when the engine closed it is nothing to the engine.
                let is_over = matches!(event, SocketEvent::Closed(_));
                if !is_over && self.natives.sockets.is_closing(id) {
                    return Ok(());
                }
                if is_over {
                    self.natives.sockets.forget(id);
                }
                self.script.socket(id, event)
            }
        }
    }

    /// No handle is left.
    async fn close(&mut self) -> End {
        let (answer, mut answered) = oneshot::channel();
        let close = Command::Call { id: 0, origin: "".into(), method: "close", args: "{}".into(), answer };
        if self.carry(close).is_err() {
            return End::Closed;
        }
        let limit = tokio::time::sleep(CLOSE_TIMEOUT);
        tokio::pin!(limit);
        loop {
            let outcome = tokio::select! {
                _ = &mut answered => return End::Closed,
                () = &mut limit => return End::Closed,
                Some(arrival) = self.replied.recv() => self.arrived(arrival),
                Some(arrival) = self.from_sockets.recv() => self.arrived(arrival),
                id = self.natives.timers.due() => self.script.timer(id),
            };
            if outcome.is_err() {
                return End::Closed;
            }
        }
    }
}

#[cfg(test)]
mod tests;
