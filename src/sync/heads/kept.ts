/** A version that is not the head any more, or never was: what a record says of it. Its event stands under a key of its own. */

import type { EventId, Seconds } from '../../protocol/address.ts';
import { covers, joinVectors, seenBy, writerOf, type VersionVector } from '../../protocol/causality.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import { compareEvents } from '../../protocol/order.ts';
import { renewedBy } from '../../protocol/renewal.ts';
import { isInPieces, type Version } from './version.ts';

export interface Kept {
  readonly id: EventId;
  /** created_at in s. */
  readonly stamp: Seconds;
  /** `deviceHash` of its writer. */
  readonly device: string;
  /** The stamp of the write by its writer's own word: a renewal, or a signer that is late, stamps it above that. */
  readonly written: Seconds;
  /** What its writer had seen, itself included. */
  readonly seen: VersionVector;
  /** Of its event as JSON. */
  readonly bytes: number;
  /** Of a value in pieces: their names, if they are in the store. */
  readonly pieces?: readonly string[] | undefined;
  readonly isInPieces: boolean;
  readonly isRemoval: boolean;
  /** What took its place had not seen it. */
  readonly isOverwritten: boolean;
  /** It is of another key, and was here before this one: no write that is made since was made of it, whatever vectors say. */
  readonly isBeforeJoining?: boolean | undefined;
  /** Until it is in the store. */
  readonly event?: VerifiedEvent | undefined;
}

/** `deemed`: see `seenBy`. */
export function keptOf(
  { event, pieces }: Pick<Version, 'event' | 'pieces'>,
  deemed: VersionVector | undefined,
  isOverwritten: boolean,
): Kept {
  const device = writerOf(event);
  const written = event.created_at - renewedBy(event);
  return {
    ...{ id: event.id, stamp: event.created_at, device, written },
    // Itself too, though its vector may leave that out: it must not come twice.
    seen: joinVectors(seenBy(event, deemed), new Map([[device, written]])),
    bytes: JSON.stringify(event).length,
    pieces: pieces?.map(({ name }) => name),
    isInPieces: isInPieces(event),
    isRemoval: isTombstone(event),
    isOverwritten,
    event,
  };
}

/** Whether a value with this vector had seen it. */
export function isKeptIn(vector: VersionVector, { device, written }: Kept): boolean {
  return covers(vector, device, written);
}

/** Newest first. */
export function compareKept(a: Kept, b: Kept): number {
  return compareEvents(placeOf(b), placeOf(a));
}

/** As an event of the same place in the order of events. */
export const placeOf = ({ id, stamp }: Kept): Pick<VerifiedEvent, 'id' | 'created_at'> => ({
  id,
  created_at: stamp,
});
