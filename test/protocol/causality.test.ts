/** Version vectors tell a write that had seen another from one that had not. */

import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import {
  covers,
  unseenBy,
  deviceHash,
  joinVectors,
  newestOf,
  seenBy,
  vectorAt,
  type VersionVector,
} from '../../src/protocol/causality.ts';
import type { NostrEvent } from '../../src/protocol/event.ts';
import { entriesOf, vectorOf } from '../../src/protocol/header.ts';
import { MAX_DEVICE_HASHES } from '../../src/protocol/limits.ts';
import { anId } from '../names.ts';

function eventWith(tags: readonly (readonly string[])[], created_at = 1_000): NostrEvent {
  return {
    id: anId('0'.repeat(64)),
    pubkey: 'f'.repeat(64),
    kind: 30078,
    created_at,
    tags,
    content: '',
    sig: '',
  };
}
const vectorTag = (...args: Parameters<typeof vectorAt>): string[] => ['vv', ...entriesOf(vectorAt(...args))];
const device = (n: number): string => n.toString(16).padStart(8, '0');

vi.mock(import('@noble/hashes/sha2.js'), { spy: true });

test('a device is the first 8 hex digits of SHA-256 of its id', () => {
  // More than are kept in memory, and twice: what is kept is not another's.
  for (const id of Array.from({ length: 600 }, (_, i) => `läptop ${i % 300}`))
    expect(deviceHash(id)).toBe(createHash('sha256').update(id).digest('hex').slice(0, 8));
});

test('each is hashed once, and anew only after as many others as are kept', () => {
  const hashed = (id: string): number => {
    vi.mocked(sha256).mockClear();
    deviceHash(id);
    return vi.mocked(sha256).mock.calls.length;
  };
  const ids = Array.from({ length: MAX_DEVICE_HASHES }, (_, i) => `device ${i}`);
  expect(ids.map(hashed)).toEqual(ids.map(() => 1));
  expect(ids.map(hashed)).toEqual(ids.map(() => 0));
  expect(['one more', ids.at(-1)!, ids[0]!].map(hashed)).toEqual([1, 0, 1]);
});

test('of a writer that keeps no vector its last write alone was seen', () => {
  expect(seenBy(eventWith([['device_id', 'phone']], 77))).toEqual(new Map([[deviceHash('phone'), 77]]));
  expect(seenBy(eventWith([], 77))).toEqual(new Map([[deviceHash('f'.repeat(64)), 77]]));
  expect(seenBy(undefined)).toEqual(new Map());
});

