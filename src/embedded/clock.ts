/** The Clock port on the program's timers. */

import type { Clock } from '../clock.ts';
import { native } from './native.ts';

export function createClock(): { readonly clock: Clock; readonly due: (id: number) => void } {
  const callbacks = new Map<number, () => void>();
  let last = 0;

  return {
    clock: {
      now: () => native.now(),
      after: (delayMs, callback) => {
        last += 1;
        const id = last;
        callbacks.set(id, callback);
        native.setTimer(id, delayMs);
        return () => {
          if (callbacks.delete(id)) native.clearTimer(id);
        };
      },
    },
    due: (id) => {
      const callback = callbacks.get(id);
      callbacks.delete(id);
      callback?.();
    },
  };
}
