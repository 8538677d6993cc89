/** Store for Node: an append-only log in a folder, flushed before an update resolves, one process at a time. */

import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { describe, isNostrSyncError, NostrSyncError } from '../errors.ts';
import type { Changes, Store } from './store.ts';

/** What opening found when the end of the log was torn or damaged. The updates before it are all there. */
export interface Recovery {
  readonly keptBytes: number;
  readonly lostBytes: number;
  /** The file that now holds the lost bytes. Only the newest eight of these are kept. */
  readonly savedTo: string;
}

export interface FileStoreOptions {
  /**
   * Called when opening had to set a damaged end of the log aside, before the call that opened the store resolves.
   * A crash in mid-write tears only what was not acknowledged; anything more means a failing medium.
   */
  readonly onRecovered?: (recovery: Recovery) => void;
}

const LOG_NAME = 'entries.log';
const LOCK_NAME = 'lock';
const COMPACT_FROM_BYTES = 1024 * 1024;
/** In UTF-16 code units. Bounds the record that updates share when many are waiting. */
const GROUP_LIMIT = 4 * 1024 * 1024;
const KEPT_CORRUPT_FILES = 8;
/** Each failed attempt means that another process took or released the lock in that moment. */
const LOCK_ATTEMPTS = 10;

interface PendingUpdate {
  readonly keys: readonly string[];
  readonly decide: (current: ReadonlyMap<string, string>) => Changes;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A store in `folder`, which is created (0700) when missing and must be on a local disk with hard links.
 * Nothing is touched before the first use, so problems with the folder reject that call, and the next one tries again.
 * A second store on the same folder, in this process or another, rejects with `STORE_FAILED`; after a crash of its
 * holder the folder is free again.
 */
export function fileStore(folder: string, options: FileStoreOptions = {}): Store {
  if (typeof folder !== 'string' || folder === '') {
    throw new TypeError(`Cannot create a file store: expected the path of a folder, got ${describe(folder)}`);
  }
  const path = resolvePath(folder);
  const queue: PendingUpdate[] = [];
  let opening: Promise<Log> | undefined;
  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  function opened(): Promise<Log> {
    opening ??= openLog(path, options.onRecovered).catch((error: unknown) => {
      opening = undefined;
      throw storeFailed('open', path, error);
    });
    return opening;
  }

  /** Everything that is called while one flush runs shares the next. */
  async function drain(): Promise<void> {
    while (queue.length > 0) {
      try {
        const log = await opened();
        await commitGroup(log, queue, path);
        await log.compactIfDue();
      } catch (error) {
        for (const update of queue.splice(0)) update.reject(error);
      }
    }
    draining = undefined;
  }

  function assertOpen(): void {
    if (closing) throw new NostrSyncError('CLOSED', `Cannot use the store in ${quote(path)}: it is closed`);
  }

  return {
    async get(key) {
      assertOpen();
      return (await opened()).entries.get(key);
    },
    async list(prefix) {
      assertOpen();
      return new Map([...(await opened()).entries].filter(([key]) => key.startsWith(prefix)));
    },
    async update(keys, decide) {
      assertOpen();
      await new Promise<void>((resolve, reject) => {
        queue.push({ keys, decide, resolve, reject });
        draining ??= drain();
      });
    },
    close: () =>
      (closing ??= (async () => {
        await draining;
        const log = await opening?.catch(() => undefined);
        await log?.close();
      })()),
  };
}

/**
 * Decides the waiting updates in order, each seeing the results of those before it, and saves all their changes as
 * one record. They share one fate: even an update whose `decide` threw may have seen what a failed write takes back.
 */
async function commitGroup(log: Log, queue: PendingUpdate[], path: string): Promise<void> {
  const changes = new Map<string, string | null>();
  const settle: { readonly whenSaved: () => void; readonly reject: (error: unknown) => void }[] = [];
  let weight = 0;
  while (weight < GROUP_LIMIT) {
    const update = queue.shift();
    if (!update) break;
    const { keys, decide, resolve, reject } = update;
    const current = new Map<string, string>();
    for (const key of keys) {
      const value = changes.has(key) ? changes.get(key) : log.entries.get(key);
      if (value != null) current.set(key, value);
    }
    try {
      const decided = [...decide(current)];
      // A value of another type would be unreadable at the next start and cost every record after it.
      if (!decided.every(isChange))
        throw new TypeError('Cannot update the store: a change is not a string or null');
      for (const [key, value] of decided) {
        changes.set(key, value);
        weight += key.length + (value?.length ?? 0);
      }
      settle.push({ whenSaved: resolve, reject });
    } catch (error) {
      settle.push({ whenSaved: () => reject(error), reject });
    }
  }
  try {
    if (changes.size > 0) await log.append(changes);
    for (const { whenSaved } of settle) whenSaved();
  } catch (error) {
    const failure = storeFailed('save to', path, error);
    for (const { reject } of settle) reject(failure);
  }
}

// --- The log's bytes -------------------------------------------------------------------------------------------
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
const HEADER_BYTES = MAGIC.length + 8;
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

function encodeHeader(): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(FORMAT_VERSION, VERSION_AT);
  header.writeUInt32LE(crc32c(header.subarray(0, VERSION_AT + 4)), VERSION_AT + 4);
  return header;
}

