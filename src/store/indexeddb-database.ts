/** The connection to an IndexedDB database, which may be lost at any moment and is then opened again. */

import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction } from 'idb';
import { changesIn, createJournal } from './journal.ts';
import type { Changes } from './store.ts';

interface Schema extends DBSchema {
  entries: { key: string; value: string };
}
type Connection = IDBPDatabase<Schema>;
type Transaction<M extends IDBTransactionMode> = IDBPTransaction<Schema, ['entries'], M>;

/** Version 1: one object store `entries`, out-of-line string keys, string values. */
const SCHEMA_VERSION = 1;

const LEAVING = ['pagehide', 'pageshow'];

export interface Database {
  /** Opens the database at the first use, and after it was lost. */
  begin<M extends IDBTransactionMode>(mode: M): Promise<Transaction<M>>;
  /** The next use opens another connection. What has begun on this one comes to its end. */
  forget(): void;
  /** The same, and aborts what has begun. */
  drop(): void;
  /** Whether the page is going away. It may come back. */
  isLeft(): boolean;
  /** What whatever begins next, in any page, finds done. `false`: the page is not going, or nothing is kept here beside databases. */
  note(changes: Changes): boolean;
  /** What begins next finds what other pages have noted by now. */
  readNotes(): void;
  close(): Promise<void>;
}

export function createDatabase(name: string): Database {
  let connection: Promise<Connection> | undefined;
  const begun = new Set<Pick<IDBTransaction, 'abort'>>();
  const journal = createJournal(name);
  /** It may hold what the database has not got. */
  let isNoted = true;

  let isLeft = false;
  const onLeft = ({ type }: Event): void => {
    isLeft = type === 'pagehide';
  };
  // Absent outside of pages. Captured: before those who save something because of it.
  for (const type of LEAVING) globalThis.addEventListener?.(type, onLeft, true);

  function connect(): Promise<Connection> {
    if (connection) return connection;
    const opened = open(name, () => forget(opened));
    opened.catch(() => forget(opened));
    connection = opened;
    isNoted = true;
    return opened;
  }

  function forget(lost: Promise<Connection> | undefined): void {
    if (connection === lost) connection = undefined;
    lost?.then((database) => database.close(), ignore);
  }

  async function begin<M extends IDBTransactionMode>(mode: M): Promise<Transaction<M>> {
    const opened = connect();
    const database = await opened;
    try {
      return beginOn(database, mode);
    } catch {
      // Another tab's upgrade or deletion closed it while this call waited for it, or it died unnoticed.
      forget(opened);
      return beginOn(await connect(), mode);
    }
  }

  function beginOn<M extends IDBTransactionMode>(database: Connection, mode: M): Transaction<M> {
    // What is begun first is done first.
    if (isNoted) carryOut(database);
    const transaction: Transaction<M> = database.transaction(['entries'], mode, { durability: 'strict' });
    begun.add(transaction);
    const over = (): boolean => begun.delete(transaction);
    transaction.done.then(over, over);
    return transaction;
  }

  function carryOut(database: Connection): void {
    isNoted = false;
    const written = journal.read();
    if (written.size === 0) return;
    const { store, done } = database.transaction('entries', 'readwrite', { durability: 'strict' });
    for (const text of written.values())
      for (const [key, value] of changesIn(text)) {
        if (value === null) store.delete(key).catch(ignore);
        // What is empty was used up after this was noted.
        else
          store
            .get(key)
            .then((here) => (here === '' ? undefined : store.put(value, key)))
            .catch(ignore);
      }
    done.then(
      () => journal.remove(written),
      () => {
        isNoted = true;
      },
    );
  }

  return {
    begin,
    forget: () => forget(connection),
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
    isLeft: () => isLeft,
    readNotes: () => {
      isNoted = true;
    },
    note: (changes) => {
      const isKept = isLeft && journal.write(changes);
      isNoted ||= isKept;
      return isKept;
    },
    close: async () => {
      for (const type of LEAVING) globalThis.removeEventListener?.(type, onLeft, true);
      const opened = await connection?.catch(ignore);
      opened?.close();
    },
  };
}

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

function ignore(): void {}
