/** Rules for numbers that only grow or only fall: they need no base. */

import { mergeFields } from './fields.ts';
import { RULE, type Rule, type Value } from './rule.ts';
import { whole } from './whole.ts';

function isComparable(mine: Value, theirs: Value): boolean {
  const type = typeof mine;
  return (type === 'number' || type === 'string') && typeof theirs === type;
}

function register(isBetter: (a: number | string, b: number | string) => boolean): Rule<number | string> {
  return {
    [RULE]: (sides, place) => {
      const { mine, theirs } = sides;
      if (!isComparable(mine, theirs)) return whole[RULE](sides, place);
      return isBetter(mine as number | string, theirs as number | string) ? mine : theirs;
    },
  };
}

/** The greater of two numbers, or of two texts by their code units, as dates of ISO 8601 are compared. Never a clash. */
export const max: Rule<number | string> = register((a, b) => a > b);

/** The smaller of two numbers, or of two texts by their code units. Never a clash. */
export const min: Rule<number | string> = register((a, b) => a < b);

/**
 * `{ [device]: number }`, where each device raises only its own number: by device the greater. The count is the sum. A plain number
 * cannot be one: two devices that both go from 1 to 2 look like one.
 */
export const counters: Rule<{ readonly [device: string]: number }> = {
  [RULE]: (sides, place) => mergeFields(sides, place, { '*': max }),
};
