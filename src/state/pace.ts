/** When edits are saved that come in a burst: once they pause, or have waited for long enough. */

import type { Clock } from '../clock.ts';

export interface Pace {
  /** There is one more edit. */
  edited(): void;
  /** What has waited is being saved, or is not there any more. */
  stop(): void;
}

export function createPace(ports: {
  readonly clock: Clock;
  /** Between the last edit and the save. */
  readonly debounceMs: number;
  /** Between the first edit and the save, however many follow. */
  readonly maxWaitMs: number;
  readonly save: () => void;
}): Pace {
  const { clock } = ports;
  let cancel: (() => void) | undefined;
  let sinceMs: number | undefined;

  function stop(): void {
    cancel?.();
    cancel = undefined;
    sinceMs = undefined;
  }

  return {
    edited: () => {
      const nowMs = clock.now();
      // A clock that was set back must not make the wait longer.
      sinceMs = Math.min(sinceMs ?? nowMs, nowMs);
      cancel?.();
      const leftMs = sinceMs + ports.maxWaitMs - nowMs;
      cancel = clock.after(Math.max(0, Math.min(ports.debounceMs, leftMs)), () => {
        stop();
        ports.save();
      });
    },
    stop,
  };
}
