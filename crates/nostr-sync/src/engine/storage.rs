//! The store on a thread of its own: it may block, and does one thing after the other, also what an engine that has died had asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc as sync_mpsc;

use tokio::sync::{mpsc, oneshot};

use super::Arrival;
use crate::error::{Error, Result};
use crate::store::Store;

/// What is asked of the store. Keys and values are texts, lists are JSON.
pub(crate) enum Question {
    Get(String),
    Read(String),
    List(String),
    Update(String),
    Close,
}

enum Task {
    Ask {
        id: f64,
        question: Question,
        replies: mpsc::UnboundedSender<Arrival>,
    },
    /// Answered when all before it is done and the folder is free again.
    End(oneshot::Sender<()>),
}

/// The thread of the store. It ends with the last of these.
#[derive(Clone)]
pub(crate) struct Storage(sync_mpsc::Sender<Task>);

enum Medium {
    Memory(BTreeMap<String, String>),
    Folder(Store),
}

impl Storage {
    /// In memory without a folder.
    pub fn start(folder: Option<PathBuf>) -> Self {
        let (tasks, received) = sync_mpsc::channel();
        let mut medium = match folder {
            Some(folder) => Medium::Folder(Store::new(folder)),
            None => Medium::Memory(BTreeMap::new()),
        };
        let run = move || {
            while let Ok(task) = received.recv() {
                match task {
                    Task::Ask { id, question, replies } => {
                        let answer = medium.answer(question);
                        let result =
                            answer.map_err(|error| serde_json::to_string(&error).unwrap_or_default());
                        // An engine that has died hears nothing.
                        let _ = replies.send(Arrival::Reply { id, result });
                    }
                    Task::End(ended) => {
                        medium.release();
                        let _ = ended.send(());
                    }
                }
            }
        };
        // Without a thread every question stays without an answer, which the engine gives 20 s.
        let _ = std::thread::Builder::new().name("nostr-sync store".into()).spawn(run);
        Self(tasks)
    }

    pub fn ask(&self, id: f64, question: Question, replies: mpsc::UnboundedSender<Arrival>) {
        let _ = self.0.send(Task::Ask { id, question, replies });
    }

    pub async fn close(&self) {
        let (ended, end) = oneshot::channel();
        if self.0.send(Task::End(ended)).is_ok() {
            let _ = end.await;
        }
    }
}

impl Medium {
    fn answer(&mut self, question: Question) -> Result<Option<String>> {
        match question {
            Question::Get(key) => self.get(&key),
            Question::Read(keys) => {
                let mut found = Vec::new();
                for key in parse::<Vec<String>>(&keys)? {
                    if let Some(value) = self.get(&key)? {
                        found.push((key, value));
                    }
                }
                to_json(&found)
            }
            Question::List(prefix) => {
                let found: Vec<(String, String)> = match self {
                    Self::Folder(store) => store.list(&prefix)?.into_iter().collect(),
                    Self::Memory(entries) => entries
                        .range(prefix.clone()..)
                        .take_while(|(key, _)| key.starts_with(&prefix))
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect(),
                };
                to_json(&found)
            }
            Question::Update(changes) => {
                let changes = parse::<Vec<(String, Option<String>)>>(&changes)?;
                match self {
                    Self::Folder(store) => {
                        store.update(&changes.into_iter().collect())?;
                    }
                    Self::Memory(entries) => {
                        for (key, value) in changes {
                            match value {
                                Some(value) => entries.insert(key, value),
                                None => entries.remove(&key),
                            };
                        }
                    }
                }
                Ok(None)
            }
            Question::Close => {
                self.release();
                Ok(None)
            }
        }
    }

    fn get(&mut self, key: &str) -> Result<Option<String>> {
        match self {
            Self::Folder(store) => store.get(key),
            Self::Memory(entries) => Ok(entries.get(key).cloned()),
        }
    }

    /// Frees the folder for another process.
    fn release(&mut self) {
        if let Self::Folder(store) = self {
            store.close();
        }
    }
}

/// Fails only if the engine is not of this crate's version.
fn parse<T: serde::de::DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::StoreFailed(format!("Cannot use the store: {error}")))
}

fn to_json(found: &[(String, String)]) -> Result<Option<String>> {
    serde_json::to_string(found)
        .map(Some)
        .map_err(|error| Error::StoreFailed(format!("Cannot read the store: {error}")))
}
