/** The default rule: objects are merged field by field, down to what is no object on both sides. */

import { isRecord, member } from './json.ts';
import { RULE, ruleFor, type AnyRules, type Place, type Rule, type Sides, type Value } from './rule.ts';
import { whole } from './whole.ts';

/**
 * By field, with the rules of fields if there are any. Needs no marks of removed fields: what is in the base and not on a side was
 * removed there. There is no short cut for an object that one side has not changed: a rule inside may want a say.
 */
export function mergeFields(sides: Sides, place: Place, rules?: AnyRules): Value {
  const { bases, mine, theirs } = sides;
  if (!isRecord(mine) || !isRecord(theirs)) return whole[RULE](sides, place);
  const merged: [string, Value][] = [];
  // The head's order first, so that a merge moves as little as it can.
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const inner = {
      bases: bases.map((base) => member(base, name)),
      mine: member(mine, name),
      theirs: member(theirs, name),
    };
    const value = place.within(name, inner, ruleFor(rules, name));
    if (value !== undefined) merged.push([name, value]);
  }
  // Defines members, and so makes a plain one even of `__proto__`.
  return Object.fromEntries(merged);
}

/** What is merged without a rule: by field, and what is no object as a whole. */
export const fields: Rule<unknown> = { [RULE]: (sides, place) => mergeFields(sides, place) };
