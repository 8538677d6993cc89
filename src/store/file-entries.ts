/** The entries of a file store: small values in memory, pieces of large ones in the log that keeps them all. */

import { constants, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { acquireLock, type Lock } from './file-lock.ts';
import {
  decodePiece,
  encodeHeader,
  encodeLine,
  encodeRecord,
  HEADER_BYTES,
  put,
  readLog,
  RECORD_HEAD_BYTES,
  toEntry,
  type Entry,
  type Live,
  type Place,
} from './file-log.ts';
import {
  createFolder,
  cutBack,
  flushFolder,
  ifPresent,
  openFile,
  readAt,
  SLICE_BYTES,
  writeAt,
  writeFlushed,
} from './files.ts';
import type { Changes } from './store.ts';

/** What opening found when the end of the log was torn or damaged. The updates before it are all there. */
export interface Recovery {
  readonly keptBytes: number;
  readonly lostBytes: number;
  /** The file that now holds the lost bytes. Only the newest eight of these are kept. */
  readonly savedTo: string;
}

const LOG_NAME = 'entries.log';
const LOCK_NAME = 'lock';
const COMPACT_FROM_BYTES = 1024 * 1024;
/** Of a record of a rewritten log, unless one entry is larger. */
const RECORD_BYTES = 4 * 1024 * 1024;
const KEPT_CORRUPT_FILES = 8;

/** What is on the medium, nothing else. */
export interface Log {
  get(key: string): Promise<string | undefined>;
  list(prefix: string): Promise<Map<string, string>>;
  /** Resolves when `changes` are flushed. Rejects with none of them taken over. Never called concurrently. */
  append(changes: Changes): Promise<void>;
  /** Rewrites the log when more than half of it is garbage. Never rejects. */
  compactIfDue(): Promise<void>;
  close(): Promise<void>;
}

export async function openLog(
  folder: string,
  onRecovered: ((recovery: Recovery) => void) | undefined,
): Promise<Log> {
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
  onRecovered: ((recovery: Recovery) => void) | undefined,
): Promise<Log> {
  const path = join(folder, LOG_NAME);
  const fresh = `${path}.new`;
  // What a rewrite left that a crash cut short. Once it is removed, a former holder that wakes up cannot finish that rewrite.
  await rm(fresh, { force: true });
  const found = await loadLog(folder, path);
  const { live } = found;
  let size = found.goodBytes;
  // Set when the file may be longer than `size`, or may not be the one that a restart finds; or when the former
  // holder of the lock may still write: into the old file, then.
  let damaged = !found.isWhole || lock.isFromLiving;
  /** Not before the log has this size. */
  let compactFrom = COMPACT_FROM_BYTES;
  /** Pending while another file becomes the log: places in one are wrong for the other. */
  let moving: Promise<void> | undefined;
  const readers = new Set<Promise<unknown>>();

  async function readPlace(handle: FileHandle, place: Place): Promise<Buffer | undefined> {
    const line = await readAt(handle, place.at, place.bytes);
    if (decodePiece(line, place) !== undefined) return line;
    // The damaged value is gone, and relays may have it; unless this is no longer our log.
    await lock.verify();
    return undefined;
  }

  /** Writes a log that holds `live`, in records of a bounded size, and returns the places of its pieces. */
  async function copyLive(target: FileHandle): Promise<{ places: Map<string, Place>; bytes: number }> {
    const places = new Map<string, Place>();
    let bytes = HEADER_BYTES;
    let [lines, lineBytes]: [Buffer[], number] = [[], 0];
    let source: FileHandle | undefined;
    async function endRecord(): Promise<void> {
      if (lines.length > 0) await writeAt(target, encodeRecord(lines), bytes);
      if (lines.length > 0) bytes += RECORD_HEAD_BYTES + lineBytes;
      [lines, lineBytes] = [[], 0];
    }
    try {
      await writeAt(target, encodeHeader(), 0);
      // Pieces last: damage that cuts this log short costs what relays can give back.
      for (const [key, entry] of [...live.entries].sort(
        ([, a], [, b]) => Number('at' in a) - Number('at' in b),
      )) {
        const line =
          'at' in entry
            ? await readPlace((source ??= await openFile(path)), entry)
            : encodeLine(key, entry.value);
        if (line !== undefined && lineBytes + line.length > RECORD_BYTES) await endRecord();
        if (line !== undefined) {
          if ('at' in entry) places.set(key, { ...entry, at: bytes + RECORD_HEAD_BYTES + lineBytes });
          lines.push(line);
          lineBytes += line.length;
        }
      }
      await endRecord();
      return { places, bytes };
    } finally {
      await source?.close();
    }
  }

  /** Replaces the log by a fresh one without garbage. */
  async function rewrite(): Promise<void> {
    let copy: Awaited<ReturnType<typeof copyLive>> | undefined;
    await rm(fresh, { force: true });
    await writeFlushed(fresh, async (target) => {
      copy = await copyLive(target);
    });
    let moved = (): void => undefined;
    moving = new Promise((resolve) => {
      moved = resolve;
    });
    try {
      // Windows replaces no file that is being read.
      await Promise.all(readers);
      await lock.verify();
      // From here until the folder is flushed, a restart may find either of the two logs.
      damaged = true;
      await rename(fresh, path);
      for (const [key, entry] of live.entries)
        if ('at' in entry) put(live, key, copy!.places.get(key) ?? null);
      size = copy!.bytes;
    } finally {
      moving = undefined;
      moved();
    }
    await flushFolder(folder);
    damaged = false;
    compactFrom = COMPACT_FROM_BYTES;
  }

  /** Values of the entries that `select` finds, all as they are at one time. */
  async function read(select: () => [string, Entry | undefined][]): Promise<Map<string, string>> {
    while (moving !== undefined) await moving;
    const reading = readNow(select());
    const settled: Promise<unknown> = reading.catch(() => undefined).then(() => readers.delete(settled));
    readers.add(settled);
    return reading;
  }

  async function readNow(selected: readonly [string, Entry | undefined][]): Promise<Map<string, string>> {
    const values = new Map<string, string>();
    let handle: FileHandle | undefined;
    try {
      for (const [key, entry] of selected) {
        if (entry === undefined) continue;
        const value = 'at' in entry ? await valueAt((handle ??= await openFile(path)), entry) : entry.value;
        if (value !== undefined) values.set(key, value);
      }
      return values;
    } finally {
      await handle?.close();
    }
  }

  async function valueAt(handle: FileHandle, place: Place): Promise<string | undefined> {
    const line = await readPlace(handle, place);
    return line && decodePiece(line, place);
  }

  /** Writes and flushes a record, or leaves the log without it. */
  async function write(handle: FileHandle, record: Buffer): Promise<void> {
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
    }
  }

  async function append(changes: Changes): Promise<void> {
    const lines = [...changes].map(([key, value]) => encodeLine(key, value));
    const record = encodeRecord(lines);
    if (damaged) await rewrite();
    const handle = await openFile(path, constants.O_RDWR);
    try {
      // After opening: a process that takes the lock from a stopped one goes on in another file.
      await lock.verify();
      await write(handle, record);
    } finally {
      // The flush has told everything; what closing says changes nothing.
      await handle.close().catch(() => undefined);
    }
    let at = size + RECORD_HEAD_BYTES;
    for (const [index, [key, value]] of [...changes].entries()) {
      const line = lines[index]!;
      put(live, key, value === null ? null : toEntry(key, value, line, at));
      at += line.length;
    }
    size = at;
  }

  if (damaged) await rewrite();
  if (found.recovery && onRecovered) {
    const { recovery } = found;
    // Apart from this call: what the callback throws is not the store's failure.
    queueMicrotask(() => onRecovered(recovery));
  }

  return {
    async get(key) {
      const entry = live.entries.get(key);
      if (entry === undefined || 'value' in entry) return entry?.value;
      return (await read(() => [[key, live.entries.get(key)]])).get(key);
    },
    list: (prefix) => read(() => [...live.entries].filter(([key]) => key.startsWith(prefix))),
    append,
    async compactIfDue() {
      if (size < Math.max(compactFrom, 2 * (HEADER_BYTES + live.bytes))) return;
      try {
        await rewrite();
      } catch {
        // Nothing is lost: the log at hand is complete. Not again before it has grown noticeably.
        compactFrom = size + COMPACT_FROM_BYTES;
      }
    },
    async close() {
      await Promise.all(readers);
      await lock.release();
    },
  };
}

