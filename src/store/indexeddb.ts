/** Store for browsers and webviews: one IndexedDB database, safe to share between tabs. */

import { isNostrSyncError, messageOf, NostrSyncError } from '../errors.ts';
import { createDatabase } from './indexeddb-database.ts';
import type { Store } from './store.ts';

/**
 * A store in the IndexedDB database `name` of this origin, opened at first use. Every update is one `readwrite`
 * transaction with `durability: 'strict'`; several tabs may have the same store open.
 * Throws `STORE_FAILED` if the runtime has no IndexedDB.
 */
export function indexedDbStore(name: string): Store {
  if (!globalThis.indexedDB) {
    throw new NostrSyncError(
      'STORE_FAILED',
      'Cannot keep state: this runtime has no IndexedDB. Pass `store: memoryStore()`, or a store of your own',
    );
  }
  const database = createDatabase(name);
  let closing: Promise<void> | undefined;
  const running = new Set<Promise<unknown>>();

  /** Lets `close` wait for `work`, and gives its errors their code. */
  function run<T>(work: () => Promise<T>): Promise<T> {
    if (closing)
      return Promise.reject(
        new NostrSyncError('CLOSED', `Cannot use the store ${quote(name)}: it is closed`),
      );
    const result = work().catch((error: unknown) => {
      if (error instanceof DecideError) throw error.cause;
      // A handle that has failed may fail for ever, whatever the browser says of it.
      database.forget();
      throw storeFailed(name, error);
    });
    const settled: Promise<unknown> = result.then(ignore, ignore).then(() => running.delete(settled));
    running.add(settled);
    return result;
  }

  return {
    sharedName: name,
    get: (key) =>
      run(async () => {
        const transaction = await database.begin('readonly');
        const [value] = await Promise.all([transaction.objectStore('entries').get(key), transaction.done]);
        return isText(value) ? value : undefined;
      }),

    list: (prefix) =>
      run(async () => {
        database.readNotes();
        const transaction = await database.begin('readonly');
        const entries = transaction.objectStore('entries');
        const range = prefixRange(prefix);
        const [keys, values] = await Promise.all([
          entries.getAllKeys(range),
          entries.getAll(range),
          transaction.done,
        ]);
        const found = new Map<string, string>();
        for (const [index, key] of keys.entries()) {
          const value = values[index];
          if (isText(key) && isText(value)) found.set(key, value);
        }
        return found;
      }),

    update: (keys, decide) =>
      run(async () => {
        const transaction = await database.begin('readwrite');
        const entries = transaction.objectStore('entries');
        // Its failure is awaited below; until then it must not count as unhandled.
        transaction.done.catch(ignore);

        const current = new Map<string, string>();
        const values = await Promise.all(keys.map((key) => entries.get(key)));
        for (const [index, key] of keys.entries()) {
          const value = values[index];
          if (isText(value)) current.set(key, value);
        }
        try {
          for (const [key, value] of decide(current)) {
            // A failed request aborts the transaction, and `done` then tells why (quota, disk).
            (value === null ? entries.delete(key) : entries.put(value, key)).catch(ignore);
          }
          // It would commit by itself, but not if the page goes before that. What is committed cannot be aborted any more.
          if (database.isLeft()) transaction.commit();
        } catch (error) {
          transaction.abort();
          await transaction.done.catch(ignore);
          throw new DecideError(undefined, { cause: error });
        }
        await transaction.done;
      }),

    updateSync: (changes) => closing === undefined && database.note(changes),

    drop: database.drop,

    close: () =>
      (closing ??= (async () => {
        await Promise.all(running);
        await database.close();
      })()),
  };
}

/** Carries what `decide` threw past the error handling, to be rejected with as it is. */
class DecideError extends Error {}

/** All keys that start with `prefix`: up to, not including, the first string after all of them in code unit order. */
function prefixRange(prefix: string): IDBKeyRange | null {
  // U+FFFF has no successor: the one before it decides.
  const head = prefix.replace(/\uffff+$/, '');
  if (head === '') return prefix === '' ? null : IDBKeyRange.lowerBound(prefix);
  const next = head.slice(0, -1) + String.fromCharCode(head.charCodeAt(head.length - 1) + 1);
  return IDBKeyRange.bound(prefix, next, false, true);
}

/** Anything on the origin can write to the database, so what it holds is checked. */
function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function storeFailed(name: string, cause: unknown): NostrSyncError {
  if (isNostrSyncError(cause)) return cause;
  const { name: kind } = Object(cause) as { readonly name?: unknown };
  const reason = messageOf(cause, 'the transaction was aborted');
  const message = `Cannot use the store ${quote(name)}: ${typeof kind === 'string' ? `${kind}: ` : ''}${reason}`;
  return new NostrSyncError('STORE_FAILED', message, { cause });
}

function quote(name: string): string {
  return JSON.stringify(name);
}

function ignore(): void {}
