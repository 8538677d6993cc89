/** What each relay has of the head and of its pieces, and which pieces are left behind. */

import type { RelayUrl, Seconds } from '../../protocol/address.ts';
import { isTombstone } from '../../protocol/header.ts';
import { MAX_ORPHANS } from '../../protocol/limits.ts';
import { isKnownReadable } from './former.ts';
import type { Input } from './input.ts';
import {
  deliveryOf,
  isOwnHead,
  isTaken,
  versionsOf,
  type Delivery,
  type HeadRecord,
  type Orphan,
} from './record.ts';
import { isNewPiece, type Piece } from './version.ts';

export function withDelivery(
  record: HeadRecord,
  relay: RelayUrl,
  delivery: Delivery,
  superseded = false,
): HeadRecord {
  if (record.deliveries.get(relay) === delivery) return record;
  const next = { ...record, deliveries: new Map([...record.deliveries, [relay, delivery]]) };
  if (superseded || !isTaken(delivery)) return next;
  const held = delivery === 'confirmed' ? withPieces(next, relay) : next;
  const proven =
    record.head!.pieces === undefined
      ? record.proven
      : new Map([...record.proven, [relay, record.head!.event.id]]);
  // It is out, so it is held no more: that may not have been saved when it was let go.
  const own = { heldUntil: undefined, former: undefined, above: undefined, taken: undefined };
  return isOwnHead(record)
    ? withoutBefore({ ...held, proven, own: { ...record.own!, acknowledged: true, ...own } })
    : { ...held, proven };
}

/**
 * A write of ours that a relay has taken cannot be withdrawn. If it cannot turn out unreadable either, what was before it is not needed any
 * more.
 */
export function withoutBefore(record: HeadRecord): HeadRecord {
  return isOwnHead(record) && record.own!.acknowledged && isKnownReadable(record)
    ? { ...record, former: [] }
    : record;
}

/** With its head's pieces changed, if any; the same record if none was. */
function withChangedPieces(record: HeadRecord, change: (piece: Piece) => Piece): HeadRecord {
  const known = record.head?.pieces;
  const pieces = known?.map(change);
  const isSame = pieces?.every((piece, i) => piece === known![i]) ?? true;
  return isSame ? record : { ...record, head: { ...record.head!, pieces } };
}

/** The relay lacks the head. If it had taken it, and shows an event of the same stamp instead, it does not keep to the order of events. */
export function lacking(record: HeadRecord, relay: RelayUrl, instead: Seconds | undefined): HeadRecord {
  if (deliveryOf(record, relay) === 'refused') return record;
  const head = record.head!.event;
  const isTie = instead === head.created_at || (instead === undefined && isTombstone(head));
  const contradictions = record.contradictions + Number(isTaken(record.deliveries.get(relay)) && isTie);
  const next = withoutPieces(withDelivery(record, relay, 'pending'), relay);
  return contradictions === record.contradictions ? next : { ...next, contradictions };
}

/** The relay shows the head, so it has all pieces (P1). If this device sent them itself, the relay is still asked to show them. */
function withPieces(record: HeadRecord, relay: RelayUrl): HeadRecord {
  const delivery = isOwnHead(record) ? 'acknowledged' : 'confirmed';
  return withChangedPieces(record, (piece) =>
    piece.deliveries.has(relay)
      ? piece
      : { ...piece, deliveries: new Map([...piece.deliveries, [relay, delivery] as const]) },
  );
}

export function withPiece(
  record: HeadRecord,
  relay: RelayUrl,
  name: string,
  delivery: 'acknowledged' | 'confirmed' | undefined,
): HeadRecord {
  const known = record.head?.pieces?.find((piece) => piece.name === name);
  if (known === undefined || known.deliveries.get(relay) === delivery) return record;
  if (delivery === 'acknowledged' && known.deliveries.has(relay)) return record;
  // The relay had this piece before the head. If it has lost it, it may have lost the others too.
  if (delivery === undefined && !isNewPiece(known, record.head!.event)) return withoutPieces(record, relay);
  const deliveries = new Map(known.deliveries);
  if (delivery === undefined) deliveries.delete(relay);
  else deliveries.set(relay, delivery);
  return withChangedPieces(record, (piece) => (piece === known ? { ...piece, deliveries } : piece));
}

export function buried(
  record: HeadRecord,
  { relay, name, stamp }: Extract<Input, { type: 'buried' }>,
): HeadRecord {
  return withChangedPieces(record, (piece) => {
    if (piece.name !== name || (piece.buried! >= stamp && !piece.deliveries.has(relay))) return piece;
    const deliveries = new Map(piece.deliveries);
    deliveries.delete(relay);
    return { ...piece, deliveries, buried: Math.max(stamp, piece.buried ?? -1) };
  });
}

export function remade(record: HeadRecord, { made }: Extract<Input, { type: 'remade' }>): HeadRecord {
  return withChangedPieces(record, (piece) => {
    const stamp = made.get(piece.name)?.created_at ?? piece.stamp;
    return stamp === piece.stamp ? piece : { ...piece, stamp };
  });
}

export function withoutPieces(record: HeadRecord, relay: RelayUrl): HeadRecord {
  const proven = new Map(record.proven);
  proven.delete(relay);
  const next = withChangedPieces(record, (piece) => {
    const deliveries = new Map(piece.deliveries);
    return deliveries.delete(relay) ? { ...piece, deliveries } : piece;
  });
  return proven.size === record.proven.size ? next : { ...next, proven };
}

/** The orphans if the head that follows `record` consists of the pieces `kept`. The oldest are forgotten first. */
export function orphansOf(record: HeadRecord | undefined, kept: readonly Piece[] = []): readonly Orphan[] {
  if (record === undefined) return [];
  const all = new Map(record.orphans.map((orphan) => [orphan.name, orphan]));
  for (const { pieces = [] } of [...versionsOf(record)].reverse())
    for (const { name } of pieces) if (!all.has(name)) all.set(name, { name, since: undefined });
  for (const { name } of kept) all.delete(name);
  return all.size === 0 ? [] : [...all.values()].slice(-MAX_ORPHANS);
}