describe('the vv tag', () => {
  const stamps = fc.integer({ min: 0, max: 1_000 });
  // All sizes alike: a full one is what drops entries.
  const vector = fc
    .integer({ min: 0, max: 16 })
    .chain((size) =>
      fc.uniqueArray(fc.tuple(fc.nat(40), stamps), {
        minLength: size,
        maxLength: size,
        selector: ([d]) => d,
      }),
    )
    .map((entries): VersionVector => new Map(entries.map(([d, s]) => [device(d), s])));

  test('holds its writer, newest first, at most 16, and is read back', () => {
    fc.assert(
      fc.property(vector, fc.nat(40), (seen, me) => {
        const stamp = 1 + Math.max(0, ...seen.values());
        const tag = vectorTag(seen, device(me), stamp);
        expect(tag[1]).toBe(`${device(me)}:${stamp}`);
        expect(tag.length).toBeLessThanOrEqual(17);
        const read = vectorOf(eventWith([tag], stamp))!;
        const order = [...read.values()];
        expect(order).toEqual(order.toSorted((a, b) => b - a));
        for (const [d, s] of read) expect(d === device(me) ? stamp : seen.get(d)).toBe(s);
      }),
    );
  });

  test('never drops its writer, whatever it was based on', () => {
    const ahead = new Map(Array.from({ length: 16 }, (_, i) => [device(i), 900_000 + i]));
    const tag = vectorTag(ahead, device(99), 1_000);
    expect(tag).toContain(`${device(99)}:1000`);
    expect(vectorOf(eventWith([tag]))).toBeDefined();
    // Nor for as many of the same stamp, all before it in the order of the tag.
    const tied = new Map(Array.from({ length: 16 }, (_, i) => [device(i), 1_000]));
    expect(vectorAt(tied, device(99), 1_000).get(device(99))).toBe(1_000);
  });

  test('covers everything it was based on, however many devices there are', () => {
    fc.assert(
      fc.property(vector, fc.nat(40), (seen, me) => {
        const stamp = 1 + Math.max(0, ...seen.values());
        const written = vectorOf(eventWith([vectorTag(seen, device(me), stamp)], stamp))!;
        expect(covers(written, device(me), stamp)).toBe(true);
        // One that was dropped with the same stamp as the last that was kept cannot be told.
        const last = Math.min(...written.values());
        for (const [d, s] of seen)
          if (d !== device(me) && s !== last) expect(covers(written, d, s)).toBe(true);
      }),
    );
  });

  test('does not cover what it was not based on', () => {
    const written = vectorOf(eventWith([vectorTag(new Map([[device(1), 5]]), device(2), 9)]))!;
    expect(covers(written, device(1), 5)).toBe(true);
    expect(covers(written, device(1), 6)).toBe(false);
    expect(covers(written, device(3), 1)).toBe(false);
    const entries = [
      [device(1), 5],
      [device(1), 6],
      [device(3), 1],
    ] as const;
    expect(unseenBy(written, entries)).toEqual(entries.slice(1));
  });

  test('drops the oldest of 17, and gives it the benefit of the doubt', () => {
    const seen = new Map(Array.from({ length: 16 }, (_, i) => [device(i), 100 + i]));
    const written = vectorOf(eventWith([vectorTag(seen, device(99), 500)]))!;
    expect(written.size).toBe(16);
    expect(written.has(device(0))).toBe(false);
    expect(covers(written, device(0), 100)).toBe(true);
    expect(covers(written, device(0), 102)).toBe(false);
  });
});

describe('at the borders', () => {
  const full = new Map(Array.from({ length: 16 }, (_, i) => [device(i), 10 + i] as const));

  test('of two entries with one stamp the lower device comes first', () => {
    const one = [device(1), 5] as const;
    const other = [device(2), 5] as const;
    expect([...newestOf(new Map([one, other])).keys()]).toEqual([device(1), device(2)]);
    expect([...newestOf(new Map([other, one])).keys()]).toEqual([device(1), device(2)]);
    expect([...newestOf(new Map([other, one]), 1).keys()]).toEqual([device(1)]);
  });

  test('an entry with the stamp of the write is kept, one above it is not', () => {
    const seen = new Map([
      [device(1), 100],
      [device(2), 101],
    ]);
    expect(vectorTag(seen, device(0), 100)).toEqual(['vv', `${device(0)}:100`, `${device(1)}:100`]);
  });

  test('a full vector may have dropped what is below all its entries, and nothing else', () => {
    expect(covers(full, device(99), 9)).toBe(true);
    expect(covers(full, device(99), 10)).toBe(false);
    expect(covers(new Map([...full].slice(1)), device(99), 9)).toBe(false);
  });
});

describe('two vectors as one', () => {
  test('have of each device the newer entry', () => {
    const a = new Map([
      ['x', 5],
      ['y', 2],
    ]);
    const b = new Map([
      ['x', 3],
      ['y', 4],
      ['z', 0],
    ]);
    const both = [
      ['x', 5],
      ['y', 4],
      ['z', 0],
    ];
    expect([...joinVectors(a, b)]).toEqual(both);
    expect([...joinVectors(b, a)]).toEqual(both);
  });

  test('are the one if there is nothing in the other', () => {
    const a = new Map([['x', 5]]);
    expect(joinVectors(a, new Map())).toBe(a);
    expect(joinVectors(new Map(), a)).toEqual(a);
  });
});
