/** One event of a category, and what this device has of it. */

import type { RelayUrl, Seconds } from '../../protocol/address.ts';
import { CHUNKED } from '../../protocol/chunks.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { formatOf } from '../../protocol/header.ts';

/**
 * Whether the device could read it. `unread`: it has not tried, or failed for a time. `read`: it has, or it has made it with a key that is
 * here. `unreadable`: it could not be decrypted or parsed.
 */
export type Reading = 'unread' | 'read' | 'unreadable';

/** A piece of a value larger than one event: an event of its own in the store, under `piece/`. */
export interface Piece {
  /** What `pieceDTag` takes. */
  readonly name: string;
  /** created_at in s. */
  readonly stamp: Seconds;
  /** By relay: `acknowledged` it said OK, `confirmed` it showed the piece, or a value that the piece is part of. */
  readonly deliveries: ReadonlyMap<RelayUrl, 'acknowledged' | 'confirmed'>;
  /** A relay holds a tombstone in its place, or deletes all up to this stamp, in s. */
  readonly buried?: Seconds;
}

/** `E`: whether its event was verified since it was read from the store. */
export interface Version<E extends NostrEvent = VerifiedEvent> {
  readonly event: E;
  /** Of a value in pieces, once all of them are in the store; of any other none. */
  readonly pieces: readonly Piece[] | undefined;
  readonly reading: Reading;
}

/** An event of which only itself is here. */
export function versionOf(event: VerifiedEvent): Version {
  return { event, pieces: undefined, reading: 'unread' };
}

export function isInPieces(event: NostrEvent): boolean {
  return formatOf(event) === CHUNKED;
}

/** Whether it is here, and all its pieces if it is in pieces. */
export function isWhole(version: Version<NostrEvent> | undefined): boolean {
  return version !== undefined && (version.pieces !== undefined || !isInPieces(version.event));
}

/** Whether the device can show it, by all that it knows. */
export function isReadable(version: Version<NostrEvent> | undefined): boolean {
  return isWhole(version) && version!.reading !== 'unreadable';
}

/** Whether a piece was made for this event, rather than for one before it. */
export function isNewPiece({ stamp }: Piece, event: NostrEvent | undefined): boolean {
  return event !== undefined && stamp >= event.created_at;
}
