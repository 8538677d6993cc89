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
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What is to be: values by key, or `None` for "absent".
pub type Entries = HashMap<String, Option<String>>;

const HEADER: &[u8] = b"nostr-sync/tauri store 1\n";
/// What the header of every version begins with.
const HEADER_NAME: &[u8] = b"nostr-sync/tauri store ";
const RECORD_HEAD_BYTES: usize = 8;
const MAX_RECORD_BYTES: usize = 64 * 1_024 * 1_024;
const COMPACT_FROM_BYTES: u64 = 1_024 * 1_024;
/// Of a record of a rewritten log, unless one entry is larger; and what is read ahead of a log.
const SLICE_BYTES: usize = 4 * 1_024 * 1_024;
/// Keys of values that stay in the log.
const PIECE_PREFIX: &str = "piece/";
const PIECE_LINE_START: &[u8] = b"[\"piece/";
const KEPT_CORRUPT_FILES: u64 = 8;
const LOG_NAME: &str = "entries.log";
const LOCK_NAME: &str = "process.lock";
/// The CRC of Castagnoli, reflected (RFC 3720, appendix B.4).
const CRC32C: [u32; 256] = crc32c_table();

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

/// A live entry, with the length of its line.
#[derive(Debug, PartialEq)]
struct Entry {
    bytes: u64,
    value: Value,
}

#[derive(Debug, PartialEq)]
enum Value {
    Text(String),
    /// Where the line of a piece stands, and what it must add up to.
    Piece {
        at: u64,
        crc: u32,
    },
}

impl Entry {
    fn new(key: &str, value: String, line: &[u8], at: u64) -> Self {
        let is_piece = key.starts_with(PIECE_PREFIX);
        let value = if is_piece { Value::Piece { at, crc: crc32c(line) } } else { Value::Text(value) };
        Self { bytes: line.len() as u64, value }
    }
}

/// What has become of pieces when the log was rewritten.
type Pieces = Vec<(String, Option<Entry>)>;

/// The live entries of a log, and how many bytes their lines take.
#[derive(Default)]
struct Live {
    entries: BTreeMap<String, Entry>,
    bytes: u64,
}

impl Live {
    fn put(&mut self, key: String, entry: Option<Entry>) {
        self.bytes += entry.as_ref().map_or(0, |entry| entry.bytes);
        let former = match entry {
            Some(entry) => self.entries.insert(key, entry),
            None => self.entries.remove(&key),
        };
        self.bytes -= former.map_or(0, |entry| entry.bytes);
    }
}

struct Log {
    folder: PathBuf,
    /// What is on the medium, nothing else.
    live: Live,
    file: File,
    bytes: u64,
    /// It is not rewritten before it is so long.
    compact_from: u64,
    /// Whether the file may hold something else than `live`. It is rewritten before the next update.
    is_damaged: bool,
    /// Held as long as the log is open.
    _lock: Lock,
}

/// One process at a time.
struct Lock(File);

