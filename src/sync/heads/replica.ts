/**
 * What this device knows of one identity in one namespace: a cache of its records over the store, changed by
 * `reconcile` alone. Inputs that come while a save is under way are saved together in the next one.
 */

import type { Clock } from '../../clock.ts';
import { NostrSyncError, type AnyNostrSyncError } from '../../errors.ts';
import type { Address, EventId } from '../../protocol/address.ts';
import { pieceDTag } from '../../protocol/chunks.ts';
import { checkEvent, type EventVerifier, type NostrEvent, type VerifiedEvent } from '../../protocol/event.ts';
import type { Store } from '../../store/store.ts';
import { createCache } from './cache.ts';
import { keptIn } from './frontier.ts';
import type { Effect, Input } from './input.ts';
import { createKeys } from './keys.ts';
import { newsOf } from './news.ts';
import type { Known } from './plan.ts';
import type { HeadRecord } from './record.ts';
import { createPersistence } from './persistence.ts';
import { createSender } from './sender.ts';

export interface Change {
  readonly dTag: Address;
  readonly previous: HeadRecord | undefined;
  readonly record: HeadRecord | undefined;
  readonly effects: readonly Effect[];
  /** Whether this engine has just put it into the store: other tabs do not know of it yet. */
  readonly isNewInStore: boolean;
  /** Whether head and own write are the store's, so that whatever any tab has written is in them. */
  readonly isStored: boolean;
}

export interface Replica {
  /** The record of a category; its events are verified. */
  get(dTag: Address): HeadRecord | undefined;
  /** The record by shape alone: enough to know what is owed to whom, without the cost of signatures. */
  peek(dTag: Address): HeadRecord<NostrEvent> | undefined;
  /** Every category with a record. */
  dTags(): Iterable<Address>;
  /** How many these are. */
  count(): number;
  /** A piece from the store, verified; `undefined` if it is not there or not genuine. Rejects if the store fails. */
  piece(dTag: Address, name: string): Promise<VerifiedEvent | undefined>;
  /**
   * The event of a version that its record keeps, from the store, verified; `undefined` if it is not there or not genuine. Rejects if the
   * store fails.
   */
  version(dTag: Address, id: EventId): Promise<VerifiedEvent | undefined>;
  /**
   * Decides and saves. Resolves with the effects after the save, and after `onChange` was told. A write that cannot be saved
   * rejects with `STORE_FAILED` and has changed nothing; anything else then takes effect in memory and is saved later.
   */
  apply(dTag: Address, input: Input): Promise<readonly Effect[]>;
  /**
   * The head to put on a socket or into an export, which from now on counts as carried; `undefined` while a write of the category is being
   * saved.
   */
  claim(dTag: Address): VerifiedEvent | undefined;
  /** Whether the head is a write of this process that no socket has carried: a newer one may take its stamp. */
  isUncarried(dTag: Address): boolean;
  /**
   * This engine alone puts events on sockets from now on. `mark`: it has taken that from another, which may not know, and
   * finds this mark in the store as soon as it looks there; rejects if that cannot be written. `isStill`: no other has taken it
   * meanwhile; if one has, nothing is done.
   */
  lead(mark: string | undefined, isStill: () => boolean): Promise<void>;
  /** Another engine puts events on sockets from now on. */
  resign(): void;
  /** Another tab has changed these categories in the store, or any, or may have. */
  reload(dTags?: readonly Address[]): Promise<void>;
  /** Resolves when all that was applied is saved. Later inputs are ignored. */
  close(): Promise<void>;
}

