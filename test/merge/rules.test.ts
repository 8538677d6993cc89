/** Each rule, by example; and what is believed of an app's own function. */

import { describe, expect, test, vi } from 'vitest';
import { fields } from '../../src/merge/fields.ts';
import { equalJson } from '../../src/merge/json.ts';
import { items, set } from '../../src/merge/lists.ts';
import { merge3, type MergeInput } from '../../src/merge/merge3.ts';
import { joinOrders } from '../../src/merge/order.ts';
import { counters, max, min } from '../../src/merge/registers.ts';
import { checkRules, RULE, type AnyRules, type Clash, type MergeFunction } from '../../src/merge/rule.ts';
import { sideBehind, whole } from '../../src/merge/whole.ts';

interface Outcome {
  readonly value: unknown;
  readonly clashes: readonly Clash[];
}
const merge = (
  rules: AnyRules | undefined,
  base: unknown,
  mine: unknown,
  theirs: unknown,
  more: Partial<MergeInput<unknown>> = {},
): Outcome => merge3<unknown>({ base, mine, theirs, rules, ...more });

const settled = (value: unknown): Outcome => ({ value, clashes: [] });
const told = ({ clashes }: Outcome): string[] =>
  clashes.map(({ path, reason }) => `${reason} ${path.join('/')}`);

test('of two that both look like a base, and neither like the newest, none is behind', () => {
  const behind = (...bases: string[]): unknown => sideBehind({ bases, mine: 'a', theirs: 'b' });
  expect([behind('c', 'a', 'b'), behind('a', 'b'), behind('b', 'a'), behind('c', 'a'), behind('c')]).toEqual([
    ...[undefined, 'mine', 'theirs', 'mine'],
    undefined,
  ]);
});

test('whole: nothing is taken apart', () => {
  const [base, mine, theirs] = [
    { a: 1, b: 1 },
    { a: 2, b: 1 },
    { a: 1, b: 2 },
  ];
  expect(merge(whole, base, mine, theirs)).toEqual({
    value: theirs,
    clashes: [{ path: [], reason: 'both-changed', base, mine, theirs }],
  });
  expect(merge({ a: whole }, { a: base }, { a: mine }, { a: base })).toEqual(settled({ a: mine }));
});

test('fields: by field, as without a rule', () => {
  expect(merge(fields, { a: 1 }, { a: 2 }, { a: 1, b: 1 })).toEqual(settled({ a: 2, b: 1 }));
});

describe('max and min', () => {
  test.each<readonly [AnyRules, unknown, unknown, unknown, unknown]>([
    [max, 1, 2, 3, 3],
    [max, 1, 3, 2, 3],
    [max, 5, 5, 2, 5],
    [max, undefined, 2, 2, 2],
    [min, 5, 2, 3, 2],
    [min, 5, 3, 2, 2],
    [min, 1, 1, 1, 1],
    [max, '', '2026-01-02', '2026-01-10', '2026-01-10'],
    [min, '', 'b', 'a', 'a'],
  ])('%# need no base, and never clash', (rule, base, mine, theirs, value) => {
    for (const isExact of [true, false])
      expect(merge(rule, base, mine, theirs, { isExact })).toEqual(settled(value));
  });

  test('what cannot be compared is merged as a whole', () => {
    expect(merge(max, 1, 2, '3')).toMatchObject({ value: '3', clashes: [{ reason: 'both-changed' }] });
    expect(merge(max, 1, null, null)).toEqual(settled(null));
    expect(merge(max, 1, null, 1)).toEqual(settled(null));
    expect(merge(max, true, false, true)).toEqual(settled(false));
    expect(merge({ a: max }, { a: 1 }, { a: 1 }, {})).toEqual(settled({}));
  });
});

