/** What is to be done later: one timer, whatever the number. */

import type { Clock } from '../../clock.ts';
import type { Ms } from '../../protocol/address.ts';

export interface Agenda<T = string> {
  /** In `delayMs` at the latest: what is due sooner stays so. */
  put(item: T, delayMs: Ms): void;
  remove(item: T): void;
  has(item: T): boolean;
  items(): readonly T[];
  /** Nothing is told of before `start`, nor after `stop`, which forgets nothing. */
  start(): void;
  stop(): void;
}

interface Due<T> {
  readonly item: T;
  /** In ms. */
  at: Ms;
}

/** `onDue` gets what is due, and what would be within `slackMs`. Items with the same key are one. */
export function createAgenda<T = string>(
  clock: Clock,
  slackMs: Ms,
  onDue: (items: readonly T[]) => void,
  keyOf: (item: T) => unknown = (item) => item,
): Agenda<T> {
  const dues = new Map<unknown, Due<T>>();
  let isRunning = false;
  /** When the timer rings; `Infinity` if none is armed. */
  let timerAt = Infinity;
  let cancel = (): void => undefined;
  let lastNow = clock.now();

  /** A clock that was set back makes no wait longer. */
  function now(): Ms {
    const time = clock.now();
    const back = Math.max(0, lastNow - time);
    lastNow = time;
    if (back === 0) return time;
    timerAt -= back;
    for (const due of dues.values()) due.at -= back;
    return time;
  }

  function arm(at: Ms): void {
    cancel();
    timerAt = Infinity;
    if (!isRunning || at === Infinity) return;
    timerAt = at;
    cancel = clock.after(Math.max(0, at - now()), ring);
  }

  function ring(): void {
    const until = Math.max(now(), timerAt) + slackMs;
    const items: T[] = [];
    let next = Infinity;
    for (const [key, { item, at }] of dues) {
      if (at > until) next = Math.min(next, at);
      else if (dues.delete(key)) items.push(item);
    }
    arm(next);
    if (items.length > 0) onDue(items);
  }

  return {
    put: (item, delayMs) => {
      const at = now() + delayMs;
      const key = keyOf(item);
      const due = dues.get(key);
      if (due === undefined) dues.set(key, { item, at });
      else if (due.at <= at) return;
      else due.at = at;
      // Also if it is not the first: after the clock was set forward the timer would come too late.
      arm(Math.min(at, timerAt));
    },
    remove: (item) => void dues.delete(keyOf(item)),
    has: (item) => dues.has(keyOf(item)),
    items: () => [...dues.values()].map(({ item }) => item),
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
