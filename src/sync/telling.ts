/** What is news, and to whom: `updated`, subscriptions and `poll` are given each value once. */

import type { Address, EventId } from '../protocol/address.ts';
import { nowSeconds, type Clock } from '../clock.ts';
import { isExpired } from '../protocol/header.ts';
import { callListener, type Emitter, type FetchResult } from './events.ts';
import type { Effect } from './heads/input.ts';
import { isOwnHead } from './heads/record.ts';
import type { Replica } from './heads/replica.ts';
import { unlessUnreadable, type Reading } from './reading.ts';

/** One `subscribe` call of the app. Lives as long as the engine, over every change of signer. */
export interface Subscription {
  readonly dTags: ReadonlySet<Address>;
  readonly listener: (result: FetchResult) => void;
  /** By d-tag, the id that was handed over last. */
  readonly delivered: Map<Address, string>;
}

export interface Telling {
  /** Hands a new head to `updated` and to the subscriptions, unless it is not the head any more once it is decrypted. */
  announce(dTag: Address): Promise<void>;
  /** What is shown of the head has changed: it is handed over again. */
  again(dTag: Address): void;
  /** Hands over the current value of what a subscription has not had yet. */
  present(subscription: Subscription): void;
  /** What none of these was given yet. Nothing counts as given to one who waits no longer. */
  poll(
    dTags: readonly Address[],
    source: FetchResult['source'],
    signal?: AbortSignal,
  ): Promise<FetchResult[]>;
  /** The head changed in this way, perhaps to another event of this device: what says the same as what was told is no news. */
  advanced(dTag: Address, advance: Extract<Effect, { readonly type: 'advanced' }>, isOwn: boolean): void;
  /** This process wrote the head `id`: no news to itself. */
  wrote(dTag: Address, id: EventId): void;
}

export function createTelling(ports: {
  readonly clock: Clock;
  readonly replica: Replica;
  readonly reading: Pick<Reading, 'shown' | 'valueOf' | 'isOfHead'>;
  /** A listener hears of the conflict before the newer value, unless the conflict has to wait for more than being read. */
  readonly conflictsTold: (dTag: Address) => Promise<void>;
  readonly canRead: () => boolean;
  readonly emitter: Emitter;
  readonly subscriptions: ReadonlySet<Subscription>;
}): Telling {
  const { replica, emitter, reading } = ports;
  /** poll's cursor: by d-tag, what was handed out in this process. */
  const polled = new Map<Address, string>();
  /** By d-tag, the last id that `updated` told of. */
  const announced = new Map<Address, EventId>();
  /** By d-tag, the last id that this process wrote. */
  const written = new Map<Address, EventId>();
  /** What is being read, to be told of. */
  const underWay = new Set<EventId>();

  function deliver(subscription: Subscription, dTag: Address, head: EventId, result: FetchResult): void {
    if (!ports.subscriptions.has(subscription) || subscription.delivered.get(dTag) === head) return;
    subscription.delivered.set(dTag, head);
    callListener(subscription.listener, result);
  }

  async function announce(dTag: Address): Promise<void> {
    const event = replica.get(dTag)?.head?.event;
    const listening = [...ports.subscriptions].filter((subscription) => subscription.dTags.has(dTag));
    if (event === undefined || !ports.canRead() || (listening.length === 0 && !emitter.has('updated')))
      return;
    if (isExpired(event, nowSeconds(ports.clock))) return;
    const source = isOwnHead(replica.get(dTag)!) ? 'local' : 'relay';
    underWay.add(event.id);
    const result = await reading.shown(event, dTag, source).catch(() => undefined);
    await ports.conflictsTold(dTag);
    underWay.delete(event.id);
    if (result === undefined || !ports.canRead() || replica.get(dTag)?.head?.event.id !== event.id) return;
    if (written.get(dTag) !== event.id && announced.get(dTag) !== event.id) {
      announced.set(dTag, event.id);
      emitter.emit('updated', result);
    }
    for (const subscription of listening) deliver(subscription, dTag, event.id, result);
  }

  /** Of those that are told of values, the ones that were told of this: what each was given last. */
  function tellersOf(dTag: Address, id: EventId): Map<Address, string>[] {
    const delivered = [...ports.subscriptions].map((one) => one.delivered);
    return [polled, announced, written, ...delivered].filter((told) => told.get(dTag) === id);
  }

  return {
    announce,
    again: (dTag) => {
      const id = replica.get(dTag)?.head?.event.id;
      if (id !== undefined) for (const told of tellersOf(dTag, id)) told.delete(dTag);
      void announce(dTag);
    },
    present: (subscription) => {
      for (const dTag of subscription.dTags) {
        void reading
          .valueOf(dTag, 'local')
          .then(async (result) => {
            await ports.conflictsTold(dTag);
            if (!result || !ports.canRead() || !reading.isOfHead(dTag, result)) return;
            deliver(subscription, dTag, replica.get(dTag)!.head!.event.id, result);
          })
          .catch(() => undefined);
      }
    },
    poll: async (dTags, source, signal) => {
      const now = nowSeconds(ports.clock);
      const news = await Promise.all(
        dTags.map(async (dTag) => {
          const record = replica.get(dTag);
          const event = record?.head?.event;
          const before = polled.get(dTag);
          if (event === undefined || event.id === before || isExpired(event, now)) return undefined;
          const result = await reading.shown(event, dTag, source).catch(unlessUnreadable);
          return result && { dTag, before, head: event.id, isOwn: isOwnHead(record!), result };
        }),
      );
      signal?.throwIfAborted();
      const results: FetchResult[] = [];
      for (const one of news) {
        // Another poll has given it meanwhile, or this process has written a newer one.
        if (one === undefined || polled.get(one.dTag) !== one.before) continue;
        polled.set(one.dTag, one.head);
        results.push(one.result);
        // What this device wrote is given, and is no event.
        if (!one.isOwn) void announce(one.dTag);
      }
      return results;
    },
    advanced: (dTag, { event, renews }, isOwn) => {
      if (renews === undefined) return;
      for (const told of tellersOf(dTag, renews)) told.set(dTag, event.id);
      // Nor what an earlier process of this device had written; but what another tab wrote just now is.
      if (isOwn && !underWay.has(renews)) written.set(dTag, event.id);
    },
    wrote: (dTag, id) => {
      written.set(dTag, id);
      polled.set(dTag, id);
      for (const subscription of ports.subscriptions)
        if (subscription.dTags.has(dTag)) subscription.delivered.set(dTag, id);
    },
  };
}
