//! The engine's store: small texts under text keys, in the app's data folder, flushed before an update is answered.
//!
//! One append-only log, rewritten when it has doubled. Numbers are unsigned, 32 bits, little-endian.
//!
//! ```text
//! header   "nostr-sync/tauri store 1\n"
//! record   length of payload | crc32c of payload | payload: UTF-8 JSON { key: value or null, ... }
//! ```
//!
//! A record is one atomic update. What a crash tore at the end was never answered for; it is set aside, not read.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Values by key, or `None` for "absent": what is expected, and what is to be.
pub(crate) type Entries = HashMap<String, Option<String>>;

const HEADER: &[u8] = b"nostr-sync/tauri store 1\n";
/// What the header of every version begins with.
const HEADER_NAME: &[u8] = b"nostr-sync/tauri store ";
const RECORD_HEAD_BYTES: usize = 8;
const MAX_RECORD_BYTES: usize = 64 * 1_024 * 1_024;
const COMPACT_FROM_BYTES: u64 = 1_024 * 1_024;
const KEPT_CORRUPT_FILES: u64 = 8;
const LOG_NAME: &str = "entries.log";
const LOCK_NAME: &str = "process.lock";
/// The CRC of Castagnoli, reflected (RFC 3720, appendix B.4).
const CRC32C: [u32; 256] = crc32c_table();

/// A store in a folder, which is created (0700) when it is missing. Nothing is touched before the first use; a folder
/// that cannot be opened fails that use with `STORE_FAILED`, and the next one tries again.
pub(crate) struct Store {
    folder: PathBuf,
    log: Option<Log>,
}

