/** A clock that stands still until a test moves it. */

import type { Clock } from '../clock.ts';

export interface TestClock extends Clock {
  /**
   * Lets `ms` pass: fires due timers in order, each at its own time, and lets everything that waits for promises
   * run in between. Real I/O is not waited for. Rejects with what a timer's callback throws.
   */
  advance(ms: number): Promise<void>;
  /** Sets what `now()` says, in either direction, as a user who changes the time: no timer moves. */
  set(ms: number): void;
  /** How many timers are armed. */
  readonly pending: number;
}

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** @param startMs What `now()` says at first; default 2026-01-01T00:00:00Z. */
export function createTestClock(startMs: number = Date.UTC(2026, 0, 1)): TestClock {
  // Timers live on a time that only moves forward; `now()` is that time plus an offset that `set` changes.
  let elapsed = 0;
  let offset = startMs;
  const timers = new Set<Timer>();

  function nextDue(until: number): Timer | undefined {
    let next: Timer | undefined;
    // A Set iterates in the order of insertion: among equals the one armed first fires first.
    for (const timer of timers) {
      if (timer.due <= until && (next === undefined || timer.due < next.due)) next = timer;
    }
    return next;
  }

  return {
    now: () => elapsed + offset,

    after(delayMs, callback) {
      const timer = { due: elapsed + Math.max(0, delayMs), callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },

    async advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`Cannot advance the clock: expected ms >= 0, got ${ms}`);
      const until = elapsed + ms;
      await settle();
      for (let timer = nextDue(until); timer !== undefined; timer = nextDue(until)) {
        timers.delete(timer);
        elapsed = Math.max(elapsed, timer.due);
        timer.callback();
        await settle();
      }
      elapsed = Math.max(elapsed, until);
    },

    set(ms) {
      offset = ms - elapsed;
    },

    get pending() {
      return timers.size;
    },
  };
}

/** Waits until no promise job is left. A turn of the event loop runs them all, however long their chains are. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      // An open port would keep a Node process alive.
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
