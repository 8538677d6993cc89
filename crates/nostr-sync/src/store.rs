//! The engine's store: small texts under text keys, in the app's data folder, flushed before an update is answered.
//!
//! One append-only log, rewritten when more than half of it is garbage. Numbers are unsigned, 32 bits, little-endian.
//!
//! ```text
//! header   "nostr-sync/tauri store 1\n"
//! record   length of payload | crc32c of payload | payload: lines of UTF-8 JSON, each [key, value or null] and "\n"
//! ```
//!
//! A record is one atomic update. What a crash tore at the end was never answered for; it is set aside, not read.
//! Small values are in memory; pieces of large ones, which are many and rarely read, stay in the log.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use self::log::Log;
use crate::error::{Error, Result};

mod folder;
mod log;
mod record;

/// What is to be: values by key, or `None` for "absent".
pub type Entries = HashMap<String, Option<String>>;

/// A store in a folder, which is created (0700) when it is missing. Nothing is touched before the first use; a folder
/// that cannot be opened fails that use with `STORE_FAILED`, and the next one tries again.
pub struct Store {
    folder: PathBuf,
    log: Option<Log>,
}

impl Store {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, log: None }
    }

    pub fn get(&mut self, key: &str) -> Result<Option<String>> {
        let value = self.opened()?.get(key);
        value.map_err(|error| failed("read", &self.folder, &error))
    }

    pub fn list(&mut self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let values = self.opened()?.list(prefix);
        values.map_err(|error| failed("read", &self.folder, &error))
    }

    /// Applies all of `changes`, or none, durably.
    pub fn update(&mut self, changes: &Entries) -> Result<()> {
        let log = self.opened()?;
        if changes.is_empty() {
            return Ok(());
        }
        match log.append(changes) {
            Ok(()) => {
                // A log that is longer than it need be is no failure of this update.
                let _ = log.compact_if_due();
                Ok(())
            }
            Err(error) => Err(failed("save to", &self.folder, &error)),
        }
    }

    /// Frees the folder for another process. The next use opens it again.
    pub fn close(&mut self) {
        self.log = None;
    }

    fn opened(&mut self) -> Result<&mut Log> {
        if self.log.is_none() {
            self.log = Some(Log::open(&self.folder).map_err(|error| failed("open", &self.folder, &error))?);
        }
        self.log.as_mut().ok_or_else(|| Error::StoreFailed("The store is not open".into()))
    }
}

fn failed(what: &str, folder: &Path, error: &io::Error) -> Error {
    Error::StoreFailed(format!("Cannot {what} the store in {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::arbitrary_json;
