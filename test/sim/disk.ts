/**
 * A model of a device's store, apart from the engine's own: one transaction at a time, which reaches the medium later. A loss
 * of power keeps, drops or tears the one that was not flushed by then; a torn one fails its checksum and is dropped.
 */

import { NostrSyncError } from '../../src/errors.ts';
import type { Changes, Store } from '../../src/store/store.ts';
import type { Chance } from './chance.ts';
import { never, type Process } from './machine.ts';

/** What a loss of power leaves of the batch that was not flushed. */
export type CrashMode = 'keep' | 'drop' | 'tear';

export interface Disk {
  /** The store as one process sees it. `isShared`: several tabs may have it open. */
  open(process: Process, isShared: boolean): Store;
  /** What is on the medium. */
  readonly durable: ReadonlyMap<string, string>;
  /** Whether an update is under way. */
  isBusy(): boolean;
  /** How likely an update, and a read, fails. */
  failing: { updates: number; reads: number };
  /** How likely a transaction is never heard of again, or far too late, with or without effect. */
  hanging: number;
  /** Returns whether a batch was lost. */
  losePower(mode: CrashMode): boolean;
  copy(): Map<string, string>;
  restore(entries: ReadonlyMap<string, string>): void;
}

export interface DiskPorts {
  readonly chance: Chance;
  /** How long a flush takes at most, in ms. */
  readonly flushMs: number;
  /** Schedules what the machine itself does: a flush comes to its end after the process was killed. */
  readonly after: (delayMs: number, task: () => void) => void;
  /** A batch has reached the medium. */
  readonly onFlushed: (changes: Changes) => void;
  /** A process calls `update`, at these points of it. May kill the process. */
  readonly onPoint: (point: 'update' | 'decided' | 'flushed', process: Process) => void;
  readonly count: (what: string) => void;
}

/** A transaction. */
interface Job {
  readonly process: Process;
  /** Does it, and calls `next` when it is over. */
  readonly begin: () => void;
}

interface Update {
  readonly process: Process;
  /** Nobody will be told how it ends. */
  readonly isLost?: boolean;
  readonly keys: readonly string[];
  readonly decide: (current: ReadonlyMap<string, string>) => Changes;
  readonly settle: (error?: Error) => void;
}

function apply(entries: Map<string, string>, changes: Changes): void {
  for (const [key, value] of changes) {
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }
}

/** After every deadline. */
const LATE_MS = 60_000;

