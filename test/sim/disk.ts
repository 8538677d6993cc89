/**
 * A model of a device's store, apart from the engine's own: batches are decided in order, reach the medium later, and a
 * loss of power keeps, drops or tears what was not flushed by then.
 */

import { NostrSyncError } from '../../src/errors.ts';
import type { Changes, Store } from '../../src/store/store.ts';
import type { Chance } from './chance.ts';
import { never, type Process } from './machine.ts';

/** What a loss of power leaves of batches that were not flushed: all, none, or the first few. */
export type CrashMode = 'keep' | 'drop' | 'tear';

export interface Disk {
  /** The store as one process sees it. `isShared`: several tabs may have it open. */
  open(process: Process, isShared: boolean): Store;
  /** What is on the medium. */
  readonly durable: ReadonlyMap<string, string>;
  /** Whether an update is under way. */
  readonly isBusy: boolean;
  /** How likely an update, and a read, fails. */
  failing: { updates: number; reads: number };
  /** Returns how many batches were lost. */
  losePower(mode: CrashMode): number;
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

interface Batch {
  readonly changes: Changes;
  readonly settle: (error?: Error) => void;
}

function apply(entries: Map<string, string>, changes: Changes): void {
  for (const [key, value] of changes) {
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }
}

export function createDisk(ports: DiskPorts): Disk {
  const { chance } = ports;
  const durable = new Map<string, string>();
  let view = new Map<string, string>();
  let unflushed: Batch[] = [];
  let updates = 0;

  const failed = (what: string): NostrSyncError =>
    new NostrSyncError('STORE_FAILED', `Cannot ${what}: the disk fails`);

  function commit(batches: readonly Batch[]): void {
    for (const { changes } of batches) {
      apply(durable, changes);
      ports.onFlushed(changes);
    }
  }

  function flush(batch: Batch): void {
    const end = unflushed.indexOf(batch) + 1;
    if (end === 0) return;
    if (chance.bool(disk.failing.updates / 2)) {
      // Nobody can know what else is damaged: all that was under way fails, and is taken back.
      ports.count('fault: flush failed');
      const lost = unflushed;
      unflushed = [];
      view = new Map(durable);
      for (const { settle } of lost) settle(failed('flush'));
      return;
    }
    const done = unflushed.slice(0, end);
    unflushed = unflushed.slice(end);
    commit(done);
    for (const { settle } of done) settle();
  }

  function open(process: Process, isShared: boolean): Store {
    let isClosed = false;
    const latency = (maxMs: number): number => (chance.bool(0.5) ? 0 : chance.int(0, maxMs));
    const later = <T>(work: () => T): Promise<T> => {
      if (!process.isAlive) return never;
      if (isClosed)
        return Promise.reject(new NostrSyncError('CLOSED', 'Cannot use the store: it is closed'));
      return new Promise((resolve, reject) => {
        process.after(latency(3), () => {
          if (chance.bool(disk.failing.reads)) {
            ports.count('fault: read failed');
            return reject(failed('read'));
          }
          resolve(work());
        });
      });
    };
    return {
      ...(isShared && { sharedName: 'shared' }),
      get: (key) => later(() => view.get(key)),
      list: (prefix) => later(() => new Map([...view].filter(([key]) => key.startsWith(prefix)))),
      update: (keys, decide) => {
        ports.onPoint('update', process);
        if (!process.isAlive) return never;
        if (isClosed)
          return Promise.reject(new NostrSyncError('CLOSED', 'Cannot use the store: it is closed'));
        updates++;
        return new Promise<void>((resolve, reject) => {
          process.after(latency(3), () => {
            if (chance.bool(disk.failing.updates)) {
              ports.count('fault: update failed');
              return reject(failed('update'));
            }
            const current = new Map<string, string>();
            for (const key of keys) if (view.has(key)) current.set(key, view.get(key)!);
            let changes: Changes;
            try {
              if (chance.bool(0.05)) decide(new Map(current));
              changes = decide(current);
            } catch (error) {
              return reject(error as Error);
            }
            if (changes.size === 0) return resolve();
            apply(view, changes);
            const batch: Batch = {
              changes: new Map(changes),
              settle: process.guard((error?: Error) => {
                ports.onPoint('flushed', process);
                if (!process.isAlive) return;
                if (error === undefined) resolve();
                else reject(error);
              }),
            };
            unflushed.push(batch);
            ports.after(latency(ports.flushMs), () => flush(batch));
            ports.onPoint('decided', process);
          });
        }).finally(() => updates--);
      },
      close: async () => {
        isClosed = true;
      },
    };
  }

  const disk: Disk = {
    open,
    durable,
    get isBusy() {
      return updates > 0;
    },
    failing: { updates: 0, reads: 0 },
    losePower: (mode) => {
      const { length } = unflushed;
      const kept = mode === 'keep' ? length : mode === 'drop' ? 0 : chance.int(0, length);
      commit(unflushed.slice(0, kept));
      unflushed = [];
      updates = 0;
      view = new Map(durable);
      return length - kept;
    },
    copy: () => new Map(durable),
    restore: (entries) => {
      durable.clear();
      for (const [key, value] of entries) durable.set(key, value);
      unflushed = [];
      view = new Map(durable);
    },
  };
  return disk;
}
