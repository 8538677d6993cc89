/**
 * Replica → relays until every configured relay has the head, something newer, or refused it for good; then the
 * read-back that proves it. One lane per relay; what is owed is derived from the records, so that nothing is
 * forgotten and nothing given up. What a relay is owed: `heads/owed.ts`; what is done about it: `next-steps.ts`.
 *
 *     record: pending ──▶ queue ──send──▶ in flight ──OK──▶ acknowledged ──read back──▶ confirmed
 *                           ▲                 │ retry, clock, rate limit      │ lacking
 *                           └─────────────────┴───────────────────────────────┘
 */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import { deliveryOf, isTaken } from '../heads/record.ts';
import { createDeletions } from './deletions.ts';
import { createLane, type Lane, type LanePorts } from './lane.ts';
import { createPacer } from './pacer.ts';
import type { Pacing } from './token-bucket.ts';
import { createRelease } from './release.ts';

export interface Outbox {
  /** A record changed: works out what is owed. */
  recordChanged(dTag: Address): void;
  /** The relay was added, opened or closed. */
  relayChanged(relay: RelayConnection): void;
  relayRemoved(url: RelayUrl): void;
  /** A relay showed this of a category, or nothing. */
  shown(relay: RelayUrl, dTag: Address, id: EventId | undefined): void;
  /** A relay lacks a head that it had confirmed: it was wiped or rolled back, and is asked for all that it should have. */
  lost(relay: RelayUrl): void;
  /** Something that made sending impossible has changed (a signer for AUTH): tries all delayed ones now. */
  retry(): void;
  /** Sends a deletion request (NIP-09) to each relay once that relay has taken the tombstone. Best effort. */
  follow(dTag: Address, tombstone: EventId, deletion: NostrEvent): void;
  close(): void;
}

export function createOutbox(
  ports: Omit<LanePorts, 'release' | 'onTaken'> & { readonly pacing: Pacing },
): Outbox {
  const { replica } = ports;
  /** By URL. */
  const lanes = new Map<RelayUrl, Lane>();
  const deletions = createDeletions();
  const release = createRelease({ ...ports, pacer: createPacer(ports.clock, ports.pacing) });

  return {
    recordChanged: (dTag) => {
      deletions.headChanged(dTag, replica.peek(dTag)?.head?.event.id);
      for (const lane of lanes.values()) lane.update(dTag);
    },
    relayChanged: (relay) => {
      let lane = lanes.get(relay.url);
      if (lane === undefined) {
        lane = createLane(relay, { ...ports, release, onTaken: deletions.taken });
        lanes.set(relay.url, lane);
      }
      const isOpen = relay.info().connected;
      if (isOpen === lane.isOpen()) return;
      if (isOpen) lane.open();
      else lane.shut();
    },
    relayRemoved: (url) => {
      const lane = lanes.get(url);
      lanes.delete(url);
      lane?.shut();
    },
    shown: (url, dTag, id) => lanes.get(url)?.shown(dTag, id),
    lost: (url) => lanes.get(url)?.lost(),
    retry: () => {
      for (const lane of lanes.values()) lane.hurry();
    },
    follow: (dTag, tombstone, deletion) => {
      deletions.follow(dTag, tombstone, deletion);
      const record = replica.get(dTag);
      if (record?.head?.event.id !== tombstone) return;
      for (const { relay } of lanes.values()) {
        if (isTaken(deliveryOf(record, relay.url))) deletions.taken(relay, dTag, record.head?.event);
      }
    },
    close: () => {
      for (const lane of lanes.values()) lane.shut();
      lanes.clear();
    },
  };
}
