/** What an event's tags say, read without a line of the engine's code (docs/PROTOCOL.md). test/vectors/tags.json judges both. */

import type { SignedEvent } from '../../src/protocol/event.ts';

type Tagged = Pick<SignedEvent, 'created_at' | 'tags'>;

/** What stands behind the name of the first tag that has it. */
const itemsIn = ({ tags }: Tagged, name: string): readonly string[] | undefined =>
  tags.find(([first]) => first === name)?.slice(1);

export const hasTag = (event: Tagged, name: string): boolean => itemsIn(event, name) !== undefined;

export const formatIn = (event: Tagged): string | undefined => itemsIn(event, 'format')?.[0];

/** The version of the app's data, and the oldest version that may write over it. */
export function schemaIn(event: Tagged): readonly [number, number] | undefined {
  const [version = '', writableBy = ''] = itemsIn(event, 'schema') ?? [];
  const isNumber = (text: string): boolean => /^[1-9][0-9]{0,5}$/.test(text);
  return isNumber(version) && isNumber(writableBy) && Number(writableBy) <= Number(version)
    ? [Number(version), Number(writableBy)]
    : undefined;
}

export function addressIn({ tags }: Tagged): string | undefined {
  const [first, ...more] = tags.filter(([name]) => name === 'd');
  return more.length === 0 ? first?.[1] : undefined;
}

/** `undefined`: the author stands for it. */
export function deviceIn(event: Tagged): string | undefined {
  const [id = ''] = itemsIn(event, 'device_id') ?? [];
  return id.length >= 1 && id.length <= 128 ? id : undefined;
}

/** In s. */
export function expirationIn(event: Tagged): number | undefined {
  const [text = ''] = itemsIn(event, 'expiration') ?? [];
  return /^[0-9]{1,12}$/.test(text) ? Number(text) : undefined;
}

/** What stands before and after the colon of each; `undefined` if there are too many, or one is not of `digits` and a stamp. */
function pairsOf(items: readonly string[], digits: number): [string, number][] | undefined {
  const isPair = new RegExp(`^[0-9a-f]{${digits}}:[0-9]{1,12}$`);
  if (items.length > 16 || !items.every((item) => isPair.test(item))) return undefined;
  return items.map((item) => [item.slice(0, digits), Number(item.slice(digits + 1))]);
}

/** The stamps up to which the writer of an event had seen what other devices wrote, by their hashes. */
export function vectorIn(event: Tagged): ReadonlyMap<string, number> | undefined {
  const items = itemsIn(event, 'vv');
  const pairs = items && pairsOf(items, 8);
  // One that knows the future lies.
  return pairs?.every(([, stamp]) => stamp <= event.created_at) === true ? new Map(pairs) : undefined;
}

/** The stamps of what does not count, by id. */
export function voidsIn(event: Tagged): ReadonlyMap<string, number> {
  const pairs = pairsOf(itemsIn(event, 'void') ?? [], 64) ?? [];
  return new Map(pairs.filter(([, stamp]) => stamp >= event.created_at));
}
