/** The ring of former values: what it keeps, and what goes first. */

import { describe, expect, test } from 'vitest';
import { deviceHash } from '../../src/protocol/causality.ts';
import { MAX_PAST, MAX_PAST_BYTES, PAST_UNTHINNED } from '../../src/protocol/limits.ts';
import { keptOf, type Kept } from '../../src/sync/heads/kept.ts';
import { remember, type Around } from '../../src/sync/heads/past.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { IN_PIECES, nameOf, OUR_HASH, told, type Told } from './records.ts';

const kept = (what: Told, more: Partial<Kept> = {}): Kept => ({
  ...keptOf(versionOf(told(what)), undefined, false),
  ...more,
});
const head = kept({ stamp: 1_000 });
const among = (device: string, current: readonly Kept[]): Around => ({
  device,
  newest: Math.max(...current.map(({ stamp }) => stamp)),
  current: () => current,
});
const AROUND = among(OUR_HASH, [head]);
const stamps = (past: readonly Kept[]): number[] => past.map(({ stamp }) => stamp);
const every = (step: number, n: number, more?: Partial<Told>): Kept[] =>
  Array.from({ length: n }, (_, i) => kept({ stamp: 1 + i * step, ...more }));

/** One after the other, as they come. */
const ring = (values: readonly Kept[], around = AROUND): readonly Kept[] =>
  values.reduce<readonly Kept[]>((past, one) => remember(past, [one], around), []);

describe('the ring', () => {
  test('is the newest first, with each value once', () => {
    const [a, b] = [kept({ stamp: 3 }), kept({ stamp: 7 })];
    const past = remember([], [a, b], AROUND);
    expect(past).toEqual([b, a]);
    expect(remember(past, [a], AROUND)).toBe(past);
    expect(remember(past, [], AROUND)).toBe(past);
  });

  test('has at most twenty, of which the newest are all kept and the older ones thinned with age', () => {
    const values = every(1, 300);
    const past = stamps(
      values.reduce<readonly Kept[]>((so, one) => remember(so, [one], among(OUR_HASH, [one])), []),
    );
    expect(past).toHaveLength(MAX_PAST);
    expect(past.slice(0, PAST_UNTHINNED)).toEqual(stamps(every(1, 300)).reverse().slice(0, PAST_UNTHINNED));
    const gaps = past.slice(1).map((stamp, i) => past[i]! - stamp);
    // Far back they are far apart.
    expect(Math.max(...gaps.slice(0, PAST_UNTHINNED - 1))).toBe(1);
    expect(gaps.at(-1)).toBeGreaterThan(10);
    expect(past.at(-1)).toBe(1);
  });

  test('keeps what another device has built on, however old', () => {
    const rival = kept({ stamp: 500, by: 'third', seen: { us: 2 } });
    const [first, base, ...many] = every(1, 200, { by: 'us' });
    const us = deviceHash('us');
    const past = ring([first!, base!, ...many], among(us, [head, rival]));
    expect(past).toContainEqual(base);
    expect(ring([first!, base!, ...many], among(us, [head]))).not.toContainEqual(base);
  });

  test('keeps the newest value of each other device', () => {
    const lone = kept({ stamp: 3, by: 'third' });
    expect(ring([lone, ...every(1, 200).map((one) => ({ ...one, stamp: one.stamp + 10 }))])).toContainEqual(
      lone,
    );
  });

  test('has room for so many bytes: the newest stays, however large', () => {
    const large = (stamp: number): Kept => kept({ stamp }, { bytes: MAX_PAST_BYTES / 2 });
    expect(stamps(ring([large(1), large(2)]))).toEqual([2, 1]);
    expect(stamps(ring([large(1), large(2), large(3)]))).toHaveLength(2);
    const huge = kept({ stamp: 9 }, { bytes: 2 * MAX_PAST_BYTES });
    expect(ring([large(1), large(2), huge])).toEqual([huge]);
  });

  test('counts a piece that several have in common once', () => {
    const names = Array.from({ length: 25 }, (_, n) => nameOf(n));
    const inPieces = (stamp: number, pieces: readonly string[]): Kept =>
      kept({ stamp, tags: IN_PIECES }, { pieces });
    expect(ring([inPieces(1, names), inPieces(2, names), inPieces(3, names)])).toHaveLength(3);
    const others = names.map((_, n) => nameOf(100 + n));
    expect(ring([inPieces(1, names), inPieces(2, others)])).toHaveLength(1);
  });

  test('has no value in pieces without these', () => {
    expect(remember([], [kept({ stamp: 1, tags: IN_PIECES })], AROUND)).toEqual([]);
    expect(remember([], [kept({ stamp: 1, tags: IN_PIECES }, { pieces: [nameOf(1)] })], AROUND)).toHaveLength(
      1,
    );
  });

  test('lets an anchor go only if nothing else is left', () => {
    const devices = Array.from({ length: MAX_PAST + 1 }, (_, i) => kept({ stamp: i + 1, by: `device ${i}` }));
    const past = ring(devices);
    expect(past).toHaveLength(MAX_PAST);
    expect(stamps(past)).not.toContain(1);
  });
});
