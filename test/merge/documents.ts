/** Random documents that were changed apart, for the laws of merging: the same for the same `SEED`; `RUNS` of each law. */

import fc from 'fast-check';
import { numberFrom } from '../support/random.ts';
import type { JsonValue } from '../../src/protocol/payload.ts';

/** A text that is the same for the same value. Matchers stumble over fields named `constructor`. */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    ) ?? 'nothing'
  );
}

export const RUNS: { readonly numRuns: number; readonly seed: number } = {
  numRuns: numberFrom('RUNS', 1_000),
  seed: numberFrom('SEED', 18),
};

/** Few names, so that sides meet; and those that every object seems to have. */
const NAMES = ['a', 'b', 'c', '__proto__', 'constructor'] as const;
const name = fc.constantFrom(...NAMES);
const leaf: fc.Arbitrary<JsonValue> = fc.constantFrom(0, 1, 2, '', 'x', true, null, [], [1], [1, 2], {});

function objectOf(value: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  return fc.array(fc.tuple(name, value), { maxLength: 4 }).map((members) => Object.fromEntries(members));
}

export const document: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue; tree: JsonValue }>((tie) => ({
  value: fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 2, arbitrary: objectOf(tie('value')) }),
  tree: objectOf(tie('value')),
})).tree;

interface Edit {
  readonly path: readonly string[];
  /** `undefined`: removed. */
  readonly value: JsonValue | undefined;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 3 }),
  value: fc.oneof(fc.constant(undefined), leaf, document),
});

/** The document with one edit. What is on the way and is no object becomes one. */
export function edited(document: JsonValue | undefined, { path, value }: Edit): JsonValue {
  const [first, ...rest] = path;
  const isObject = typeof document === 'object' && document !== null && !Array.isArray(document);
  const members = new Map(Object.entries(isObject ? document : {}));
  const inner = rest.length > 0 ? edited(members.get(first!), { path: rest, value }) : value;
  if (inner === undefined) members.delete(first!);
  else members.set(first!, inner);
  return Object.fromEntries(members);
}

export interface Apart<T = JsonValue> {
  readonly base: T;
  readonly mine: T;
  readonly theirs: T;
}

/** A document, and what two devices have made of it. */
export const apart: fc.Arbitrary<Apart> = fc
  .tuple(document, fc.array(edit, { maxLength: 3 }), fc.array(edit, { maxLength: 3 }))
  .map(([base, mine, theirs]) => ({
    base,
    mine: mine.reduce<JsonValue>(edited, base),
    theirs: theirs.reduce<JsonValue>(edited, base),
  }));

/** Sets of a few elements, as lists in any order. */
const element: fc.Arbitrary<JsonValue> = fc.constantFrom('a', 'b', 'c', 1, '1', null, { x: 1, y: 2 }, [1]);
const set: fc.Arbitrary<JsonValue[]> = fc.uniqueArray(element, { maxLength: 6 });
export const setsApart: fc.Arbitrary<Apart<JsonValue[]>> = fc.record({ base: set, mine: set, theirs: set });

/** Lists of items with unique ids. */
const list: fc.Arbitrary<JsonValue[]> = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom<JsonValue>('a', 'b', 'c', 1, '1'), objectOf(leaf))
    .map(([id, members]): JsonValue => ({ ...(members as object), id })),
  { maxLength: 5, selector: (item) => (item as { readonly id: JsonValue }).id },
);
export const listsApart: fc.Arbitrary<Apart<JsonValue[]>> = fc.record({
  base: list,
  mine: list,
  theirs: list,
});
