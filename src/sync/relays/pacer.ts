/** How fast new values of one category go out: so that a slider runs into no rate limit. */

import type { Clock } from '../../clock.ts';
import type { Address, EventId, Ms } from '../../protocol/address.ts';
import { createTokenBucket, type Pacing, type TokenBucket } from './token-bucket.ts';

/**
 * 0 if the value `id` may go out now (then to every relay, as often as it takes), else the ms to wait. `events`: how
 * many it consists of.
 */
export type Pacer = (dTag: Address, id: EventId, events: number) => Ms;

export function createPacer(clock: Clock, pacing: Pacing): Pacer {
  const categories = new Map<Address, { readonly take: TokenBucket; released: EventId | '' }>();
  return (dTag, id, events) => {
    const category = categories.get(dTag) ?? { take: createTokenBucket(clock, pacing), released: '' };
    categories.set(dTag, category);
    if (category.released === id) return 0;
    const waitMs = category.take(events);
    if (waitMs === 0) category.released = id;
    return waitMs;
  };
}
