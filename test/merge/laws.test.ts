/** The laws of merging, for random documents. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonValue } from '../../src/protocol/payload.ts';
import { equalJson } from '../../src/merge/json.ts';
import { items, set } from '../../src/merge/lists.ts';
import { merge3, type MergeInput } from '../../src/merge/merge3.ts';
import { counters } from '../../src/merge/registers.ts';
import type { AnyRules, Clash } from '../../src/merge/rule.ts';
import { text } from '../../src/merge/text.ts';
import { whole } from '../../src/merge/whole.ts';
import { apart, canonical, document, edited, listsApart, RUNS, setsApart, type Apart } from './documents.ts';

interface Outcome {
  readonly value: JsonValue | undefined;
  readonly clashes: readonly Clash[];
}
const merge = (
  { base, mine, theirs }: Apart<JsonValue | undefined>,
  more: Partial<MergeInput<unknown>> = {},
): Outcome => merge3<unknown>({ base, mine, theirs, ...more }) as Outcome;

/** The same value; the order of fields does not count. */
function same(value: unknown, expected: unknown): void {
  expect(canonical(value)).toBe(canonical(expected));
}

function holds<T>(arbitrary: fc.Arbitrary<T>, check: (input: T) => void): void {
  fc.assert(fc.property(arbitrary, check), RUNS);
}

const swapped = ({ base, mine, theirs }: Apart): Apart => ({ base, mine: theirs, theirs: mine });
const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 6 }).map((all) => all.join('\n'));
const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.nat(5));
const threeOf = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Apart<T>> =>
  fc.record({ base: value, mine: value, theirs: value });

/** For each rule the values that it is for. */
const RULES: readonly (readonly [string, AnyRules | undefined, fc.Arbitrary<Apart>])[] = [
  ['fields', undefined, apart],
  ['whole', whole, apart],
  ['set', set, setsApart],
  ['items', items('id'), listsApart],
  ['text', text, threeOf(lines)],
];

describe.each(RULES)('by the rule %s', (_, rules, values) => {
  test('a side that changed nothing gives way to the other, without a clash', () => {
    holds(values, ({ base, mine }) => {
      same(merge({ base, mine, theirs: base }, { rules }), { value: mine, clashes: [] });
      const { value, clashes } = merge({ base, mine: base, theirs: mine }, { rules });
      same({ value, clashes }, { value: mine, clashes: [] });
    });
  });

  test('the same on both sides is it, whatever the base', () => {
    holds(values, ({ base, mine }) => {
      same(merge({ base, mine, theirs: mine }, { rules }), { value: mine, clashes: [] });
    });
  });

  test('a merge that is merged again adds nothing', () => {
    // The order of a list may have been given up for the head's.
    const isList = rules === set || values === listsApart;
    const content = (value: unknown): unknown =>
      isList ? (value as JsonValue[]).map(canonical).sort() : value;
    holds(values, (sides) => {
      const { value } = merge(sides, { rules });
      const { base, mine, theirs } = sides;
      const again = (apart: Apart<JsonValue | undefined>): void =>
        same(content(merge(apart, { rules }).value), content(value));
      // Of lines that occur twice a second look may take the other for the one that was there: what no merge beside an old base is
      // safe from. It does not happen: a merge covers what it took.
      if (rules !== text) again({ base, mine, theirs: value });
      again({ base: theirs, mine: theirs, theirs: value });
      again({ base: mine, mine, theirs: value });
    });
  });

  test('what is listed depends on how exact the base is, and what comes out does not', () => {
    holds(values, (sides) => {
      const exact = merge(sides, { rules });
      const inexact = merge(sides, { rules, isExact: false });
      same(inexact.value, exact.value);
      const certain = inexact.clashes.filter(({ reason }) => reason !== 'uncertain');
      same(certain, exact.clashes);
    });
  });

  test('with a base that is not exact every difference is listed', () => {
    holds(values, ({ base, mine, theirs }) => {
      for (const common of [base, undefined]) {
        const { clashes } = merge({ base: common, mine, theirs }, { rules, isExact: false });
        if (rules === set) {
          const texts = [mine, theirs].map((side) =>
            (side as JsonValue[]).map((x) => JSON.stringify(x)).sort(),
          );
          expect(clashes.length).toBe(equalJson(texts[0], texts[1]) ? 0 : 1);
        } else expect(clashes.length > 0).toBe(!equalJson(mine, theirs));
      }
    });
  });

  test('nothing that is given is changed', () => {
    holds(values, (sides) => {
      const before = JSON.stringify(sides);
      merge(sides, { rules });
      expect(JSON.stringify(sides)).toBe(before);
    });
  });
});

