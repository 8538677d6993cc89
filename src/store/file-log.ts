/** The bytes of a file store's log: encoding, and reading back what may be torn or hostile. */

import type { Changes } from './store.ts';

//
// Version 1. Numbers are unsigned, 32 bits, little-endian.
//
//   header   "nostr-sync\r\n" | version | crc32c of the 16 bytes before
//   record   length of payload | crc32c of payload | payload: UTF-8 JSON [[key, value or null], ...]
//
// A record is one atomic batch. Every later version keeps the header's shape, so that a library can always tell a
// log that is newer than itself, which it must not touch, from a damaged one.

const FORMAT_VERSION = 1;
const MAGIC = Buffer.from('nostr-sync\r\n', 'latin1');
const VERSION_AT = MAGIC.length;
export const HEADER_BYTES: number = MAGIC.length + 8;
const RECORD_HEAD_BYTES = 8;
/** The Castagnoli polynomial, reflected (RFC 3720, appendix B.4). */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC32C_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

export function encodeHeader(): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(FORMAT_VERSION, VERSION_AT);
  header.writeUInt32LE(crc32c(header.subarray(0, VERSION_AT + 4)), VERSION_AT + 4);
  return header;
}

export function encodeRecord(changes: Changes): Buffer {
  const payload = Buffer.from(JSON.stringify([...changes]));
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(crc32c(payload), 4);
  return Buffer.concat([head, payload]);
}

/** Reads up to the first byte that is not as it was written. Throws only where the log is from a newer library. */
export function decodeLog(bytes: Buffer): {
  readonly entries: Map<string, string>;
  readonly goodBytes: number;
} {
  const entries = new Map<string, string>();
  const hasHeader =
    bytes.length >= HEADER_BYTES &&
    bytes.subarray(0, VERSION_AT).equals(MAGIC) &&
    bytes.readUInt32LE(VERSION_AT + 4) === crc32c(bytes.subarray(0, VERSION_AT + 4));
  if (!hasHeader) return { entries, goodBytes: 0 };
  const version = bytes.readUInt32LE(VERSION_AT);
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `its format version is ${version}, and this library reads versions up to ${FORMAT_VERSION}`,
    );
  }
  let goodBytes = HEADER_BYTES;
  while (bytes.length - goodBytes >= RECORD_HEAD_BYTES) {
    const start = goodBytes + RECORD_HEAD_BYTES;
    const end = start + bytes.readUInt32LE(goodBytes);
    if (end > bytes.length) break;
    const payload = bytes.subarray(start, end);
    if (crc32c(payload) !== bytes.readUInt32LE(goodBytes + 4)) break;
    const changes = decodeChanges(payload);
    if (!changes) break;
    applyChanges(entries, changes);
    goodBytes = end;
  }
  return { entries, goodBytes };
}

function decodeChanges(payload: Uint8Array): Changes | undefined {
  try {
    const parsed: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload),
    );
    return Array.isArray(parsed) && parsed.every(isChange) ? new Map(parsed) : undefined;
  } catch {
    return undefined;
  }
}

export function isChange(value: unknown): value is [key: string, value: string | null] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    (value[1] === null || typeof value[1] === 'string')
  );
}

export function applyChanges(entries: Map<string, string>, changes: Changes): void {
  for (const [key, value] of changes) {
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }
}
