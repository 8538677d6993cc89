/** Store for Node: an append-only log in a folder, flushed before an update resolves, one process at a time. */

import { open, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { describe, NostrSyncError } from '../errors.ts';
import { acquireLock, type Lock } from './file-lock.ts';
import { applyChanges, decodeLog, encodeHeader, encodeRecord, HEADER_BYTES, isChange } from './file-log.ts';
import {
  createFolder,
  cutBack,
  flushFolder,
  quote,
  readIfPresent,
  storeFailed,
  writeAt,
  writeFlushed,
} from './files.ts';
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
