/** Reads values from a log, all of one call as they are at one time, and never while another file becomes the log. */

import type { FileHandle } from 'node:fs/promises';
import type { Lock } from './file-lock.ts';
import { decodePiece, type Entry, type Place } from './file-log.ts';
import { openFile, readAt } from './files.ts';

export interface Reading {
  /** Values of the entries that `select` finds, all as they are at one time. */
  read(select: () => [string, Entry | undefined][]): Promise<Map<string, string>>;
  /** Runs `work` when no read is under way. Reads that are called meanwhile wait for its end. Never called concurrently. */
  pause(work: () => Promise<void>): Promise<void>;
  /** Resolves when no read is under way. */
  idle(): Promise<void>;
}

export function createReading(path: string, lock: Lock): Reading {
  /** Until `pause` is over. */
  let paused: Promise<void> | undefined;
  const readers = new Set<Promise<unknown>>();

  async function readNow(selected: readonly [string, Entry | undefined][]): Promise<Map<string, string>> {
    const values = new Map<string, string>();
    let handle: FileHandle | undefined;
    try {
      for (const [key, entry] of selected) {
        if (entry === undefined) continue;
        const value = 'at' in entry ? await valueAt((handle ??= await openFile(path)), entry) : entry.value;
        if (value !== undefined) values.set(key, value);
      }
      return values;
    } finally {
      await handle?.close();
    }
  }

  async function valueAt(handle: FileHandle, place: Place): Promise<string | undefined> {
    const line = await readPlace(handle, place, lock);
    return line && decodePiece(line, place);
  }

  const idle = async (): Promise<void> => void (await Promise.all(readers));

  return {
    read: async (select) => {
      while (paused !== undefined) await paused;
      const reading = readNow(select());
      const settled: Promise<unknown> = reading.catch(() => undefined).then(() => readers.delete(settled));
      readers.add(settled);
      return reading;
    },
    pause: async (work) => {
      let resume = (): void => undefined;
      paused = new Promise((resolve) => {
        resume = resolve;
      });
      try {
        await idle();
        await work();
      } finally {
        paused = undefined;
        resume();
      }
    },
    idle,
  };
}

/** The line of a piece as it was written; `undefined` if it is damaged. */
export async function readPlace(handle: FileHandle, place: Place, lock: Lock): Promise<Buffer | undefined> {
  const line = await readAt(handle, place.at, place.bytes);
  if (decodePiece(line, place) !== undefined) return line;
  // The damaged value is gone, and relays may have it; unless this is no longer our log.
  await lock.verify();
  return undefined;
}
