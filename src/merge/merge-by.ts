/** Rules as the engine takes them: with the merging in them. */

import { equalJson } from './json.ts';
import { merge3, type MergeInput } from './merge3.ts';
import { checkRules, type Clash, type MergeRules } from './rule.ts';

export interface MergeBy<T> {
  /** Merges by the rules. */
  merge(input: Omit<MergeInput<T>, 'rules'>): {
    readonly value: T | undefined;
    readonly clashes: readonly Clash[];
  };
  isEqual(a: unknown, b: unknown): boolean;
}

/**
 * What the option `categories` of `createNostrSync` takes as `merge`. Without rules documents are merged by their fields. Throws
 * `TypeError` if the rules are none.
 */
export function mergeBy<T = unknown>(rules?: MergeRules<T>): MergeBy<T> {
  if (rules !== undefined) checkRules(rules);
  return {
    merge: (input) => merge3<T>({ ...input, rules }),
    isEqual: (a, b) => a === b || (a !== undefined && b !== undefined && equalJson(a as never, b as never)),
  };
}
