/** What a removal asks the relays to delete (NIP-09): the value that it removes. */

import type { Address } from '../protocol/address.ts';
import { deletionOf, type VerifiedEvent } from '../protocol/event.ts';
import type { Network } from './relays/network.ts';
import type { Hand } from './values/signing.ts';

/**
 * Best effort. By id alone: a request by address deletes all up to its stamp, and if this clock is ahead relays would take nothing
 * of the address until then. Below the tombstone, which must stay: it is what tells the other devices.
 */
export async function requestDeletion(
  { hand, network }: { readonly hand: Pick<Hand, 'sign'>; readonly network: () => Pick<Network, 'follow'> },
  dTag: Address,
  tombstone: VerifiedEvent,
  removed: VerifiedEvent | undefined,
): Promise<void> {
  if (removed === undefined) return;
  try {
    const deletion = await hand.sign(deletionOf(removed.id, tombstone.created_at - 1));
    network().follow(dTag, tombstone.id, deletion);
  } catch {
    // The tombstone is what removes the value; relays may forget the old ciphertext or not.
  }
}
