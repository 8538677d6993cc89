/** Which pieces of heads are scheduled for one relay: those that it lacks, before the head. */

import type { Address, RelayUrl } from '../../protocol/address.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { missingPiecesOf } from '../heads/owed.ts';
import type { HeadRecord } from '../heads/record.ts';
import { headItem, pieceItem, type PieceItem } from './item.ts';
import type { Queue } from './queue.ts';

export interface PieceOffers {
  /** Schedules those that the relay lacks, and in that case not the head. What is not wanted any more is dropped. */
  offer(dTag: Address, record: HeadRecord<NostrEvent>): void;
  /** Whether any were scheduled for this category. */
  has(dTag: Address): boolean;
  unschedule(dTag: Address): void;
  /** The relay has the head, or refused it: nothing is to be remembered of its pieces. */
  forget(dTag: Address): void;
}

export function createPieceOffers(
  url: RelayUrl,
  queue: Pick<Queue, 'scheduleOnce' | 'unschedule' | 'forget'>,
): PieceOffers {
  /** By category that is owed and name, the pieces that were scheduled. */
  const scheduled = new Map<Address, Map<string, PieceItem>>();
  const itemsOf = (dTag: Address): Map<string, PieceItem> =>
    scheduled.get(dTag) ?? new Map<string, PieceItem>();

  return {
    offer: (dTag, record) => {
      const pieces = new Map(record.head?.pieces?.map((piece) => [piece.name, piece]));
      const items = itemsOf(dTag);
      for (const [name, item] of items) {
        if (pieces.get(name)?.deliveries.has(url) === false) continue;
        queue.unschedule(item);
        if (pieces.has(name)) continue;
        items.delete(name);
        queue.forget(item);
      }
      const missing = missingPiecesOf(record, url);
      if (missing.length === 0) return;
      queue.unschedule(headItem(dTag));
      scheduled.set(dTag, items);
      for (const { name, stamp } of missing) {
        const item = pieceItem(dTag, name);
        items.set(name, item);
        queue.scheduleOnce(item, String(stamp));
      }
    },
    has: (dTag) => scheduled.has(dTag),
    unschedule: (dTag) => {
      for (const item of itemsOf(dTag).values()) queue.unschedule(item);
    },
    forget: (dTag) => {
      for (const item of itemsOf(dTag).values()) queue.forget(item);
      scheduled.delete(dTag);
    },
  };
}
