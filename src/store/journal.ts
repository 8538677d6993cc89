/** What pages wrote as they went, in `localStorage`: there a write is over when the call is. The next page moves it into the database. */

import type { Changes } from './store.ts';

/** What each page wrote, by its key of `localStorage`, as it is there. */
export type Written = ReadonlyMap<string, string>;

export interface Journal {
  /** `false`: there is no such place here, or no room. The last key is one that no other page writes. */
  write(changes: Changes): boolean;
  read(): Written;
  /** They are in the database; but for those written again since. */
  remove(written: Written): void;
}

export function createJournal(name: string): Journal {
  const prefix = `nostr-sync/${JSON.stringify(name)}/`;
  let own: string | undefined;
  /** What `own` holds. */
  const all = new Map<string, string | null>();

  return {
    write: (changes) => {
      for (const [key, value] of changes) all.set(key, value);
      own ??= prefix + [...changes.keys()].at(-1);
      try {
        localStorage.setItem(own, JSON.stringify([...all]));
        return true;
      } catch {
        for (const key of changes.keys()) all.delete(key);
        return false;
      }
    },
    read: () => {
      const written = new Map<string, string>();
      try {
        for (const key of Object.keys(localStorage))
          if (key.startsWith(prefix)) written.set(key, localStorage.getItem(key) ?? '');
      } catch {
        // Workers have none, and users can forbid it.
      }
      return written;
    },
    remove: (written) => {
      for (const [key, text] of written) {
        if (localStorage.getItem(key) !== text) continue;
        localStorage.removeItem(key);
        if (key === own) all.clear();
      }
    },
  };
}

/** All that was written, none of it if it is nothing that a page of ours writes: anything on the origin can write there. */
export function changesIn(text: string): Changes {
  try {
    const entries: unknown = JSON.parse(text);
    if (Array.isArray(entries) && entries.every(isChange)) return new Map(entries);
  } catch {
    // It is no JSON.
  }
  return new Map();
}

function isChange(entry: unknown): entry is [string, string | null] {
  if (!Array.isArray(entry) || entry.length !== 2) return false;
  const [key, value] = entry as readonly unknown[];
  return typeof key === 'string' && (value === null || typeof value === 'string');
}
