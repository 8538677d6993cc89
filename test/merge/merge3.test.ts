/** What becomes of two documents that were changed apart: every branch, by example. */

import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../src/protocol/payload.ts';
import { merge3, type MergeInput } from '../../src/merge/merge3.ts';

type Document = JsonValue | undefined;
const merge = (
  base: Document,
  mine: Document,
  theirs: Document,
  more: Partial<MergeInput<JsonValue>> = {},
): ReturnType<typeof merge3<JsonValue>> => merge3({ base, mine, theirs, ...more });

const nested = (c: number, d: number): JsonValue => ({ a: { b: { c, d } } });

describe('an object is merged by its fields', () => {
  test.each<readonly [string, Document, Document, Document, Document]>([
    ['each side another field', { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 2 }, { a: 2, b: 2 }],
    ['nothing changed', { a: 1 }, { a: 1 }, { a: 1 }, { a: 1 }],
    ['the same change', { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }],
    ['both add', {}, { a: 1 }, { b: 2 }, { b: 2, a: 1 }],
    ['one removes, one leaves', { a: 1, b: 1 }, { b: 1 }, { a: 1, b: 2 }, { b: 2 }],
    ['both remove', { a: 1, b: 1 }, { b: 1 }, { b: 1 }, { b: 1 }],
    ['deep inside', nested(1, 1), nested(2, 1), nested(1, 2), nested(2, 2)],
    [
      'a number becomes an object on both sides',
      { a: 1 },
      { a: { x: 1 } },
      { a: { y: 1 } },
      { a: { y: 1, x: 1 } },
    ],
    ['an object is emptied, and grows', { a: { x: 1 } }, { a: {} }, { a: { x: 1, y: 1 } }, { a: { y: 1 } }],
    ['a list that one side changed', { a: [1] }, { a: [1, 2] }, { a: [1] }, { a: [1, 2] }],
    ['null is a value', { a: 1 }, { a: null }, { a: 1 }, { a: null }],
    ['two first values', undefined, { a: 1 }, { b: 1 }, { b: 1, a: 1 }],
    ['a removal of what nobody changed', { a: 1 }, undefined, { a: 1 }, undefined],
  ])('%s', (_, base, mine, theirs, value) => {
    expect(merge(base, mine, theirs)).toStrictEqual({ value, clashes: [] });
  });
});

describe('a clash is told', () => {
  test.each<readonly [string, Document, Document, Document, Document, readonly string[]]>([
    ['the head wins', { a: 1, b: 1 }, { a: 2, b: 2 }, { a: 3, b: 1 }, { a: 3, b: 2 }, ['a']],
    ['an edit wins over a removal', { a: 1 }, {}, { a: 2 }, { a: 2 }, ['a']],
    ['and so does mine', { a: 1 }, { a: 2 }, {}, { a: 2 }, ['a']],
    [
      'an edit inside what is removed',
      { a: { x: 1, y: 1 } },
      { a: { x: 2, y: 1 } },
      {},
      { a: { x: 2, y: 1 } },
      ['a'],
    ],
    ['lists are whole', { a: [1] }, { a: [1, 2] }, { a: [3] }, { a: [3] }, ['a']],
    ['a list and an object', { a: [1] }, { a: {} }, { a: [] }, { a: [] }, ['a']],
    ['the whole value', 1, 2, 3, 3, []],
  ])('%s', (_, base, mine, theirs, value, path) => {
    const merged = merge(base, mine, theirs);
    expect(merged.value).toStrictEqual(value);
    expect(merged.clashes).toMatchObject([{ path, reason: 'both-changed' }]);
  });
});
