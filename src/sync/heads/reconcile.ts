/**
 * The one place that decides. `reconcile(record, input)` is pure: it runs inside the store's transaction, may run twice,
 * and its effects are carried out only after the record is on the medium.
 *
 * Invariants (numbers of docs/RELIABILITY.md):
 *  I3  A head is only ever replaced by a greater one: in (created_at, lower id). Three exceptions, all by this device
 *      alone and for a write that no relay has taken: a withdrawn write, a write replaced before any socket
 *      carried it (which may then reuse its stamp), and one that every relay finds too late, stamped anew below that.
 *  I9  Every input again is a no-op: it returns the same record object and no effects.
 *  I11 `floorOf` a record decreases only where a write is stamped anew below its stamp, and a write below it, or equal to one that was carried, is `stale`.
 *  I12 A relay's delivery leaves `pending` only by that relay's own word about this very head.
 *
 * Of values in pieces (docs/PROTOCOL.md section 6):
 *  P1  A relay that has a head has all pieces of it: pieces are sent before the head, and collected only when no relay's
 *      head refers to them. So a relay that shows a head in pieces is taken to have these.
 *  P2  A head whose pieces are not all in the store is not shown, not sent, and not built upon.
 */

import {
  covers,
  deviceHash,
  newestOf,
  seenBy,
  vectorOf,
  type VersionVector,
} from '../../protocol/causality.ts';
import {
  deviceIdOf,
  isExpired,
  isTombstone,
  type NostrEvent,
  type VerifiedEvent,
} from '../../protocol/event.ts';
import { compareEvents } from '../../protocol/order.ts';
import { DAY_SECONDS, MAX_ABOVE, MAX_ORPHANS, MAX_WITHDRAWN } from '../../protocol/limits.ts';
import { isRenewalOf, renewedBy } from '../../protocol/renewal.ts';
import { isVoid, joinVoids, voidsOf, type Voids } from '../../protocol/voids.ts';
import {
  deliveryOf,
  EMPTY_RECORD,
  floorOf,
  isHeadShown,
  isHeld,
  isInPieces,
  isNewPiece,
  isOwnHead,
  isWhole,
  type Delivery,
  type HeadRecord,
  type Orphan,
  type OwnWrite,
  type Piece,
} from './record.ts';

/** What else is saved with an input that does what it says: of the record that comes of it. `null` removes. */
export type Along = (record: HeadRecord) => Iterable<readonly [key: string, text: string | null]>;

