/** What is to be done later, by key: one timer, whatever the number. */

import type { Clock } from '../../clock.ts';

export interface Agenda {
  /** In `delayMs` at the latest: what is due sooner stays so. */
  put(key: string, delayMs: number): void;
  remove(key: string): void;
  has(key: string): boolean;
  keys(): Iterable<string>;
  /** Nothing is told of before `start`, nor after `stop`, which forgets nothing. */
  start(): void;
  stop(): void;
}

/** `onDue` gets what is due, and what would be within `slackMs`. */
export function createAgenda(
  clock: Clock,
  slackMs: number,
  onDue: (keys: readonly string[]) => void,
): Agenda {
  /** By key, in ms. */
  const dues = new Map<string, number>();
  let isRunning = false;
  /** When the timer rings; `Infinity` if none is armed. */
  let timerAt = Infinity;
  let cancel = (): void => undefined;
  let lastNow = clock.now();

  /** A clock that was set back makes no wait longer. */
  function now(): number {
    const time = clock.now();
    const back = Math.max(0, lastNow - time);
    lastNow = time;
    if (back === 0) return time;
    timerAt -= back;
    for (const [key, due] of dues) dues.set(key, due - back);
    return time;
  }

  function arm(due: number): void {
    cancel();
    timerAt = Infinity;
    if (!isRunning || due === Infinity) return;
    timerAt = due;
    cancel = clock.after(Math.max(0, due - now()), ring);
  }

  function ring(): void {
    const until = Math.max(now(), timerAt) + slackMs;
    const keys: string[] = [];
    let next = Infinity;
    for (const [key, due] of dues) {
      if (due > until) next = Math.min(next, due);
      else if (dues.delete(key)) keys.push(key);
    }
    arm(next);
    if (keys.length > 0) onDue(keys);
  }

  return {
    put: (key, delayMs) => {
      const due = now() + delayMs;
      if ((dues.get(key) ?? Infinity) <= due) return;
      dues.set(key, due);
      // Also if it is not the first: after the clock was set forward the timer would come too late.
      arm(Math.min(due, timerAt));
    },
    remove: (key) => void dues.delete(key),
    has: (key) => dues.has(key),
    keys: () => dues.keys(),
    start: () => {
      isRunning = true;
      arm(0);
    },
    stop: () => {
      isRunning = false;
      arm(Infinity);
    },
  };
}
