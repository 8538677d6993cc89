/** The three-way merge of JSON documents: pure, by path. What it has to give up it tells, as a clash; it never throws one. */

import { checkJson, type JsonValue } from '../protocol/payload.ts';
import { mergeFields } from './fields.ts';
import { callOwnFunction } from './own-function.ts';
import {
  isRule,
  RULE,
  type AnyRules,
  type Clash,
  type ClashReason,
  type MergeRules,
  type Place,
  type Sides,
  type Value,
} from './rule.ts';
import { isInDoubt } from './whole.ts';

/** What `merge3` takes: the two sides, and what both were made of. */
export interface MergeInput<T> {
  /** The newest value that both sides have seen. `undefined`: there was none, or, with `isExact: false`, it is not known. */
  readonly base?: T | undefined;
  /**
   * If several values that both have seen are the newest: all of these, while `base` is their own merge. A side that shows any of
   * them at a field has not changed it.
   */
  readonly bases?: readonly (T | undefined)[];
  /** `undefined`: the value was removed. */
  readonly mine: T | undefined;
  /** The newer of the two: it wins if nothing else decides. */
  readonly theirs: T | undefined;
  /** Default: `fields`. */
  readonly rules?: MergeRules<T> | undefined;
  /**
   * Whether `base` and `bases` are all that both sides have in common. If not, an edit may look like none, and every difference is
   * listed as a clash, except where a rule needs no base. Default true.
   */
  readonly isExact?: boolean;
}

/** What `merge3` gives. */
export interface Merged<T> {
  /** Shares parts with what was given: do not write into it. */
  readonly value: T | undefined;
  /** What was given up, or may have been. Empty: each edit of both sides is in `value`. */
  readonly clashes: readonly Clash[];
}

function createWalk(isExact: boolean): {
  readonly clashes: readonly Clash[];
  merge(sides: Sides, rules: AnyRules | undefined): Value;
} {
  const path: string[] = [];
  const clashes: Clash[] = [];
  function addClash(sides: Sides, reason: ClashReason, failure?: { readonly error: unknown }): void {
    const { bases, mine, theirs } = sides;
    const parties = Object.entries({ base: bases[0], mine, theirs }).filter(
      ([, value]) => value !== undefined,
    );
    clashes.push({ path: [...path], reason, ...Object.fromEntries(parties), ...failure });
  }
  function merge(sides: Sides, rules: AnyRules | undefined): Value {
    if (isRule(rules)) return rules[RULE](sides, place);
    if (typeof rules !== 'function') return mergeFields(sides, place, rules);
    const { value, isClash, failure } = callOwnFunction(rules, sides, [...path], isExact);
    if (failure !== undefined) addClash(sides, 'rule-failed', failure);
    else if (isClash) addClash(sides, 'both-changed');
    else if (isInDoubt(sides, isExact)) addClash(sides, 'uncertain');
    return value;
  }
  const place: Place = {
    isExact,
    clash: (sides, reason) => addClash(sides, reason),
    within: (name, sides, rules) => {
      path.push(name);
      const value = merge(sides, rules);
      path.pop();
      return value;
    },
  };
  return { clashes, merge };
}

/**
 * Merges two JSON values that were changed apart. Pure, in linear time; `rules` are taken as checked (`checkRules`). Throws
 * `INVALID_PAYLOAD` for what is no JSON. The result may be larger than either side.
 */
export function merge3<T = JsonValue>(input: MergeInput<T>): Merged<T> {
  const { base, bases = [], mine, theirs, rules, isExact = true } = input;
  const given: readonly (readonly [string, unknown])[] = [
    ['base', base],
    ...bases.map((value, i) => [`bases[${i}]`, value] as const),
    ['mine', mine],
    ['theirs', theirs],
  ];
  for (const [name, value] of given) if (value !== undefined) checkJson(value, name, 0, true);
  const walk = createWalk(isExact);
  const sides = { bases: [base, ...bases], mine, theirs } as Sides;
  const value = walk.merge(sides, rules as AnyRules | undefined) as T | undefined;
  return { value, clashes: walk.clashes };
}
