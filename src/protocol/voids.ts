/**
 * What a reset has voided, as it and what is written after it say by the `void` tag (header.ts): events from the future that do not
 * count, as if they had never been written. Any greater event would be above them only once their time has come.
 */

import type { EventId, Seconds } from './address.ts';
import type { NostrEvent } from './event.ts';
import { MAX_VOIDS } from './limits.ts';

/** Id → created_at of events that do not count. */
export type Voids = ReadonlyMap<EventId, Seconds>;

export function isVoid(voids: Voids, { id, created_at }: Pick<NostrEvent, 'id' | 'created_at'>): boolean {
  return voids.get(id) === created_at;
}

/** Both, as many as there is room for; the first if the second adds nothing. Those that are longest to come stay. */
export function joinVoids(voids: Voids, more: Voids): Voids {
  const all = [...new Map([...more, ...voids])].sort(([a, s], [b, t]) => t - s || (a < b ? -1 : 1));
  const kept = all.slice(0, MAX_VOIDS);
  return kept.every(([id]) => voids.has(id)) ? voids : new Map(kept);
}

/** What an event at `stamp` has to name: what it beats needs no mention. */
export function voidsAt(voids: Voids, stamp: Seconds): Voids {
  return new Map([...voids].filter(([, one]) => one >= stamp));
}