export type Input =
  /** A write of this device. */
  | {
      readonly type: 'write';
      readonly event: VerifiedEvent;
      readonly device: string;
      /** Of one in pieces: those that were made for it, by name, and the names of all. */
      readonly made?: ReadonlyMap<string, VerifiedEvent>;
      readonly names?: readonly string[];
      /** It is certain that this device can read it. */
      readonly isRead: boolean;
      /** See `OwnWrite.isBlind`. */
      readonly isBlind?: boolean;
      /** See `OwnWrite.heldUntil`. */
      readonly heldUntil?: number | undefined;
      /** Of a reset: what does not count any more. It is above the rest alone. */
      readonly voids?: Voids | undefined;
      readonly along?: Along;
    }
  /** The head `id` is whole: these are its pieces. `lacking`: relays that did not show some of them when asked. */
  | {
      readonly type: 'assembled';
      readonly id: string;
      readonly made: ReadonlyMap<string, VerifiedEvent>;
      readonly lacking: ReadonlyMap<string, ReadonlySet<string>>;
    }
  /** The store has lost a piece of the head `id`. */
  | { readonly type: 'torn'; readonly id: string }
  /** What a relay has of a piece of the head; `undefined`: nothing. */
  | {
      readonly type: 'piece';
      readonly relay: string;
      readonly name: string;
      readonly delivery: 'acknowledged' | 'confirmed' | undefined;
    }
  /** What a relay had of the pieces of the head `id` does not count any more. */
  | { readonly type: 'forget-pieces'; readonly relay: string; readonly id: string }
  /** A relay holds a tombstone in the place of a piece of the head `id`, or deletes all pieces up to this stamp, in s. */
  | {
      readonly type: 'buried';
      readonly relay: string;
      readonly id: string;
      readonly name: string;
      readonly stamp: number;
    }
  /** Pieces of the head `id`, signed above their tombstones. */
  | { readonly type: 'remade'; readonly id: string; readonly made: ReadonlyMap<string, VerifiedEvent> }
  /** What the head `id` says, said again without a call of the app: protocol/renewal.ts. */
  | { readonly type: 'renew'; readonly id: string; readonly event: VerifiedEvent }
  /** The write that is the head `id`, and the pieces that are stamped above `event`, under stamps of before it. */
  | {
      readonly type: 'restamp';
      readonly id: string;
      readonly event: VerifiedEvent;
      readonly made: ReadonlyMap<string, VerifiedEvent>;
    }
  /** Every relay has the head `id`: what is not part of it is an orphan since `at` (ms). */
  | { readonly type: 'replicated'; readonly id: string; readonly at: number }
  /** These orphans were collected. */
  | { readonly type: 'collected'; readonly names: ReadonlySet<string> }
  /** The question for which the head `id` was held is over. `again`: the same write, stamped above what has turned up. */
  | {
      readonly type: 'explored';
      readonly id: string;
      readonly isBlind: boolean;
      readonly again?: VerifiedEvent | undefined;
    }
  /** Nobody will hear of the write again: every relay refused it while its writer still waited. */
  | { readonly type: 'withdraw'; readonly id: string; readonly along?: Along }
  /** A relay showed this event. `relays`: all that are configured. */
  | {
      readonly type: 'shown';
      readonly relay: string;
      readonly event: VerifiedEvent;
      readonly relays: readonly string[];
    }
  /** A relay's complete answer did not contain the head `id`. `instead`: the stamp of what it did contain, in s. */
  | {
      readonly type: 'lacking';
      readonly relay: string;
      readonly id: string;
      readonly instead: number | undefined;
    }
  /** A relay that had confirmed the head `id` sends, live, an event of the same stamp that loses against it: it may keep that. */
  | { readonly type: 'doubted'; readonly relay: string; readonly id: string }
  /** A relay answered to the head `id`. `superseded`: it has something newer, and did not take this. */
  | {
      readonly type: 'answered';
      readonly relay: string;
      readonly id: string;
      readonly delivery: 'acknowledged' | 'refused';
      readonly superseded?: boolean;
    }
  /** The relay was removed or its settings changed: what it said does not count any more. */
  | { readonly type: 'forget-relay'; readonly relay: string }
  /** The head `id` was read, or could not be decrypted or parsed. */
  | { readonly type: 'read' | 'unreadable'; readonly id: string }
  /** Nothing new: the store failed to take the record, or holds one that cannot be used, and is asked again. */
  | { readonly type: 'resave' };

export type Effect =
  /** The write came too late: the head, or an own write, is not below it. Stamp again. */
  | { readonly type: 'stale' }
  /** The write is not the head any more, and what it had replaced is. */
  | { readonly type: 'withdrawn' }
  /** The head changed without a write of this device, or has become whole. `renews`: the id of the one before that says the same. */
  | { readonly type: 'advanced'; readonly event: VerifiedEvent; readonly renews?: string }
  /** A write of this device was replaced by one that had not seen it, or a blind one beats one that it had not seen. */
  | { readonly type: 'conflict'; readonly mine: VerifiedEvent; readonly theirs: VerifiedEvent };

export interface Outcome {
  /** The same object where nothing changed. */
  readonly record: HeadRecord | undefined;
  readonly effects: readonly Effect[];
}

