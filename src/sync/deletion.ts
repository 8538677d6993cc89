/** What a removal asks the relays to delete (NIP-09): the value that it removes. */

import { deletionOf } from '../protocol/event.ts';
import { isTombstone } from '../protocol/header.ts';
import { compareEvents } from '../protocol/order.ts';
import type { Change } from './heads/replica.ts';
import { isHeld, isOwnHead } from './heads/record.ts';
import type { Network } from './relays/network.ts';
import type { Hand } from './values/signing.ts';

/** Hears of each change of a record: a removal that was just saved, or let go, goes out with its request. */
export function createDeletions({
  hand,
  network,
}: {
  readonly hand: Pick<Hand, 'sign'>;
  readonly network: () => Pick<Network, 'follow'>;
}): { changed(change: Change): void } {
  /**
   * Best effort. By id alone: a request by address deletes all up to its stamp, and if this clock is ahead relays would take nothing
   * of the address until then. Below the tombstone, which must stay: it is what tells the other devices.
   */
  async function request({ dTag, previous, record }: Change): Promise<void> {
    const tombstone = record!.head!.event;
    // What turned up while it was held is what it removes.
    const removed =
      previous !== undefined && isHeld(previous) ? record!.former[0]?.event : previous?.head?.event;
    // One whose hold was over without an answer may go out below what turned up: that stays.
    if (removed === undefined || compareEvents(removed, tombstone) > 0) return;
    try {
      const deletion = await hand.sign(deletionOf(removed.id, tombstone.created_at - 1));
      network().follow(dTag, tombstone.id, deletion);
    } catch {
      // The tombstone is what removes the value; relays may forget the old ciphertext or not.
    }
  }

  return {
    changed: (change) => {
      const { previous, record, effects, isNewInStore } = change;
      const head = record?.head;
      if (!isNewInStore || head === undefined || !isTombstone(head.event)) return;
      if (!isOwnHead(record!) || isHeld(record)) return;
      if (isHeld(previous)) return void request(change);
      // One that says again what is out already asks for nothing more: a relay may heed a request for what is newer than that.
      const isAgain = effects.some((effect) => effect.type === 'advanced' && effect.renews !== undefined);
      if (previous?.head?.event.id !== head.event.id && !isAgain) void request(change);
    },
  };
}