function encodeRecord(changes: Changes): Buffer {
  const payload = Buffer.from(JSON.stringify([...changes]));
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(crc32c(payload), 4);
  return Buffer.concat([head, payload]);
}

/** Reads up to the first byte that is not as it was written. Throws only where the log is from a newer library. */
function decodeLog(bytes: Buffer): { readonly entries: Map<string, string>; readonly goodBytes: number } {
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

function isChange(value: unknown): value is [key: string, value: string | null] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    (value[1] === null || typeof value[1] === 'string')
  );
}

function applyChanges(entries: Map<string, string>, changes: Changes): void {
  for (const [key, value] of changes) {
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }
}

// --- The log on disk -------------------------------------------------------------------------------------------

interface Log {
  /** What is on the medium, nothing else. */
  readonly entries: ReadonlyMap<string, string>;
  /** Resolves when `changes` are flushed. Rejects with none of them in `entries`. Never called concurrently. */
  append(changes: Changes): Promise<void>;
  /** Rewrites the log when it has doubled since it last held nothing but live entries. Never rejects. */
  compactIfDue(): Promise<void>;
  close(): Promise<void>;
}

async function openLog(folder: string, onRecovered: FileStoreOptions['onRecovered']): Promise<Log> {
  await createFolder(folder);
  const lock = await acquireLock(join(folder, LOCK_NAME), folder);
  try {
    return await openLockedLog(folder, lock, onRecovered);
  } catch (error) {
    await lock.release().catch(() => undefined);
    throw error;
  }
}

