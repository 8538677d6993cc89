/** The entries of a file store: small values in memory, pieces of large ones in the log that keeps them all. */

import { constants, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { copyLive, type LogCopy } from './file-copy.ts';
import { acquireLock, type Lock } from './file-lock.ts';
import { encodeLine, encodeRecord, HEADER_BYTES, put, RECORD_HEAD_BYTES, toEntry } from './file-log.ts';
import { createReading } from './file-reading.ts';
import { loadLog, type Recovery } from './file-recovery.ts';
import { createFolder, cutBack, flushFolder, openFile, writeAt, writeFlushed } from './files.ts';
import type { Changes } from './store.ts';

const LOG_NAME = 'entries.log';
const LOCK_NAME = 'lock';
const COMPACT_FROM_BYTES = 1024 * 1024;

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
  const found = await loadLog(path);
  const { live } = found;
  let size = found.goodBytes;
  // Whether the file may be longer than `size`, or may not be the one that a restart finds. Also if the former holder of the
  // lock may still write: after a rewrite, what it writes goes to the old file.
  let damaged = !found.isWhole || lock.isFromLiving;
  /** Not before the log has this size. */
  let compactFrom = COMPACT_FROM_BYTES;
  const reading = createReading(path, lock);

  /** Replaces the log by a fresh one without garbage. */
  async function rewrite(): Promise<void> {
    let copy: LogCopy | undefined;
    await rm(fresh, { force: true });
    await writeFlushed(fresh, async (target) => {
      copy = await copyLive(target, live, path, lock);
    });
    // Windows replaces no file that is being read; and places in one log are wrong for the other.
    await reading.pause(async () => {
      await lock.verify();
      // From here until the folder is flushed, a restart may find either of the two logs.
      damaged = true;
      await rename(fresh, path);
      for (const [key, entry] of live.entries)
        if ('at' in entry) put(live, key, copy!.places.get(key) ?? null);
      size = copy!.bytes;
    });
    await flushFolder(folder);
    damaged = false;
    compactFrom = COMPACT_FROM_BYTES;
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
      return (await reading.read(() => [[key, live.entries.get(key)]])).get(key);
    },
    list: (prefix) => reading.read(() => [...live.entries].filter(([key]) => key.startsWith(prefix))),
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
      await reading.idle();
      await lock.release();
    },
  };
}