export function createDisk(ports: DiskPorts): Disk {
  const { chance } = ports;
  const durable = new Map<string, string>();
  /** One transaction at a time, reading or writing: none sees what another has not flushed. */
  let queue: Job[] = [];
  let isRunning = false;
  let unflushed: Changes | undefined;
  /** Grows with each loss of power: what began before comes to no end. */
  let generation = 0;

  const failed = (what: string): NostrSyncError =>
    new NostrSyncError('STORE_FAILED', `Cannot ${what}: the disk fails`);
  const latency = (maxMs: number): number => (chance.bool(0.5) ? 0 : chance.int(0, maxMs));

  function later(delayMs: number, task: () => void): void {
    const mine = generation;
    ports.after(delayMs, () => {
      if (mine === generation) task();
    });
  }

  function next(): void {
    const job = queue.shift();
    isRunning = job !== undefined;
    if (job === undefined) return;
    later(latency(3), () => {
      if (!job.process.isAlive()) next();
      else if (job.process.isSuspended()) {
        // A page that sleeps begins nothing, and holds up nobody.
        job.process.run(() => enqueue(job));
        next();
      } else job.begin();
    });
  }

  function enqueue(job: Job): void {
    queue.push(job);
    if (!isRunning) next();
  }

  /** A transaction as it goes, unless the store hangs. `unheard`: all of it but the answer. */
  function orHang(process: Process, begin: () => void, unheard: () => void): () => void {
    return () => {
      if (disk.hanging === 0 || !chance.bool(disk.hanging)) return begin();
      const how = chance.pick(['lost', 'late', 'unanswered']);
      ports.count(`fault: transaction ${how}`);
      if (how === 'unanswered') return unheard();
      if (how === 'late') later(LATE_MS, () => enqueue({ process, begin }));
      next();
    };
  }

  function finish({ process, settle }: Update, error?: Error): void {
    ports.onPoint('flushed', process);
    process.run(() => process.isAlive() && settle(error));
    next();
  }

  function update(job: Update): void {
    if (chance.bool(disk.failing.updates)) {
      ports.count('fault: update failed');
      return finish(job, failed('update'));
    }
    const current = new Map<string, string>();
    for (const key of job.keys) if (durable.has(key)) current.set(key, durable.get(key)!);
    let changes: Changes;
    try {
      if (chance.bool(0.05)) job.decide(new Map(current));
      changes = new Map(job.decide(current));
    } catch (error) {
      return finish(job, error as Error);
    }
    if (changes.size === 0) return finish(job);
    unflushed = changes;
    later(latency(ports.flushMs), () => {
      unflushed = undefined;
      if (chance.bool(disk.failing.updates / 2)) {
        ports.count('fault: flush failed');
        return finish(job, failed('flush'));
      }
      commit(changes);
      finish(job);
    });
    ports.onPoint('decided', job.process);
  }

  function commit(changes: Changes): void {
    apply(durable, changes);
    ports.onFlushed(changes);
  }

  function open(process: Process, isShared: boolean): Store {
    let isClosed = false;
    /** Reads and updates that have not come to their end. */
    const underWay = new Set<Promise<unknown>>();
    const started = <T>(work: Promise<T>): Promise<T> => {
      const end: Promise<unknown> = work.then(
        () => underWay.delete(end),
        () => underWay.delete(end),
      );
      underWay.add(end);
      return work;
    };
    const closed = (): Promise<never> =>
      Promise.reject(new NostrSyncError('CLOSED', 'Cannot use the store: it is closed'));
    const read = <T>(work: () => T): Promise<T> => {
      if (!process.isAlive()) return never();
      if (isClosed) return closed();
      return started(
        new Promise((resolve, reject) => {
          const begin = (): void => {
            if (chance.bool(disk.failing.reads)) {
              ports.count('fault: read failed');
              process.run(() => reject(failed('read')));
            } else {
              const value = work();
              process.run(() => resolve(value));
            }
            next();
          };
          enqueue({ process, begin: orHang(process, begin, next) });
        }),
      );
    };
    return {
      ...(isShared && { sharedName: 'shared' }),
      get: (key) => read(() => durable.get(key)),
      list: (prefix) => read(() => new Map([...durable].filter(([key]) => key.startsWith(prefix)))),
      update: (keys, decide) => {
        ports.onPoint('update', process);
        if (!process.isAlive()) return never();
        if (isClosed) return closed();
        return started(
          new Promise((resolve, reject) => {
            const settle = (error?: Error): void => {
              if (error === undefined) resolve();
              else reject(error);
            };
            const job = { process, keys, decide, settle };
            const begin = orHang(
              process,
              () => update(job),
              () => update({ ...job, isLost: true }),
            );
            enqueue({ process, begin });
          }),
        );
      },
      close: async () => {
        isClosed = true;
        await Promise.all(underWay);
      },
    };
  }

  const disk: Disk = {
    open,
    durable,
    isBusy: () => isRunning,
    failing: { updates: 0, reads: 0 },
    hanging: 0,
    losePower: (mode) => {
      generation++;
      queue = [];
      isRunning = false;
      const pending = unflushed;
      unflushed = undefined;
      if (pending === undefined) return false;
      if (mode === 'keep') commit(pending);
      return mode !== 'keep';
    },
    copy: () => new Map(durable),
    restore: (entries) => {
      durable.clear();
      for (const [key, value] of entries) durable.set(key, value);
    },
  };
  return disk;
}
