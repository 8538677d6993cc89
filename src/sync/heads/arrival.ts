/** An event that a relay shows, and that may take the place of the head. */

import type { RelayUrl } from '../../protocol/address.ts';
import { newestOf, seenBy, type VersionVector } from '../../protocol/causality.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { vectorOf, voidsOf } from '../../protocol/header.ts';
import { DAY_SECONDS } from '../../protocol/limits.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isRenewalOf } from '../../protocol/renewal.ts';
import { isVoid, joinVoids } from '../../protocol/voids.ts';
import { isLostTo, isMetUnseen, isOverlooked, isPartOf } from './conflict.ts';
import { orphansOf, withDelivery } from './deliveries.ts';
import type { Effect, Input, Outcome } from './input.ts';
import { undoneBy } from './own-stamps.ts';
import { heldAgainst, taken } from './own-write.ts';
import {
  EMPTY_RECORD,
  floorOf,
  isHeld,
  isOwnHead,
  isShown,
  type Delivery,
  type HeadRecord,
} from './record.ts';
import { formerOf, isKnownReadable } from './former.ts';
import { isInPieces, isReadable, isWhole, versionOf, type Piece, type Version } from './version.ts';

export function assembled(
  record: HeadRecord | undefined,
  { id, made, lacking }: Extract<Input, { readonly type: 'assembled' }>,
): Outcome {
  const head = record?.head;
  if (head?.event.id !== id || isWhole(head)) return { record, effects: [] };
  const holders = [...record!.deliveries].filter(([, delivery]) => delivery === 'confirmed');
  const pieces = [...made].map(([name, event]) => ({
    name,
    stamp: event.created_at,
    deliveries: new Map(
      holders.filter(([relay]) => lacking.get(relay)?.has(name) !== true) as [RelayUrl, 'confirmed'][],
    ),
  }));
  const proven = new Map([...record!.proven, ...holders.map(([relay]) => [relay, id] as const)]);
  return {
    record: { ...record!, head: { ...head, pieces }, proven, orphans: orphansOf(record, pieces) },
    effects: [{ type: 'advanced', event: head.event }],
  };
}

export function shown(
  record: HeadRecord | undefined,
  relay: RelayUrl | undefined,
  event: VerifiedEvent,
  relays: readonly RelayUrl[],
): Outcome {
  const head = record?.head?.event;
  if (record !== undefined && isVoid(record.voids, event)) return { record, effects: [] };
  const voids = joinVoids(record?.voids ?? EMPTY_RECORD.voids, voidsOf(event));
  if (record !== undefined && voids !== record.voids)
    return isVoid(voids, head ?? event)
      ? reset({ ...record, voids }, event, relay, relays)
      : shown({ ...record, voids }, relay, event, relays);
  const order = head === undefined ? 1 : compareEvents(event, head);
  if (order !== 0 && isHeld(record))
    return { record: met(heldAgainst(taken(record!, event), event), event), effects: [] };
  if (order < 0) return overlooked(record!, event);
  if (order === 0)
    return {
      record: relay === undefined ? record : withDelivery(record!, relay, 'confirmed'),
      effects: [],
    };
  // Its writer sends it to all relays: each is asked for it before this device sends it.
  return advance(record, event, shownBy(relay, relays));
}

function shownBy(relay: RelayUrl | undefined, relays: readonly RelayUrl[]): ReadonlyMap<RelayUrl, Delivery> {
  return new Map(relays.map((url) => [url, url === relay ? 'confirmed' : 'unseen']));
}

/** The head does not count any more: what does takes its place. */
function reset(
  record: HeadRecord,
  event: VerifiedEvent,
  relay: RelayUrl | undefined,
  relays: readonly RelayUrl[],
): Outcome {
  const { own } = record;
  const before = formerTo(record, event);
  const isBack = before !== undefined && compareEvents(before.event, event) > 0;
  const from = {
    ...record,
    former: before === undefined || isBack ? [] : [before],
    orphans: orphansOf(record),
  };
  const outcome = isBack
    ? follow(from, withoutDeliveries(before), new Map(), false)
    : follow(from, versionOf(event), shownBy(relay, relays), false);
  const stamp = outcome.record!.head!.event.created_at;
  // The next write of this device goes by what counts.
  if (own === undefined || floorOf(record) <= stamp) return outcome;
  const floor = Math.max(stamp, ...(own.past ?? []).filter((one) => one <= event.created_at + DAY_SECONDS));
  const { heldFloor: _, ...kept } = outcome.record!.own!;
  const lowered = { stamp: Math.min(own.stamp, stamp), floor, undone: undoneBy(own, stamp) };
  return { ...outcome, record: { ...outcome.record!, own: { ...kept, ...lowered } } };
}

/**
 * What was before a void head, if it counts: it may be above the reset, and no other device may have it.
 * What the void head was written upon is part of that, and so of the reset, or from the future as well.
 */
