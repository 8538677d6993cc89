//! A record of the log as bytes, and the live entries that all records lead to.

use std::collections::BTreeMap;
use std::io::{self, Read};

pub(super) const HEADER: &[u8] = b"nostr-sync/tauri store 1\n";
/// What the header of every version begins with.
const HEADER_NAME: &[u8] = b"nostr-sync/tauri store ";
pub(super) const RECORD_HEAD_BYTES: usize = 8;
pub(super) const MAX_RECORD_BYTES: usize = 64 * 1_024 * 1_024;
/// Of a record of a rewritten log, unless one entry is larger; and what is read ahead of a log.
pub(super) const SLICE_BYTES: usize = 4 * 1_024 * 1_024;
/// Keys of values that stay in the log.
const PIECE_PREFIX: &str = "piece/";
const PIECE_LINE_START: &[u8] = b"[\"piece/";
/// The CRC of Castagnoli, reflected (RFC 3720, appendix B.4).
const CRC32C: [u32; 256] = crc32c_table();

/// A live entry, with the length of its line.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    pub(super) value: Value,
}

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// Where the line of a piece stands, and what it must add up to.
    Piece {
        at: u64,
        crc: u32,
    },
}

impl Entry {
    pub(super) fn new(key: &str, value: String, line: &[u8], at: u64) -> Self {
        let is_piece = key.starts_with(PIECE_PREFIX);
        let value = if is_piece { Value::Piece { at, crc: crc32c(line) } } else { Value::Text(value) };
        Self { bytes: line.len() as u64, value }
    }
}

/// The live entries of a log, and how many bytes their lines take.
#[derive(Default)]
pub(super) struct Live {
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) bytes: u64,
}

impl Live {
    pub(super) fn put(&mut self, key: String, entry: Option<Entry>) {
        self.bytes += entry.as_ref().map_or(0, |entry| entry.bytes);
        let former = match entry {
            Some(entry) => self.entries.insert(key, entry),
            None => self.entries.remove(&key),
        };
        self.bytes -= former.map_or(0, |entry| entry.bytes);
    }
}

pub(super) fn encode_line(key: &str, value: Option<&str>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&(key, value))?;
    line.push(b'\n');
    Ok(line)
}

pub(super) fn encode(lines: &[Vec<u8>]) -> io::Result<Vec<u8>> {
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
/// record at a time. Fails only if the log is of a newer version, which must not be touched, or the medium fails.
pub(super) fn decode(log: &mut impl Read, size: u64) -> io::Result<(Live, u64)> {
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

pub(super) fn decode_line(line: &[u8]) -> Option<(String, Option<String>)> {
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
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| CRC32C[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}
