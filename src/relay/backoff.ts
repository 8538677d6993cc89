/** Full-jitter exponential backoff: after an outage a thousand clients do not come back in the same second. */

import type { Ms } from '../protocol/address.ts';
import { BACKOFF_BASE_MS, BACKOFF_CAP_MS, RETRY_BASE_MS, RETRY_CAP_MS } from '../protocol/limits.ts';

/** So many bytes that no one can guess. */
export type RandomBytes = (length: number) => Uint8Array;

/** A uniform number in [0, 1). */
export function randomFraction(randomBytes: RandomBytes): number {
  return randomBytes(4).reduce((fraction, byte) => (fraction + byte) / 256, 0);
}

/** Delay in ms before attempt `attempt` (0 the first): uniform below `base · 2^attempt`, capped. */
export function backoffMs(attempt: number, randomBytes: RandomBytes): Ms {
  return randomFraction(randomBytes) * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 30));
}

/** Delay in ms after so many failures in a row, without jitter: of a try that meets no other client's, or half of one. */
export function doublingMs(failures: number): number {
  return Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** Math.min(failures, 30));
}

/** Delay in ms before the next try with a relay that answers, but not with yes. */
export function retryMs(attempt: number, randomBytes: RandomBytes): Ms {
  // Half of the delay is certain: by chance alone, a relay that accepts and forgets would be asked again at once.
  const halfMs = doublingMs(attempt) / 2;
  return halfMs + halfMs * randomFraction(randomBytes);
}