/** `uncarried`: the id of an own write that no socket has carried yet; a newer one may take its stamp (R3). */
export function reconcile(
  record: HeadRecord | undefined,
  input: Input,
  uncarried: string | undefined,
): Outcome {
  switch (input.type) {
    case 'write':
      return write(record, input, uncarried);
    case 'shown':
      return shown(record, input.relay, input.event, input.relays);
    case 'assembled':
      return assembled(record, input);
    case 'explored':
      return change(record, input.id, (head) => explored(head, input));
    case 'withdraw':
      return withdraw(record, input.id);
    case 'lacking':
      return change(record, input.id, (head) => lacking(head, input.relay, input.instead));
    case 'doubted':
      return change(record, input.id, (head) =>
        deliveryOf(head, input.relay) === 'confirmed'
          ? withDelivery(head, input.relay, 'acknowledged', true)
          : head,
      );
    case 'renew':
      return record?.event?.id === input.id
        ? advance(record, input.event, new Map())
        : { record, effects: [] };
    case 'restamp':
      return restamp(record, input);
    case 'answered':
      return change(record, input.id, (head) =>
        // A read-back says more than an OK that comes after it.
        head.deliveries.get(input.relay) === 'confirmed' && input.delivery === 'acknowledged'
          ? head
          : withDelivery(head, input.relay, input.delivery, input.superseded),
      );
    case 'piece':
      return { record: record && withPiece(record, input.relay, input.name, input.delivery), effects: [] };
    case 'torn':
      return change(record, input.id, (head) =>
        isInPieces(head.event!) && isWhole(head) ? { ...head, pieces: undefined } : head,
      );
    case 'forget-pieces':
      return change(record, input.id, (head) => withoutPieces(head, input.relay));
    case 'buried':
      return change(record, input.id, (head) => buried(head, input));
    case 'remade':
      return change(record, input.id, (head) => {
        const stampOf = ({ name, stamp }: Piece): number => input.made.get(name)?.created_at ?? stamp;
        return { ...head, pieces: head.pieces?.map((piece) => ({ ...piece, stamp: stampOf(piece) })) };
      });
    case 'replicated':
      return change(record, input.id, (head) =>
        head.orphans.every((orphan) => orphan.since !== undefined)
          ? head
          : { ...head, orphans: head.orphans.map(({ name, since = input.at }) => ({ name, since })) },
      );
    case 'collected': {
      if (record === undefined || !record.orphans.some(({ name }) => input.names.has(name)))
        return { record, effects: [] };
      const orphans = record.orphans.filter(({ name }) => !input.names.has(name));
      return { record: { ...record, orphans }, effects: [] };
    }
    case 'resave':
      return { record, effects: [] };
    case 'read':
      // Where nothing was before it, nothing depends on that. A signer may have failed, and works again.
      return change(record, input.id, (head) =>
        !head.unreadable && (head.before === undefined || isKnownReadable(head))
          ? head
          : withoutBefore({ ...head, isRead: true, unreadable: false }),
      );
    case 'unreadable':
      // What was read once, or made by a key that is here: it is the signer that fails, and what comes next is built upon it.
      return change(record, input.id, (head) =>
        head.unreadable || head.isRead ? head : { ...head, unreadable: true },
      );
    case 'forget-relay': {
      if (record === undefined || !record.deliveries.has(input.relay)) return { record, effects: [] };
      const deliveries = new Map(record.deliveries);
      deliveries.delete(input.relay);
      return { record: withoutPieces({ ...record, deliveries }, input.relay), effects: [] };
    }
  }
}

/** A change that is about the head with this id, and nothing where that is not the head any more. */
function change(
  record: HeadRecord | undefined,
  id: string,
  apply: (head: HeadRecord) => HeadRecord,
): Outcome {
  return { record: record?.event?.id === id ? apply(record) : record, effects: [] };
}

/** A relay may have kept it. */
function withdrawnBy(own: OwnWrite, id: string): readonly string[] {
  return [...(own.withdrawn ?? []), id].slice(-MAX_WITHDRAWN);
}

/** Its stamp stays the floor. It is not the head any more, so that what comes next is no conflict with it. */
function withdraw(record: HeadRecord | undefined, id: string): Outcome {
  if (record?.event?.id !== id || !isOwnHead(record)) return { record, effects: [] };
  const own = record.own!;
  return {
    record: {
      ...record,
      event: record.before,
      voids: new Map([...record.voids].filter(([one]) => one !== record.before?.id)),
      before: record.fallback,
      fallback: undefined,
      deliveries: new Map(),
      // As if a relay had it: what it had replaced is forgotten, so it cannot be withdrawn as well.
      own: {
        ...(own.former === undefined ? own : { ...own.former, acknowledged: true, floor: floorOf(record) }),
        withdrawn: withdrawnBy(own, id),
        undone: own.undone,
      },
      unreadable: false,
      pieces: record.piecesBefore,
      piecesBefore: undefined,
      orphans: orphansOf(record, record.piecesBefore),
      contradictions: 0,
    },
    effects: [{ type: 'withdrawn' }],
  };
}

