//! The start of the engine's thread. It can read the script before the program knows what it wants of the engine.

use std::sync::{Arc, mpsc as sync_mpsc};

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::script::Script;
use super::source::Source;
use super::{Limits, Parts, Plan, SharedSigner, run};
use crate::command::Command;
use crate::error::{Error, Result};
use crate::handle::NostrSync;
use crate::registry::Registry;

/// What the thread of the engine has for a stack: more than QuickJS may take of it.
const THREAD_STACK_BYTES: usize = 4 * 1_024 * 1_024;

/// An engine that is being read on a thread of its own, for a program that has its settings, or the folder of its store, later: reading
/// the script takes some tens of milliseconds, and is most of what [`Builder::start`](crate::Builder::start) waits for. Ends if it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Preload(sync_mpsc::Sender<Order>);

/// What the thread of an engine is told once.
struct Order {
    parts: Parts,
    commands: mpsc::UnboundedReceiver<Command>,
    started: sync_mpsc::SyncSender<Result<()>>,
}

impl Preload {
    /// Begins to read. Fails with `EngineFailed` if there is no thread.
    pub fn begin() -> Result<Self> {
        Self::of(Source::Engine, true)
    }

    pub(super) fn of(source: Source, reads_now: bool) -> Result<Self> {
        let (orders, ordered) = sync_mpsc::channel::<Order>();
        let run = move || {
            let ahead = reads_now.then(|| Script::read(&source, Limits::default()));
            let Ok(Order { parts, commands, started }) = ordered.recv() else { return };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => {
                    LocalSet::new().block_on(&runtime, run(source, ahead, parts, commands, started));
                }
                Err(error) => drop(started.send(Err(no_thread(&error)))),
            }
        };
        std::thread::Builder::new()
            .name("nostr-sync".into())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(run)
            .map_err(|error| no_thread(&error))?;
        Ok(Self(orders))
    }

    /// Returns once the engine runs or has refused its settings, unless it waits for a call.
    pub(crate) fn start(self, plan: Plan) -> Result<NostrSync> {
        let (commands, received) = mpsc::unbounded_channel();
        let registry = Registry::new();
        let signer = Arc::new(SharedSigner::default());
        let (started, outcome) = sync_mpsc::sync_channel(1);
        let waits = plan.waits_for_call;
        let parts = Parts { plan, registry: registry.clone(), signer: signer.clone() };
        // A thread that has gone drops `started` with the rest.
        let _ = self.0.send(Order { parts, commands: received, started });
        if waits {
            return Ok(NostrSync::new(commands, registry, signer));
        }
        let outcome =
            outcome.recv().unwrap_or_else(|_| Err(Error::EngineFailed("The engine did not start".into())));
        outcome.map(|()| NostrSync::new(commands, registry, signer))
    }
}

/// Starts the thread and the engine on it.
pub(crate) fn start(plan: Plan) -> Result<NostrSync> {
    Preload::of(Source::Engine, !plan.waits_for_call)?.start(plan)
}

fn no_thread(error: &std::io::Error) -> Error {
    Error::EngineFailed(format!("Cannot start the engine's thread: {error}"))
}