impl Lock {
    fn take(folder: &Path) -> io::Result<Self> {
        let path = folder.join(LOCK_NAME);
        // What somebody planted there is no lock, and blocks nobody.
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path)?,
            Ok(found) if !found.is_file() => fs::remove_file(&path)?,
            _ => {}
        }
        let file = private().read(true).write(true).create(true).truncate(false).open(path)?;
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
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(io::Error::other(format!("{LOG_NAME} in it is not a file")));
        }
        let mut file = private().read(true).write(true).create(true).truncate(false).open(&path)?;
        let size = file.metadata()?.len();
        let (live, good) = decode(&mut BufReader::with_capacity(SLICE_BYTES, &file), size)?;
        if good < size {
            set_aside(folder, &mut file, good)?;
        }
        let mut bytes = good;
        if good == 0 {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(HEADER)?;
            bytes = HEADER.len() as u64;
        }
        file.set_len(bytes)?;
        file.sync_all()?;
        sync_folder(folder)?;
        let compact_from = COMPACT_FROM_BYTES;
        Ok(Self {
            folder: folder.to_owned(),
            live,
            file,
            bytes,
            compact_from,
            is_damaged: false,
            _lock: lock,
        })
    }

    fn get(&mut self, key: &str) -> io::Result<Option<String>> {
        match self.live.entries.get(key) {
            None => Ok(None),
            Some(Entry { value: Value::Text(text), .. }) => Ok(Some(text.clone())),
            Some(&Entry { bytes, value: Value::Piece { at, crc } }) => {
                let line = read_line(&mut self.file, at, bytes, crc)?;
                Ok(line.and_then(|line| decode_line(&line)).and_then(|(_, value)| value))
            }
        }
    }

    fn list(&mut self, prefix: &str) -> io::Result<BTreeMap<String, String>> {
        let of_prefix = self.live.entries.range(prefix.to_owned()..);
        let keys: Vec<_> =
            of_prefix.map(|(key, _)| key.clone()).take_while(|key| key.starts_with(prefix)).collect();
        let mut values = BTreeMap::new();
        for key in keys {
            if let Some(value) = self.get(&key)? {
                values.insert(key, value);
            }
        }
        Ok(values)
    }

    /// Writes and flushes one record. `live` follows only when it is on the medium.
    fn append(&mut self, changes: &Entries) -> io::Result<()> {
        let mut lines = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            lines.push(encode_line(key, value.as_deref())?);
        }
        let record = encode(&lines)?;
        if self.is_damaged {
            self.rewrite()?;
        }
        self.write(&record)?;
        let mut at = self.bytes + RECORD_HEAD_BYTES as u64;
        for ((key, value), line) in changes.iter().zip(&lines) {
            let entry = value.clone().map(|value| Entry::new(key, value, line, at));
            self.live.put(key.clone(), entry);
            at += line.len() as u64;
        }
        self.bytes = at;
        Ok(())
    }

    /// Writes and flushes a record, or leaves the log without it.
    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.bytes))?;
        let written = self.file.write_all(record);
        let is_written = written.is_ok();
        let Err(error) = written.and_then(|()| self.file.sync_data()) else { return Ok(()) };
        let is_cut = self.cut_back().is_ok();
        // After a failed flush the page cache may show what the medium does not hold, and the system reports such an error only once: no later
        // flush of this file can be believed.
        self.is_damaged = is_written || !is_cut;
        if self.is_damaged {
            // At once, so that what was refused does not come back with a restart; where it fails, before the next update.
            let _ = self.rewrite();
        }
        Err(error)
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.sync_data()
    }

    /// Rewrites the log when more than half of it is garbage.
    fn compact_if_due(&mut self) -> io::Result<()> {
        if self.bytes < self.compact_from.max(2 * (HEADER.len() as u64 + self.live.bytes)) {
            return Ok(());
        }
        // Where it fails now, it is not tried again with every update.
        self.compact_from = self.bytes + COMPACT_FROM_BYTES;
        self.rewrite()
    }

    /// Replaces the log by one that holds `live` and nothing else.
    fn rewrite(&mut self) -> io::Result<()> {
        let path = temporary(&self.folder);
        remove_if_present(&path)?;
        let mut file = private().read(true).write(true).create_new(true).open(&path)?;
        let (places, bytes) = self.copy_live(&mut file)?;
        file.sync_all()?;
        // From here until the folder is flushed, a restart may find either of the two logs: nothing may be added to one alone.
        self.is_damaged = true;
        fs::rename(&path, self.folder.join(LOG_NAME))?;
        (self.file, self.bytes, self.compact_from) = (file, bytes, COMPACT_FROM_BYTES);
        for (key, piece) in places {
            self.live.put(key, piece);
        }
        sync_folder(&self.folder)?;
        self.is_damaged = false;
        Ok(())
    }

    /// Writes a log that holds what is live, in records of a bounded size; returns its pieces and its length.
    fn copy_live(&mut self, target: &mut File) -> io::Result<(Pieces, u64)> {
        target.write_all(HEADER)?;
        let mut bytes = HEADER.len() as u64;
        let mut pieces = Vec::new();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut line_bytes = 0;
        // Pieces last: damage that cuts this log short costs what relays can give back.
        let (kept, moved): (Vec<_>, Vec<_>) =
            self.live.entries.iter().partition(|(_, entry)| matches!(entry.value, Value::Text(_)));
        for (key, entry) in kept.into_iter().chain(moved) {
            let line = match &entry.value {
                Value::Text(text) => encode_line(key, Some(text))?,
                &Value::Piece { at, crc } => match read_line(&mut self.file, at, entry.bytes, crc)? {
                    Some(line) => line,
                    // What has rotten is gone, and the relays may have it.
                    None => {
                        pieces.push((key.clone(), None));
                        continue;
                    }
                },
            };
            if line_bytes > 0 && line_bytes + line.len() > SLICE_BYTES {
                bytes += write_record(target, &mut lines)?;
                line_bytes = 0;
            }
            if let Value::Piece { crc, .. } = entry.value {
                let at = bytes + (RECORD_HEAD_BYTES + line_bytes) as u64;
                let value = Value::Piece { at, crc };
                pieces.push((key.clone(), Some(Entry { bytes: entry.bytes, value })));
            }
            line_bytes += line.len();
            lines.push(line);
        }
        if line_bytes > 0 {
            bytes += write_record(target, &mut lines)?;
        }
        Ok((pieces, bytes))
    }
}