test('counters: by device the greater, and the same sum on both sides adds nothing', () => {
  expect(merge(counters, { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 2, c: 1 })).toEqual(
    settled({ a: 2, b: 2, c: 1 }),
  );
  expect(merge(counters, { a: 1 }, { a: 3 }, { a: 2 })).toEqual(settled({ a: 3 }));
  expect(merge(counters, 1, 2, 1)).toEqual(settled(2));
});

describe('set', () => {
  test.each<readonly [string, unknown, unknown, unknown, unknown]>([
    ['both add', ['a'], ['a', 'b'], ['a', 'c'], ['a', 'c', 'b']],
    ['both add at the front', ['a'], ['b', 'a'], ['c', 'a'], ['c', 'b', 'a']],
    ['one adds in the middle', ['a', 'b'], ['a', 'x', 'b'], ['a', 'b', 'c'], ['a', 'x', 'b', 'c']],
    ['one removes, one adds', ['a', 'b'], ['b'], ['a', 'b', 'c'], ['b', 'c']],
    ['and the other way', ['a', 'b'], ['a', 'b', 'c'], ['b'], ['b', 'c']],
    ['both remove', ['a', 'b', 'c'], ['b', 'c'], ['a', 'b'], ['b']],
    [
      'the order of mine, which alone has moved something',
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
    ],
    ['the order of theirs, which alone has', ['a', 'b'], ['a', 'b', 'c'], ['b', 'a'], ['b', 'c', 'a']],
    ['the order of theirs, if both have', ['a', 'b', 'c'], ['b', 'a', 'c'], ['a', 'c', 'b'], ['a', 'c', 'b']],
    ['each element once', [], ['a', 'a'], ['b', 'b'], ['b', 'a']],
    ['1 is not "1", and null is an element', [], [1, null], ['1'], ['1', 1, null]],
    [
      'objects are equal whatever the order of their fields',
      [],
      [{ x: 1, y: [2] }],
      [{ y: [2], x: 1 }],
      [{ x: 1, y: [2] }],
    ],
    ['objects that differ', [], [{ x: 1 }], [{ x: [1] }], [{ x: [1] }, { x: 1 }]],
    [
      'and so are lists of these',
      [],
      [[{ x: 1, y: 2 }]],
      [[{ y: 2, x: 1 }], [1], [2]],
      [[{ y: 2, x: 1 }], [1], [2]],
    ],
    ['a base that was no list', 7, ['a'], ['b'], ['b', 'a']],
  ])('%s', (_, base, mine, theirs, value) => {
    expect(merge(set, base, mine, theirs)).toEqual(settled(value));
  });

  test('what is no list is merged as a whole', () => {
    expect(merge(set, ['a'], ['a', 'b'], 'c')).toMatchObject({ value: 'c', clashes: [{ path: [] }] });
    expect(merge(set, ['a'], { a: 1 }, ['a'])).toEqual(settled({ a: 1 }));
  });

  test('with a base that is not exact a difference is listed, and an order is not', () => {
    expect(
      told(merge({ l: set }, { l: ['a', 'b'] }, { l: ['a', 'b'] }, { l: ['b'] }, { isExact: false })),
    ).toEqual(['uncertain l']);
    expect(merge(set, [], ['a', 'b'], ['b', 'a'], { isExact: false }).clashes).toEqual([]);
  });

  test('an element that any of the newest common values has, or has not, is unchanged', () => {
    const bases = [['a'], ['b']];
    expect(merge(set, ['a', 'b'], ['a'], ['a', 'b', 'c'], { bases })).toEqual(settled(['a', 'c']));
    expect(merge(set, ['a', 'b'], ['a', 'b'], ['b', 'c'], { bases })).toEqual(settled(['b', 'c']));
  });
});

test('a side that has the order of any of the newest common values has moved nothing', () => {
  const bases = [
    ['a', 'b'],
    ['b', 'a'],
  ];
  expect(merge(set, ['a', 'b'], ['b', 'a', 'd'], ['a', 'c'], { bases })).toEqual(settled(['a', 'c', 'd']));
});

