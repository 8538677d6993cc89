/** The place of a call that has something to wait for before it can be written: later calls of its category do not overtake it. */

import type { Clock } from '../clock.ts';
import type { Address } from '../protocol/address.ts';
import { SIGNER_TURN_MS } from '../protocol/limits.ts';
import { heard } from './heard.ts';

export interface Places {
  /**
   * Calls `enter` once `ready` has resolved and each earlier call of the category has entered, failed, or kept this one waiting for as
   * long as a signer may. Rejects as `ready` does, and at once if the signal aborts.
   */
  take<Said, Result>(
    dTag: Address,
    call: { readonly signal: AbortSignal | undefined; readonly ready: Promise<Said> | undefined },
    enter: (said: Said | undefined) => Promise<Result>,
  ): Promise<Result>;
}

export function createPlaces(clock: Clock): Places {
  /** By category: once all calls there have entered. */
  const entered = new Map<Address, Promise<unknown>>();

  return {
    take: async (dTag, { signal, ready }, enter) => {
      const before = entered.get(dTag);
      if (ready === undefined && before === undefined) return enter(undefined);
      let leave = (): void => undefined;
      const mine = new Promise<void>((resolve) => {
        const cancel = clock.after(SIGNER_TURN_MS, resolve);
        leave = () => {
          cancel();
          resolve();
        };
      });
      const all = Promise.all([before, mine]);
      entered.set(dTag, all);
      void all.then(() => entered.get(dTag) === all && entered.delete(dTag));
      try {
        const [said] = await heard(signal, Promise.all([ready, before]));
        const result = enter(said);
        leave();
        return await result;
      } finally {
        leave();
      }
    },
  };
}
