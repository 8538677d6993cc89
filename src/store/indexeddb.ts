/** Store for browsers and webviews: one IndexedDB database, safe to share between tabs. */

import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb';
import { isNostrSyncError, messageOf, NostrSyncError } from '../errors.ts';
import type { Store } from './store.ts';

interface Schema extends DBSchema {
  entries: { key: string; value: string };
}
type Connection = IDBPDatabase<Schema>;
type Transaction<M extends IDBTransactionMode> = IDBPTransaction<Schema, ['entries'], M>;

/** Version 1: one object store `entries`, out-of-line string keys, string values. */
const SCHEMA_VERSION = 1;

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
  let connection: Promise<Connection> | undefined;
  let closing: Promise<void> | undefined;
  const running = new Set<Promise<unknown>>();
  const begun = new Set<Pick<IDBTransaction, 'abort'>>();

  function connect(): Promise<Connection> {
    if (connection) return connection;
    const opened = open(name, () => forget(opened));
    opened.catch(() => forget(opened));
    connection = opened;
    return opened;
  }

  /** The next use opens another. What has begun on this one comes to its end. */
  function forget(lost: Promise<Connection> | undefined): void {
    if (connection === lost) connection = undefined;
    lost?.then((database) => database.close(), ignore);
  }

  async function begin<M extends IDBTransactionMode>(mode: M): Promise<Transaction<M>> {
    const opened = connect();
    const database = await opened;
    let transaction: Transaction<M>;
    try {
      transaction = database.transaction(['entries'], mode, { durability: 'strict' });
    } catch {
      // Another tab's upgrade or deletion closed it while this call waited for it, or it died unnoticed.
      forget(opened);
      transaction = (await connect()).transaction(['entries'], mode, { durability: 'strict' });
    }
    begun.add(transaction);
    const over = (): boolean => begun.delete(transaction);
    transaction.done.then(over, over);
    return transaction;
  }

  /** Lets `close` wait for `work`, and gives its errors their code. */
  function run<T>(work: () => Promise<T>): Promise<T> {
    if (closing)
      return Promise.reject(
        new NostrSyncError('CLOSED', `Cannot use the store ${quote(name)}: it is closed`),
      );
    const result = work().catch((error: unknown) => {
      if (error instanceof DecideError) throw error.cause;
      // A handle that has failed may fail for ever, whatever the browser says of it.
      forget(connection);
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
        const transaction = await begin('readonly');
        const [value] = await Promise.all([transaction.objectStore('entries').get(key), transaction.done]);
        return isText(value) ? value : undefined;
      }),

    list: (prefix) =>
      run(async () => {
        const transaction = await begin('readonly');
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
        const transaction = await begin('readwrite');
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
        } catch (error) {
          transaction.abort();
          await transaction.done.catch(ignore);
          throw new DecideError(undefined, { cause: error });
        }
        await transaction.done;
      }),

    drop: () => {
      forget(connection);
      for (const transaction of begun) {
        try {
          transaction.abort();
        } catch {
          // It is over already, or about to be.
        }
      }
    },

    close: () =>
      (closing ??= (async () => {
        await Promise.all(running);
        const opened = await connection?.catch(ignore);
        opened?.close();
      })()),
  };
}

/** Carries what `decide` threw past the error handling, to be rejected with as it is. */
class DecideError extends Error {}

/** `onLost` is called when the connection can no longer be used and the next use must open another. */
function open(name: string, onLost: () => void): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let abandoned = false;
    openDB<Schema>(name, SCHEMA_VERSION, {
      upgrade(database, oldVersion) {
        if (oldVersion < 1) database.createObjectStore('entries');
      },
      // Another tab keeps an older version open. It may never close it, so the next use tries again.
      blocked() {
        abandoned = true;
        reject(new Error('another tab has it open and blocks the upgrade'));
      },
      // Another tab wants to upgrade or delete the database. Started transactions still finish.
      blocking(_current, _blocked, event) {
        (event.target as IDBDatabase).close();
        onLost();
      },
      terminated: onLost,
    }).then((database) => {
      if (abandoned) database.close();
      else resolve(database);
    }, reject);
  });
}

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
