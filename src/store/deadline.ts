/** A store that always answers: a call that the one behind it leaves waiting fails. */

import type { Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import { STORE_DEADLINE_MS } from '../protocol/limits.ts';
import type { Store } from './store.ts';

/**
 * A process that is suspended until just the end of one part waits for the others. Not many: browsers let timers wait that follow on each
 * other.
 */
const PARTS = 2;

/**
 * Every call is settled within `STORE_DEADLINE_MS`, `close` too. An update that has not decided by then never will. One that
 * has decided may still reach the medium; only reading again tells.
 */
export function withDeadline(store: Store, clock: Clock): Store {
  function inTime<T>(work: Promise<T>, isOver = (): void => undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      let left = PARTS;
      let cancel = wait();
      function wait(): () => void {
        const dueAt = clock.now() + STORE_DEADLINE_MS / PARTS;
        return clock.after(STORE_DEADLINE_MS / PARTS, () => {
          // A process that was suspended meanwhile has not waited: the answer may be as late as this.
          if (clock.now() <= dueAt + STORE_DEADLINE_MS / 10) left--;
          if (left === 0) fail();
          else cancel = wait();
        });
      }
      function fail(): void {
        isOver();
        store.drop?.();
        const message = `Cannot use the store: it has not answered for ${STORE_DEADLINE_MS / 1_000} s`;
        reject(new NostrSyncError('STORE_FAILED', message));
      }
      void work.then(resolve, reject).finally(() => cancel());
    });
  }

  return {
    ...(store.sharedName !== undefined && { sharedName: store.sharedName }),
    get: async (key) => inTime(store.get(key)),
    list: async (prefix) => inTime(store.list(prefix)),
    update: async (keys, decide) => {
      let isOver = false;
      const update = store.update(keys, (current) => {
        if (isOver) throw new Error('its caller was told that it failed');
        return decide(current);
      });
      return inTime(update, () => {
        isOver = true;
      });
    },
    ...(store.updateSync && { updateSync: store.updateSync }),
    close: async () => inTime(store.close()),
  };
}