function withDelivery(record: HeadRecord, relay: string, delivery: Delivery, superseded = false): HeadRecord {
  if (record.deliveries.get(relay) === delivery) return record;
  const next = { ...record, deliveries: new Map([...record.deliveries, [relay, delivery]]) };
  const taken = !superseded && (delivery === 'acknowledged' || delivery === 'confirmed');
  if (!taken) return next;
  const held = delivery === 'confirmed' ? withPieces(next, relay) : next;
  const proven =
    record.pieces === undefined ? record.proven : new Map([...record.proven, [relay, record.event!.id]]);
  return isOwnHead(record)
    ? withoutBefore({
        ...held,
        proven,
        own: { ...record.own!, acknowledged: true, former: undefined, above: undefined },
      })
    : { ...held, proven };
}

/** A write of ours that a relay has taken cannot be withdrawn; where it cannot prove unreadable either, nothing needs its `before`. */
function withoutBefore(record: HeadRecord): HeadRecord {
  return isOwnHead(record) && record.own!.acknowledged && isKnownReadable(record)
    ? { ...record, before: undefined, fallback: undefined, piecesBefore: undefined }
    : record;
}

/** What a relay shows instead of a head that it had taken cannot have beaten it there by the order of events. */
function lacking(record: HeadRecord, relay: string, instead: number | undefined): HeadRecord {
  if (deliveryOf(record, relay) === 'refused') return record;
  const head = record.event!;
  const isTaken = ['acknowledged', 'confirmed'].includes(record.deliveries.get(relay) ?? '');
  const isTie = instead === head.created_at || (instead === undefined && isTombstone(head));
  const contradictions = record.contradictions + Number(isTaken && isTie);
  const next = withoutPieces(withDelivery(record, relay, 'pending'), relay);
  return contradictions === record.contradictions ? next : { ...next, contradictions };
}

// Pieces

/** The relay shows the head: P1. Of what this device has sent itself, it is still asked to show the pieces. */
function withPieces(record: HeadRecord, relay: string): HeadRecord {
  if (record.pieces?.every((piece) => piece.deliveries.has(relay)) !== false) return record;
  const delivery = isOwnHead(record) ? 'acknowledged' : 'confirmed';
  const pieces = record.pieces.map((piece) =>
    piece.deliveries.has(relay)
      ? piece
      : { ...piece, deliveries: new Map([...piece.deliveries, [relay, delivery] as const]) },
  );
  return { ...record, pieces };
}

function withPiece(
  record: HeadRecord,
  relay: string,
  name: string,
  delivery: 'acknowledged' | 'confirmed' | undefined,
): HeadRecord {
  const known = record.pieces?.find((piece) => piece.name === name);
  if (known === undefined || known.deliveries.get(relay) === delivery) return record;
  if (delivery === 'acknowledged' && known.deliveries.has(relay)) return record;
  // It had that one before this head, and may have lost any with it.
  if (delivery === undefined && !isNewPiece(known, record.event)) return withoutPieces(record, relay);
  const deliveries = new Map(known.deliveries);
  if (delivery === undefined) deliveries.delete(relay);
  else deliveries.set(relay, delivery);
  return {
    ...record,
    pieces: record.pieces!.map((piece) => (piece === known ? { ...piece, deliveries } : piece)),
  };
}

function buried(record: HeadRecord, { relay, name, stamp }: Extract<Input, { type: 'buried' }>): HeadRecord {
  const pieces = record.pieces?.map((piece) => {
    if (piece.name !== name) return piece;
    const deliveries = new Map(piece.deliveries);
    deliveries.delete(relay);
    return { ...piece, deliveries, buried: Math.max(stamp, piece.buried ?? -1) };
  });
  return { ...record, pieces };
}

function withoutPieces(record: HeadRecord, relay: string): HeadRecord {
  const proven = new Map(record.proven);
  proven.delete(relay);
  const pieces = record.pieces?.map((piece) => {
    const deliveries = new Map(piece.deliveries);
    return deliveries.delete(relay) ? { ...piece, deliveries } : piece;
  });
  const isSame =
    proven.size === record.proven.size && (pieces?.every((piece, i) => piece === record.pieces![i]) ?? true);
  return isSame ? record : { ...record, proven, pieces };
}

