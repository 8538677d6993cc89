import { expect, test } from 'vitest';
import type { EventId } from '../../src/protocol/address.ts';
import { MAX_VOIDS } from '../../src/protocol/limits.ts';
import { isVoid, joinVoids, voidsAt } from '../../src/protocol/voids.ts';
import { anId } from '../names.ts';
import { written } from '../sync/devices.ts';

const id = (n: number): EventId => anId(n.toString(16).padStart(64, '0'));

test('an event names what is not below it', () => {
  const voids = new Map([
    [id(2), 200],
    [id(1), 300],
    [id(3), 99],
  ]);
  expect(voidsAt(voids, 100)).toEqual(
    new Map([
      [id(2), 200],
      [id(1), 300],
    ]),
  );
  expect(voidsAt(voids, 300)).toEqual(new Map([[id(1), 300]]));
  expect(voidsAt(voids, 301)).toEqual(new Map());
});

test('only the event with that stamp is void', () => {
  const event = written({ created_at: 300 });
  expect(isVoid(new Map([[event.id, 300]]), event)).toBe(true);
  expect(isVoid(new Map([[event.id, 299]]), event)).toBe(false);
});

test('joined, there is room for the longest to come, and what adds nothing changes nothing', () => {
  const all = new Map(Array.from({ length: MAX_VOIDS }, (_, i) => [id(i), 1_000 + i]));
  expect(joinVoids(all, new Map([[id(3), 1_003]]))).toBe(all);
  // Nor does what there is no room for: whoever joins until nothing changes comes to an end.
  expect(joinVoids(all, new Map([[id(98), 900]]))).toBe(all);
  const joined = joinVoids(all, new Map([[id(99), 5_000]]));
  expect(joined.size).toBe(MAX_VOIDS);
  expect([joined.has(id(99)), joined.has(id(0))]).toEqual([true, false]);
});

test('joined, of those with one stamp the lower ids stay, in whatever order they came', () => {
  const ids = Array.from({ length: MAX_VOIDS + 2 }, (_, i) => i);
  for (const order of [ids, ids.toReversed()]) {
    const joined = joinVoids(new Map(), new Map(order.map((n) => [id(n), 1_000])));
    expect([...joined.keys()]).toEqual(ids.slice(0, MAX_VOIDS).map(id));
  }
  // One that is known among those that are not.
  expect(joinVoids(new Map([[id(1), 9]]), new Map([1, 2].map((n) => [id(n), 9]))).size).toBe(2);
});
