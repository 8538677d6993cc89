/** Which relays find the stamp of a head too late: they say that it is still to come by their clocks. */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import type { Network } from '../relays/network.ts';
import { deliveryOf, type HeadRecord } from '../heads/record.ts';

export interface LateStamps {
  /** A relay's answer to a head. Returns whether it finds the stamp too late. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): boolean;
  /** Whether every relay that is connected finds the head too late, or refuses it for good. */
  isLate(dTag: Address, record: HeadRecord<NostrEvent> | undefined): boolean;
}

export function createLateStamps(network: () => Network): LateStamps {
  /** By category, which relays say so of the event `id`. */
  const late = new Map<Address, { readonly id: EventId; readonly relays: Set<RelayUrl> }>();
  return {
    answered: (dTag, relay, { id }, { type }) => {
      const known = late.get(dTag);
      if (type !== 'clock') {
        if (known?.id === id) known.relays.delete(relay);
        return false;
      }
      const relays = known?.id === id ? known.relays : new Set<RelayUrl>();
      late.set(dTag, { id, relays: relays.add(relay) });
      return true;
    },
    isLate: (dTag, record) => {
      const known = late.get(dTag);
      if (known === undefined || known.id !== record?.head?.event.id) return false;
      const open = network()
        .relays()
        .filter(({ connected }) => connected);
      const says = (url: RelayUrl): boolean => known.relays.has(url) || deliveryOf(record, url) === 'refused';
      return open.length > 0 && open.every(({ url }) => says(url));
    },
  };
}
