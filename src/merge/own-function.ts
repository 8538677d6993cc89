/** Calls an app's own merge function, and believes nothing of it. */

import { checkJson } from '../protocol/payload.ts';
import { copyJson, equalJson } from './json.ts';
import type { MergeFunction, Sides, Value } from './rule.ts';
import { choose, sideBehind } from './whole.ts';

export interface Answer {
  readonly value: Value;
  readonly isClash: boolean;
  /** Why the function has failed, and the value as a whole was taken. */
  readonly failure?: { readonly error: unknown };
}

/**
 * The base that a function is given: of several newest common values the one that a side still shows, so that the function sees that
 * side unchanged.
 */
function baseFor(sides: Sides): Value {
  const behind = sideBehind(sides);
  return behind === undefined ? sides.bases[0] : sides[behind];
}

/** If neither side has changed anything it is not asked: a function that is not idempotent would have something to write each time. */
export function callOwnFunction(
  merge: MergeFunction<unknown>,
  sides: Sides,
  path: readonly string[],
  isExact: boolean,
): Answer {
  const { mine, theirs } = sides;
  const base = baseFor(sides);
  if (equalJson(mine, theirs) && equalJson(theirs, base)) return { value: theirs, isClash: false };
  let isClash = false;
  const clash = (): Value => {
    isClash = true;
    return theirs;
  };
  let result: unknown;
  try {
    // Copies: a function that writes into `theirs` would make the merge look like the head, which is then not written.
    result = merge(copyJson(base), copyJson(mine), copyJson(theirs), { path, isExact, clash });
    if (result === undefined && (mine === undefined || theirs === undefined))
      return { value: undefined, isClash };
    checkJson(result, 'the result', path.length);
    return { value: result as Value, isClash };
  } catch (error) {
    // An async function is a mistake; its rejection must not end the process as well.
    Promise.resolve(result).catch(() => undefined);
    return { value: choose(sides).value, isClash: true, failure: { error } };
  }
}
