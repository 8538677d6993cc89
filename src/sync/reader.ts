/** Replica → app: fetch, syncAll, poll, subscribe, and the events about what other devices wrote. */

import type { Clock } from '../clock.ts';
import { isNostrSyncError } from '../errors.ts';
import type { Address, EventId } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { expirationOf, schemaOf } from '../protocol/header.ts';
import type { Store } from '../store/store.ts';
import { createRefreshing } from './refreshing.ts';
import { createConflicts } from './conflicts.ts';
import type { Emitter, FetchResult } from './events.ts';
import { isOwnHead, versionsOf } from './heads/record.ts';
import type { Change, Replica } from './heads/replica.ts';
import { createReading, isPassing, unlessUnreadable, type Reading, type ViewOf } from './reading.ts';
import type { Network } from './relays/network.ts';
import { createTelling, type Subscription, type Telling } from './telling.ts';
import type { CarriedValue } from './values/carried-values.ts';
import type { Content } from './values/content.ts';
import { createHistory, type History } from './history.ts';
import type { Write } from './write.ts';

export interface Reader extends Pick<Telling, 'present' | 'wrote' | 'announce' | 'again'> {
  /** See `Reading`. */
  readonly decode: Reading['decode'];
  /** Former values of a category, and its newest. */
  readonly history: History;
  fetch(dTag: Address): Promise<FetchResult | null>;
  /** What would write the newest value again, once every relay that can be reached was asked for it. */
  latest(dTag: Address): Promise<Pick<Write, 'text' | 'isRemoval' | 'expiration' | 'schema' | 'again'>>;
  /**
   * What this device shows, to be carried over to another key. Leaves out what cannot be read at all, which `error` reports; rejects if it
   * may be read later.
   */
  toCarry(dTags: readonly Address[]): Promise<CarriedValue[]>;
  syncAll(dTags: readonly Address[]): Promise<FetchResult[]>;
  /** Nothing counts as given to one who waits no longer. */
  poll(dTags: readonly Address[], signal?: AbortSignal): Promise<FetchResult[]>;
  /** A signer was set: what could not be read without one is. */
  signerChanged(): void;
  changed(change: Change): void;
  close(): void;
}

export function createReader(ports: {
  readonly clock: Clock;
  readonly store: Store;
  readonly replica: Replica;
  readonly network: () => Network;
  readonly content: Content;
  readonly canRead: () => boolean;
  readonly deviceId: () => string;
  /** See `createReading`. */
  readonly carried: (dTag: Address) => VerifiedEvent | undefined;
  readonly viewOf: ViewOf;
  /** Whether what this event has overwritten unseen is merged with it. */
  readonly isMerged: (dTag: Address, theirs: VerifiedEvent) => boolean;
  /** See `Signer.isLocal`. */
  readonly isLocal: () => boolean;
  readonly emitter: Emitter;
  readonly subscriptions: ReadonlySet<Subscription>;
}): Reader {
  const { replica } = ports;
  const { lookInStore, refresh } = createRefreshing(ports);
  const announce = (dTag: Address): void => void telling.announce(dTag);
  const reading = createReading({
    ...ports,
    lookInStore,
    onReadable: announce,
    onAgain: (dTag) => {
      conflicts.retry(dTag);
      announce(dTag);
    },
  });
  const { valueOf } = reading;
  const conflicts = createConflicts({ ...ports, decode: reading.decode });
  const telling = createTelling({ ...ports, reading, conflictsTold: conflicts.told });

  /** What the device shows, to be written again. */
  async function shownOf(dTag: Address, source: FetchResult['source']): Promise<CarriedValue | undefined> {
    const value = await valueOf(dTag, source);
    if (value === null) return undefined;
    const events = [...versionsOf(replica.get(dTag)).map(({ event }) => event), ports.carried(dTag)];
    // Another may have taken its place while it was read: then it is read again.
    const shown = reading.isOfHead(dTag, value)
      ? events[0]
      : events.find((event) => event?.id === value.eventId);
    if (shown === undefined) return shownOf(dTag, source);
    const { created_at: stamp } = shown;
    const of = value.eventId as EventId;
    return {
      ...{ dTag, of, text: JSON.stringify(value.payload), stamp },
      ...{ expiration: expirationOf(shown), schema: schemaOf(shown) },
    };
  }

  return {
    decode: reading.decode,
    announce: telling.announce,
    again: telling.again,
    history: createHistory({ ...ports, decode: reading.decode }),
    fetch: async (dTag) => valueOf(dTag, await refresh([dTag])),
    latest: async (dTag) => {
      await ports.network().ask([dTag], 'all');
      const source = await refresh([dTag]);
      const again = ports.replica.get(dTag)?.head?.event.id;
      const value = await shownOf(dTag, source);
      if (value === undefined) return { text: 'null', isRemoval: true, expiration: undefined, again };
      const { text, expiration, schema } = value;
      return { text, isRemoval: false, expiration, schema, again };
    },
    toCarry: async (dTags) => {
      const values = await Promise.all(
        dTags.map((dTag) =>
          shownOf(dTag, 'local').catch((error: unknown) => {
            if (isPassing(error) && !isNostrSyncError(error, 'INCOMPLETE')) throw error;
          }),
        ),
      );
      return values.filter((value) => value !== undefined);
    },
    syncAll: async (dTags) => {
      const source = await refresh(dTags);
      const values = await Promise.all(dTags.map((dTag) => valueOf(dTag, source).catch(unlessUnreadable)));
      return values.filter((value) => value !== null && value !== undefined);
    },
    poll: async (dTags, signal) => telling.poll(dTags, await refresh(dTags), signal),
    present: telling.present,
    signerChanged: () => {
      conflicts.retry();
      for (const subscription of ports.subscriptions) telling.present(subscription);
      reading.retry().forEach(announce);
    },
    changed: ({ dTag, record, effects }) => {
      if (record?.head === undefined) return;
      const advances = effects.filter((effect) => effect.type === 'advanced');
      for (const advance of advances) telling.advanced(dTag, advance, isOwnHead(record));
      conflicts.changed(dTag, record, effects);
      // What turned up under a write that was held is news once that is withdrawn.
      const isBack = effects.some(({ type }) => type === 'withdrawn') && !isOwnHead(record);
      if (advances.length > 0 || isBack) announce(dTag);
    },
    wrote: telling.wrote,
    close: reading.close,
  };
}
