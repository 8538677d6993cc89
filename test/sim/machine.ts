/** What runs on one device: processes whose callbacks come late while it sleeps, and never once they are dead. */

import type { Clock } from '../../src/clock.ts';
import type { Schedule } from './schedule.ts';

/** A device's clock and power: shared by all its processes. */
export interface Machine {
  readonly name: string;
  /** How far its clock is off, in ms. */
  skewMs: number;
  isAsleep: boolean;
  /** What became due while it slept, in order. */
  readonly backlog: (() => void)[];
}

/** One run of an engine: a Node process, or a tab. */
export interface Process {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly isAlive: boolean;
  /** Timers of the engine that are armed now: each by how long it was meant to wait, in ms. */
  readonly timers: readonly number[];
  /** `callback`, unless the process is dead by then; after waking where the machine sleeps. */
  guard<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void;
  /** Schedules something that the outside does to this process. */
  after(delayMs: number, callback: () => void): () => void;
  /** Runs when the process dies, also by `end`. */
  onEnd(act: () => void): void;
  /** Ends it without a word. */
  kill(): void;
}

/** What a dead process awaits. Each its own: one for all would keep every history in memory that ever waited for it. */
export const never = (): Promise<never> => new Promise(() => undefined);

export function wakeUp(machine: Machine): void {
  machine.isAsleep = false;
  for (const task of machine.backlog.splice(0)) task();
}

export function startProcess(machine: Machine, schedule: Schedule): Process {
  let isAlive = true;
  const timers = new Set<{ readonly delayMs: number }>();
  const ends: (() => void)[] = [];

  const run = (callback: () => void): void => {
    if (!isAlive) return;
    if (machine.isAsleep) machine.backlog.push(() => isAlive && callback());
    else callback();
  };
  const after = (delayMs: number, callback: () => void): (() => void) =>
    schedule.after(delayMs, () => run(callback));

  return {
    machine,
    clock: {
      now: () => schedule.now() + machine.skewMs,
      after: (delayMs, callback) => {
        const timer = { delayMs };
        timers.add(timer);
        // Node's timers wait for one millisecond at least.
        const cancel = after(Math.max(1, delayMs), () => {
          if (timers.delete(timer)) callback();
        });
        return () => {
          timers.delete(timer);
          cancel();
        };
      },
    },
    get isAlive() {
      return isAlive;
    },
    get timers() {
      return [...timers].map(({ delayMs }) => delayMs);
    },
    guard:
      (callback) =>
      (...args) =>
        run(() => callback(...args)),
    after,
    onEnd: (act) => void ends.push(act),
    kill: () => {
      if (!isAlive) return;
      isAlive = false;
      for (const end of ends) end();
    },
  };
}
