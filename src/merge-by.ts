/** Rules as the engine takes them: with all that merging needs. */

import { equalJson } from './merge/json.ts';
import { merge3, type MergeInput } from './merge/merge3.ts';
import { checkRules, type MergeRules } from './merge/rule.ts';
import type { Merger } from './sync/merging/merger.ts';
import { createMerging } from './sync/merging/merging.ts';

/**
 * What the option `categories` of `createNostrSync` takes as `merge`: rules by field, one rule, or an app's own function. Without any,
 * documents are merged by their fields. Throws `TypeError` if the rules are none.
 */
export function mergeBy<T = unknown>(rules?: MergeRules<T>): Merger {
  if (rules !== undefined) checkRules(rules);
  return {
    // What devices wrote is of the app's type as far as the app knows.
    merge: (sides) => merge3<T>({ ...(sides as MergeInput<T>), rules }),
    isEqual: (a, b) => a === b || (a !== undefined && b !== undefined && equalJson(a as never, b as never)),
    createMerging,
  };
}