test('two orders are joined to one that has all of both, and nothing else', () => {
  expect(joinOrders(new Set([1, 2, 3]), new Set([4, 1, 5, 3]))).toEqual([4, 1, 2, 5, 3]);
  expect(joinOrders(new Set(), new Set([1]))).toEqual([1]);
  expect(joinOrders(new Set([1]), new Set())).toEqual([1]);
});

describe('items', () => {
  const rules = items('id', { n: max });
  const item = (id: string | number, n = 1, more = {}): object => ({ id, n, ...more });

  test.each<readonly [string, unknown, unknown, unknown, unknown]>([
    ['both add', [], [item('a')], [item('b')], [item('b'), item('a')]],
    ['both edit one', [item('a')], [item('a', 3)], [item('a', 2, { x: 1 })], [item('a', 3, { x: 1 })]],
    ['one removes', [item('a'), item('b')], [item('b')], [item('a'), item('b')], [item('b')]],
    [
      'one moves, one edits',
      [item('a'), item('b')],
      [item('b'), item('a')],
      [item('a', 2), item('b')],
      [item('b'), item('a', 2)],
    ],
    ['ids are what they are', [], [item(1)], [item('1')], [item('1'), item(1)]],
  ])('%s', (_, base, mine, theirs, value) => {
    expect(merge(rules, base, mine, theirs)).toEqual(settled(value));
  });

  test('without rules an item is merged by its fields, and the path has its id', () => {
    const outcome = merge({ l: items('id') }, { l: [item(7)] }, { l: [item(7, 2)] }, { l: [item(7, 3)] });
    expect(outcome.value).toEqual({ l: [item(7, 3)] });
    expect(told(outcome)).toEqual(['both-changed l/7/n']);
  });

  test('an edit wins over the removal of its item', () => {
    expect(merge(rules, [item('a')], [], [item('a', 2)])).toMatchObject({
      value: [item('a', 2)],
      clashes: [{ path: ['a'], reason: 'both-changed' }],
    });
  });

  test('if both have moved something, theirs is the order, and a clash is told', () => {
    const [a, b, c] = [item('a'), item('b'), item('c')];
    const outcome = merge(rules, [a, b, c], [b, a, c], [a, c, b]);
    expect(outcome.value).toEqual([a, c, b]);
    expect(told(outcome)).toEqual(['both-changed ']);
    expect(told(merge(rules, [a, b], [b, a], [a, b], { isExact: false }))).toEqual(['uncertain ']);
    expect(merge(rules, [a, b], [a, b], [a, b], { isExact: false }).clashes).toEqual([]);
    expect(told(merge(rules, [], [b, a], [a, b]))).toEqual(['both-changed ']);
  });

  test.each<readonly [string, unknown]>([
    ['two of one id', [item('a'), item('a')]],
    ['an item without id', [{ n: 1 }]],
    ['an id that is no text and no number', [{ id: true }]],
    ['an id that is inherited', [{ name: 'x' }]],
    ['what is no item', [7]],
    ['what is no list', { a: 1 }],
  ])('%s: the list is merged as a whole', (_, odd) => {
    const byName = items<{ id: string; toString: string }>(_.includes('inherited') ? 'toString' : 'id');
    expect(merge(byName, [], odd, [item('b')])).toMatchObject({
      value: [item('b')],
      clashes: [{ path: [] }],
    });
    expect(merge(byName, [], [], odd)).toEqual(settled(odd));
  });

  test('a rule that changes an id, or removes an item that both have, has failed', () => {
    const renaming = items<{ id: string }>('id', (_, mine) => mine && { ...mine, id: 'b' });
    const outcome = merge(renaming, [item('a')], [item('a', 2)], [item('a', 3)]);
    expect(outcome.value).toEqual([item('a', 3)]);
    expect(told(outcome)).toEqual(['rule-failed ']);
    const removing = items<{ id: string }>('id', () => undefined);
    expect(merge(removing, [item('a')], [item('a', 2)], [item('a', 3)]).value).toEqual([item('a', 3)]);
    expect(merge(removing, [item('a')], [item('a', 2)], []).value).toEqual([]);
  });

  test('what is no name of a field, and what is no rule, is refused', () => {
    expect(() => items('')).toThrow('Invalid idField: expected the name of a field, got ""');
    expect(() => items(7 as never)).toThrow(TypeError);
    expect(() => items('id', { n: 'max' as never })).toThrow(
      'Invalid rules.n: expected a rule of nostr-sync/merge',
    );
  });
});