/** What is left behind where the head that follows `record` consists of `kept`. The oldest are forgotten first. */
function orphansOf(record: HeadRecord | undefined, kept: readonly Piece[] = []): readonly Orphan[] {
  if (record === undefined) return [];
  const all = new Map(record.orphans.map((orphan) => [orphan.name, orphan]));
  for (const { name } of [...(record.piecesBefore ?? []), ...(record.pieces ?? [])])
    if (!all.has(name)) all.set(name, { name, since: undefined });
  for (const { name } of kept) all.delete(name);
  return all.size === 0 ? [] : [...all.values()].slice(-MAX_ORPHANS);
}

// Heads

function write(
  record: HeadRecord | undefined,
  {
    event,
    device,
    made,
    names,
    isRead,
    isBlind,
    heldUntil,
    voids: reset,
  }: Extract<Input, { readonly type: 'write' }>,
  uncarried: string | undefined,
): Outcome {
  const head = record?.event;
  const replaces = head !== undefined && head.id === uncarried && isOwnHead(record!);
  const voids = joinVoids(record?.voids ?? EMPTY_RECORD.voids, reset ?? EMPTY_RECORD.voids);
  const isAbove = head !== undefined && isVoid(voids, head);
  const floor = Math.max(reset === undefined ? floorOf(record) : -1, isAbove ? -1 : (head?.created_at ?? -1));
  const stale: Outcome = { record, effects: [{ type: 'stale' }] };
  if (event.created_at < floor || (event.created_at === floor && !replaces)) return stale;
  const pieces = piecesOf(record, new Set(names), event.created_at, made);
  // The pieces that it was to share are gone from the store meanwhile.
  if (pieces === undefined) return stale;
  // An own head that the signer fails to read is still what comes back if this write is withdrawn (I1).
  const isKept = record !== undefined && record.unreadable && isOwnHead(record);
  return {
    record: {
      ...EMPTY_RECORD,
      event,
      ...formerOf(record, isKept || isHeadShown(record)),
      own: {
        ...stampsOf(event, device),
        ...{ acknowledged: false, lost: false },
        // What is written upon a blind write has seen no more than that.
        isBlind:
          isBlind === true || (record !== undefined && isOwnHead(record) && record.own!.isBlind === true),
        // What this device has written before, perhaps in another tab, is held or not: so is what follows.
        heldUntil: record !== undefined && isOwnHead(record) ? record.own!.heldUntil : heldUntil,
        withdrawn: record?.own?.withdrawn,
        undone: undoneBy(record?.own, event.created_at),
        above: stampsBelow(record, uncarried),
        past: stampsBefore(record),
        former: record?.own && {
          ...record.own,
          former: undefined,
          heldUntil: undefined,
          above: undefined,
          past: undefined,
        },
      },
      deemed: record?.deemed ?? EMPTY_RECORD.deemed,
      isRead,
      pieces: names && pieces,
      proven: record?.proven ?? EMPTY_RECORD.proven,
      orphans: orphansOf(record, pieces),
      voids,
    },
    effects: [],
  };
}

/** Of the heads down to one that a relay has, what somebody may have. The first stays: that one is no write of ours alone. */
function stampsBelow(record: HeadRecord | undefined, uncarried: string | undefined): readonly number[] {
  if (record?.event === undefined) return [];
  const { id, created_at } = record.event;
  if (!isOwnHead(record) || record.own!.acknowledged) return [created_at];
  const [first, ...others] = [...(record.own!.above ?? []), ...(id === uncarried ? [] : [created_at])];
  return first === undefined ? [] : [first, ...others.slice(1 - MAX_ABOVE)];
}

/** Of too many those go that are nearest to their neighbours: what stands on both sides of a leap of the clock stays. */
function stampsBefore(record: HeadRecord | undefined): readonly number[] {
  if (record?.event === undefined) return [];
  const former = isOwnHead(record) ? record.own!.past : record.before && [record.before.created_at];
  const stamp = record.event.created_at;
  const stamps = [...(former ?? []).filter((one) => one < stamp), stamp];
  const gaps = stamps.map((one, i) => (stamps[i + 1] ?? Infinity) - (stamps[i - 1] ?? one));
  if (stamps.length > MAX_ABOVE) stamps.splice(gaps.indexOf(Math.min(...gaps)), 1);
  return stamps;
}