fn write_record(target: &mut File, lines: &mut Vec<Vec<u8>>) -> io::Result<u64> {
    let record = encode(lines)?;
    lines.clear();
    target.write_all(&record)?;
    Ok(record.len() as u64)
}

/// The line of a piece; `None` if it is not as it was written.
fn read_line(file: &mut File, at: u64, bytes: u64, crc: u32) -> io::Result<Option<Vec<u8>>> {
    let mut line = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut line)?;
    Ok(if crc32c(&line) == crc { Some(line) } else { None })
}

fn encode_line(key: &str, value: Option<&str>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&(key, value))?;
    line.push(b'\n');
    Ok(line)
}

fn encode(lines: &[Vec<u8>]) -> io::Result<Vec<u8>> {
    let payload = lines.concat();
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_RECORD_BYTES);
    let length = length
        .ok_or_else(|| io::Error::other(format!("an update has more than {MAX_RECORD_BYTES} bytes")))?;
    let mut record = Vec::with_capacity(RECORD_HEAD_BYTES + payload.len());
    record.extend_from_slice(&length.to_le_bytes());
    record.extend_from_slice(&crc32c(&payload).to_le_bytes());
    record.extend_from_slice(&payload);
    Ok(record)
}

/// Reads up to the first byte that is not as it was written, `size` at most; returns how many were. Never more than a
/// record at a time. Fails only where the log is of a newer version, which must not be touched, or the medium fails.
fn decode(log: &mut impl Read, size: u64) -> io::Result<(Live, u64)> {
    let mut live = Live::default();
    let mut left = size;
    let mut header = Vec::new();
    log.take(HEADER.len() as u64).read_to_end(&mut header)?;
    if header != HEADER {
        if header.starts_with(HEADER_NAME) && header.len() == HEADER.len() {
            return Err(io::Error::other("it was written by a newer version of this library"));
        }
        return Ok((live, 0));
    }
    left = left.saturating_sub(HEADER.len() as u64);
    let mut payload = Vec::new();
    while left >= RECORD_HEAD_BYTES as u64 {
        let [mut length, mut crc] = [[0; 4]; 2];
        log.read_exact(&mut length)?;
        log.read_exact(&mut crc)?;
        let [length, crc] = [length, crc].map(u32::from_le_bytes);
        let record_bytes = RECORD_HEAD_BYTES as u64 + u64::from(length);
        if record_bytes > left || length as usize > MAX_RECORD_BYTES {
            break;
        }
        payload.resize(length as usize, 0);
        log.read_exact(&mut payload)?;
        if crc32c(&payload) != crc {
            break;
        }
        let at = size - left + RECORD_HEAD_BYTES as u64;
        let Some(changes) = decode_payload(&payload, at) else { break };
        for (key, entry) in changes {
            live.put(key, entry);
        }
        left -= record_bytes;
    }
    Ok((live, size - left))
}

