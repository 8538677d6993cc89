/** The Clock port: the only way the engine learns the time or waits. */

export interface Clock {
  /** Unix time in ms. May jump in either direction; the engine never assumes otherwise. */
  now(): number;
  /** Calls `callback` once after `delayMs`. Returns a function that cancels it; cancelling twice is fine. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The clock of the platform. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    // A longer delay would overflow to "at once" in every JavaScript runtime.
    const timer = setTimeout(callback, Math.min(delayMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

/** The clock of Node, with timers for whose sake alone a process does not stay alive. */
export const idleClock: Clock = {
  now: systemClock.now,
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(delayMs, 2 ** 31 - 1)).unref();
    return () => clearTimeout(timer);
  },
};

/** Unix time in s, as events are stamped. */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

/** ISO 8601 of a Unix time in ms. */
export function toIso(ms: number): string {
  return new Date(ms).toISOString();
}