/** Whatever a copy of the store, or a relay that was not asked, makes of the former stamp: it is still this write. */
function restamp(
  record: HeadRecord | undefined,
  { id, event, made }: Extract<Input, { readonly type: 'restamp' }>,
): Outcome {
  const own = record?.own;
  if (record?.event?.id !== id || own?.id !== id || own.acknowledged) return { record, effects: [] };
  const { heldUntil: _, floor: __, ...kept } = own;
  const pieces = record.pieces?.map((piece) =>
    made.has(piece.name)
      ? { ...piece, stamp: made.get(piece.name)!.created_at, deliveries: new Map() }
      : piece,
  );
  return {
    record: {
      ...record,
      ...{ event, pieces, deliveries: new Map(), contradictions: 0 },
      own: {
        ...{ ...kept, ...stampsOf(event, own.device) },
        // Above nothing that is known it has no place of its own: it may beat what it had not seen.
        isBlind: own.isBlind === true || own.above?.length === 0,
        withdrawn: withdrawnBy(own, id),
        undone: spanOf([...(own.undone ?? []), record.event.created_at]),
      },
    },
    effects: [{ type: 'advanced', event, renews: id }],
  };
}

/** A signer that says its own time has made the event a little later than its writer says. */
function stampsOf(event: VerifiedEvent, device: string): Pick<OwnWrite, 'device' | 'id' | 'stamp' | 'floor'> {
  const stamp = vectorOf(event)?.get(device) ?? event.created_at;
  return { device, id: event.id, stamp, ...(stamp === event.created_at ? {} : { floor: event.created_at }) };
}

/** No socket has carried it: what is stamped anew is the same write, in the same place. */
function explored(
  head: HeadRecord,
  { isBlind, again }: Extract<Input, { readonly type: 'explored' }>,
): HeadRecord {
  if (!isHeld(head) || (again !== undefined && again.created_at < floorOf(head))) return head;
  const { heldUntil: _, floor, ...own } = head.own!;
  if (again === undefined)
    return { ...head, own: { ...own, isBlind, ...(floor === undefined ? {} : { floor }) } };
  return { ...head, event: again, own: { ...own, isBlind, ...stampsOf(again, own.device) } };
}

/** A held write stays the head, and goes out above what turns up: that is restored if the write is taken back. */
function heldAgainst(record: HeadRecord, event: VerifiedEvent): HeadRecord {
  const next = isFormer(record, event) ? { ...record, before: event, piecesBefore: undefined } : record;
  const floor = event.created_at + 1;
  if (compareEvents(event, record.event!) < 0 || floor <= floorOf(record)) return next;
  return { ...next, own: { ...record.own!, floor } };
}

function isFormer({ before }: HeadRecord, event: NostrEvent): boolean {
  return !isInPieces(event) && (before === undefined || compareEvents(event, before) > 0);
}

/**
 * New ones, and those of the record that go on with what relays have of them. `undefined` where one is missing. The newest
 * that goes on must be shown again: a relay that was wiped or rolled back meanwhile lacks that one, whatever else it lacks.
 */
