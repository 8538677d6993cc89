/** What browsers keep of a key: encrypted, in an IndexedDB database of its own, so that a store that is deleted leaves it. */

import { openDB, type IDBPDatabase } from 'idb';
import { messageOf, NostrSyncError } from '../errors.ts';

const BOXES = 'boxes';
const SCHEMA_VERSION = 1;

/** A key, encrypted. Anything on the origin may have written it. */
export interface Box {
  /** Random, another one for each box: it tells whether this is still the one that was read. */
  readonly mark: string;
  readonly [field: string]: unknown;
}

export interface KeyDatabase {
  /** `undefined` if there is none. */
  read(): Promise<Box | undefined>;
  /** Writes `next` if what is there is still what was `read`. `false`: another tab was faster. */
  replace(read: Box | undefined, next: Box): Promise<boolean>;
  clear(): Promise<void>;
}

/** `kind`: one for each adapter. All calls reject with `KEY_STORE_FAILED`. */
export function createKeyDatabase(namespace: string, kind: 'browser' | 'passkey'): KeyDatabase {
  const name = `nostr-sync-key/${namespace}`;

  async function run<T>(work: (database: IDBPDatabase) => Promise<T>): Promise<T> {
    let database: IDBPDatabase | undefined;
    try {
      if (!globalThis.indexedDB) throw new Error('this runtime has no IndexedDB');
      // Opened for each call: a key is read once a start, and a connection that stays may be lost.
      database = await openDB(name, SCHEMA_VERSION, {
        upgrade: (made) => void made.createObjectStore(BOXES),
      });
      return await work(database);
    } catch (cause) {
      throw keyStoreFailed(`use the database ${JSON.stringify(name)}`, cause);
    } finally {
      database?.close();
    }
  }

  return {
    read: () => run(async (database) => (await database.get(BOXES, kind)) as Box | undefined),
    replace: (read, next) =>
      run(async (database) => {
        const transaction = database.transaction(BOXES, 'readwrite', { durability: 'strict' });
        const current = (await transaction.store.get(kind)) as Box | undefined;
        const isStill = current?.mark === read?.mark;
        if (isStill) await transaction.store.put(next, kind);
        await transaction.done;
        return isStill;
      }),
    clear: () => run((database) => database.delete(BOXES, kind)),
  };
}

export function keyStoreFailed(what: string, cause: unknown): NostrSyncError<'KEY_STORE_FAILED'> {
  return new NostrSyncError('KEY_STORE_FAILED', `Cannot ${what}: ${messageOf(cause)}`, { cause });
}
