/** A write of this device: it becomes the head, gets another stamp, or is withdrawn. */

import type { EventId, Seconds } from '../../protocol/address.ts';
import { seenBy } from '../../protocol/causality.ts';
import { writerOf } from '../../protocol/causality.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isVoid, joinVoids } from '../../protocol/voids.ts';
import { isFormer, isOfTwin, isPartOf } from './conflict.ts';
import { orphansOf } from './deliveries.ts';
import type { Input, Outcome } from './input.ts';
import { NOTHING, stampsBefore, stampsBelow, undoneBy, withIdOf, stampsOf } from './own-stamps.ts';
import {
  EMPTY_RECORD,
  floorOf,
  isHeld,
  isOwnHead,
  piecesOf,
  type HeadRecord,
  type OwnWrite,
} from './record.ts';
import { formerOf } from './former.ts';
import { hasSeenOwn } from './frontier.ts';
import { isReadable, versionOf, type Piece, type Version } from './version.ts';

export function write(
  record: HeadRecord | undefined,
  {
    event,
    device,
    made,
    names,
    isRead,
    isFirst,
    isBlind,
    heldUntil,
    on,
    voids: reset,
  }: Extract<Input, { readonly type: 'write' }>,
  uncarried: EventId | undefined,
): Outcome {
  const head = record?.head?.event;
  const replaces = head !== undefined && head.id === uncarried && isOwnHead(record!);
  const voids = joinVoids(record?.voids ?? EMPTY_RECORD.voids, reset ?? EMPTY_RECORD.voids);
  const isAbove = head !== undefined && isVoid(voids, head);
  const floor = Math.max(reset === undefined ? floorOf(record) : -1, isAbove ? -1 : (head?.created_at ?? -1));
  const stale: Outcome = { record, effects: [{ type: 'stale' }] };
  if (on !== undefined && (head?.id ?? null) !== on) return stale;
  if (event.created_at < floor || (event.created_at === floor && !replaces)) return stale;
  if (reset === undefined && !hasSeenOwn(record, seenBy(event))) return stale;
  const pieces = partsOf(record, new Set(names), made);
  // The pieces that it was to share are gone from the store meanwhile.
  if (pieces === undefined) return stale;
  // An own head that the signer fails to read is still what comes back if this write is withdrawn (I1).
  const isKept = record?.head?.reading === 'unreadable' && isOwnHead(record);
  const theirs = isFirst === true ? unseen(record, event) : undefined;
  // What this device has written before, perhaps in another tab, is held or not: so is what follows.
  const before = record !== undefined && isOwnHead(record) ? record.own : undefined;
  const hold = before ?? { heldUntil, met: heldUntil === undefined ? undefined : theirs };
  const isTold = theirs !== undefined && hold.heldUntil === undefined;
  return {
    record: {
      ...EMPTY_RECORD,
      head: { event, pieces: names && pieces, reading: isRead ? 'read' : 'unread' },
      former: formerOf(record, isKept || isReadable(record?.head)),
      own: {
        ...stampsOf(event, device),
        ...{ acknowledged: false, lost: false },
        // What is written upon a blind write has seen no more than that.
        isBlind: isBlind === true || before?.isBlind === true,
        heldUntil: hold.heldUntil,
        met: hold.met,
        withdrawn: record?.own?.withdrawn,
        restamped: record?.own?.restamped,
        undone: undoneBy(record?.own, event.created_at),
        above: stampsBelow(record, uncarried),
        past: stampsBefore(record),
        acknowledgedBefore: acknowledgedOf(record?.own),
        former: record?.own && {
          ...record.own,
          former: undefined,
          heldUntil: undefined,
          met: undefined,
          above: undefined,
          past: undefined,
          taken: undefined,
        },
      },
      deemed: record?.deemed ?? EMPTY_RECORD.deemed,
      proven: record?.proven ?? EMPTY_RECORD.proven,
      orphans: orphansOf(record, pieces),
      voids,
    },
    effects: isTold ? [{ type: 'conflict', mine: event, theirs }] : [],
  };
}