async function openLockedLog(
  folder: string,
  lock: Lock,
  onRecovered: FileStoreOptions['onRecovered'],
): Promise<Log> {
  const path = join(folder, LOG_NAME);
  const fresh = `${path}.new`;
  // Of a rewrite that a crash cut short.
  await rm(fresh, { force: true });
  const found = await readIfPresent(path);
  const { entries, goodBytes } = decodeLog(found ?? Buffer.alloc(0));
  let size = goodBytes;
  let compactAt = compactionThreshold(HEADER_BYTES + encodeRecord(entries).length);
  // Set when the file may not end where `size` says, or may not be the one that a restart finds.
  let damaged = found === undefined || goodBytes === 0 || goodBytes < found.length;

  /** Replaces the log by a fresh one that holds `entries`, as one record: a damaged snapshot is never half read. */
  async function rewrite(): Promise<void> {
    const snapshot =
      entries.size === 0 ? encodeHeader() : Buffer.concat([encodeHeader(), encodeRecord(entries)]);
    await writeFlushed(fresh, snapshot);
    // From here until the folder is flushed, nobody knows which of the two logs a restart would find.
    damaged = true;
    await rename(fresh, path);
    await flushFolder(folder);
    damaged = false;
    size = snapshot.length;
    compactAt = compactionThreshold(size);
  }

  async function append(changes: Changes): Promise<void> {
    await lock.verify();
    if (damaged) await rewrite();
    const record = encodeRecord(changes);
    const handle = await open(path, 'r+');
    let written = false;
    try {
      await writeAt(handle, record, size);
      written = true;
      await handle.datasync();
    } catch (error) {
      const cut = await cutBack(handle, size);
      // After a failed flush the page cache may show what the medium does not hold, and the kernel reports such an
      // error only once: no later flush of this file can be believed.
      damaged = written || !cut;
      // At once, so that a refused update does not come back with a restart; else before the next update.
      if (damaged) await rewrite().catch(() => undefined);
      throw error;
    } finally {
      // The flush has told everything; what closing says changes nothing.
      await handle.close().catch(() => undefined);
    }
    size += record.length;
    applyChanges(entries, changes);
  }

  if (damaged) {
    const lost = found?.subarray(goodBytes);
    const savedTo = lost && (await setAside(folder, lost));
    await rewrite();
    if (lost && savedTo && onRecovered) {
      const recovery = { keptBytes: goodBytes, lostBytes: lost.length, savedTo };
      // Apart from this call: what the callback throws is not the store's failure.
      queueMicrotask(() => onRecovered(recovery));
    }
  }

  return {
    entries,
    append,
    async compactIfDue() {
      if (size < compactAt) return;
      try {
        await lock.verify();
        await rewrite();
      } catch {
        // Nothing is lost: the log at hand is complete. Not again before it has grown noticeably.
        compactAt = size + COMPACT_FROM_BYTES;
      }
    },
    close: () => lock.release(),
  };
}

/** Doubling keeps the cost of rewriting in proportion to what was written. */
function compactionThreshold(liveBytes: number): number {
  return Math.max(COMPACT_FROM_BYTES, 2 * liveBytes);
}

/** Saves the bytes that cannot be read, for whoever wants to examine them, and returns their file. */
async function setAside(folder: string, bytes: Buffer): Promise<string> {
  const prefix = `${LOG_NAME}.corrupt-`;
  const numbers = (await readdir(folder))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((number) => Number.isSafeInteger(number))
    .sort((a, b) => b - a);
  for (const number of numbers.slice(KEPT_CORRUPT_FILES - 1)) await rm(join(folder, `${prefix}${number}`));
  const file = join(folder, `${prefix}${(numbers[0] ?? 0) + 1}`);
  await writeFlushed(file, bytes);
  return file;
}

// --- The lock --------------------------------------------------------------------------------------------------
//
// Node has no flock. The lock is a file that names its holder, made complete under another name and then linked into
// place, so nobody ever reads half of it. A lock whose holder is dead may be replaced only by whoever holds a second
// lock named after the dead holder's token, and only while the first still is that dead holder's. So of many takers
// exactly one wins; and a taker that dies in between leaves a second lock that is stale itself and taken the same way.

interface Lock {
  /** Rejects when the lock is no longer ours, because someone removed it: writing on would mix two logs. */
  verify(): Promise<void>;
  release(): Promise<void>;
}

interface LockHolder {
  readonly pid: number;
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  readonly started: string | null;
  readonly token: string;
}

