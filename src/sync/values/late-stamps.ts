/** Which relays find the stamp of a head too late: they say that it is still to come by their clocks. */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import type { Network } from '../relays/network.ts';
import { deliveryOf, type HeadRecord } from '../heads/record.ts';

/** Of a category. */
const MAX_LATE_HEADS = 8;

export interface LateStamps {
  /** A relay's answer to a head. Returns whether it finds the stamp too late. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): boolean;
  /** Whether every relay that is connected finds the head too late, or refuses it for good. */
  isLate(dTag: Address, record: HeadRecord<NostrEvent> | undefined): boolean;
}

export function createLateStamps(network: () => Network): LateStamps {
  /** By category, which relays say so of which of its latest heads: an answer to one before may come last. */
  const late = new Map<Address, Map<EventId, Set<RelayUrl>>>();
  return {
    answered: (dTag, relay, { id }, { type }) => {
      const heads = late.get(dTag) ?? new Map<EventId, Set<RelayUrl>>();
      const relays = heads.get(id) ?? new Set();
      if (type !== 'clock') {
        relays.delete(relay);
        return false;
      }
      late.set(dTag, heads.set(id, relays.add(relay)));
      for (const oldest of heads.keys()) {
        if (heads.size <= MAX_LATE_HEADS) break;
        heads.delete(oldest);
      }
      return true;
    },
    isLate: (dTag, record) => {
      const relays = record?.head && late.get(dTag)?.get(record.head.event.id);
      if (relays === undefined) return false;
      const open = network()
        .relays()
        .filter(({ connected }) => connected);
      const says = (url: RelayUrl): boolean => relays.has(url) || deliveryOf(record!, url) === 'refused';
      return open.length > 0 && open.every(({ url }) => says(url));
    },
  };
}