describe("an app's own function", () => {
  const sum: MergeFunction<unknown> = (base, mine, theirs) =>
    Number(mine ?? 0) + Number(theirs ?? 0) - Number(base ?? 0);

  test('is asked even if both sides changed alike', () => {
    expect(merge({ n: sum }, { n: 1 }, { n: 2 }, { n: 2 })).toEqual(settled({ n: 3 }));
    expect(merge({ n: sum }, { n: 1 }, { n: 2 }, { n: 1 })).toEqual(settled({ n: 2 }));
  });

  test('is not asked where nobody changed anything', () => {
    const rule = vi.fn<MergeFunction<unknown>>();
    expect(merge({ a: { b: rule } }, { a: { b: [1] } }, { a: { b: [1] } }, { a: { b: [1] } })).toEqual(
      settled({ a: { b: [1] } }),
    );
    expect(rule).not.toHaveBeenCalled();
  });

  test('gets base, mine, theirs, the path, and whether the base is exact', () => {
    const rule = vi.fn<MergeFunction<unknown>>(() => 4);
    merge({ a: { b: rule } }, { a: { b: 1 } }, { a: { b: 2 } }, { a: { b: 3 } }, { isExact: false });
    const context = { path: ['a', 'b'], isExact: false, clash: expect.any(Function) as unknown };
    expect(rule.mock.calls).toEqual([[1, 2, 3, context]]);
  });

  test('of several newest common values gets the one that a side still shows', () => {
    const rule: MergeFunction<unknown> = (base) => `base ${String(base)}`;
    const bases = [1, 2];
    expect(merge(rule, 2, 3, 1, { bases }).value).toBe('base 1');
    expect(merge(rule, 2, 1, 3, { bases }).value).toBe('base 1');
    expect(merge(rule, 2, 3, 4, { bases }).value).toBe('base 2');
    // If both do, that which is as the joint one is behind: the other has taken it away, or gone back.
    const absent = { bases: [{ a: 1 }, {}] };
    expect(merge({ a: rule }, { a: 1 }, { a: 1 }, {}, absent).value).toEqual({ a: 'base 1' });
    expect(merge(rule, 2, 2, 1, { bases }).value).toBe('base 2');
    // What was not there is a base too: the other side has set it.
    expect(merge({ a: rule }, { a: 1 }, {}, { a: 3 }, absent).value).toEqual({ a: 'base undefined' });
  });

  test('may tell a clash', () => {
    const rule: MergeFunction<unknown> = (_, __, ___, { clash }) => clash();
    expect(merge({ a: rule }, { a: 1 }, { a: 2 }, { a: 3 })).toEqual({
      value: { a: 3 },
      clashes: [{ path: ['a'], reason: 'both-changed', base: 1, mine: 2, theirs: 3 }],
    });
  });

  test('too late it tells none', () => {
    let late = (): unknown => undefined;
    const outcome = merge(
      (_, __, ___, { clash }) => {
        late = clash;
        return 1;
      },
      ...[0, 2, 3],
    );
    late();
    expect(outcome).toEqual(settled(1));
  });

  test('with a base that is not exact a difference is listed', () => {
    expect(told(merge({ n: sum }, { n: 1 }, { n: 2 }, { n: 3 }, { isExact: false }))).toEqual([
      'uncertain n',
    ]);
    expect(merge({ n: sum }, { n: 1 }, { n: 2 }, { n: 2 }, { isExact: false }).clashes).toEqual([]);
  });

  test('a side that shows one of several newest common values, and not the joint one, may have been changed back: that is listed', () => {
    const bases = [{ n: 1 }, { n: 2 }, {}];
    expect(merge({ n: sum }, { n: 2 }, { n: 1 }, { n: 5 }, { bases })).toMatchObject({
      value: { n: 5 },
      clashes: [{ path: ['n'], reason: 'uncertain', base: 2, mine: 1, theirs: 5 }],
    });
    expect(merge({ n: sum }, { n: 2 }, { n: 2 }, { n: 5 }, { bases }).clashes).toEqual([]);
  });

  test('gets copies: writing into them changes nothing that was given', () => {
    const rule: MergeFunction<unknown> = (_, mine, theirs) => {
      (theirs as { l: unknown[] }).l.push(...(mine as { l: unknown[] }).l);
      return theirs;
    };
    const [base, mine, theirs] = [{ l: [] }, { l: [1] }, { l: [2] }];
    expect(merge(rule, base, mine, theirs).value).toEqual({ l: [2, 1] });
    expect([base, mine, theirs]).toEqual([{ l: [] }, { l: [1] }, { l: [2] }]);
  });

  test('is asked where one side has nothing', () => {
    expect(merge({ n: sum }, {}, { n: 2 }, {})).toEqual(settled({ n: 2 }));
    const removing: MergeFunction<unknown> = (_, __, ___, { clash }) => void clash();
    expect(told(merge({ n: removing }, { n: 1 }, { n: 2 }, {}))).toEqual(['both-changed n']);
  });

  test('that returns no JSON: the error says what came', () => {
    const [clash] = merge(() => ({ a: NaN }), 1, 2, 3).clashes;
    expect(String(clash!.error)).toContain('expected a JSON value, got NaN at the result[…]');
  });

  test('removes only what a side has removed', () => {
    const rule: MergeFunction<unknown> = () => undefined;
    expect(merge({ a: rule }, { a: 1 }, { a: 2 }, {})).toEqual(settled({}));
    expect(merge({ a: rule }, { a: 1 }, {}, { a: 2 })).toEqual(settled({}));
    expect(told(merge({ a: rule }, { a: 1 }, { a: 2 }, { a: 3 }))).toEqual(['rule-failed a']);
  });

  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  test.each<readonly [string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    [
      'throws what is no error',
      () => {
        throw Object.create(null) as Error;
      },
    ],
    ['returns a function', () => () => 1],
    ['returns NaN', () => NaN],
    ['returns a Date', () => new Date(0)],
    ['returns a promise', () => Promise.resolve(1)],
    ['is async and rejects', () => Promise.reject(new Error('no'))],
    ['returns a lone surrogate', () => '\ud800'],
    ['nests deeper than a payload may', () => deep(64)],
  ])('that %s: the value as a whole is taken, and a clash tells of it', async (_, fail) => {
    const rejected = vi.fn<() => void>();
    process.on('unhandledRejection', rejected);
    const outcome = merge(
      { a: fail, b: { c: fail } },
      { a: 1, b: { c: 1 } },
      { a: 2, b: { c: 2 } },
      { a: 3, b: { c: 1 } },
    );
    expect(outcome.value).toEqual({ a: 3, b: { c: 2 } });
    expect(outcome.clashes).toMatchObject([
      { path: ['a'], reason: 'rule-failed', base: 1, mine: 2, theirs: 3 },
      { path: ['b', 'c'], reason: 'rule-failed' },
    ]);
    expect(outcome.clashes[0]).toHaveProperty('error');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', rejected);
    expect(rejected).not.toHaveBeenCalled();
  });

  test('may nest as deep as a payload', () => {
    expect(merge({ a: () => deep(63) }, { a: 1 }, { a: 2 }, { a: 3 }).clashes).toEqual([]);
  });
});

