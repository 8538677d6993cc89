/**
 * What one relay has said lately to have of heads in pieces. Of pieces that a head shares with a former one it must have said
 * lately that it still has them: `isProven` in `heads/owed.ts`.
 */

import type { Clock } from '../../clock.ts';
import type { Address, EventId, Ms, RelayUrl } from '../../protocol/address.ts';
import { PROOF_MS } from '../../protocol/limits.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import { isOwed, isProven, type RelayKnowledge } from '../heads/owed.ts';
import type { Replica } from '../heads/replica.ts';
import type { Audit } from './audit.ts';
import { headItem } from './item.ts';
import type { Queue } from './queue.ts';

export interface Proof {
  lately(dTag: Address): RelayKnowledge['lately'];
  /** The relay has said to have this head of a category, or nothing. */
  note(dTag: Address, id: EventId | undefined): void;
  /** Asks the relay what it has. Without what it should have, all pieces are sent. */
  renew(dTag: Address): Promise<void>;
  /** The connection is gone: what was said before proves nothing any more. */
  clear(): void;
}

export function createProof(
  relay: RelayUrl,
  ports: {
    readonly clock: Clock;
    readonly replica: Pick<Replica, 'peek' | 'apply'>;
    /** Asks the relay for heads. */
    readonly ask: (dTags: readonly Address[]) => Promise<RequestEnd>;
    readonly queue: Pick<Queue, 'isOpen' | 'schedule'>;
    readonly audit: Pick<Audit, 'askAgainMs'>;
    /** Works out what the relay is owed. */
    readonly update: (dTag: Address) => void;
  },
): Proof {
  const { clock, replica, queue } = ports;
  /** By category, the head that the relay last said to have, and when (ms). */
  const said = new Map<Address, { readonly id: EventId | undefined; readonly at: Ms }>();
  /** Categories that it is being asked for. */
  const asking = new Set<Address>();

  function lately(dTag: Address): RelayKnowledge['lately'] {
    const word = said.get(dTag);
    return word !== undefined && Math.abs(clock.now() - word.at) < PROOF_MS ? word : undefined;
  }

  return {
    lately,
    note: (dTag, id) => {
      if (replica.peek(dTag)?.head?.pieces !== undefined || said.has(dTag))
        said.set(dTag, { id, at: clock.now() });
    },
    renew: async (dTag) => {
      if (!queue.isOpen() || asking.has(dTag)) return;
      asking.add(dTag);
      const end = await ports.ask([dTag]);
      asking.delete(dTag);
      const record = replica.peek(dTag);
      if (!queue.isOpen() || !isOwed(record, relay)) return;
      if (end !== 'complete') return queue.schedule(headItem(dTag), ports.audit.askAgainMs());
      if (!isProven(record!, relay, lately(dTag)))
        await replica.apply(dTag, { type: 'forget-pieces', relay, id: record!.head!.event.id });
      ports.update(dTag);
    },
    clear: () => said.clear(),
  };
}
