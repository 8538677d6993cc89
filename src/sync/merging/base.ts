/** What two values that were made apart are compared with: the newest former values that both had seen. Pure. */

import type { VersionVector } from '../../protocol/causality.ts';
import { MAX_VECTOR_ENTRIES } from '../../protocol/limits.ts';
import { isKeptIn, type Kept } from '../heads/kept.ts';

export interface Base {
  /**
   * The newest former values that both had seen and that have not seen each other, newest first. None: there was none, or it is unknown.
   */
  readonly newest: readonly Kept[];
  /** Whether they are all that both have in common. Of `newest` without any: nothing was before both. */
  readonly isExact: boolean;
}

export function baseOf(past: readonly Kept[], a: VersionVector, b: VersionVector): Base {
  const common = meetOf(a, b);
  // A full vector may have dropped a device.
  const isFull = a.size >= MAX_VECTOR_ENTRIES || b.size >= MAX_VECTOR_ENTRIES;
  if (common.size === 0) return { newest: [], isExact: !isFull };
  const shared = past.filter((one) => one.isBeforeJoining !== true && isKeptIn(a, one) && isKeptIn(b, one));
  // Newest first: of one and what says it again each has seen the other.
  const newest = shared.filter(
    (one, i) =>
      !shared.some((other, j) => isKeptIn(other.seen, one) && (j < i || !isKeptIn(one.seen, other))),
  );
  const isExact = [...common].every(([device, stamp]) =>
    shared.some(({ seen }) => (seen.get(device) ?? -1) >= stamp),
  );
  return { newest, isExact };
}

/** What both had seen, by device. */
function meetOf(a: VersionVector, b: VersionVector): VersionVector {
  const both = [...a].filter(([device]) => b.has(device));
  return new Map(both.map(([device, stamp]) => [device, Math.min(stamp, b.get(device)!)]));
}
