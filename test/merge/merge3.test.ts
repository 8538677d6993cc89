/** What becomes of two documents that were changed apart: every branch, by example. */

import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../src/protocol/payload.ts';
import { set } from '../../src/merge/lists.ts';
import { merge3, type Merged, type MergeInput } from '../../src/merge/merge3.ts';

type Document = JsonValue | undefined;
const merge = (
  base: Document,
  mine: Document,
  theirs: Document,
  more: Partial<MergeInput<unknown>> = {},
): Merged<unknown> => merge3<unknown>({ base, mine, theirs, ...more });

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

describe('a base that is not all that both have in common', () => {
  test('is used, and every difference is listed', () => {
    const merged = merge(
      { a: 1, b: 1, c: 1 },
      { a: 2, b: 2, c: 1 },
      { a: 1, b: 3, c: 1 },
      { isExact: false },
    );
    expect(merged).toStrictEqual({
      value: { a: 2, b: 3, c: 1 },
      clashes: [
        { path: ['a'], reason: 'uncertain', base: 1, mine: 2, theirs: 1 },
        { path: ['b'], reason: 'both-changed', base: 1, mine: 2, theirs: 3 },
      ],
    });
  });

  test('may be unknown: the head wins, and a field that one side lacks comes back', () => {
    const merged = merge(undefined, { a: 1, b: 1 }, { a: 2, c: 1 }, { isExact: false });
    expect(merged).toStrictEqual({
      value: { a: 2, c: 1, b: 1 },
      clashes: [
        { path: ['a'], reason: 'both-changed', mine: 1, theirs: 2 },
        { path: ['c'], reason: 'uncertain', theirs: 1 },
        { path: ['b'], reason: 'uncertain', mine: 1 },
      ],
    });
  });
});

describe('of several newest common values', () => {
  const bases = [{ a: 1 }, { a: 2 }];
  test.each<readonly [string, Document, Document, Document]>([
    ['a side that shows the joint one has not changed it', { a: 3 }, { a: 2 }, { a: 3 }],
    ['if both show one, theirs the joint one, mine is an edit', { a: 1 }, { a: 2 }, { a: 1 }],
    ['if mine is the joint one, theirs is an edit', { a: 2 }, { a: 1 }, { a: 1 }],
  ])('%s', (_, mine, theirs, value) => {
    expect(merge({ a: 2 }, mine, theirs, { bases })).toStrictEqual({ value, clashes: [] });
  });

  test.each<readonly [string, Document, Document]>([
    ['one that shows another', { a: 3 }, { a: 1 }],
    ['whichever side it is', { a: 1 }, { a: 3 }],
    ['with nothing there', { a: 3 }, {}],
  ])('a side is given up in doubt: %s', (_, mine, theirs) => {
    expect(merge({ a: 2 }, mine, theirs, { bases: [...bases, {}] })).toMatchObject({
      value: { a: 3 },
      clashes: [{ path: ['a'], reason: 'uncertain', base: 2 }],
    });
  });

  test('if both show one and neither is the joint one, the head wins and a clash is told', () => {
    expect(merge({ a: 9 }, { a: 1 }, { a: 2 }, { bases })).toMatchObject({
      value: { a: 2 },
      clashes: [{ path: ['a'], base: 9 }],
    });
  });
});

describe('what is given', () => {
  const nest = (levels: number, inside: Document): unknown =>
    levels === 0 ? inside : { a: nest(levels - 1, inside) };

  test('may nest 64 levels deep', () => {
    expect(merge3<unknown>({ base: nest(64, 1), mine: nest(64, 2), theirs: nest(64, 1) })).toEqual({
      value: nest(64, 2),
      clashes: [],
    });
  });

  const cycle: Record<string, unknown> = {};
  cycle['a'] = cycle;
  test.each<readonly [string, Partial<MergeInput<unknown>>, string]>([
    ['too deep', { base: nest(65, 1) }, 'more than 64 levels of nesting at base'],
    ['a cycle', { mine: cycle }, 'a cycle at mine'],
    ['a function', { theirs: { a: () => 1 } }, 'a function at theirs'],
    ['no number', { bases: [1, NaN] }, 'NaN at bases[1]'],
  ])('%s is refused', (_, odd, what) => {
    const merging = (): unknown => merge3<unknown>({ mine: 1, theirs: 2, ...odd });
    expect(merging).toThrow(expect.objectContaining({ code: 'INVALID_PAYLOAD' }));
    expect(merging).toThrow(`Invalid payload: expected a JSON value, got ${what}`);
  });

  test('may hold what JSON text can and UTF-8 cannot: others may have written it', () => {
    const odd = { a: '\ud800', '\ud800': 1 };
    expect(merge(odd, { ...odd, b: 1 }, odd).value).toEqual({ ...odd, b: 1 });
  });

  test('a field of `undefined` is none', () => {
    expect(merge({ a: 1 }, { a: undefined, b: 1 }, { a: 1 })).toStrictEqual({ value: { b: 1 }, clashes: [] });
  });
});

test('a large list has no trouble', () => {
  const list = Array.from({ length: 200_000 }, (_, i) => i);
  expect(merge3<unknown>({ base: [], mine: list, theirs: [-1], rules: set }).value).toHaveLength(200_001);
});
