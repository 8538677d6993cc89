/**
 * Notes of the writes of windows. A window may die at any moment. Rust then repeats the calls that it had not answered to the
 * next host, with the same ids. A repeated write could do harm, since its value may have been replaced meanwhile. So a note is
 * saved together with each write, and removed with the write if that is withdrawn. A host that finds the note answers the
 * call and writes nothing: a repeated call never overwrites a newer value.
 */

import type { AdapterPublishOptions } from '../options.ts';
import type { NOTE } from '../sync/write.ts';
import type { Store } from '../store/store.ts';
import type { Receipt } from '../sync/events.ts';

const PREFIX = 'tauri/request/';

export interface WriteNotes {
  /** The answer to the call `id`, if a host before this one has saved its write. */
  receiptOf(id: string): Receipt | undefined;
  /** What is saved together with the write of the call `id`. */
  noteOf(id: string): (saved: Receipt) => ReturnType<AdapterPublishOptions[typeof NOTE]>;
  /** The answer to the call was taken, so the call will not be repeated. */
  forget(id: string): Promise<void>;
}

export async function listNotes(store: Store): Promise<Map<string, string>> {
  return store.list(PREFIX);
}

/** `found` is what `listNotes` gave; those of calls whose ids do not begin with `run` are removed. */
export function createWriteNotes(store: Store, found: Map<string, string>, run: string): WriteNotes {
  const remove = (keys: readonly string[]): Promise<void> =>
    store.update([], () => new Map(keys.map((key) => [key, null]))).catch(() => undefined);

  // A call of an earlier run of the app will not be repeated.
  void remove([...found.keys()].filter((key) => !key.startsWith(PREFIX + run)));

  return {
    receiptOf: (id) => {
      const note = found.get(PREFIX + id);
      return note === undefined ? undefined : (JSON.parse(note) as Receipt);
    },
    noteOf: (id) => (saved) => [[PREFIX + id, JSON.stringify(saved)]],
    forget: (id) => {
      found.delete(PREFIX + id);
      return remove([PREFIX + id]);
    },
  };
}
