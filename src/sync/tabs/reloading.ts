/** Reads again from the store what other engines have saved, until the store gives it. */

import type { Clock } from '../../clock.ts';
import type { Address } from '../../protocol/address.ts';
import { STORE_RETRY_MS } from '../../protocol/limits.ts';

export interface Reloading {
  /** Of these categories, or of all. */
  reload(dTags?: readonly Address[]): Promise<void>;
  /** Something else failed by the store: `again` is called in a while. */
  tryAgain(): void;
  close(): void;
}

export function createReloading(ports: {
  readonly clock: Clock;
  readonly replica: { reload(dTags?: readonly Address[]): Promise<void> };
  readonly again: () => void;
}): Reloading {
  let isClosed = false;
  let cancelRetry = (): void => undefined;

  function tryAgain(): void {
    cancelRetry();
    if (!isClosed) cancelRetry = ports.clock.after(STORE_RETRY_MS, ports.again);
  }

  return {
    reload: async (dTags) => {
      try {
        await ports.replica.reload(dTags);
      } catch {
        // What another engine saved must not be missed because the store failed once.
        tryAgain();
      }
    },
    tryAgain,
    close: () => {
      isClosed = true;
      cancelRetry();
    },
  };
}