impl Store {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, log: None }
    }

    pub fn get(&mut self, key: &str) -> Result<Option<String>> {
        Ok(self.opened()?.entries.get(key).cloned())
    }

    pub fn list(&mut self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let entries = &self.opened()?.entries;
        let of_prefix = entries.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(of_prefix.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Applies all of `changes` if everything is as `expected`, durably; returns whether it was.
    pub fn update(&mut self, expected: &Entries, changes: &Entries) -> Result<bool> {
        let log = self.opened()?;
        if expected.iter().any(|(key, value)| log.entries.get(key) != value.as_ref()) {
            return Ok(false);
        }
        if changes.is_empty() {
            return Ok(true);
        }
        match log.append(changes) {
            Ok(()) => {
                // A log that is longer than it need be is no failure of this update.
                let _ = log.compact_if_due();
                Ok(true)
            }
            Err(error) => {
                // What may be half of a record is cut off; where even that fails, opening again sets it aside.
                if log.cut_back().is_err() {
                    self.log = None;
                }
                Err(failed("save to", &self.folder, &error))
            }
        }
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

struct Log {
    folder: PathBuf,
    /// What is on the medium, nothing else.
    entries: BTreeMap<String, String>,
    file: File,
    bytes: u64,
    /// Its length when it last held nothing but live entries.
    compacted_bytes: u64,
    /// Held as long as the log is open.
    _lock: Lock,
}

/// One process at a time.
struct Lock(File);

impl Lock {
    fn take(folder: &Path) -> io::Result<Self> {
        let file =
            private().read(true).write(true).create(true).truncate(false).open(folder.join(LOCK_NAME))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another process is using it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A child process that is just being started has the file open as well: closing it here would not be enough.
impl Drop for Lock {
    fn drop(&mut self) {
        // Where it fails, the lock goes when the last one closes the file.
        let _ = self.0.unlock();
    }
}

impl Log {
    fn open(folder: &Path) -> io::Result<Self> {
        create_folder(folder)?;
        let lock = Lock::take(folder)?;
        let path = folder.join(LOG_NAME);
        // Left by a crash in mid-compaction; never read.
        remove_if_present(&temporary(folder))?;
        let mut file = private().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let (entries, good) = decode(&content)?;
        if let Some(bad @ [_, ..]) = content.get(good..) {
            set_aside(folder, bad)?;
        }
        let mut bytes = good as u64;
        if good == 0 {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(HEADER)?;
            bytes = HEADER.len() as u64;
        }
        file.set_len(bytes)?;
        file.sync_all()?;
        sync_folder(folder)?;
        Ok(Self { folder: folder.to_owned(), entries, file, bytes, compacted_bytes: bytes, _lock: lock })
    }

    /// Writes and flushes one record. `entries` follows only when it is on the medium.
    fn append(&mut self, changes: &Entries) -> io::Result<()> {
        let record = encode(changes)?;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        self.file.write_all(&record)?;
        self.file.sync_data()?;
        self.bytes += record.len() as u64;
        for (key, value) in changes {
            match value {
                Some(value) => self.entries.insert(key.clone(), value.clone()),
                None => self.entries.remove(key),
            };
        }
        Ok(())
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.sync_data()
    }

    /// Rewrites the log when it has doubled since it last held nothing but live entries.
    fn compact_if_due(&mut self) -> io::Result<()> {
        if self.bytes < COMPACT_FROM_BYTES || self.bytes < 2 * self.compacted_bytes {
            return Ok(());
        }
        // Where it fails now, it is not tried again with every update.
        self.compacted_bytes = self.bytes;
        let path = temporary(&self.folder);
        let mut file = private().read(true).write(true).create(true).truncate(true).open(&path)?;
        let mut bytes = HEADER.len() as u64;
        file.write_all(HEADER)?;
        for (key, value) in &self.entries {
            let record = encode(&Entries::from([(key.clone(), Some(value.clone()))]))?;
            file.write_all(&record)?;
            bytes += record.len() as u64;
        }
        file.sync_all()?;
        fs::rename(&path, self.folder.join(LOG_NAME))?;
        // From here on the new file is the log, whether or not the rename is on the medium yet: both hold the same.
        (self.file, self.bytes, self.compacted_bytes) = (file, bytes, bytes);
        sync_folder(&self.folder)
    }
}

fn encode(changes: &Entries) -> io::Result<Vec<u8>> {
    let payload = serde_json::to_vec(changes)?;
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_RECORD_BYTES);
    let length = length
        .ok_or_else(|| io::Error::other(format!("an update has more than {MAX_RECORD_BYTES} bytes")))?;
    let mut record = Vec::with_capacity(RECORD_HEAD_BYTES + payload.len());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&crc32c(&payload).to_le_bytes());
    record.extend_from_slice(&payload);
    Ok(record)
}

/// Reads up to the first byte that is not as it was written; returns how many were. Fails only where the log is of a
/// newer version, which must not be touched.
fn decode(content: &[u8]) -> io::Result<(BTreeMap<String, String>, usize)> {
    let mut entries = BTreeMap::new();
    if !content.starts_with(HEADER) {
        if content.starts_with(HEADER_NAME) && content.len() >= HEADER.len() {
            return Err(io::Error::other("it was written by a newer version of this plugin"));
        }
        return Ok((entries, 0));
    }
    let mut good = HEADER.len();
    while let Some((changes, end)) = decode_record(content, good) {
        for (key, value) in changes {
            match value {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
        good = end;
    }
    Ok((entries, good))
}

fn decode_record(content: &[u8], start: usize) -> Option<(Entries, usize)> {
    let number = |at: usize| Some(u32::from_le_bytes(content.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let payload_at = start.checked_add(RECORD_HEAD_BYTES)?;
    let end = payload_at.checked_add(usize::try_from(number(start)?).ok()?)?;
    let payload = content.get(payload_at..end)?;
    if crc32c(payload) != number(start + 4)? {
        return None;
    }
    Some((serde_json::from_slice(payload).ok()?, end))
}

/// Keeps bytes that could not be read in a file of their own, and of these files the newest eight.
fn set_aside(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("entries.log.corrupt-")?.parse::<u64>().ok());
        numbers.extend(number);
    }
    let number = numbers.iter().max().map_or(1, |last| last.saturating_add(1));
    let corrupt = |number: u64| folder.join(format!("{LOG_NAME}.corrupt-{number}"));
    let mut file = private().write(true).create(true).truncate(true).open(corrupt(number))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    for old in numbers.into_iter().filter(|old| old.saturating_add(KEPT_CORRUPT_FILES) <= number) {
        remove_if_present(&corrupt(old))?;
    }
    sync_folder(folder)
}

fn temporary(folder: &Path) -> PathBuf {
    folder.join(format!("{LOG_NAME}.new"))
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Files that only this user can read.
fn private() -> OpenOptions {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_folder(folder: &Path) -> io::Result<()> {
    #[allow(unused_mut, reason = "only Unix has modes")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Makes a created or renamed file last. Windows cannot flush a folder, and does so by itself.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[allow(clippy::indexing_slicing, reason = "a byte is an index of 256")]
const fn crc32c_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, reason = "a byte is an index of 256")]
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| CRC32C[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::arbitrary_json;
