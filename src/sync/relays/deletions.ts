/** Deletion requests (NIP-09) that follow tombstones: each relay gets one once it has taken the tombstone. Best effort. */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import type { RelayConnection } from '../../relay/connection.ts';

export interface Deletions {
  /** From now on the tombstone of this category, by its id, is followed by this request. */
  follow(dTag: Address, tombstone: EventId, deletion: NostrEvent): void;
  /** The head of a category, by its id. If it is not the tombstone, the request is forgotten. */
  headChanged(dTag: Address, id: EventId | undefined): void;
  /** A relay has taken this head. */
  taken(relay: Pick<RelayConnection, 'url' | 'publish'>, dTag: Address, head: NostrEvent): void;
}

interface Following {
  readonly tombstone: EventId;
  readonly deletion: NostrEvent;
  /** URLs. */
  readonly sentTo: Set<RelayUrl>;
}

export function createDeletions(): Deletions {
  /** By category. */
  const followings = new Map<Address, Following>();
  return {
    follow: (dTag, tombstone, deletion) => {
      followings.set(dTag, { tombstone, deletion, sentTo: new Set() });
    },
    headChanged: (dTag, id) => {
      if (followings.get(dTag)?.tombstone !== id) followings.delete(dTag);
    },
    taken: (relay, dTag, head) => {
      const following = followings.get(dTag);
      if (following?.tombstone !== head.id || !isTombstone(head) || following.sentTo.has(relay.url)) return;
      // Once: some relays delete the tombstone as well, get it again, and would delete it for ever.
      following.sentTo.add(relay.url);
      void relay.publish(following.deletion);
    },
  };
}
