/** Which write was lost: what an event has seen, and what this device has. */

import { covers, seenBy, writerOf, type VersionVector } from '../../protocol/causality.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { isTombstone, vectorOf, voidsOf } from '../../protocol/header.ts';
import { compareEvents } from '../../protocol/order.ts';
import { renewedBy } from '../../protocol/renewal.ts';
import type { Effect } from './input.ts';
import { hasUndone } from './own-stamps.ts';
import { isHeld, isOwnHead, type HeadRecord, type OwnWrite } from './record.ts';
import { isInPieces } from './version.ts';

/** Whether the head says that another device has this one's id. */
export function isTaken({ head, own }: HeadRecord, device: string): boolean {
  return head !== undefined && own?.device === device && isOfTwin(head.event, own);
}

/**
 * Whether `event` knows of a write under the id of our own that this store has not made: then a copy of the store, or another device that
 * has that id, writes as well. An entry for that id says nothing about our write any more.
 */
export function isOfTwin(event: VerifiedEvent, own: OwnWrite): boolean {
  const seen = seenBy(event).get(own.device) ?? -1;
  // What was taken back may have the stamp of what is in its place.
  const isOurs = event.id === own.id || own.withdrawn?.includes(event.id) === true;
  if (isOurs || hasUndone(own, seen)) return false;
  const isTied = seen === own.stamp && event.created_at === own.stamp && !voidsOf(event).has(own.id);
  return isTied || seen > Math.max(own.stamp, own.floor ?? -1);
}

/** Whether `mine`, the write that `own` is about, is lost to an event that takes its place: the one rule for who is told of a conflict. */
export function isLostTo(
  mine: NostrEvent | undefined,
  own: OwnWrite | undefined,
  event: VerifiedEvent,
): boolean {
  return own !== undefined && own.id === mine?.id && overwrites(event, own);
}

/** Whether `event` was written without having seen our write. */
function overwrites(event: VerifiedEvent, own: OwnWrite): boolean {
  // What voids it has seen it.
  if (voidsOf(event).has(own.id)) return false;
  if (isOfTwin(event, own)) return true;
  const vector = vectorOf(event);
  // A writer without vectors (the original plugin) may well have seen what a relay had taken.
  return vector === undefined ? !own.acknowledged : !covers(vector, own.device, own.stamp);
}

/** Whether an older event is one that the own head, a blind write or one that is held, has not seen. */
export function isOverlooked(record: HeadRecord | undefined, event: NostrEvent): boolean {
  if (record === undefined || !isOwnHead(record)) return false;
  if (isHeld(record)) return isFormer(record, event);
  if (record.own?.isBlind !== true || isTombstone(event)) return false;
  return !isPartOf(vectorOf(record.head!.event) ?? new Map(), event);
}

/** Whether a write that is held, and what turns up meanwhile, have not seen each other. */
export function isMetUnseen({ head, own }: HeadRecord, event: NostrEvent): boolean {
  if (isTombstone(event) || covers(seenBy(event), own!.device, own!.stamp)) return false;
  return !isPartOf(vectorOf(head!.event) ?? new Map(), event);
}

/**
 * What a write beats unseen that was held in `before`, and is let go in `record`. Only then it is known: till then it may be taken back, or
 * fail to be stamped above what it has met.
 */
export function beatenUnseen(
  before: HeadRecord | undefined,
  record: HeadRecord | undefined,
): readonly Effect[] {
  const theirs = before?.own?.met;
  if (theirs === undefined || !isHeld(before)) return [];
  if (record === undefined || isHeld(record) || !isOwnHead(record)) return [];
  const mine = record.head!.event;
  // A later write, made while this one was held, may have seen it.
  const isSeen = isPartOf(seenBy(mine), theirs);
  return isSeen || compareEvents(mine, theirs) < 0 || hasEnded(before!, theirs)
    ? []
    : [{ type: 'conflict', mine, theirs }];
}

/** Whether another device has removed it since, as far as is known. */
function hasEnded({ former: [before], own }: HeadRecord, theirs: VerifiedEvent): boolean {
  if (before === undefined || !isTombstone(before.event) || compareEvents(before.event, theirs) < 0)
    return false;
  return writerOf(before.event) !== own!.device;
}

export function isFormer({ former: [before] }: HeadRecord, event: NostrEvent): boolean {
  return !isInPieces(event) && (before === undefined || compareEvents(event, before.event) > 0);
}

/** Whether a value with this vector had seen what `event` says. */
export function isPartOf(vector: VersionVector, event: NostrEvent): boolean {
  // Its writer's own word for its stamp: a renewal, or a signer that is late, stamps it above that.
  return covers(vector, writerOf(event), event.created_at - renewedBy(event));
}