function formerTo({ head, former, voids }: HeadRecord, reset: VerifiedEvent): Version | undefined {
  const [before] = former;
  if (before === undefined || isVoid(voids, before.event)) return undefined;
  if (compareEvents(before.event, reset) < 0) return before;
  const isFuture = before.event.created_at > reset.created_at + DAY_SECONDS;
  return isFuture || isPartOf(seenBy(head?.event), before.event) ? undefined : before;
}

/** Since it was the head, others may have collected its pieces. */
function withoutDeliveries(version: Version): Version {
  const pieces = version.pieces?.map((piece): Piece => ({ ...piece, deliveries: new Map() }));
  return { ...version, pieces, reading: 'unread' };
}

/** A greater event, which is no write of the app here, takes the place of the head. */
export function advance(
  record: HeadRecord | undefined,
  event: VerifiedEvent,
  deliveries: ReadonlyMap<RelayUrl, Delivery>,
): Outcome {
  const head = record?.head;
  if (head === undefined || !isRenewalOf(event, head.event))
    return follow(record, versionOf(event), deliveries, isHeadKept(record));
  // Still this device's write: its stamp stays that of the write, so that its loss is told by what had not seen that.
  const own = isOwnHead(record!) ? { ...record!.own!, id: event.id } : record!.own;
  return {
    record: { ...record!, head: { ...head, event }, deliveries, own, contradictions: 0 },
    effects: [{ type: 'advanced', event, renews: head.event.id }],
  };
}

/** `isHeadKept`: the head is what is shown if the next one cannot be read. */
function follow(
  record: HeadRecord | undefined,
  next: Version,
  deliveries: ReadonlyMap<RelayUrl, Delivery>,
  isHeadKept: boolean,
): Outcome {
  const { event } = next;
  const head = record?.head?.event;
  const own = record?.own;
  // If an event that had seen our write replaces it, the write lives on in that event. Who overwrites that one is in conflict with its
  // writer.
  const overwritten = isLostTo(head, own, event);
  const advanced: HeadRecord = {
    ...EMPTY_RECORD,
    head: next,
    former: formerOf(record, isHeadKept),
    deliveries,
    own: overwritten ? { ...own!, lost: true } : own,
    deemed: vectorOf(event) === undefined ? deemedOver(record) : (record?.deemed ?? EMPTY_RECORD.deemed),
    proven: record?.proven ?? EMPTY_RECORD.proven,
    // Which pieces a head in pieces shares with the former is known once it is whole.
    orphans: isWhole(next) ? orphansOf(record, next.pieces) : (record?.orphans ?? []),
    voids: joinVoids(record?.voids ?? EMPTY_RECORD.voids, voidsOf(event)),
  };
  const effects: Effect[] = [{ type: 'advanced', event }];
  if (overwritten && head !== undefined) effects.push({ type: 'conflict', mine: head, theirs: event });
  return { record: advanced, effects };
}

/** What a writer without vectors is taken to have seen: what relays had, and so no own write that none has acknowledged. */
function deemedOver(record: HeadRecord | undefined): VersionVector {
  const seen = newestOf(seenBy(record?.head?.event, record?.deemed));
  const own = record?.own;
  if (own === undefined || !isOwnHead(record!) || isShown(record!)) return seen;
  const others = new Map([...seen].filter(([device]) => device !== own.device));
  return own.acknowledgedBefore === undefined ? others : others.set(own.device, own.acknowledgedBefore);
}

/** Whether the head is shown while the next one cannot be read. If nothing else was before that, it is one that a signer may yet read. */
function isHeadKept(record: HeadRecord | undefined): boolean {
  if (isReadable(record?.head)) return !isOverPieces(record);
  return isWhole(record?.head) && record!.former.length === 0;
}

/**
 * Whether a head that has not been read yet hides a value in pieces. There is room for the pieces of one value: those of one that was
 * read stay, until the next one was.
 */
function isOverPieces(record: HeadRecord | undefined): boolean {
  const before = record?.former[0];
  return before !== undefined && isInPieces(before.event) && !isKnownReadable(record!);
}

/** A held write will be above all that turns up: of what it had not seen the newest is told once it is let go. */
function met(record: HeadRecord, event: VerifiedEvent): HeadRecord {
  const { met: known } = record.own!;
  const isNews = known === undefined || compareEvents(event, known) > 0;
  return isNews && isMetUnseen(record, event) ? { ...record, own: { ...record.own!, met: event } } : record;
}

/** A blind write beats what it had not seen: that is told, once. */
function overlooked(record: HeadRecord, event: VerifiedEvent): Outcome {
  if (!isOverlooked(record, event)) return { record: taken(record, event), effects: [] };
  return {
    record: { ...record, own: { ...record.own!, isBlind: false } },
    effects: [{ type: 'conflict', mine: record.head!.event, theirs: event }],
  };
}
