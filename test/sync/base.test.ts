/** What two values have in common. */

import { expect, test } from 'vitest';
import { deviceHash, seenBy, type VersionVector } from '../../src/protocol/causality.ts';
import { baseOf } from '../../src/sync/merging/base.ts';
import { keptOf, type Kept } from '../../src/sync/heads/kept.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { told, type Told } from './records.ts';

const kept = (what: Told): Kept => keptOf(versionOf(told(what)), undefined, false);
const seen = (of: Readonly<Record<string, number>>): VersionVector =>
  new Map(Object.entries(of).map(([device, stamp]) => [deviceHash(device), stamp]));

const first = kept({ stamp: 1, by: 'a' });
const second = kept({ stamp: 2, by: 'b', seen: { a: 1 } });
const beside = kept({ stamp: 3, by: 'c', seen: { a: 1 } });

test('is the newest value that both had seen', () => {
  const base = baseOf([second, first], seen({ a: 5, b: 2 }), seen({ b: 7, a: 1 }));
  expect(base).toEqual({ newest: [second], isExact: true });
});

test('is no value that only one of them had seen', () => {
  const base = baseOf([second, first], seen({ a: 5, b: 2 }), seen({ c: 7, a: 1 }));
  expect(base).toEqual({ newest: [first], isExact: true });
});

test('is the newer of a value and of the same that was said again one second later', () => {
  const again: Kept = { ...second, id: kept({ stamp: 3, by: 'b' }).id, stamp: 3 };
  const base = baseOf([again, second, first], seen({ a: 5, b: 2 }), seen({ b: 7, a: 1 }));
  expect(base).toEqual({ newest: [again], isExact: true });
});

test('is several values that have not seen each other, if these are the newest', () => {
  const both = seen({ a: 1, b: 2, c: 3 });
  expect(baseOf([beside, second, first], both, both)).toEqual({ newest: [beside, second], isExact: true });
});

test('is not exact if both had seen what is not kept any more, and is unknown if nothing of it is', () => {
  const both = seen({ a: 9, b: 2 });
  expect(baseOf([second, first], both, both)).toEqual({ newest: [second], isExact: false });
  expect(baseOf([], both, both)).toEqual({ newest: [], isExact: false });
});

test('is nothing, for certain, if nothing was before both; unless a full vector may have dropped it', () => {
  expect(baseOf([first], seen({ b: 4 }), seen({ c: 4 }))).toEqual({ newest: [], isExact: true });
  const full = seen(Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`device ${i}`, 50 + i])));
  expect(baseOf([first], full, seen({ c: 4 })).isExact).toBe(false);
});

test('of an event is told by what its writer had seen', () => {
  const event = told({ stamp: 8, by: 'b', seen: { a: 1 } });
  expect(baseOf([first], seenBy(event), seen({ c: 9, a: 1 })).newest).toEqual([first]);
});
