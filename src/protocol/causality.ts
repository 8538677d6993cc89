/**
 * Version vectors, as the `vv` tag says them (header.ts): which writes the writer of an event had seen.
 * Stamps order writes; they cannot say whether one was made in ignorance of another.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { createRecent } from '../recent.ts';
import type { Seconds } from './address.ts';
import type { NostrEvent } from './event.ts';
import { deviceIdOf, vectorOf } from './header.ts';
import { MAX_DEVICE_HASHES, MAX_VECTOR_ENTRIES } from './limits.ts';

/** Device (first 8 hex digits of SHA-256 of its id) → stamp of its newest write that is part of the value. */
export type VersionVector = ReadonlyMap<string, Seconds>;

/** A user has few devices, and their hashes are asked for at every step. Others choose these ids: what is kept of them is bounded. */
const hashes = createRecent<string>(
  () => MAX_DEVICE_HASHES,
  () => 1,
);

export function deviceHash(deviceId: string): string {
  const known = hashes.get(deviceId);
  if (known !== undefined) return known;
  const hash = bytesToHex(sha256(new TextEncoder().encode(deviceId))).slice(0, 8);
  hashes.set(deviceId, hash);
  return hash;
}

/** `deviceHash` of the device that wrote an event. */
export function writerOf(event: NostrEvent): string {
  return deviceHash(deviceIdOf(event));
}

/** The newest entries, newest first, as many as there is room for. */
export function newestOf(vector: VersionVector, room: number = MAX_VECTOR_ENTRIES): VersionVector {
  return new Map([...vector].sort(([a, s], [b, t]) => t - s || (a < b ? -1 : 1)).slice(0, room));
}

/** Of each device the newer entry; the newest of them, as many as there is room for. */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (b.size === 0) return a;
  const all = new Map(a);
  for (const [device, stamp] of b) all.set(device, Math.max(stamp, all.get(device) ?? stamp));
  return newestOf(all);
}

/**
 * What a value based on `event` has seen: what its vector says, whose entry for the writer is below the stamp of an event that was
 * stamped later (by its signer, or by a renewal). `deemed`: what a writer without vectors is taken to have seen.
 */
export function seenBy(event: NostrEvent | undefined, deemed?: VersionVector): VersionVector {
  if (event === undefined) return new Map();
  return vectorOf(event) ?? new Map([...(deemed ?? []), [writerOf(event), event.created_at]]);
}

/** The vector of a write by `device` at `stamp` on top of what it had seen: its own entry, then the newest of the others. */
export function vectorAt(seen: VersionVector, device: string, stamp: Seconds): VersionVector {
  const others = new Map([...seen].filter(([d, s]) => d !== device && s <= stamp));
  return new Map([[device, stamp], ...newestOf(others, MAX_VECTOR_ENTRIES - 1)]);
}

/**
 * Whether a value with this vector had seen the write of `device` at `stamp`. A full vector that ends above the
 * stamp may have dropped the device: it is given the benefit of the doubt.
 */
export function covers(vector: VersionVector, device: string, stamp: Seconds): boolean {
  const seen = vector.get(device);
  if (seen !== undefined) return seen >= stamp;
  return vector.size === MAX_VECTOR_ENTRIES && stamp < Math.min(...vector.values());
}

/** Of these entries, those that a value with this vector had not seen. */
export function unseenBy(
  vector: VersionVector,
  entries: Iterable<readonly [string, Seconds]>,
): (readonly [string, Seconds])[] {
  return [...entries].filter((entry) => !covers(vector, ...entry));
}
