/** The bytes of a file store's log: encoding, and reading back what may be torn or hostile. */

import { crc32 } from 'node:zlib';

//
// Version 1. Numbers are unsigned, 32 bits, little-endian.
//
//   header   "nostr-sync\r\n" | version | crc32 of the 16 bytes before
//   record   length of payload | crc32 of payload | payload: lines of UTF-8 JSON, each `[key, value or null]` and "\n"
//
// A record is one atomic batch. Every later version keeps the header's shape, so that a library can always tell a
// log that is newer than itself, which it must not touch, from a damaged one.

const FORMAT_VERSION = 1;
const MAGIC = Buffer.from('nostr-sync\r\n', 'latin1');
const VERSION_AT = MAGIC.length;
export const HEADER_BYTES: number = MAGIC.length + 8;
export const RECORD_HEAD_BYTES = 8;
/** A length beyond this is damage: what it names is not even read. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;
/** Values under this prefix are large and many, and rarely read: they stay in the log. */
const PIECE_PREFIX = 'piece/';
const PIECE_LINE_START = Buffer.from(`["${PIECE_PREFIX}`);
const [BACKSLASH, QUOTE, NEWLINE] = [0x5c, 0x22, 0x0a];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The place of an entry's line in the log. */
export interface Place {
  readonly at: number;
  readonly bytes: number;
  readonly crc: number;
}

/** A live entry, with the length of its line: its value, or, for a piece, the place of the value. */
export type Entry = Place | { readonly value: string; readonly bytes: number };

/** The live entries of a log, and how many bytes their lines take. */
export interface Live {
  readonly entries: Map<string, Entry>;
  bytes: number;
}

/** Takes over one change; `null` deletes. */
export function put(live: Live, key: string, entry: Entry | null): void {
  live.bytes += (entry?.bytes ?? 0) - (live.entries.get(key)?.bytes ?? 0);
  if (entry === null) live.entries.delete(key);
  else live.entries.set(key, entry);
}

export function encodeHeader(): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(FORMAT_VERSION, VERSION_AT);
  header.writeUInt32LE(crc32(header.subarray(0, VERSION_AT + 4)), VERSION_AT + 4);
  return header;
}

export function encodeLine(key: string, value: string | null): Buffer {
  return Buffer.from(`${JSON.stringify([key, value])}\n`);
}

export function encodeRecord(lines: readonly Buffer[]): Buffer {
  const record = Buffer.concat([Buffer.alloc(RECORD_HEAD_BYTES), ...lines]);
  const payload = record.subarray(RECORD_HEAD_BYTES);
  if (payload.length > MAX_RECORD_BYTES)
    throw new RangeError(`an update may have ${MAX_RECORD_BYTES} bytes, and this one has ${payload.length}`);
  record.writeUInt32LE(payload.length, 0);
  record.writeUInt32LE(crc32(payload), 4);
  return record;
}

/** What is kept in memory of an entry whose line stands at `at`. */
export function toEntry(key: string, value: string, line: Buffer, at: number): Entry {
  const bytes = line.length;
  return key.startsWith(PIECE_PREFIX) ? { at, bytes, crc: crc32(line) } : { value, bytes };
}

/** The value in a piece's line; `undefined` if the line is not as it was written. */
export function decodePiece(line: Buffer, { crc }: Place): string | undefined {
  return crc32(line) === crc ? (decodeChange(line)?.[1] ?? undefined) : undefined;
}

/**
 * Reads up to the first byte that is not as it was written, `size` bytes at most, never more than a record at a time.
 * `read` gives exactly the bytes it is asked for. Throws only if the log is from a newer library.
 */
export async function readLog(
  size: number,
  read: (at: number, length: number) => Promise<Buffer>,
): Promise<{ readonly live: Live; readonly goodBytes: number }> {
  const live: Live = { entries: new Map(), bytes: 0 };
  const header = await read(0, Math.min(size, HEADER_BYTES));
  const hasHeader =
    header.length === HEADER_BYTES &&
    header.subarray(0, VERSION_AT).equals(MAGIC) &&
    header.readUInt32LE(VERSION_AT + 4) === crc32(header.subarray(0, VERSION_AT + 4));
  if (!hasHeader) return { live, goodBytes: 0 };
  const version = header.readUInt32LE(VERSION_AT);
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `its format version is ${version}, and this library reads versions up to ${FORMAT_VERSION}`,
    );
  }
  let goodBytes = HEADER_BYTES;
  while (size - goodBytes >= RECORD_HEAD_BYTES) {
    const start = goodBytes + RECORD_HEAD_BYTES;
    const head = await read(goodBytes, RECORD_HEAD_BYTES);
    const [length, crc] = [head.readUInt32LE(0), head.readUInt32LE(4)];
    if (length > MAX_RECORD_BYTES || start + length > size) break;
    const payload = await read(start, length);
    if (crc32(payload) !== crc) break;
    const changes = decodePayload(payload, start);
    if (changes === undefined) break;
    for (const [key, entry] of changes) put(live, key, entry);
    goodBytes = start + length;
  }
  return { live, goodBytes };
}

/** The changes of a record whose payload stands at `start`; `undefined` if they are no such thing. */
function decodePayload(payload: Buffer, start: number): [string, Entry | null][] | undefined {
  const changes: [string, Entry | null][] = [];
  for (let at = 0; at < payload.length;) {
    const end = payload.indexOf(NEWLINE, at) + 1;
    const line = payload.subarray(at, end);
    const change = line.subarray(0, PIECE_LINE_START.length).equals(PIECE_LINE_START)
      ? decodePieceKey(line)
      : decodeChange(line);
    if (end === 0 || change === undefined) return undefined;
    const [key, value] = change;
    changes.push([key, value === null ? null : toEntry(key, value, line, start + at)]);
    at = end;
  }
  // As zeros would be read, that a power cut has left.
  return payload.length === 0 ? undefined : changes;
}

function decodeChange(line: Buffer): [key: string, value: string | null] | undefined {
  try {
    const change: unknown = JSON.parse(utf8.decode(line));
    return isChange(change) ? change : undefined;
  } catch {
    return undefined;
  }
}

/** Key of a piece's line, and "" for its value, which is looked at when it is read. */
function decodePieceKey(line: Buffer): [key: string, value: '' | null] | undefined {
  let end = PIECE_LINE_START.length;
  while (end < line.length && line[end] !== QUOTE) end += line[end] === BACKSLASH ? 2 : 1;
  const rest = line.subarray(end + 1);
  const isNull = rest.equals(Buffer.from(',null]\n'));
  // The whole line with another value in its place.
  if (!isNull && rest.subarray(0, 2).toString() !== ',"') return undefined;
  if (!isNull && rest.subarray(-3).toString() !== '"]\n') return undefined;
  const change = decodeChange(
    Buffer.concat([line.subarray(0, end + 1), Buffer.from(isNull ? ',null]' : ',""]')]),
  );
  return change as [string, '' | null] | undefined;
}

export function isChange(value: unknown): value is [key: string, value: string | null] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    (value[1] === null || typeof value[1] === 'string')
  );
}
