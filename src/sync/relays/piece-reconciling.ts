/** Whether a relay has pieces as they are here, by reconciliation (NIP-77): a large value is not sent back to the device that has just sent it. */

import type { Address } from '../../protocol/address.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { KIND_APP_DATA, MAX_D_TAGS_PER_FILTER } from '../../protocol/limits.ts';
import { nothingOf } from '../../protocol/message.ts';
import type { RelayConnection } from '../../relay/connection.ts';

/** Pieces that this device has sent to a relay, and that it said OK to, by their d-tags; each is read from the store on demand. */
export type StoredPieces = ReadonlyMap<Address, () => Promise<VerifiedEvent | undefined>>;

const NONE: ReadonlySet<Address> = new Set();

/** Those that the relay has, by their d-tags. The others are to be asked for: it may have something else in their place, or not reconcile. */
export async function piecesHad(
  { reconciler }: Pick<RelayConnection, 'reconciler'>,
  pieces: StoredPieces,
  pubkey: string,
): Promise<ReadonlySet<Address>> {
  if (reconciler === undefined || pieces.size === 0) return NONE;
  const ours = { authors: [pubkey], kinds: [KIND_APP_DATA] };
  if (!reconciler.isKnown()) {
    // For the next ones.
    reconciler.probe(nothingOf(pubkey));
    return NONE;
  }
  const had = new Set<Address>();
  const all = [...pieces];
  for (let next = 0; next < all.length; next += MAX_D_TAGS_PER_FILTER) {
    const events = new Map<Address, VerifiedEvent>();
    for (const [dTag, read] of all.slice(next, next + MAX_D_TAGS_PER_FILTER)) {
      const event = await read().catch(() => undefined);
      if (event !== undefined) events.set(dTag, event);
    }
    const difference = await reconciler.reconcile({ ...ours, '#d': [...events.keys()] }, events.values());
    if (difference === undefined) return had;
    for (const [dTag, { id }] of events) if (!difference.have.has(id)) had.add(dTag);
  }
  return had;
}