describe('rules by field', () => {
  test("'*' is for any other field", () => {
    const rules = { a: min, '*': max };
    expect(merge(rules, {}, { a: 1, b: 1, c: 1 }, { a: 2, b: 2 })).toEqual(settled({ a: 1, b: 2, c: 1 }));
  });

  test('a field named like what every object has, has no rule', () => {
    const odd = JSON.parse('{"constructor":1,"__proto__":2}') as object;
    expect(merge({ a: max }, {}, odd, {})).toMatchObject({ clashes: [] });
    expect(JSON.stringify(merge({ a: max }, {}, odd, {}).value)).toBe('{"constructor":1,"__proto__":2}');
  });

  test('are checked: rules of this library, functions, and objects of these', () => {
    const rules = { a: max, b: { c: () => 1, '*': set }, d: items('id'), e: {} };
    expect(() => checkRules(rules)).not.toThrow();
    expect(() => checkRules({ [RULE]: () => 1 })).not.toThrow();
  });

  test.each<readonly [unknown, string]>([
    [
      undefined,
      'Invalid merge: expected a rule of nostr-sync/merge, a function, or an object of rules by field, got undefined',
    ],
    [
      null,
      'Invalid merge: expected a rule of nostr-sync/merge, a function, or an object of rules by field, got null',
    ],
    [
      [max],
      'Invalid merge: expected a rule of nostr-sync/merge, a function, or an object of rules by field, got an array of 1',
    ],
    [
      { a: { b: 'max' } },
      'Invalid merge.a.b: expected a rule of nostr-sync/merge, a function, or an object of rules by field, got "max"',
    ],
    [
      { a: undefined },
      'Invalid merge.a: expected a rule of nostr-sync/merge, a function, or an object of rules by field, got undefined',
    ],
  ])('%# are refused otherwise', (rules, message) => {
    expect(() => checkRules(rules)).toThrow(new TypeError(message));
  });

  test('may have as many levels as a payload', () => {
    const levels = (count: number): object => (count === 0 ? {} : { a: levels(count - 1) });
    expect(() => checkRules(levels(64))).not.toThrow();
    expect(() => checkRules(levels(65))).toThrow(TypeError);
    const last: Record<string, unknown> = { a: 1 };
    const over = Array.from({ length: 63 }).reduce<object>((inner) => ({ a: inner }), last);
    expect(() => checkRules(over)).toThrow(/(\.a){64}: expected a rule of nostr-sync\/merge, .* got 1$/);
  });

  test('are refused if they have no end', () => {
    const rules: Record<string, unknown> = {};
    rules['a'] = rules;
    expect(() => checkRules(rules, 'rules')).toThrow(
      /^Invalid rules(\.a){65}: expected at most 64 levels of rules, got an object$/,
    );
  });
});

describe('equalJson', () => {
  test.each<readonly [unknown, unknown, boolean]>([
    [1, 1, true],
    [1, '1', false],
    [null, {}, false],
    [null, undefined, false],
    [[], {}, false],
    [{}, [], false],
    [[1, [2]], [1, [2]], true],
    [[1], [1, 2], false],
    [[1], [2], false],
    [['a'], 'a', false],
    ['a', ['a'], false],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ a: 1 }, { b: 1 }, false],
    [{ a: 1 }, { a: 1, b: 1 }, false],
    [{ a: 1, b: undefined }, { a: 1 }, true],
    [{ a: 1 }, { b: undefined, a: 1 }, true],
    [{ toString: undefined, a: 1 }, { a: 1 }, true],
    [JSON.parse('{"__proto__":{}}'), { x: {} }, false],
    [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}'), true],
  ])('of %j and %j', (a, b, isEqual) => {
    expect(equalJson(a as never, b as never)).toBe(isEqual);
  });
});
