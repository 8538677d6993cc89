//! The log on the disk: opened, appended to, and rewritten when more than half of it is garbage.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Entries;
use super::folder::{Lock, create_folder, private, remove_if_present, sync_folder};
use super::record::{
    Entry, HEADER, Live, RECORD_HEAD_BYTES, SLICE_BYTES, Value, crc32c, decode, decode_line, encode,
    encode_line,
};

pub(super) const COMPACT_FROM_BYTES: u64 = 1_024 * 1_024;
const KEPT_CORRUPT_FILES: u64 = 8;
pub(super) const LOG_NAME: &str = "entries.log";

/// What has become of pieces when the log was rewritten.
type Pieces = Vec<(String, Option<Entry>)>;

pub(super) struct Log {
    folder: PathBuf,
    /// What is on the medium, nothing else.
    pub(super) live: Live,
    pub(super) file: File,
    bytes: u64,
    /// It is not rewritten before it is so long.
    compact_from: u64,
    /// Whether the file may hold something else than `live`. It is rewritten before the next update.
    is_damaged: bool,
    /// Held as long as the log is open.
    pub(super) _lock: Lock,
}

impl Log {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
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

    pub(super) fn get(&mut self, key: &str) -> io::Result<Option<String>> {
        match self.live.entries.get(key) {
            None => Ok(None),
            Some(Entry { value: Value::Text(text), .. }) => Ok(Some(text.clone())),
            Some(&Entry { bytes, value: Value::Piece { at, crc } }) => {
                let line = read_line(&mut self.file, at, bytes, crc)?;
                Ok(line.and_then(|line| decode_line(&line)).and_then(|(_, value)| value))
            }
        }
    }

    pub(super) fn list(&mut self, prefix: &str) -> io::Result<BTreeMap<String, String>> {
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
    pub(super) fn append(&mut self, changes: &Entries) -> io::Result<()> {
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
            // At once, so that what was refused does not come back with a restart; if it fails, before the next update.
            let _ = self.rewrite();
        }
        Err(error)
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.sync_data()
    }

    /// Rewrites the log when more than half of it is garbage.
    pub(super) fn compact_if_due(&mut self) -> io::Result<()> {
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

pub(super) fn temporary(folder: &Path) -> PathBuf {
    folder.join(format!("{LOG_NAME}.new"))
}
