/** Rules as the engine takes them: with all that merging needs. */

import { equalJson } from './merge/json.ts';
import { merge3, type MergeInput } from './merge/merge3.ts';
import { checkRules, type Clash, type MergeRules } from './merge/rule.ts';
import type { Merger } from './sync/merging/merger.ts';
import { createMerging } from './sync/merging/merging.ts';

export interface MergeBy<T> extends Omit<Merger, 'merge'> {
  /** Merges by the rules. */
  merge(input: Omit<MergeInput<T>, 'rules'>): {
    readonly value: T | undefined;
    readonly clashes: readonly Clash[];
  };
}

/**
 * What the option `categories` of `createNostrSync` takes as `merge`: rules by field, one rule, or an app's own function. Without any,
 * documents are merged by their fields. Throws `TypeError` if the rules are none.
 */
export function mergeBy<T = unknown>(rules?: MergeRules<T>): MergeBy<T> {
  if (rules !== undefined) checkRules(rules);
  return {
    merge: (input) => merge3<T>({ ...input, rules }),
    isEqual: (a, b) => a === b || (a !== undefined && b !== undefined && equalJson(a as never, b as never)),
    createMerging,
  };
}