/** Of a first write: what has come in since it was asked for, which it beats. */
function unseen(record: HeadRecord | undefined, mine: VerifiedEvent): VerifiedEvent | undefined {
  const theirs = record?.head?.event;
  return theirs === undefined || isTombstone(theirs) || isPartOf(seenBy(mine), theirs) ? undefined : theirs;
}

/** The stamp of the newest own write that a relay has acknowledged, in s. */
function acknowledgedOf(own: OwnWrite | undefined): Seconds | undefined {
  return own?.acknowledged === true ? own.stamp : own?.acknowledgedBefore;
}

/** A relay has an own write that the head, another one, follows: so the head is above something that is not this device's alone. */
export function taken(record: HeadRecord, event: NostrEvent): HeadRecord {
  const { own } = record;
  if (own === undefined || own.acknowledged || !isOwnHead(record)) return record;
  const stamp = event.created_at;
  const at = own.above?.indexOf(stamp) ?? -1;
  if (at < 0 || writerOf(event) !== own.device) return record;
  const acknowledgedBefore = Math.max(own.acknowledgedBefore ?? stamp, stamp);
  const isKnown = at === 0 && acknowledgedBefore === own.acknowledgedBefore;
  const former = own.former?.id === event.id ? { ...own.former, acknowledged: true } : own.former;
  const above = own.above!.slice(at);
  return isKnown ? record : { ...record, own: { ...own, above, acknowledgedBefore, former } };
}

/** Whatever a copy of the store, or a relay that was not asked, makes of the former stamp: it is still this write. */
export function restamp(
  record: HeadRecord | undefined,
  { id, event, made }: Extract<Input, { readonly type: 'restamp' }>,
): Outcome {
  const own = record?.own;
  const head = record?.head;
  if (head?.event.id !== id || own?.id !== id || own.acknowledged) return { record, effects: [] };
  // A relay may have taken what it follows meanwhile.
  if ((own.above?.[0] ?? NOTHING) >= event.created_at) return { record, effects: [] };
  const { heldUntil: _, heldFloor: __, floor: ___, ...kept } = own;
  // With those that it was made upon, if they were from the future as well: an export may have them.
  const undone = undoneBy(kept, event.created_at);
  const pieces = head.pieces?.map((piece) =>
    made.has(piece.name)
      ? { ...piece, stamp: made.get(piece.name)!.created_at, deliveries: new Map() }
      : piece,
  );
  return {
    record: {
      ...record!,
      ...{ head: { ...head, event, pieces }, deliveries: new Map(), contradictions: 0 },
      own: {
        ...{ ...kept, ...stampsOf(event, own.device) },
        // Above nothing that is known it has no place of its own: it may beat what it had not seen.
        isBlind:
          own.isBlind === true ||
          own.above?.every((one) => one === NOTHING || one >= event.created_at) === true,
        withdrawn: withIdOf(own.withdrawn, id),
        restamped: withIdOf(own.restamped, id),
        undone,
      },
    },
    effects: [{ type: 'advanced', event, renews: id }],
  };
}

/** No socket has carried it: under another stamp it is still the same write, in the same place. */
export function explored(
  record: HeadRecord | undefined,
  { id, isBlind, again, upTo }: Extract<Input, { readonly type: 'explored' }>,
): Outcome {
  const isOver = record?.head?.event.id !== id || !isHeld(record);
  if (isOver || (again?.created_at ?? upTo ?? Infinity) < floorOf(record)) return { record, effects: [] };
  const { heldUntil: _, ...kept } = record.own!;
  if (again === undefined) return { record: { ...record, own: { ...kept, isBlind } }, effects: [] };
  const { heldFloor: __, floor: ___, ...own } = kept;
  const head = { ...record.head, event: again };
  return {
    record: { ...record, head, own: { ...own, isBlind, ...stampsOf(again, own.device) } },
    effects: [{ type: 'advanced', event: again, renews: id }],
  };
}

