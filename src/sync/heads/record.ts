/** What a device keeps of one category: its head and what each relay is known to have of it. Its stored form: `record-codec.ts`. */

import type { EventId, Ms, RelayUrl, Seconds } from '../../protocol/address.ts';
import type { VersionVector } from '../../protocol/causality.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import type { Voids } from '../../protocol/voids.ts';
import type { Kept } from './kept.ts';
import { isNewPiece, isReadable, type Piece, type Version } from './version.ts';

/**
 * What a relay has of the head. `pending`: owed to it. `unseen`: another relay showed it, this one may have it as well.
 * `acknowledged`: it said OK, not yet read back. `confirmed`: it showed the head. `refused`: for good.
 */
export type Delivery = 'pending' | 'unseen' | 'acknowledged' | 'confirmed' | 'refused';

/** This device's last write of the category. */
export interface OwnWrite<E extends NostrEvent = VerifiedEvent> {
  /** `deviceHash` of the device id it was made under. */
  readonly device: string;
  readonly id: EventId;
  /** created_at in s. */
  readonly stamp: Seconds;
  /** The greatest stamp of a later write that was withdrawn. */
  readonly floor?: Seconds;
  /** Whether a relay has acknowledged it. */
  readonly acknowledged: boolean;
  /** While no relay has it: the stamp, in s, of the newest own write before it that one had acknowledged. */
  readonly acknowledgedBefore?: Seconds | undefined;
  /** Whether what replaced it had not seen it. What comes later decides nothing: the write was seen, or is lost. */
  readonly lost: boolean;
  /** Ids of those that were withdrawn, oldest first: a relay that refused one may have kept it. */
  readonly withdrawn?: readonly EventId[] | undefined;
  /** Those of them whose `publish` did not fail: the same write was signed again under a lower stamp. */
  readonly restamped?: readonly EventId[] | undefined;
  /**
   * The least and the greatest stamp, in s, of own writes that got a lower stamp, or were reset. An event that knows of one of these was
   * not made by a copy of the store.
   */
  readonly undone?: readonly Seconds[] | undefined;
  /**
   * While no relay has it: stamps, in s, of what somebody may have and it is above, oldest first; `NOTHING` before own ones that are above
   * nothing else.
   */
  readonly above?: readonly Seconds[] | undefined;
  /** It was made before every relay had answered what it has of the category: it may beat what it had not seen. */
  readonly isBlind?: boolean;
  /**
   * It was saved while relays are still asked what they have of the category. Until then (ms) no socket carries it, and what
   * is greater does not take its place but raises `heldFloor`: the write then gets that stamp.
   */
  readonly heldUntil?: Ms | undefined;
  /** One above what is greater and has turned up while it was held, or above itself if it was exported, in s. No own write had this stamp. */
  readonly heldFloor?: Seconds;
  /** While it is held: the newest that has turned up and that it has not seen. */
  readonly met?: E | undefined;
  /** Stamps, in s, of what came before it here, oldest first: a reset of it is above those that are not from the future. */
  readonly past?: readonly Seconds[] | undefined;
  /** What it has taken in of the frontier, while it may be withdrawn. */
  readonly taken?: { readonly rivals: readonly Kept[]; readonly joint: VersionVector } | undefined;
  /** The one before it, while this one may be withdrawn. */
  readonly former?: OwnWrite<E> | undefined;
}

/** A piece of a former value, still on the relays. */
export interface Orphan {
  readonly name: string;
  /** Since when every relay has what came after it, in ms; `undefined` while one may not. */
  readonly since: Ms | undefined;
}

/** `E`: whether its events were verified since they were read from the store. */
export interface HeadRecord<E extends NostrEvent = VerifiedEvent> {
  /** The head: the greatest verified event of the address. Absent only after the first write was withdrawn. */
  readonly head: Version<E> | undefined;
  /**
   * What was the value before the head, newest first: the first is shown while the head cannot be read, and comes back if the head is
   * withdrawn. The second stands in for a first that cannot be read either: several own writes in a row may turn out to be unreadable. It
   * is never in pieces.
   */
  readonly former: readonly Version<E>[];
  /** By canonical relay URL. A relay that is absent was added since, and is owed the head. */
  readonly deliveries: ReadonlyMap<RelayUrl, Delivery>;
  readonly own: OwnWrite<E> | undefined;
  /** What the last head without a version vector is deemed to have seen: all that relays had by then. */
  readonly deemed: VersionVector;
  /** By relay, the id of the last head in pieces that it was known to have, and so all of that head's pieces. */
  readonly proven: ReadonlyMap<RelayUrl, EventId>;
  /** Oldest first. */
  readonly orphans: readonly Orphan[];
  /**
   * How often a relay that had taken the head gave a complete answer with another event of the same stamp in its place, or, of
   * a tombstone, with nothing.
   */
  readonly contradictions: number;
  /** Events that do not count, by what `reset` has written. */
  readonly voids: Voids;
  /** Known events that the head has not seen, newest first: heads/frontier.ts. */
  readonly rivals: readonly Kept[];
  /** Former values, newest first: heads/past.ts. */
  readonly past: readonly Kept[];
  /** What the value of the head contains beyond what its event has seen: rivals that add nothing to it. */
  readonly joint: VersionVector;
}

