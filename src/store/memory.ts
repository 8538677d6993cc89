/** Store in memory: for tests, and for apps that may start empty every time. */

import { NostrSyncError } from '../errors.ts';
import type { Store } from './store.ts';

/**
 * A store that lives as long as the process. With it, "across restarts" falls away from what `publish` promises:
 * a write that no relay has accepted yet is gone when the process ends.
 */
export function memoryStore(): Store {
  const entries = new Map<string, string>();
  let closed = false;

  function assertOpen(): void {
    if (closed) throw new NostrSyncError('CLOSED', 'Cannot use the store: it is closed');
  }

  return {
    async get(key) {
      assertOpen();
      return entries.get(key);
    },
    async list(prefix) {
      assertOpen();
      return new Map([...entries].filter(([key]) => key.startsWith(prefix)));
    },
    // Isolated and atomic because nothing is awaited between reading and writing.
    async update(keys, decide) {
      assertOpen();
      const current = new Map<string, string>();
      for (const key of keys) {
        const value = entries.get(key);
        if (value !== undefined) current.set(key, value);
      }
      for (const [key, value] of decide(current)) {
        if (value === null) entries.delete(key);
        else entries.set(key, value);
      }
    },
    async close() {
      closed = true;
    },
  };
}
