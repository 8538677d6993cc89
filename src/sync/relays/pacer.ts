/** How fast new values of one category go out: a token bucket, so that a slider runs into no rate limit. */

import type { Clock } from '../../clock.ts';
import type { EventId, Ms, Address } from '../../protocol/address.ts';

/** `burst` values at once, then one more every `intervalMs`. */
export interface Pacing {
  readonly burst: number;
  readonly intervalMs: number;
}

interface Bucket {
  tokens: number;
  filledAt: Ms;
  released: EventId | '';
}

/**
 * 0 if the value `id` may go out now (then to every relay, as often as it takes), else the ms to wait. `events`: how
 * many it consists of.
 */
export type Pacer = (dTag: Address, id: EventId, events: number) => number;

export function createPacer(clock: Clock, { burst, intervalMs }: Pacing): Pacer {
  const buckets = new Map<Address, Bucket>();
  return (dTag, id, events) => {
    const now = clock.now();
    const bucket = buckets.get(dTag) ?? { tokens: burst, filledAt: now, released: '' };
    buckets.set(dTag, bucket);
    if (bucket.released === id) return 0;
    // A clock that was set back fills nothing; the count goes on from there.
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.filledAt) / intervalMs);
    bucket.filledAt = now;
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) * intervalMs);
    bucket.tokens = Math.max(0, bucket.tokens - events);
    bucket.released = id;
    return 0;
  };
}
