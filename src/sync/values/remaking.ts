/** Signs again what is there already: a head under another stamp, its end, and pieces. protocol/renewal.ts says what that looks like. */

import type { Address, Seconds } from '../../protocol/address.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { endOf, renewalOf, restampOf } from '../../protocol/renewal.ts';
import { buriedOf, type HeadRecord } from '../heads/record.ts';
import type { Piece } from '../heads/version.ts';
import type { Replica } from '../heads/replica.ts';
import { pastStampOf, type Need } from './needs.ts';
import type { Hand } from './signing.ts';

interface Ports {
  readonly replica: Replica;
  readonly hand: Hand;
}

/** Says the head again, as it needs it. */
export async function renew(
  { replica, hand }: Ports,
  dTag: Address,
  { head, voids }: HeadRecord,
  need: Exclude<Need, 'late'>,
): Promise<void> {
  const { event } = head!;
  const template = need === 'end' ? endOf(event, voids, await hand.encrypt('null')) : renewalOf(event, voids);
  await replica.apply(dTag, { type: 'renew', id: event.id, event: await hand.sign(template) });
}

/** Gives a write from the future an older stamp, and the pieces that were made for it. Without one of these nothing is done. */
export async function restamp(
  ports: Ports,
  dTag: Address,
  record: HeadRecord,
  nowSeconds: Seconds,
): Promise<void> {
  const { replica, hand } = ports;
  const { id } = record.head!.event;
  const stamp = pastStampOf(record, nowSeconds)!;
  const pieces = (record.head?.pieces ?? []).filter((piece) => piece.stamp > stamp);
  const made = await signPieces(ports, dTag, pieces, () => stamp);
  if (made.size < pieces.length) return;
  const event = await hand.sign(restampOf(record.head!.event, record.own!.device, stamp));
  await replica.apply(dTag, { type: 'restamp', id, event, made });
}

/** Signs pieces that were collected by mistake above their tombstones. */
export async function remakePieces(ports: Ports, dTag: Address): Promise<void> {
  const { replica } = ports;
  const record = replica.get(dTag);
  const made = await signPieces(ports, dTag, buriedOf(record), ({ buried }) => buried! + 1);
  if (made.size > 0) await replica.apply(dTag, { type: 'remade', id: record!.head!.event.id, made });
}

/** Pieces from the store, under other stamps; those that are not there are left out. */
async function signPieces(
  { replica, hand }: Ports,
  dTag: Address,
  pieces: readonly Piece[],
  stampOf: (piece: Piece) => Seconds,
): Promise<ReadonlyMap<string, VerifiedEvent>> {
  const made = new Map<string, VerifiedEvent>();
  for (const one of pieces) {
    const piece = await replica.piece(dTag, one.name);
    if (piece === undefined) continue;
    const { kind, tags, content } = piece;
    made.set(one.name, await hand.sign({ kind, created_at: stampOf(one), tags, content }));
  }
  return made;
}
