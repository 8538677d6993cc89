/** What runs on one device: processes whose callbacks come late while it sleeps, and never once they are dead. */

import type { Clock } from '../../src/clock.ts';
import type { Schedule } from './schedule.ts';

/** A device's clock and power: shared by all its processes. */
export interface Machine {
  readonly name: string;
  /** How far its clock is off, in ms. */
  skewMs: number;
  isAsleep(): boolean;
  /** How long it has slept of the time since then, in ms: no timer came in that. */
  sleptSince(at: number): number;
  /** Does it now; after waking where it sleeps, in the order of the calls. */
  run(task: () => void): void;
  sleep(): void;
  wakeUp(): void;
  /** What it was to do after waking is gone. */
  losePower(): void;
}

/** One run of an engine: a Node process, or a tab. */
export interface Process {
  readonly machine: Machine;
  readonly clock: Clock;
  isAlive(): boolean;
  /** Timers of the engine that are armed now: each by how long it was meant to wait, in ms. */
  timers(): readonly number[];
  /** `callback`, unless the process is dead by then; after waking where the machine sleeps. */
  guard<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void;
  /** Schedules something that the outside does to this process. */
  after(delayMs: number, callback: () => void): () => void;
  isSuspended(): boolean;
  /** Nothing of it runs, though the machine is awake: a page in the background. It keeps its locks. */
  suspend(): void;
  resume(): void;
  /** Does it now; after resuming where it is suspended, in the order of the calls. */
  run(task: () => void): void;
  /** Runs when the process dies, also by `end`. */
  onEnd(act: () => void): void;
  /** Ends it without a word. */
  kill(): void;
}

/** What a dead process awaits. Each its own: one for all would keep every history in memory that ever waited for it. */
export const never = (): Promise<never> => new Promise(() => undefined);

interface Rest {
  isAsleep(): boolean;
  /** How long it has slept of the time since then, in ms: no timer came in that. */
  sleptSince(at: number): number;
  run(task: () => void): void;
  sleep(): void;
  wakeUp(): void;
  losePower(): void;
}

function createRest(schedule: Schedule): Rest {
  let isAsleep = false;
  const backlog: (() => void)[] = [];
  const naps: { readonly from: number; to: number }[] = [];

  /** One after the other, as an event loop does: promises run in between. */
  function catchUp(): void {
    if (isAsleep) return;
    backlog.shift()?.();
    if (backlog.length > 0) schedule.after(0, catchUp);
  }

  function endNap(): void {
    const last = naps.at(-1);
    if (last?.to === Infinity) last.to = schedule.now();
  }

  return {
    isAsleep: () => isAsleep,
    sleptSince: (at) => naps.reduce((sum, { from, to }) => sum + Math.max(0, to - Math.max(from, at)), 0),
    run: (task) => {
      if (isAsleep || backlog.length > 0) backlog.push(task);
      else task();
    },
    sleep: () => {
      isAsleep = true;
      naps.push({ from: schedule.now(), to: Infinity });
    },
    wakeUp: () => {
      isAsleep = false;
      endNap();
      catchUp();
    },
    losePower: () => {
      isAsleep = false;
      endNap();
      backlog.length = 0;
    },
  };
}

export function createMachine(name: string, skewMs: number, schedule: Schedule): Machine {
  return { name, skewMs, ...createRest(schedule) };
}

export function startProcess(machine: Machine, schedule: Schedule): Process {
  let isAlive = true;
  const timers = new Set<{ readonly delayMs: number }>();
  const ends: (() => void)[] = [];
  const rest = createRest(schedule);

  const run = (callback: () => void): void => {
    if (isAlive) machine.run(() => rest.run(() => isAlive && callback()));
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
    isAlive: () => isAlive,
    timers: () => [...timers].map(({ delayMs }) => delayMs),
    guard:
      (callback) =>
      (...args) =>
        run(() => callback(...args)),
    after,
    isSuspended: rest.isAsleep,
    suspend: rest.sleep,
    resume: rest.wakeUp,
    run: rest.run,
    onEnd: (act) => void ends.push(act),
    kill: () => {
      if (!isAlive) return;
      isAlive = false;
      for (const end of ends) end();
    },
  };
}
