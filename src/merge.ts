/** `nostr-sync/merge`: the merge of two values that were changed apart, and the rules for it. */

export { fields } from './merge/fields.ts';
export { equalJson } from './merge/json.ts';
export { items, set } from './merge/lists.ts';
export { merge3, type Merged, type MergeInput } from './merge/merge3.ts';
export { mergeBy } from './merge-by.ts';
export { counters, max, min } from './merge/registers.ts';
export {
  checkRules,
  type Clash,
  type ClashReason,
  type MergeContext,
  type MergeFunction,
  type MergeRules,
  type Rule,
} from './merge/rule.ts';
export { whole } from './merge/whole.ts';
