/** What one relay has shown of the heads that one REQ asks for, from the sending to the EOSE, and what it then lacks. */

import type { Address, EventId, RelayUrl, Seconds } from '../../protocol/address.ts';
import { deliveryOf } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';

export interface Tally {
  /** The REQ goes out (again). */
  begin(): void;
  /** The relay showed a genuine event of this category. */
  came(dTag: Address, id: EventId): void;
  /** That event is below the head: its stamp, in s. */
  cameBelow(dTag: Address, stamp: Seconds): void;
  /** It is the newest that the relay showed, and is being saved. */
  cameNewest(dTag: Address, id: EventId, saving: Promise<unknown>): void;
  /** Whether it is the newest that the relay showed. */
  isNewest(dTag: Address, id: EventId): boolean;
  /** Whether the EOSE has come: then events are live. */
  isLive(): boolean;
  /** Whether the relay is known to have this head. */
  isConfirmed(dTag: Address, id: EventId): boolean;
  /** The EOSE of a REQ that asked for nothing but what is to come. */
  live(): void;
  /** The EOSE. Resolves once the replica holds all that the relay showed, and knows what it lacks. `unknown`: nothing is known of these. */
  complete(unknown?: ReadonlySet<Address>): Promise<void>;
}

export function createTally(
  relay: RelayUrl,
  asked: ReadonlySet<Address>,
  ports: {
    readonly replica: Pick<Replica, 'get' | 'peek' | 'apply'>;
    /** What the relay has of a category, by its own word just now: the id, or nothing. */
    readonly onShown: (relay: RelayUrl, dTag: Address, id: EventId | undefined) => void;
    /** The relay lacks a head that it had confirmed. */
    readonly onLoss: (relay: RelayUrl) => void;
  },
): Tally {
  const { replica } = ports;
  /** By category, the newest id that the relay showed. */
  let newest = new Map<Address, EventId>();
  /** By category, of what it showed below the head: the stamp in s. */
  let below = new Map<Address, Seconds>();
  /** Categories that it showed anything for. */
  let any = new Set<Address>();
  /** What the EOSE waits for; `undefined` once it has come. */
  let saving: Promise<unknown>[] | undefined;
  /** By category, heads that the relay should have had when it was asked. */
  let expected = new Map<Address, EventId>();

  const isHead = (id: EventId, dTag: Address): boolean => replica.get(dTag)?.head?.event.id === id;

  function isConfirmed(dTag: Address, id: EventId): boolean {
    return isHead(id, dTag) && deliveryOf(replica.get(dTag)!, relay) === 'confirmed';
  }

  function live(): void {
    saving = undefined;
    expected = new Map();
  }

  return {
    begin: () => {
      newest = new Map();
      below = new Map();
      any = new Set();
      saving = [];
      expected = new Map();
      for (const dTag of asked) {
        const record = replica.peek(dTag);
        const head = record?.head?.event;
        if (head !== undefined && deliveryOf(record!, relay) !== 'pending') expected.set(dTag, head.id);
      }
    },
    came: (dTag, id) => {
      any.add(dTag);
      ports.onShown(relay, dTag, id);
    },
    cameBelow: (dTag, stamp) => void below.set(dTag, stamp),
    cameNewest: (dTag, id, save) => {
      newest.set(dTag, id);
      saving?.push(save);
    },
    isNewest: (dTag, id) => newest.get(dTag) === id,
    isLive: () => saving === undefined,
    isConfirmed,
    live,
    complete: async (unknown) => {
      const [all, due] = [saving ?? [], expected];
      for (const dTag of unknown ?? []) due.delete(dTag);
      if (saving !== undefined)
        for (const dTag of asked)
          if (!any.has(dTag) && unknown?.has(dTag) !== true) ports.onShown(relay, dTag, undefined);
      live();
      await Promise.all(all);
      const missing = [...due].filter(([dTag, id]) => newest.get(dTag) !== id && isHead(id, dTag));
      if (missing.some(([dTag, id]) => isConfirmed(dTag, id))) ports.onLoss(relay);
      await Promise.all(
        missing.map(([dTag, id]) =>
          replica.apply(dTag, { type: 'lacking', relay, id, instead: below.get(dTag) }),
        ),
      );
    },
  };
}
