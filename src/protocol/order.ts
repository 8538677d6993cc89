/** The one order of events, NIP-01's, and the stamp of the next write. */

import type { Seconds } from './address.ts';
import type { SignedEvent } from './event.ts';

/** What the order of events goes by. */
export type Place = Pick<SignedEvent, 'id' | 'created_at'>;

/** Positive if `a` wins: the higher `created_at`, on a tie the lower id (hex compared as bytes). A total order. */
export function compareEvents(a: Place, b: Place): number {
  if (a.created_at !== b.created_at) return a.created_at - b.created_at;
  return a.id === b.id ? 0 : a.id < b.id ? 1 : -1;
}

/** `created_at` of the next write: never behind the clock, always above what it must win over. */
export function nextStamp(nowSeconds: Seconds, ...floors: readonly Seconds[]): Seconds {
  return floors.reduce((stamp, floor) => Math.max(stamp, floor + 1), nowSeconds);
}
