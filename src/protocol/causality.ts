/**
 * Version vectors, the `vv` tag: which writes the writer of an event had seen.
 * Stamps order writes; they cannot say whether one was made in ignorance of another.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { deviceIdOf, tagValues, type NostrEvent } from './event.ts';
import { MAX_VECTOR_ENTRIES } from './limits.ts';

/** Device (first 8 hex digits of SHA-256 of its id) → stamp of its newest write that is part of the value, in s. */
export type VersionVector = ReadonlyMap<string, number>;

const ENTRY = /^([0-9a-f]{8}):(\d{1,12})$/;

export function deviceHash(deviceId: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(deviceId))).slice(0, 8);
}

/**
 * The vector of an event; `undefined` if its writer keeps none, as the original plugin does, or if it is malformed. A write
 * cannot have seen what is stamped above it. Such an entry would count as seen for good, and push out true ones.
 */
export function vectorOf(event: NostrEvent): VersionVector | undefined {
  return parseEntries(tagValues(event, 'vv'), event.created_at);
}

/** From `["d:s", …]`; `undefined` unless each entry is one, and none is above `newest`. */
export function parseEntries(
  entries: readonly unknown[] | undefined,
  newest: number,
): VersionVector | undefined {
  if (entries === undefined || entries.length > MAX_VECTOR_ENTRIES) return undefined;
  const vector = new Map<string, number>();
  for (const entry of entries) {
    const match = ENTRY.exec(String(entry));
    const stamp = Number(match?.[2] ?? Infinity);
    if (stamp > newest) return undefined;
    vector.set(match![1]!, stamp);
  }
  return vector;
}

export function entriesOf(vector: VersionVector): string[] {
  return [...vector].map(([d, s]) => `${d}:${s}`);
}

/** The newest entries, newest first, as many as there is room for. */
export function newestOf(vector: VersionVector, room: number = MAX_VECTOR_ENTRIES): VersionVector {
  return new Map([...vector].sort(([a, s], [b, t]) => t - s || (a < b ? -1 : 1)).slice(0, room));
}

/**
 * What a value based on `event` has seen: what its vector says, whose entry for the writer is below the stamp of an event that was
 * stamped later (by its signer, or by a renewal). `deemed`: what a writer without vectors is taken to have seen.
 */
export function seenBy(event: NostrEvent | undefined, deemed?: VersionVector): VersionVector {
  if (event === undefined) return new Map();
  return vectorOf(event) ?? new Map([...(deemed ?? []), [deviceHash(deviceIdOf(event)), event.created_at]]);
}

/** The tag of a write by `device` at `stamp` on top of what it had seen: its own entry, then the newest of the others. */
export function vectorTag(seen: VersionVector, device: string, stamp: number): readonly string[] {
  const others = new Map([...seen].filter(([d, s]) => d !== device && s <= stamp));
  return ['vv', `${device}:${stamp}`, ...entriesOf(newestOf(others, MAX_VECTOR_ENTRIES - 1))];
}

/**
 * Whether a value with this vector had seen the write of `device` at `stamp`. A full vector that ends above the
 * stamp may have dropped the device: it is given the benefit of the doubt.
 */
export function covers(vector: VersionVector, device: string, stamp: number): boolean {
  const seen = vector.get(device);
  if (seen !== undefined) return seen >= stamp;
  return vector.size === MAX_VECTOR_ENTRIES && stamp < Math.min(...vector.values());
}