/// The changes of a record whose payload stands at `at`.
fn decode_payload(payload: &[u8], mut at: u64) -> Option<Vec<(String, Option<Entry>)>> {
    // As zeros would be read, that a power cut has left.
    if payload.last() != Some(&b'\n') {
        return None;
    }
    let mut changes = Vec::new();
    for line in payload.split_inclusive(|byte| *byte == b'\n') {
        let is_piece = line.starts_with(PIECE_LINE_START);
        let (key, value) = if is_piece { decode_piece_key(line) } else { decode_line(line) }?;
        let entry = value.map(|value| Entry::new(&key, value, line, at));
        changes.push((key, entry));
        at += line.len() as u64;
    }
    Some(changes)
}

fn decode_line(line: &[u8]) -> Option<(String, Option<String>)> {
    serde_json::from_slice(line).ok()
}

/// Key of a piece's line, and an empty text for its value, which is looked at when somebody reads it.
fn decode_piece_key(line: &[u8]) -> Option<(String, Option<String>)> {
    let mut is_escaped = false;
    let end = line.iter().skip(PIECE_LINE_START.len()).position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })?;
    let (start, rest) = line.split_at_checked(PIECE_LINE_START.len() + end + 1)?;
    let key = serde_json::from_slice(start.get(1..)?).ok()?;
    match rest {
        b",null]\n" => Some((key, None)),
        [b',', b'"', .., b'"', b']', b'\n'] => Some((key, Some(String::new()))),
        _ => None,
    }
}

/// Keeps bytes that could not be read, from `from` on, in a file of their own, and of these files the newest eight.
fn set_aside(folder: &Path, log: &mut File, from: u64) -> io::Result<()> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("entries.log.corrupt-")?.parse::<u64>().ok());
        numbers.extend(number);
    }
    let number = numbers.iter().max().map_or(1, |last| last.saturating_add(1));
    let corrupt = |number: u64| folder.join(format!("{LOG_NAME}.corrupt-{number}"));
    let mut file = private().write(true).create_new(true).open(corrupt(number))?;
    log.seek(SeekFrom::Start(from))?;
    io::copy(log, &mut file)?;
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
    builder.recursive(true).create(folder)?;
    // Without a slash at its end, behind which the system follows a link. What is above it is the system's business.
    if fs::symlink_metadata(folder.components().as_path())?.is_symlink() {
        return Err(io::Error::other("it is a link; give the folder that it leads to"));
    }
    #[cfg(unix)]
    check_owner(folder)?;
    Ok(())
}

/// Whoever can write to the folder can put in it what this process then trusts.
#[cfg(unix)]
fn check_owner(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(folder)?;
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        let advice = "make it 0700 with chmod 700";
        return Err(io::Error::other(format!("others may use it (mode {mode:04o}); {advice}")));
    }
    // With this mode only its owner can make a file in it, and root, who would trust what another user put there.
    let (owner, user) = (found.uid(), owner_of_new_file(folder)?);
    if owner != user {
        let advice = "use a folder of your own in it";
        return Err(io::Error::other(format!("it belongs to another user (uid {owner}); {advice}")));
    }
    Ok(())
}

/// The user as whom this process writes there: std does not tell it otherwise.
#[cfg(unix)]
fn owner_of_new_file(folder: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::{AtomicU64, Ordering};
    // A process that opens many stores at once needs as many names.
    static TURN: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("owner-{}-{turn}", std::process::id()));
    // Left by a process that had this number and was killed.
    remove_if_present(&path)?;
    let file = private().write(true).create_new(true).open(&path)?;
    let user = file.metadata().map(|found| found.uid());
    fs::remove_file(&path)?;
    user
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
