/** How far a write has come, as the app is told: pure functions of what is known of its category, and of the configured relays. */

import { toIso } from '../clock.ts';
import { categoryOf, type Address, type RelayUrl } from '../protocol/address.ts';
import type { NostrEvent } from '../protocol/event.ts';
import type { DeliveryReport, Receipt } from './events.ts';
import { deliveryOf, stageOf, type HeadRecord } from './heads/record.ts';
import type { Piece } from './heads/version.ts';

/** Of the head; `undefined` if there is none. */
export function reportOf(
  dTag: Address,
  record: HeadRecord<NostrEvent>,
  relays: readonly RelayUrl[],
): DeliveryReport | undefined {
  if (record.head === undefined) return undefined;
  const { event, pieces } = record.head;
  return {
    category: categoryOf(dTag),
    eventId: event.id,
    updatedAt: toIso(event.created_at * 1000),
    stage: stageOf(record, relays),
    relays: Object.fromEntries(relays.map((relay) => [relay, deliveryOf(record, relay)])),
    ...(pieces === undefined ? {} : { pieces: progressOf(pieces, relays) }),
  };
}

function progressOf(
  pieces: readonly Piece[],
  relays: readonly RelayUrl[],
): Required<DeliveryReport>['pieces'] {
  const on = (relay: RelayUrl): number => pieces.filter(({ deliveries }) => deliveries.has(relay)).length;
  return { total: pieces.length, done: Object.fromEntries(relays.map((relay) => [relay, on(relay)])) };
}

/** Of one write: if another is the head by now, with how far that one has come. */
export function receiptOf(
  dTag: Address,
  event: NostrEvent,
  record: HeadRecord,
  relays: readonly RelayUrl[],
): Receipt {
  const now = reportOf(dTag, record, relays)!;
  if (now.eventId === event.id) return now;
  const updatedAt = toIso(event.created_at * 1000);
  return { ...now, eventId: event.id, updatedAt, supersededBy: now.eventId };
}