interface LoadedLog {
  readonly live: Live;
  readonly goodBytes: number;
  /** Whether the file ends with the last good byte, and can be written on. */
  readonly isWhole: boolean;
  readonly recovery?: Recovery;
}

/** Reads the log in slices, sets a damaged end aside and cuts it off. */
async function loadLog(folder: string, path: string): Promise<LoadedLog> {
  const handle = await ifPresent(openFile(path, constants.O_RDWR));
  if (!handle) return { live: { entries: new Map(), bytes: 0 }, goodBytes: 0, isWhole: false };
  try {
    const { size } = await handle.stat();
    const { live, goodBytes } = await readLog(size, sliceReader(handle, size));
    if (goodBytes === size) return { live, goodBytes, isWhole: size > 0 };
    const savedTo = await setAside(folder, handle, goodBytes, size);
    const recovery = { keptBytes: goodBytes, lostBytes: size - goodBytes, savedTo };
    return { live, goodBytes, isWhole: goodBytes > 0 && (await cutBack(handle, goodBytes)), recovery };
  } finally {
    await handle.close();
  }
}

/** Reads that go forward in small steps cost few calls of the system, and never more memory than a slice. */
function sliceReader(handle: FileHandle, size: number): (at: number, length: number) => Promise<Buffer> {
  let start = 0;
  let slice: Buffer = Buffer.alloc(0);
  return async (at, length) => {
    if (at < start || at + length > start + slice.length) {
      slice = await readAt(handle, at, Math.min(size - at, Math.max(length, SLICE_BYTES)));
      start = at;
    }
    return slice.subarray(at - start, at - start + length);
  };
}

/** Saves the bytes that cannot be read, so that they can be examined, and returns their file. */
async function setAside(folder: string, log: FileHandle, from: number, to: number): Promise<string> {
  const prefix = `${LOG_NAME}.corrupt-`;
  const numbers = (await readdir(folder))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((number) => Number.isSafeInteger(number))
    .sort((a, b) => b - a);
  for (const number of numbers.slice(KEPT_CORRUPT_FILES - 1)) await rm(join(folder, `${prefix}${number}`));
  const file = join(folder, `${prefix}${(numbers[0] ?? 0) + 1}`);
  await writeFlushed(file, async (target) => {
    for (let at = from; at < to; at += SLICE_BYTES)
      await writeAt(target, await readAt(log, at, Math.min(SLICE_BYTES, to - at)), at - from);
  });
  return file;
}