export async function openReplica(ports: {
  readonly store: Store;
  readonly clock: Clock;
  readonly verifier: EventVerifier;
  readonly pubkey: string;
  readonly namespace: string;
  /** No other engine has this store open: this one alone puts events on sockets. */
  readonly isAlone: boolean;
  /** Another engine has taken over the sending. Told before anything that it may have saved is. */
  readonly onDeposed: () => void;
  readonly onChange: (change: Change) => void;
  /** Something that no caller awaits went wrong. */
  readonly onError: (error: AnyNostrSyncError) => void;
  /** See `Known`. */
  readonly keepingOf?: Known['keepingOf'];
}): Promise<Replica> {
  const { store, pubkey, verifier } = ports;
  const keys = createKeys(pubkey, ports.namespace);
  const list = async (): Promise<Map<Address, string>> =>
    new Map([...(await store.list(keys.prefix))].map(([key, text]) => [keys.dTagOf(key), text]));

  const sender = createSender(ports);
  const cache = createCache(await list(), {
    pubkey,
    verifier,
    onUnusable: (dTag) =>
      ports.onError(
        new NostrSyncError(
          'STORE_FAILED',
          `A stored record cannot be read and is set aside: ${keys.record(dTag)}`,
        ),
      ),
    // It may have counted as owed. Told later: the caller may be in the middle of a change.
    onDropped: (dTag) => void persistence.apply(dTag, { type: 'resave' }),
  });
  const persistence = createPersistence({ ...ports, keys, cache, sender, onFound: learn });

  /** Takes over what another tab saved, unless it is known. */
  function learn(dTag: Address, text: string | undefined, record: HeadRecord | undefined): void {
    if (cache.textOf(dTag) === text) return;
    const previous = cache.get(dTag);
    cache.put(dTag, text, record);
    const effects = newsOf(previous, record);
    ports.onChange({ dTag, previous, record, effects, isNewInStore: false, isStored: true });
  }

  /** The event in a text, if it is one of this address. */
  function genuine(text: string | undefined, of: Address): VerifiedEvent | undefined {
    if (text === undefined) return undefined;
    try {
      const isAsked = (address: string): address is Address => address === of;
      const check = checkEvent(JSON.parse(text), { pubkey, isAsked, known: () => undefined, verifier });
      return check.type === 'new' ? check.event : undefined;
    } catch {
      return undefined;
    }
  }

  async function reload(dTags?: readonly Address[]): Promise<void> {
    if (persistence.isClosed()) return;
    const texts =
      dTags === undefined
        ? await list()
        : await Promise.all(dTags.map(async (dTag) => [dTag, await store.get(keys.record(dTag))] as const));
    if (sender.hasLed()) sender.look(await store.get(keys.leader));
    for (const [dTag, text] of texts) {
      // A store that was emptied takes nothing away that is known here.
      if (text !== undefined && cache.textOf(dTag) !== text)
        learn(dTag, text, persistence.baseOf(dTag, text));
    }
  }

  return {
    get: cache.get,
    peek: cache.peek,
    dTags: cache.dTags,
    count: cache.count,
    piece: async (dTag, name) => genuine(await store.get(keys.piece(dTag, name)), pieceDTag(dTag, name)),
    version: async (dTag, id) => {
      // What the store failed to take is in memory.
      const kept = keptIn(cache.get(dTag)).find((one) => one.id === id);
      const event = kept?.event ?? genuine(await store.get(keys.version(dTag, id)), dTag);
      return event?.id === id ? event : undefined;
    },
    apply: persistence.apply,
    claim: (dTag) => {
      if (persistence.isWriting(dTag)) return undefined;
      sender.carried(dTag);
      return cache.get(dTag)?.head?.event;
    },
    isUncarried: (dTag) =>
      sender.uncarried.has(dTag) && sender.uncarried.get(dTag) === cache.get(dTag)?.head?.event.id,
    lead: (mark, isStill) =>
      persistence.exclusive(async () => {
        sender.forget();
        if (mark !== undefined)
          await store.update([keys.leader], () => new Map(isStill() ? [[keys.leader, mark]] : []));
        const said = mark ?? (await store.get(keys.leader));
        // By the mark of the one that has taken its place it would pass for that.
        if (isStill()) sender.lead(said);
      }),
    resign: sender.resign,
    reload: (dTags) => persistence.exclusive(() => reload(dTags)),
    close: persistence.close,
  };
}