function piecesOf(
  record: HeadRecord | undefined,
  names: ReadonlySet<string>,
  stamp: number,
  made: ReadonlyMap<string, VerifiedEvent> = new Map(),
): Piece[] | undefined {
  const known = new Map(
    [...(record?.piecesBefore ?? []), ...(record?.pieces ?? [])].map((piece) => [piece.name, piece]),
  );
  const pieces: Piece[] = [];
  let witness: Piece | undefined;
  for (const name of names) {
    const isMade = made.has(name);
    const piece = isMade ? { name, stamp, deliveries: new Map() } : known.get(name);
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

function assembled(
  record: HeadRecord | undefined,
  { id, made, lacking }: Extract<Input, { readonly type: 'assembled' }>,
): Outcome {
  if (record?.event?.id !== id || isWhole(record)) return { record, effects: [] };
  const holders = [...record.deliveries].filter(([, delivery]) => delivery === 'confirmed');
  const pieces = [...made].map(([name, event]) => ({
    name,
    stamp: event.created_at,
    deliveries: new Map(
      holders.filter(([relay]) => lacking.get(relay)?.has(name) !== true) as [string, 'confirmed'][],
    ),
  }));
  const proven = new Map([...record.proven, ...holders.map(([relay]) => [relay, id] as const)]);
  return {
    record: { ...record, pieces, proven, orphans: orphansOf(record, pieces) },
    effects: [{ type: 'advanced', event: record.event }],
  };
}

function shown(
  record: HeadRecord | undefined,
  relay: string,
  event: VerifiedEvent,
  relays: readonly string[],
): Outcome {
  const head = record?.event;
  if (record !== undefined && isVoid(record.voids, event)) return { record, effects: [] };
  const voids = joinVoids(record?.voids ?? EMPTY_RECORD.voids, voidsOf(event));
  if (record !== undefined && voids !== record.voids)
    return isVoid(voids, head ?? event)
      ? reset({ ...record, voids }, event, relay, relays)
      : shown({ ...record, voids }, relay, event, relays);
  const order = head === undefined ? 1 : compareEvents(event, head);
  if (order !== 0 && isHeld(record)) return { record: heldAgainst(record!, event), effects: [] };
  if (order < 0) return overlooked(record!, event);
  if (order === 0) return { record: withDelivery(record!, relay, 'confirmed'), effects: [] };
  // Its writer sends it to all of them: they are asked before they are sent it.
  return advance(record, event, shownBy(relay, relays));
}

function shownBy(relay: string, relays: readonly string[]): ReadonlyMap<string, Delivery> {
  return new Map(relays.map((url) => [url, url === relay ? 'confirmed' : 'unseen']));
}

/** The head does not count any more: what does takes its place. */
function reset(record: HeadRecord, event: VerifiedEvent, relay: string, relays: readonly string[]): Outcome {
  const { own } = record;
  const before = formerTo(record, event);
  const isBack = before !== undefined && compareEvents(before, event) > 0;
  const next = isBack ? before : event;
  const from = { ...record, before: isBack ? undefined : before, fallback: undefined, unreadable: true };
  const outcome = advance(from, next, isBack ? new Map() : shownBy(relay, relays));
  const stamp = next.created_at;
  // The next write of this device goes by what counts.
  if (own === undefined || floorOf(record) <= stamp) return outcome;
  const floor = Math.max(stamp, ...(own.past ?? []).filter((one) => one <= event.created_at + DAY_SECONDS));
  const lowered = { stamp: Math.min(own.stamp, stamp), floor, undone: undoneBy(own, stamp) };
  return { ...outcome, record: { ...outcome.record!, own: { ...outcome.record!.own!, ...lowered } } };
}

/**
 * What was before a void head, where it counts: it may be above the reset, whose writer had not heard of it, and be nowhere else.
 * What the void head was written upon is part of that, and so of the reset, or from the future as well.
 */
function formerTo({ event, before, voids }: HeadRecord, reset: VerifiedEvent): VerifiedEvent | undefined {
  if (before === undefined || isVoid(voids, before)) return undefined;
  if (compareEvents(before, reset) < 0) return before;
  const isFuture = before.created_at > reset.created_at + DAY_SECONDS;
  return isFuture || isPartOf(seenBy(event), before) ? undefined : before;
}

/** Stamps of own writes that are above what is to come. */
function undoneBy(own: OwnWrite | undefined, stamp: number): readonly number[] | undefined {
  const more = [own?.stamp, own?.floor, ...(own?.past ?? [])].filter(
    (one) => one !== undefined && one > stamp,
  ) as number[];
  return more.length === 0 ? own?.undone : spanOf([...(own?.undone ?? []), ...more]);
}

/** From the least to the greatest of them it was this device that wrote. */
function spanOf(stamps: readonly number[]): readonly number[] {
  return [Math.min(...stamps), Math.max(...stamps)];
}

/** A greater event, which is no write of the app here, takes the place of the head. */
function advance(
  record: HeadRecord | undefined,
  event: VerifiedEvent,
  deliveries: ReadonlyMap<string, Delivery>,
): Outcome {
  const head = record?.event;
  const own = record?.own;
  if (head !== undefined && isRenewalOf(event, head)) {
    // Still this device's write: its stamp stays that of the write, so that its loss is told by what had not seen that.
    const renewed = isOwnHead(record!) ? { ...own!, id: event.id } : own;
    return {
      record: { ...record!, event, deliveries, own: renewed, contradictions: 0 },
      effects: [{ type: 'advanced', event, renews: head.id }],
    };
  }
  // Once what had seen our write has replaced it, the write lives on in that, and whoever overwrites that tells its writer.
  const overwritten = own !== undefined && isOwnHead(record!) && overwrites(event, own);
  const advanced: HeadRecord = {
    ...EMPTY_RECORD,
    event,
    deliveries,
    ...formerOf(record, isHeadShown(record)),
    own: overwritten ? { ...own, lost: true } : own,
    // Also where no relay had our own: whoever writes next here has seen that one, and says so by its own entry.
    deemed:
      vectorOf(event) === undefined
        ? newestOf(seenBy(head, record?.deemed))
        : (record?.deemed ?? EMPTY_RECORD.deemed),
    proven: record?.proven ?? EMPTY_RECORD.proven,
    // Which pieces a head in pieces shares with the former is known once it is whole.
    orphans: isInPieces(event) ? (record?.orphans ?? []) : orphansOf(record),
    voids: joinVoids(record?.voids ?? EMPTY_RECORD.voids, voidsOf(event)),
  };
  const effects: Effect[] = [{ type: 'advanced', event }];
  if (overwritten && head !== undefined) effects.push({ type: 'conflict', mine: head, theirs: event });
  return { record: advanced, effects };
}

/** A blind write beats what it had not seen: that is told, once. */
function overlooked(record: HeadRecord, event: VerifiedEvent): Outcome {
  if (!isOverlooked(record, event)) return { record, effects: [] };
  return {
    record: { ...record, own: { ...record.own!, isBlind: false } },
    effects: [{ type: 'conflict', mine: record.event!, theirs: event }],
  };
}

/** Whether an older event is one that the own head, a blind write or one that is held, has not seen. */
export function isOverlooked(record: HeadRecord | undefined, event: NostrEvent): boolean {
  if (record === undefined || !isOwnHead(record)) return false;
  if (isHeld(record)) return isFormer(record, event);
  if (record.own?.isBlind !== true || isTombstone(event)) return false;
  return !isPartOf(vectorOf(record.event!) ?? new Map(), event);
}

/** Whether a value with this vector had seen what `event` says. */
function isPartOf(vector: VersionVector, event: NostrEvent): boolean {
  // Its writer's own word for its stamp: a renewal, or a signer that is late, stamps it above that.
  return covers(vector, deviceHash(deviceIdOf(event)), event.created_at - renewedBy(event));
}

/** Whether the head can be read, by all that is known: one in pieces is whole only where its manifest was right. */
function isKnownReadable(record: HeadRecord): boolean {
  const head = record.event!;
  return record.isRead || isTombstone(head) || (isInPieces(head) && !isOwnHead(record));
}

/**
 * What is shown while that which takes the place of the head cannot be read: the head, and if nobody has read that yet, one
 * beneath it. Under several that nobody has read the lowest that lasts is kept: it was readable when the first of them came.
 */
function formerOf(
  record: HeadRecord | undefined,
  isHeadKept: boolean,
): Pick<HeadRecord, 'before' | 'fallback' | 'piecesBefore'> {
  const { event, before, fallback, pieces, piecesBefore } = record ?? EMPTY_RECORD;
  if (!isHeadKept) return { before, fallback, piecesBefore };
  const older = [fallback, before].flatMap((one) => (one === undefined || isInPieces(one) ? [] : [one]));
  return {
    before: event,
    fallback: isKnownReadable(record!)
      ? undefined
      : (older.find((one) => !isTombstone(one) && !isExpired(one, Infinity)) ?? older[0]),
    piecesBefore: pieces,
  };
}

/**
 * Whether `event` knows of a write under the id of our own that this store has not made: then a copy of the store, or whoever
 * else has that id, writes as well. An entry for that id says nothing about our write any more.
 */
export function isOfTwin(event: VerifiedEvent, own: OwnWrite): boolean {
  const seen = seenBy(event).get(own.device) ?? -1;
  const [least = Infinity, greatest = Infinity] = own.undone ?? [];
  if (event.id === own.id || (seen >= least && seen <= greatest)) return false;
  const isTied = seen === own.stamp && event.created_at === own.stamp;
  return isTied || seen > Math.max(own.stamp, own.floor ?? -1);
}

/** Whether `event` was written without having seen our write. */
export function overwrites(event: VerifiedEvent, own: OwnWrite): boolean {
  // What voids it has seen it.
  if (voidsOf(event).has(own.id)) return false;
  if (isOfTwin(event, own)) return true;
  const vector = vectorOf(event);
  // A writer without vectors (the reference) may well have seen what a relay had taken.
  return vector === undefined ? !own.acknowledged : !covers(vector, own.device, own.stamp);
}
