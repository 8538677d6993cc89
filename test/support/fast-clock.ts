/** The system's clock with shorter waits, for deadlines that only real sockets can meet. */

import { systemClock, type Clock } from '../../src/clock.ts';

/** Waits that are `factor` times as short. What `now()` says is the time, so that stamps are those of everybody else. */
export function fastClock(factor: number): Clock {
  const startedAt = systemClock.now();
  return {
    // Runs as fast as the waits do, or whatever compares the two would find a clock that was set.
    now: () => startedAt + (systemClock.now() - startedAt) * factor,
    after: (ms, callback) => systemClock.after(ms / factor, callback),
  };
}
