/** Full-jitter exponential backoff: after an outage a thousand clients do not come back in the same second. */

import { BACKOFF_BASE_MS, BACKOFF_CAP_MS } from '../protocol/limits.ts';

export type RandomBytes = (length: number) => Uint8Array;

/** A uniform number in [0, 1). */
export function randomFraction(randomBytes: RandomBytes): number {
  return randomBytes(4).reduce((fraction, byte) => (fraction + byte) / 256, 0);
}

/** Delay in ms before attempt `attempt` (0 the first): uniform below `base · 2^attempt`, capped. */
export function backoffMs(
  attempt: number,
  randomBytes: RandomBytes,
  {
    baseMs = BACKOFF_BASE_MS,
    capMs = BACKOFF_CAP_MS,
  }: { readonly baseMs?: number; readonly capMs?: number } = {},
): number {
  return randomFraction(randomBytes) * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}
