/**
 * The newest event of each category that is here, or verified and being saved. What is not above it costs no signature:
 * copies and older versions are most of what relays send.
 */

import type { Address } from '../../protocol/address.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isVoid } from '../../protocol/voids.ts';
import { voidsOf } from '../../protocol/header.ts';
import { isHeld } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';

export interface Newest {
  of(dTag: Address): VerifiedEvent | undefined;
  /** Whether one is verified and not yet known to be decided about. */
  isComing(dTag: Address): boolean;
  /** This one is verified, and is being saved. */
  coming(dTag: Address, event: VerifiedEvent): void;
  /** The replica has decided about this one. */
  saved(event: VerifiedEvent): void;
  /** Whether it does not count, by what a reset has written. */
  isVoided(dTag: Address, event: NostrEvent): boolean;
  /** Whether it is a reset that voids what may yet be taken for the newest here. */
  isNewReset(dTag: Address, event: NostrEvent): boolean;
}

export function createNewest(replica: Pick<Replica, 'get'>): Newest {
  /** By category, until it is the head. */
  const incoming = new Map<Address, VerifiedEvent>();
  /** Those of them that are saved. */
  const applied = new WeakSet<VerifiedEvent>();

  const isVoided = (dTag: Address, event: NostrEvent): boolean =>
    isVoid(replica.get(dTag)?.voids ?? new Map(), event);

  function newestOf(dTag: Address): VerifiedEvent | undefined {
    const record = replica.get(dTag);
    const head = record?.head?.event;
    const next = incoming.get(dTag);
    // What a held write is to be stamped above does not become the head, and is known for as long as that is held.
    if (next !== undefined && applied.has(next) && !isHeld(record)) incoming.delete(dTag);
    else if (next !== undefined && !isVoided(dTag, next))
      return head !== undefined && compareEvents(next, head) < 0 ? head : next;
    return head;
  }

  return {
    of: newestOf,
    isComing: (dTag) => incoming.has(dTag),
    coming: (dTag, event) => void incoming.set(dTag, event),
    saved: (event) => void applied.add(event),
    isVoided,
    isNewReset: (dTag, event) => {
      const voids = replica.get(dTag)?.voids;
      const newest = newestOf(dTag)?.created_at ?? 0;
      return [...voidsOf(event)].some(([id, stamp]) => stamp >= newest && voids?.has(id) !== true);
    },
  };
}
