/**
 * The `void` tag, `["void", "id:stamp", …]`, of a reset and of what is written after it: events from the future that do not count,
 * as if they had never been written. Any greater event would be above them only once their time has come.
 */

import { tagValues, type EventTemplate, type NostrEvent } from './event.ts';
import { MAX_VOIDS } from './limits.ts';

/** Id → created_at, in s, of events that do not count. */
export type Voids = ReadonlyMap<string, number>;

const ENTRY = /^([0-9a-f]{64}):(\d{1,12})$/;

/** From `["id:stamp", …]`; `undefined` if it is malformed. */
export function parseVoids(entries: readonly unknown[]): Voids | undefined {
  const matches = entries.map((entry) => ENTRY.exec(String(entry)));
  if (matches.length > MAX_VOIDS || matches.includes(null)) return undefined;
  return new Map(matches.map((match) => [match![1]!, Number(match![2])]));
}

/** What an event voids: of a malformed tag nothing, and nothing that it is above without that. */
export function voidsOf(event: EventTemplate): Voids {
  const all = parseVoids(tagValues(event, 'void') ?? []) ?? new Map<string, number>();
  return new Map([...all].filter(([, stamp]) => stamp >= event.created_at));
}

export function isVoid(voids: Voids, { id, created_at }: NostrEvent): boolean {
  return voids.get(id) === created_at;
}

/** Both, as many as there is room for; the first if the second adds nothing. Those that are longest to come stay. */
export function joinVoids(voids: Voids, more: Voids): Voids {
  if ([...more.keys()].every((id) => voids.has(id))) return voids;
  const all = [...new Map([...more, ...voids])].sort(([a, s], [b, t]) => t - s || (a < b ? -1 : 1));
  return new Map(all.slice(0, MAX_VOIDS));
}

export function entriesOfVoids(voids: Voids): string[] {
  return [...voids].map(([id, stamp]) => `${id}:${stamp}`);
}

/** The tag of an event at `stamp`, or none: what it beats needs no mention. */
export function voidTags(voids: Voids, stamp: number): readonly (readonly string[])[] {
  const entries = entriesOfVoids(new Map([...voids].filter(([, one]) => one >= stamp))).sort();
  return entries.length === 0 ? [] : [['void', ...entries]];
}