describe('by fields', () => {
  test('both devices come to the same, unless there is a clash', () => {
    holds(apart, (sides) => {
      const [here, there] = [merge(sides), merge(swapped(sides))];
      if (here.clashes.length === 0) expect(equalJson(here.value, there.value)).toBe(true);
    });
  });

  test('both devices tell the same clashes', () => {
    holds(apart, (sides) => {
      const paths = (clashes: readonly Clash[]): string[] =>
        clashes.map(({ path }) => JSON.stringify(path)).sort();
      expect(paths(merge(sides).clashes)).toEqual(paths(merge(swapped(sides)).clashes));
    });
  });

  test('an edit of one field survives what the other device does elsewhere', () => {
    const elsewhere = fc.tuple(apart, fc.constantFrom('x', 'y', 'z'), fc.integer());
    holds(elsewhere, ([{ base, theirs }, name, value]) => {
      const mine = edited(base, { path: [name], value });
      const expected = edited(theirs, { path: [name], value });
      const merged = merge({ base, mine, theirs });
      expect(equalJson(merged.value, expected)).toBe(true);
      expect(merged.clashes).toEqual([]);
    });
  });

  test("a side's edit is in the result, or a clash says why not", () => {
    holds(apart, (sides) => {
      const { value, clashes } = merge(sides);
      const isTold = (path: readonly string[]): boolean =>
        clashes.some((clash) => clash.path.every((name, i) => name === path[i]));
      for (const side of [sides.mine, sides.theirs]) {
        for (const path of editsOf(sides.base, side))
          expect(equalJson(at(value, path), at(side, path)) || isTold(path)).toBe(true);
      }
    });
  });

  test('a clash is told only if both have changed what is there', () => {
    holds(apart, ({ base, mine, theirs }) => {
      for (const { path, reason, ...parties } of merge({ base, mine, theirs }).clashes) {
        const there = { base: at(base, path), mine: at(mine, path), theirs: at(theirs, path) };
        expect(reason).toBe('both-changed');
        expect(parties).toEqual(Object.fromEntries(Object.entries(there).filter(([, v]) => v !== undefined)));
        expect(equalJson(there.base, there.mine) || equalJson(there.base, there.theirs)).toBe(false);
        expect(equalJson(there.mine, there.theirs)).toBe(false);
      }
    });
  });

  test('no prototype is touched, and a field may have any name', () => {
    holds(apart, (sides) => {
      const { value } = merge(sides);
      same(JSON.parse(JSON.stringify(value)), value);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.keys(Object.prototype)).toEqual([]);
    });
  });

  test('a side that shows any of the newest common values has not changed it', () => {
    holds(fc.tuple(apart, document), ([{ base, mine, theirs }, other]) => {
      const joint = merge({ base, mine, theirs }).value!;
      const bases = [mine, theirs];
      // Who has one of them, and nothing else, gives way to every edit.
      for (const old of bases) {
        const merged = merge3({
          base: joint,
          bases,
          mine: old,
          theirs: edited(joint, { path: ['x'], value: 1 }),
        });
        expect(at(merged.value, ['x'])).toBe(1);
        expect(merged.clashes).toEqual([]);
      }
      expect(merge3({ base: joint, bases, mine: joint, theirs: other }).clashes).toEqual([]);
    });
  });
});

describe('as a set', () => {
  const keys = (value: JsonValue | undefined): string[] =>
    (value as JsonValue[]).map((element) => JSON.stringify(element)).sort();

  test('an element is in it if a side has it and the other has not removed it', () => {
    holds(setsApart, (sides) => {
      const { value, clashes } = merge(sides, { rules: set });
      const [base, mine, theirs] = [sides.base, sides.mine, sides.theirs].map(keys) as [
        string[],
        string[],
        string[],
      ];
      const expected = [...new Set([...mine, ...theirs])].filter(
        (key) => (mine.includes(key) && theirs.includes(key)) || !base.includes(key),
      );
      expect(keys(value)).toEqual(expected.sort());
      expect(clashes).toEqual([]);
    });
  });
});

describe('as items', () => {
  const rules = items('id');
  const ids = (value: JsonValue | undefined): JsonValue[] =>
    (value as { readonly id: JsonValue }[]).map(({ id }) => id);

  test('ids stay unique', () => {
    holds(listsApart, (sides) => {
      const all = ids(merge(sides, { rules }).value);
      expect(new Set(all).size).toBe(all.length);
    });
  });

  test('each item is what the two of this id make, and no other is there', () => {
    holds(listsApart, (sides) => {
      const { value } = merge(sides, { rules });
      const item = (list: JsonValue | undefined, id: JsonValue): JsonValue | undefined =>
        (list as JsonValue[])[ids(list).indexOf(id)];
      for (const id of new Set([sides.base, sides.mine, sides.theirs].flatMap(ids))) {
        const apart = {
          base: item(sides.base, id),
          mine: item(sides.mine, id),
          theirs: item(sides.theirs, id),
        };
        expect(equalJson(item(value, id), merge(apart).value)).toBe(true);
      }
    });
  });

  test('both devices come to the same items, unless there is a clash', () => {
    const byId = (value: JsonValue | undefined): string[] =>
      (value as JsonValue[]).map((item) => JSON.stringify(Object.entries(item as object).sort())).sort();
    holds(listsApart, (sides) => {
      const [here, there] = [merge(sides, { rules }), merge(swapped(sides), { rules })];
      if (here.clashes.length === 0) expect(byId(here.value)).toEqual(byId(there.value));
    });
  });
});

test('counters come to the greatest of each device, from either side, and never clash', () => {
  holds(threeOf(counts), ({ mine, theirs }) => {
    const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])];
    const value = Object.fromEntries(names.map((k) => [k, Math.max(mine[k] ?? 0, theirs[k] ?? 0)]));
    const rules = counters;
    expect(merge({ base: {}, mine, theirs }, { rules })).toEqual({ value, clashes: [] });
    expect(merge({ base: {}, mine: theirs, theirs: mine }, { rules })).toEqual({ value, clashes: [] });
  });
});

/** What stands at a path, by own members. */
function at(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((inner, name) => {
    const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
    return isObject && Object.hasOwn(inner, name) ? (inner as Record<string, JsonValue>)[name] : undefined;
  }, value);
}

/** Paths at which a side has set or removed something. An empty object is no edit: others may fill it. */
function editsOf(base: JsonValue | undefined, side: JsonValue | undefined): string[][] {
  const isObject = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(side)) return equalJson(base, side) ? [] : [[]];
  const names = new Set([...Object.keys(side), ...(isObject(base) ? Object.keys(base) : [])]);
  return [...names].flatMap((name) =>
    editsOf(at(base, [name]), at(side, [name])).map((path) => [name, ...path]),
  );
}