/** What a record starts from. */
export const EMPTY_RECORD: HeadRecord<never> = {
  head: undefined,
  former: [],
  deliveries: new Map(),
  own: undefined,
  deemed: new Map(),
  proven: new Map(),
  orphans: [],
  contradictions: 0,
  voids: new Map(),
  rivals: [],
  past: [],
  joint: new Map(),
};

/** All values of which something is kept, newest first. */
export function versionsOf<E extends NostrEvent>(record: HeadRecord<E> | undefined): readonly Version<E>[] {
  return record === undefined ? [] : [...(record.head === undefined ? [] : [record.head]), ...record.former];
}

/** The pieces of all of them: a piece that several have in common, as the newest has it first. */
export function piecesOf(record: HeadRecord<NostrEvent> | undefined): readonly Piece[] {
  return versionsOf(record).flatMap(({ pieces = [] }) => pieces);
}

/** The newest event that the device can show: the head, or what was before it while that is unreadable or not whole. */
export function readableOf<E extends NostrEvent>(record: HeadRecord<E> | undefined): E | undefined {
  if (isReadable(record?.head)) return record!.head!.event;
  const [before] = record?.head === undefined ? [] : record.former;
  return before?.reading === 'unreadable' ? undefined : before?.event;
}

/** Whether it says that the relay has it. */
export function isTaken(delivery: Delivery | undefined): boolean {
  return delivery === 'acknowledged' || delivery === 'confirmed';
}

/** Whether a relay has shown the head. One that says OK may have dropped it for something newer. */
export function isShown({ deliveries }: HeadRecord<NostrEvent>): boolean {
  return [...deliveries.values()].includes('confirmed');
}

/** What a relay has of the head: of one in pieces, what it has of the whole. */
export function deliveryOf(record: HeadRecord<NostrEvent>, relay: RelayUrl): Delivery {
  const delivery = record.deliveries.get(relay) ?? 'pending';
  const pieces = record.head?.pieces;
  if (pieces === undefined || !isTaken(delivery)) return delivery;
  const states = pieces.map((piece) => piece.deliveries.get(relay));
  if (states.includes(undefined)) return 'pending';
  return states.includes('acknowledged') ? 'acknowledged' : delivery;
}

export function newPiecesOf({ head }: HeadRecord<NostrEvent>): number {
  return (head?.pieces ?? []).filter((piece) => isNewPiece(piece, head!.event)).length;
}

/** Pieces that must be signed above a tombstone. */
export function buriedOf(record: HeadRecord<NostrEvent> | undefined): readonly Piece[] {
  return (record?.head?.pieces ?? []).filter(({ stamp, buried = -1 }) => buried >= stamp);
}

export function isOwnHead(record: HeadRecord<NostrEvent>): boolean {
  return record.head !== undefined && record.head.event.id === record.own?.id;
}

/** Whether relays are still asked what the head, a first write, must be above. */
export function isHeld(record: HeadRecord<NostrEvent> | undefined): boolean {
  return record !== undefined && isOwnHead(record) && record.own?.heldUntil !== undefined;
}

/** The next own write is stamped above this, in s: whatever became of those before it. */
export function floorOf(record: HeadRecord<NostrEvent> | undefined): Seconds {
  const { stamp = -1, floor = -1, heldFloor = -1 } = record?.own ?? {};
  return Math.max(stamp, floor, heldFloor);
}

/** How far a write has come: docs/RELIABILITY.md. */
export type Stage = 'saved' | 'delivered' | 'replicated';

export function stageOf(record: HeadRecord<NostrEvent>, relays: Iterable<RelayUrl>): Stage {
  const deliveries = [...relays].map((relay) => deliveryOf(record, relay));
  if (deliveries.length > 0 && deliveries.every((delivery) => delivery === 'confirmed')) return 'replicated';
  return deliveries.some(isTaken) ? 'delivered' : 'saved';
}

/** Whether the head is a write of this device that no relay has. */
export function isPending(record: HeadRecord<NostrEvent> | undefined, relays: Iterable<RelayUrl>): boolean {
  const isUnanswered = record !== undefined && isOwnHead(record) && !record.own!.acknowledged;
  return isUnanswered && stageOf(record, relays) === 'saved';
}
