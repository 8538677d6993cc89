/** How large an event one relay takes: learned from its answers, and from its hang-ups if it gives none. */

import type { RelayUrl } from '../protocol/address.ts';
import { LARGE_EVENT_BYTES, MAX_HANG_UPS } from '../protocol/limits.ts';

/** What a relay is known to take, in bytes of an event. */
export interface EventLimits {
  /** The largest event that the relay has taken, in bytes of JSON; `null` before the first. */
  readonly acceptedBytes: number | null;
  /** The smallest event that the relay has refused for its size; `null` while it has not. */
  readonly refusedBytes: number | null;
}

export const UNKNOWN_LIMITS: EventLimits = { acceptedBytes: null, refusedBytes: null };

/** Keeps what is learned, by the URL of the relay. */
export interface KnownLimits {
  get(url: RelayUrl): EventLimits;
  set(url: RelayUrl, limits: EventLimits): void;
}

/** Sizes are of events, in bytes. */
export interface LimitsLearner {
  /** Whether the relay has refused one of this size. */
  refuses(size: number): boolean;
  taken(size: number): void;
  tooLarge(size: number): void;
  /** The relay hung up on an event of this size. Returns whether it did so often enough to be its answer. */
  hungUp(size: number): boolean;
}

/** How often in a row a relay hung up on an event of at least so many bytes. */
const NO_HANG_UPS = { bytes: Infinity, count: 0 };

export function createLimitsLearner(url: RelayUrl, known: KnownLimits): LimitsLearner {
  let hangUps = NO_HANG_UPS;

  function tooLarge(size: number): void {
    const { acceptedBytes, refusedBytes } = known.get(url);
    // The relay took one of this size once: then it did not hang up because of the size.
    if (size > (acceptedBytes ?? 0) && size < (refusedBytes ?? Infinity))
      known.set(url, { acceptedBytes, refusedBytes: size });
  }

  return {
    refuses: (size) => size >= (known.get(url).refusedBytes ?? Infinity),
    taken: (size) => {
      const { acceptedBytes, refusedBytes } = known.get(url);
      if (size >= hangUps.bytes) hangUps = NO_HANG_UPS;
      if (size > (acceptedBytes ?? 0))
        known.set(url, {
          acceptedBytes: size,
          refusedBytes: size >= (refusedBytes ?? Infinity) ? null : refusedBytes,
        });
    },
    tooLarge,
    hungUp: (size) => {
      if (size < LARGE_EVENT_BYTES) return false;
      const { bytes, count } = size >= hangUps.bytes ? hangUps : { bytes: size, count: 0 };
      hangUps = { bytes, count: count + 1 };
      if (hangUps.count < MAX_HANG_UPS) return false;
      hangUps = NO_HANG_UPS;
      tooLarge(bytes);
      return true;
    },
  };
}
