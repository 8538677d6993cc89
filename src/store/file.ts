/** Store for Node: an append-only log in a folder, flushed before an update resolves, one process at a time. */

import { resolve as resolvePath } from 'node:path';
import { describe, NostrSyncError } from '../errors.ts';
import { openLog, type Log } from './file-entries.ts';
import { isChange } from './file-log.ts';
import type { Recovery } from './file-recovery.ts';
import { quote, storeFailed } from './files.ts';
import type { Changes, Store } from './store.ts';

export type { Recovery } from './file-recovery.ts';

/** What `fileStore` takes beside its folder. */
export interface FileStoreOptions {
  /**
   * Called when opening had to set a damaged end of the log aside, before the call that opened the store resolves.
   * A crash in mid-write tears only what was not acknowledged; anything more means a failing medium.
   */
  readonly onRecovered?: (recovery: Recovery) => void;
}

/** In UTF-16 code units. Bounds the record that updates share when many are waiting. */
const GROUP_LIMIT = 4 * 1024 * 1024;

interface PendingUpdate {
  readonly keys: readonly string[];
  readonly decide: (current: ReadonlyMap<string, string>) => Changes;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A store in `folder`, which is created (0700) when missing, must belong to this user alone, and be on a local disk with
 * hard links. It may grow larger than memory: values of `piece/…` stay on the disk.
 * Nothing is touched before the first use, so problems with the folder reject that call, and the next one tries again.
 * A second store on the same folder, in this process or another, rejects with `STORE_FAILED`; after a crash of its
 * holder the folder is free again: at once, or after 10 s if the holder ran in another container.
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

  async function reading<T>(read: (log: Log) => Promise<T>): Promise<T> {
    const log = await opened();
    return read(log).catch((error: unknown) => {
      throw storeFailed('read', path, error);
    });
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
      return reading((log) => log.get(key));
    },
    async list(prefix) {
      assertOpen();
      return reading((log) => log.list(prefix));
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
 * one record. If the write fails, all fail: even an update whose `decide` threw may have seen what the failed write takes back.
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
    try {
      for (const key of keys) {
        const value = changes.has(key) ? changes.get(key) : await log.get(key);
        if (value != null) current.set(key, value);
      }
    } catch (error) {
      reject(storeFailed('read', path, error));
      continue;
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
