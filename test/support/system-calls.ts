/** System calls of a device that fail, by strace: what the tests of a device on Node and of one in Rust have in common. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';

/** What a call on the store's folder can fail with. */
export const ERRORS = ['EIO', 'ENOSPC'] as const;

/** What a device publishes. The third makes a log that is just short of its rewriting longer than it may be. */
export const STEPS = [
  { value: 11, waitFor: 'saved', filler: 0 },
  { value: 12, waitFor: 'replicated', filler: 0 },
  { value: 13, waitFor: 'saved', filler: 60_000 },
  { value: 14, waitFor: 'saved', filler: 0 },
] as const;

/** Runs end after as many points as there are: far fewer than these. */
const MOST_POINTS = 100;

/** One fault, as strace names it: `write`, `error=EIO`, and the call (`3`) or the calls (`3+`) that meet it. */
export interface Fault {
  readonly call: string;
  readonly fault: string;
  readonly when: string;
}

export const nameOf = ({ call, fault, when }: Fault): string => `${call} ${fault} ${when}`;

/** The words of strace that inject `faults` into what a device does with the files of its store, and with nothing else. */
export function injecting(folder: string, output: string, faults: readonly Fault[]): string[] {
  const paths = ['', 'entries.log', 'entries.log.new', 'process.lock'].map((name) => join(folder, name));
  return [
    ...['strace', '-f', '-qq', '-s', '0', '-o', output],
    ...paths.flatMap((path) => ['-P', path]),
    ...['-e', `trace=${faults.map(({ call }) => call).join(',')}`],
    ...faults.flatMap(({ call, fault, when }) => ['-e', `inject=${call}:${fault}:when=${when}`]),
  ];
}

/** Whether strace has let a call fail. */
export async function hasFailedCalls(output: string): Promise<boolean> {
  return (await readFile(output, 'utf8')).includes('(INJECTED)');
}

/** What a device has told of the values that it was to publish. */
export interface Told {
  readonly saved: readonly number[];
  readonly refused: readonly number[];
}

/** What a device may show that starts again: the newest value that was told to be saved, or the one after it; never one that was refused. */
export function expectToShow(value: number, { saved, refused }: Told, why: string): void {
  expect(value, why).toBeGreaterThanOrEqual(Math.max(...saved, 1));
  expect(refused, why).not.toContain(value);
}

/**
 * Runs with a fault at the first point, at the second and so on, until one comes to its end untouched. Says how many were met. Of runs that
 * wait more than they work, some can go on at once.
 */
export async function atEveryPoint(isMet: (point: number) => Promise<boolean>, atOnce = 1): Promise<number> {
  for (let first = 1; first < MOST_POINTS; first += atOnce) {
    const points = Array.from({ length: atOnce }, (_, index) => first + index);
    const met = await Promise.all(points.map(isMet));
    const untouched = met.indexOf(false);
    if (untouched >= 0) return first + untouched - 1;
  }
  throw new Error(`None of ${MOST_POINTS} runs was untouched`);
}
