/**
 * The ring of former values: what was the head, and what was merged into one. It is the base of merges and the history that an
 * app can read and restore. docs/STORE.md says what it grows to.
 */

import type { Seconds } from '../../protocol/address.ts';
import { MAX_PAST, MAX_PAST_BYTES, PAST_UNTHINNED, PIECE_ESTIMATE_BYTES } from '../../protocol/limits.ts';
import { compareKept, isKeptIn, type Kept } from './kept.ts';

/** What a value in the ring may be the base for: the newest known of each other device. */
export interface Around {
  /** The hash of this device, once it has written. */
  readonly device: string | undefined;
  /** The newest stamp of what is known and is not in the ring: the head and its rivals. */
  readonly newest: Seconds;
  /** These. They are asked for only if something must go. */
  readonly current: () => readonly Kept[];
}

/** What the app says of the values of a category that are not the newest. */
export interface Keeping {
  /** At most this many former values, */
  readonly versions: number;
  /** of so many bytes together with their pieces, */
  readonly bytes: number;
  /** and only those whose place another took less than so many seconds before the newest was written. */
  readonly seconds: Seconds;
  /** An edit that a removal had not seen is its rival, and not a former value. */
  readonly doEditsSurvive: boolean;
  /** A writer without vectors has seen what its own last write had seen, and not all that relays had. */
  readonly isLegacyMerged: boolean;
}

export const KEEP_ALL: Keeping = {
  ...{ versions: MAX_PAST, bytes: MAX_PAST_BYTES, seconds: Infinity },
  ...{ doEditsSurvive: false, isLegacyMerged: false },
};

/** As many as the app wants. */
export function limited(past: readonly Kept[], keeping: Keeping, around: Around): readonly Kept[] {
  const { newest } = around;
  const isYoung = (_: Kept, i: number): boolean => newest - (past[i - 1]?.stamp ?? newest) <= keeping.seconds;
  const kept = fitting(past.filter(isYoung), around, keeping).slice(0, keeping.versions);
  return kept.length === past.length ? past : kept;
}

/** With one more, and without those for which there is no room. A value in pieces is of no use without these. */
export function remember(past: readonly Kept[], more: readonly Kept[], around: Around): readonly Kept[] {
  const usable = more.filter((one) => !one.isInPieces || one.pieces !== undefined);
  const fresh = usable.filter(({ id }) => past.every((one) => one.id !== id));
  if (fresh.length === 0) return past;
  return fitting([...past, ...fresh].sort(compareKept), around);
}

/**
 * Thinned with age: of those behind the newest few the one goes whose neighbours are closest to each other for its age, and of the
 * anchors one only if nothing else is left. The newest stays, however large.
 */
function fitting(
  past: readonly Kept[],
  around: Around,
  { versions, bytes }: Pick<Keeping, 'versions' | 'bytes'> = KEEP_ALL,
): readonly Kept[] {
  const kept = [...past];
  while (kept.length > Math.max(1, versions) || (kept.length > 1 && bytesOf(kept) > bytes)) {
    const anchors = anchorsOf(kept, around);
    // Too large, they go before their number is full.
    const whole = Math.min(PAST_UNTHINNED, Math.max(1, versions));
    const first = kept.length > whole ? whole : 1;
    const loose = kept.map((_, i) => i).filter((i) => i >= first && !anchors.has(kept[i]!));
    const of = loose.length > 0 ? loose : [kept.length - 1];
    const gaps = of.map((i) => gapAt(kept, i, around));
    kept.splice(of[gaps.lastIndexOf(Math.min(...gaps))]!, 1);
  }
  return kept;
}

/** How far its neighbours are from each other, of its age. */
function gapAt(past: readonly Kept[], i: number, { newest }: Around): number {
  const now = Math.max(newest, ...past.map(({ stamp }) => stamp));
  const older = past[i + 1];
  // The oldest reaches back furthest.
  if (older === undefined) return Infinity;
  return (past[i - 1]!.stamp - older.stamp) / Math.max(1, now - past[i]!.stamp);
}

/**
 * Of each other device, the newest value in the ring that its newest known write is, or had seen: its next write will be based on that. And
 * what was here before another key.
 */
function anchorsOf(past: readonly Kept[], { device, current }: Around): ReadonlySet<Kept> {
  const newest = new Map<string, Kept>();
  // What was here before another key is in no other place.
  const [before, values] = [past.filter(isOfOtherKey), past.filter((one) => !isOfOtherKey(one))];
  for (const one of [...current(), ...values].sort(compareKept))
    if (one.device !== device && !newest.has(one.device)) newest.set(one.device, one);
  const anchors = [...newest.values()].map(({ seen }) => values.find((one) => isKeptIn(seen, one)));
  return new Set([...before, ...anchors.filter((one) => one !== undefined)]);
}

const isOfOtherKey = ({ isBeforeJoining }: Kept): boolean => isBeforeJoining === true;

/** A piece that several have in common counts once. */
function bytesOf(past: readonly Kept[]): number {
  const names = new Set(past.flatMap(({ pieces = [] }) => pieces));
  return past.reduce((sum, { bytes }) => sum + bytes, names.size * PIECE_ESTIMATE_BYTES);
}
