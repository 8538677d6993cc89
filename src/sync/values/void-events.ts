/**
 * What relays still hold of what a reset has voided. Most do not take the newer value beside it, so each that shows such an event is
 * asked to delete it (NIP-09): by its id alone, since a deletion by address would delete all up to its stamp.
 */

import { nowSeconds, type Clock } from '../../clock.ts';
import type { EventId, RelayUrl } from '../../protocol/address.ts';
import { deletionOf, type NostrEvent } from '../../protocol/event.ts';
import { LOOK_AGAIN_MS } from '../../protocol/limits.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { Hand } from './signing.ts';

export interface VoidEvents {
  /** A relay shows an event that does not count. */
  shown(relay: RelayConnection, id: EventId): void;
  close(): void;
}

export function createVoidEvents(ports: { readonly clock: Clock; readonly hand: Hand }): VoidEvents {
  const { clock, hand } = ports;
  /** By id, the request, and which relays were sent it. For a while: one that forgets is asked again. */
  const requests = new Map<
    EventId,
    { readonly deletion: Promise<NostrEvent>; readonly sentTo: Set<RelayUrl> }
  >();
  const cancels = new Set<() => void>();

  function requestFor(id: EventId): {
    readonly deletion: Promise<NostrEvent>;
    readonly sentTo: Set<RelayUrl>;
  } {
    const deletion = hand.sign(deletionOf(id, nowSeconds(clock)));
    const request = { deletion, sentTo: new Set<RelayUrl>() };
    requests.set(id, request);
    const cancel = clock.after(LOOK_AGAIN_MS, () => {
      cancels.delete(cancel);
      requests.delete(id);
    });
    cancels.add(cancel);
    return request;
  }

  return {
    shown: (relay, id) => {
      if (!hand.isSet()) return;
      const { deletion, sentTo } = requests.get(id) ?? requestFor(id);
      if (sentTo.has(relay.url)) return;
      sentTo.add(relay.url);
      // Best effort: a signer that says no is asked again after the while.
      deletion.then((event) => void relay.publish(event)).catch(() => undefined);
    },
    close: () => {
      for (const cancel of cancels) cancel();
    },
  };
}
