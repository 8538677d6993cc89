/** How often something may be done: so many times at once, then once more every so many ms. */

import type { Clock } from '../../clock.ts';
import type { Ms } from '../../protocol/address.ts';

/** `burst` at once, then one more every `intervalMs`. */
export interface Pacing {
  readonly burst: number;
  readonly intervalMs: number;
}

/** 0 if it may be done now, else the ms to wait. `count`: how many of `burst` it takes, as far as there are so many. */
export type TokenBucket = (count: number) => Ms;

export function createTokenBucket(clock: Clock, { burst, intervalMs }: Pacing): TokenBucket {
  let tokens = burst;
  let filledAt = clock.now();
  return (count) => {
    const now = clock.now();
    // A clock that was set back fills nothing; the count goes on from there.
    tokens = Math.min(burst, tokens + Math.max(0, now - filledAt) / intervalMs);
    filledAt = now;
    if (tokens < 1) return Math.ceil((1 - tokens) * intervalMs);
    tokens = Math.max(0, tokens - count);
    return 0;
  };
}
