/** The rule that is behind every other: a value is taken as a whole. */

import { equalJson } from './json.ts';
import { RULE, type ClashReason, type Rule, type Sides, type Value } from './rule.ts';

/**
 * Which side's value is taken, and why that is a clash, if it is one. A side that shows any of the newest common values has not
 * changed it; if neither has, the joint one tells which side is behind. One that does not show the joint one may have been changed
 * back to that: it is given up in doubt. An edit wins over the removal of what it is in.
 */
export function choose({ bases, mine, theirs }: Sides): {
  readonly value: Value;
  readonly reason?: ClashReason;
} {
  if (equalJson(mine, theirs)) return { value: theirs };
  const behind = sideBehind({ bases, mine, theirs });
  if (behind !== undefined) {
    const [old, value] = behind === 'theirs' ? [theirs, mine] : [mine, theirs];
    return { value, ...(equalJson(bases[0], old) ? {} : { reason: 'uncertain' }) };
  }
  return { value: theirs === undefined ? mine : theirs, reason: 'both-changed' };
}

/** Of two that differ the one that has changed nothing. */
export function sideBehind({ bases, mine, theirs }: Sides): 'mine' | 'theirs' | undefined {
  // What was not there is a base too.
  const isOld = (side: Value): boolean => bases.some((base) => equalJson(base, side));
  const [isMineOld, isTheirsOld] = [isOld(mine), isOld(theirs)];
  if (isTheirsOld && (!isMineOld || equalJson(theirs, bases[0]))) return 'theirs';
  return isMineOld && (!isTheirsOld || equalJson(mine, bases[0])) ? 'mine' : undefined;
}

/** Whether an edit of a side may look like none: what is known of the base is old, or the side shows another base than the joint one. */
export function isInDoubt(sides: Sides, isExact: boolean): boolean {
  return isExact ? choose(sides).reason === 'uncertain' : !equalJson(sides.mine, sides.theirs);
}

/** The last writer as a whole: one side's changes, or, if both have changed the value, the head's, and a clash. */
export const whole: Rule<unknown> = {
  [RULE]: (sides, place) => {
    const { value, reason } = choose(sides);
    if (reason !== undefined) place.clash(sides, reason);
    // A field that was changed there and back looks unchanged beside an older base.
    else if (!place.isExact && !equalJson(sides.mine, sides.theirs)) place.clash(sides, 'uncertain');
    return value;
  },
};