async function acquireLock(path: string, folder: string): Promise<Lock> {
  const self: LockHolder = {
    pid: process.pid,
    started: await processStart(process.pid),
    token: randomUUID(),
  };
  const content = Buffer.from(JSON.stringify(self));
  const candidate = `${path}.${self.token}.new`;
  await writeFlushed(candidate, content);
  try {
    for (let attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
      if (await linkIfAbsent(candidate, path)) return heldLock(path, content, folder);
      const found = await readIfPresent(path);
      if (!found) continue;
      const holder = parseHolder(found);
      if (holder && (await isAlive(holder))) {
        throw new NostrSyncError(
          'STORE_FAILED',
          `Cannot open the store in ${quote(folder)}: process ${holder.pid} is using it`,
        );
      }
      const claim = await acquireLock(`${path}.${holder?.token ?? 'unreadable'}`, folder);
      try {
        if ((await readIfPresent(path))?.equals(found)) {
          await rename(candidate, path);
          return heldLock(path, content, folder);
        }
      } finally {
        await claim.release();
      }
    }
    throw new Error('other processes keep taking and releasing its lock');
  } finally {
    await rm(candidate, { force: true });
  }
}

function heldLock(path: string, content: Buffer, folder: string): Lock {
  const isOurs = async (): Promise<boolean> => (await readIfPresent(path))?.equals(content) ?? false;
  return {
    async verify() {
      if (await isOurs()) return;
      throw new NostrSyncError(
        'STORE_FAILED',
        `Cannot save to the store in ${quote(folder)}: its lock was taken away`,
      );
    },
    async release() {
      if (await isOurs()) await rm(path, { force: true });
    },
  };
}

function parseHolder(bytes: Buffer): LockHolder | undefined {
  try {
    const { pid, started, token } = JSON.parse(bytes.toString()) as Record<keyof LockHolder, unknown>;
    const isValid =
      Number.isSafeInteger(pid) &&
      (pid as number) > 0 &&
      (started === null || typeof started === 'string') &&
      // It becomes part of a file name.
      typeof token === 'string' &&
      /^[0-9a-f-]{36}$/.test(token);
    return isValid ? { pid: pid as number, started, token } : undefined;
  } catch {
    return undefined;
  }
}

/** When in doubt, a holder counts as alive: better a clear error than two writers. */
async function isAlive(holder: LockHolder): Promise<boolean> {
  const started = await processStart(holder.pid);
  if (started !== null && holder.started !== null) return started === holder.started;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

/** Boot id and start tick of a process, from /proc (proc(5), stat field 22); null where there is no such process or /proc. */
async function processStart(pid: number): Promise<string | null> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Field 2, the command, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTick] = [fields[0], fields[19]];
    return state === 'Z' || startTick === undefined ? 'exited' : `${boot.trim()}/${startTick}`;
  } catch {
    return null;
  }
}

// --- Files -----------------------------------------------------------------------------------------------------

async function createFolder(folder: string): Promise<void> {
  const topmost = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (topmost === undefined) return;
  // A new folder survives a power cut once the folder that lists it is flushed.
  for (let made = folder; made.length >= topmost.length; made = dirname(made))
    await flushFolder(dirname(made));
}

async function flushFolder(folder: string): Promise<void> {
  // Windows cannot open folders; NTFS journals their changes.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeFlushed(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    // Half a file is of no use, and takes room that a full disk needs.
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
}

async function writeAt(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Takes back what a failed write left behind `size`. False when that failed as well. */
async function cutBack(handle: FileHandle, size: number): Promise<boolean> {
  try {
    await handle.truncate(size);
    await handle.datasync();
    return true;
  } catch {
    return false;
  }
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function linkIfAbsent(existing: string, path: string): Promise<boolean> {
  try {
    await link(existing, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function storeFailed(action: string, folder: string, cause: unknown): NostrSyncError {
  if (isNostrSyncError(cause)) return cause;
  const reason = cause instanceof Error ? cause.message : describe(cause);
  return new NostrSyncError('STORE_FAILED', `Cannot ${action} the store in ${quote(folder)}: ${reason}`, {
    cause,
  });
}

function quote(path: string): string {
  return JSON.stringify(path);
}
