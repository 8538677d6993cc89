/** Rules for lists: as sets, and as items with an id. */

import { misuse } from '../errors.ts';
import type { JsonValue } from '../protocol/payload.ts';
import { identityOf, member } from './json.ts';
import { isSameOrder, joinOrders, type Key } from './order.ts';
import { checkRules, RULE, type MergeRules, type Rule, type Sides, type Value } from './rule.ts';
import { choose, whole } from './whole.ts';

type Keyed = ReadonlyMap<Key, JsonValue>;

/** What three parties have of a list, by key. */
interface KeyedSides {
  readonly bases: readonly Keyed[];
  readonly mine: Keyed;
  readonly theirs: Keyed;
}

const NONE: Keyed = new Map();

/** `undefined` if a side is no list of this kind: it is then merged as a whole. A base that is none has no items. */
function keyedSides(sides: Sides, toKeyed: (value: Value) => Keyed | undefined): KeyedSides | undefined {
  const [mine, theirs] = [toKeyed(sides.mine), toKeyed(sides.theirs)];
  if (mine === undefined || theirs === undefined) return undefined;
  return { bases: sides.bases.map((base) => toKeyed(base) ?? NONE), mine, theirs };
}

/** All keys: in the order of the side that alone has moved something, else in the head's. */
function orderOf({ bases, mine, theirs }: KeyedSides): {
  readonly keys: Key[];
  readonly isOneMoved: boolean;
} {
  const hasMoved = (side: Keyed): boolean => !bases.some((base) => isSameOrder(base.keys(), side.keys()));
  const [isMineMoved, isTheirsMoved] = [hasMoved(mine), hasMoved(theirs)];
  const isMineFirst = isMineMoved && !isTheirsMoved;
  const [first, second] = isMineFirst ? [mine, theirs] : [theirs, mine];
  const keys = joinOrders(new Set(first.keys()), new Set(second.keys()));
  return { keys, isOneMoved: isMineMoved !== isTheirsMoved };
}

function toSet(value: Value): Keyed | undefined {
  if (!Array.isArray(value)) return undefined;
  return new Map((value as readonly JsonValue[]).map((element) => [identityOf(element), element]));
}

/** A list as a set: additions and removals of both sides. Each element is there once. Which stands first is never a clash. */
export const set: Rule<readonly unknown[]> = {
  [RULE]: (sides, place) => {
    const keyed = keyedSides(sides, toSet);
    if (keyed === undefined) return whole[RULE](sides, place);
    const { bases, mine, theirs } = keyed;
    const has = (side: Keyed, key: Key): true | undefined => side.has(key) || undefined;
    const isIn = (key: Key): boolean =>
      choose({
        bases: bases.map((base) => has(base, key)),
        mine: has(mine, key),
        theirs: has(theirs, key),
      }).value === true;
    const { keys } = orderOf(keyed);
    if (!place.isExact && keys.some((key) => mine.has(key) !== theirs.has(key)))
      place.clash(sides, 'uncertain');
    return keys.filter(isIn).map((key) => (theirs.has(key) ? theirs : mine).get(key)!);
  },
};

function itemsById(value: Value, idField: string): Keyed | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = new Map<Key, JsonValue>();
  for (const item of value as readonly JsonValue[]) {
    const id = member(item, idField);
    if ((typeof id !== 'string' && typeof id !== 'number') || items.has(id)) return undefined;
    items.set(id, item);
  }
  return items;
}

/**
 * A list of objects, told apart by the string or number in `idField`: items come and go on both sides, and what both have is merged
 * by `rules`, the default by its fields. An edit of an item wins over its removal. A list with items that have no id, or with
 * two of one id, is merged as a whole.
 */
export function items<Item extends object = { readonly [field: string]: unknown }>(
  idField: NoInfer<keyof Item & string>,
  rules?: NoInfer<MergeRules<Item>>,
): Rule<readonly Item[]> {
  if (typeof idField !== 'string' || idField === '')
    throw new TypeError(misuse('idField', 'the name of a field', idField));
  if (rules !== undefined) checkRules(rules, 'rules');
  return {
    [RULE]: (sides, place) => {
      const keyed = keyedSides(sides, (value) => itemsById(value, idField));
      if (keyed === undefined) return whole[RULE](sides, place);
      const { bases, mine, theirs } = keyed;
      const { keys, isOneMoved } = orderOf(keyed);
      if (!isSameOrder(mine.keys(), theirs.keys()) && !(isOneMoved && place.isExact))
        place.clash(sides, isOneMoved ? 'uncertain' : 'both-changed');
      return keys.flatMap((key) => {
        const inner = {
          bases: bases.map((base) => base.get(key)),
          mine: mine.get(key),
          theirs: theirs.get(key),
        };
        const value = place.within(String(key), inner, rules);
        if (value === undefined) return [];
        if (member(value, idField) === key) return [value];
        // The app's rule has changed the id: another item may have that one.
        place.clash(sides, 'rule-failed');
        return [choose(inner).value!];
      });
    },
  };
}
