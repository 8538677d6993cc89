//! Who listens to the engine, over the deaths of one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::command::Command;
use crate::stream::{Queue, WaitingEvents, WaitingValues};

/// A subscription of the program, which outlives an engine that dies.
struct Subscribed {
    origin: Arc<str>,
    categories: Vec<String>,
    queue: Arc<Queue<WaitingValues>>,
    /// By category, the id of the newest value that was told.
    told: HashMap<String, String>,
}

#[derive(Default)]
pub(crate) struct Registry {
    events: Mutex<Vec<Arc<Queue<WaitingEvents>>>>,
    /// For the first who asks: what has happened since the start.
    first: Mutex<Option<Arc<Queue<WaitingEvents>>>>,
    values: Mutex<HashMap<u64, Subscribed>>,
    /// The last status that the engine has told of; JSON.
    status: Mutex<Option<Arc<str>>>,
    /// The way to the engine, for what does not keep it alive.
    commands: Mutex<Option<mpsc::WeakUnboundedSender<Command>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub fn new() -> Arc<Self> {
        let first = Queue::<WaitingEvents>::new();
        let events = Mutex::new(vec![first.clone()]);
        Arc::new(Self { events, first: Mutex::new(Some(first)), ..Self::default() })
    }

    /// From now on these commands reach an engine.
    pub fn serve(&self, commands: &mpsc::UnboundedSender<Command>) {
        *lock(&self.commands) = Some(commands.downgrade());
    }

    /// What has happened since the start; for the first who asks.
    pub fn take_first(&self) -> Option<Arc<Queue<WaitingEvents>>> {
        lock(&self.first).take()
    }

    /// What happens from now on.
    pub fn listen(&self) -> Arc<Queue<WaitingEvents>> {
        let queue = Queue::<WaitingEvents>::new();
        lock(&self.events).push(queue.clone());
        queue
    }

    /// Values of these categories, for the part of the program that `origin` names.
    pub fn subscribe(&self, id: u64, origin: Arc<str>, categories: Vec<String>) -> Arc<Queue<WaitingValues>> {
        let queue = Queue::<WaitingValues>::new();
        let subscribed = Subscribed { origin, categories, queue: queue.clone(), told: HashMap::new() };
        lock(&self.values).insert(id, subscribed);
        queue
    }

    /// The status that was last told of; JSON.
    pub fn last_status(&self) -> Option<Arc<str>> {
        lock(&self.status).clone()
    }

    pub fn event(&self, name: &str, json: &str) {
        let json: Arc<str> = json.into();
        if name == "status" {
            *lock(&self.status) = Some(json.clone());
        }
        for queue in lock(&self.events).iter() {
            queue.push(name, json.clone());
        }
    }

    pub fn value(&self, subscription: u64, category: &str, json: &str) {
        #[derive(Deserialize)]
        struct Id {
            #[serde(rename = "eventId")]
            event_id: String,
        }
        let Ok(Id { event_id }) = serde_json::from_str(json) else { return };
        if let Some(found) = lock(&self.values).get_mut(&subscription) {
            // An engine that was started again tells all values once more.
            if found.told.get(category) != Some(&event_id) {
                found.told.insert(category.into(), event_id);
                found.queue.push(category, json.into());
            }
        }
    }

    /// What an engine that was started again must subscribe to.
    pub fn subscriptions(&self) -> Vec<(Arc<str>, String)> {
        let args =
            |(id, found): (&u64, &Subscribed)| (found.origin.clone(), subscribe_args(*id, &found.categories));
        lock(&self.values).iter().map(args).collect()
    }

    pub fn end(&self) {
        for queue in lock(&self.events).drain(..) {
            queue.end();
        }
        for (_, subscribed) in lock(&self.values).drain() {
            subscribed.queue.end();
        }
    }

    pub fn forget_events(&self, queue: &Arc<Queue<WaitingEvents>>) {
        lock(&self.events).retain(|other| !Arc::ptr_eq(other, queue));
    }

    pub fn forget_values(&self, id: u64) {
        lock(&self.values).remove(&id);
        let (answer, _) = oneshot::channel();
        let args = json!({ "subscription": id }).to_string();
        self.command(Command::Call { id: 0, origin: "".into(), method: "unsubscribe", args, answer });
    }

    /// Nothing for an engine that is gone.
    pub fn command(&self, command: Command) {
        let commands = lock(&self.commands).as_ref().and_then(mpsc::WeakUnboundedSender::upgrade);
        if let Some(commands) = commands {
            let _ = commands.send(command);
        }
    }
}

pub(crate) fn subscribe_args(id: u64, categories: &[String]) -> String {
    json!({ "subscription": id, "categories": categories }).to_string()
}