/** A held write stays the head, and goes out above what turns up: that is restored if the write is taken back. */
export function heldAgainst(record: HeadRecord, event: VerifiedEvent): HeadRecord {
  const next = isFormer(record, event)
    ? { ...record, former: [versionOf(event), ...record.former.slice(1)] }
    : record;
  const heldFloor = event.created_at + 1;
  if (compareEvents(event, record.head!.event) < 0 || heldFloor <= floorOf(record)) return next;
  // Above what a copy of the store wrote it would count as its own.
  if (isOfTwin(event, record.own!)) return next;
  return { ...next, own: { ...record.own!, heldFloor } };
}

/** Whoever has the export has it, and not only a relay: whichever tab writes next does so above its stamp. */
export function exported(record: HeadRecord): HeadRecord {
  const heldFloor = record.head!.event.created_at + 1;
  if (!isOwnHead(record) || record.own!.acknowledged || heldFloor <= floorOf(record)) return record;
  return { ...record, own: { ...record.own!, heldFloor } };
}

/** Its stamp stays the floor. It is not the head any more, so that what comes next is no conflict with it. */
export function withdraw(record: HeadRecord | undefined, id: EventId): Outcome {
  if (record?.head?.event.id !== id || !isOwnHead(record)) return { record, effects: [] };
  const own = record.own!;
  // What a relay has shown since, though it had refused it, is there to stay: what was before it is not kept any more. What came back in
  // the place of another counts as taken too, but no relay has said a word of it.
  if (own.acknowledged && record.deliveries.size > 0) return { record, effects: [] };
  const [before, ...former] = record.former;
  return {
    record: {
      ...record,
      head: before && restored(before),
      former,
      voids: new Map([...record.voids].filter(([one]) => one !== before?.event.id)),
      deliveries: new Map(),
      // As if a relay had it: what it had replaced is forgotten, so it cannot be withdrawn as well.
      own: {
        ...(own.former === undefined
          ? own
          : {
              ...{ ...own.former, acknowledged: true, floor: floorOf(record) },
              past: own.past?.filter((one) => one < own.former!.stamp),
            }),
        withdrawn: withIdOf(own.withdrawn, id),
        // Under none of its stamps.
        restamped: own.former?.restamped,
        undone: own.undone,
      },
      orphans: orphansOf(record, before?.pieces),
      contradictions: 0,
    },
    effects: [{ type: 'withdrawn' }],
  };
}

/** What could not be read is read again: the signer may be another. */
function restored(version: Version): Version {
  return version.reading === 'unreadable' ? { ...version, reading: 'unread' } : version;
}

/**
 * New ones, and those of the record that go on with what relays have of them. `undefined` if one is missing. The newest
 * that goes on must be shown again: a relay that was wiped or rolled back meanwhile lacks that one, whatever else it lacks.
 */
function partsOf(
  record: HeadRecord | undefined,
  names: ReadonlySet<string>,
  made: ReadonlyMap<string, VerifiedEvent> = new Map(),
): Piece[] | undefined {
  const known = new Map([...piecesOf(record)].reverse().map((piece) => [piece.name, piece]));
  const pieces: Piece[] = [];
  let witness: Piece | undefined;
  for (const name of names) {
    const isMade = made.has(name);
    // A signer that says its own time may have signed it later than the head.
    const piece = isMade
      ? { name, stamp: made.get(name)!.created_at, deliveries: new Map() }
      : known.get(name);
    if (piece === undefined) return undefined;
    pieces.push(piece);
    if (!isMade && piece.stamp > (witness?.stamp ?? -1)) witness = piece;
  }
  return pieces.map((piece) =>
    piece === witness
      ? { ...piece, deliveries: new Map([...piece.deliveries].map(([url]) => [url, 'acknowledged'])) }
      : piece,
  );
}
