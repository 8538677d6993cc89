/** Replica → app: fetch, syncAll, poll, subscribe, and the events about what other devices wrote. */

import { toIso, type Clock } from '../clock.ts';
import { isNostrSyncError, NostrSyncError, type AnyNostrSyncError, type ErrorCode } from '../errors.ts';
import { categoryOf } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { deviceIdOf, expirationOf, isExpired, isTombstone } from '../protocol/header.ts';
import { MAX_READS, RETRY_BASE_MS, RETRY_CAP_MS } from '../protocol/limits.ts';
import { compareEvents } from '../protocol/order.ts';
import type { Store } from '../store/store.ts';
import { createAgenda } from './relays/agenda.ts';
import type { Content } from './values/content.ts';
import { callListener, type Emitter, type FetchResult } from './events.ts';
import type { Write } from './writer.ts';
import { isFromAll, type Network } from './relays/network.ts';
import { overwrites } from './heads/conflict.ts';
import { isOwnHead, type OwnWrite } from './heads/record.ts';
import type { Change, Replica } from './heads/replica.ts';

/** One `subscribe` call of the app. Lives as long as the engine, over every change of signer. */
export interface Subscription {
  readonly dTags: ReadonlySet<string>;
  readonly listener: (result: FetchResult) => void;
  /** By d-tag, the id that was handed over last. */
  readonly delivered: Map<string, string>;
}

export interface Reader {
  fetch(dTag: string): Promise<FetchResult | null>;
  /** What would write the newest value again, once every relay that can be reached was asked for it. */
  latest(dTag: string): Promise<Pick<Write, 'text' | 'isRemoval' | 'expiration'>>;
  syncAll(dTags: readonly string[]): Promise<FetchResult[]>;
  /** Nothing counts as given to one who waits no longer. */
  poll(dTags: readonly string[], signal?: AbortSignal): Promise<FetchResult[]>;
  /** Hands over the current value of what a subscription has not had yet. */
  present(subscription: Subscription): void;
  /** A signer was set: what could not be read without one is. */
  retry(): void;
  changed(change: Change): void;
  /** This process wrote the head `id`: no news to itself. */
  wrote(dTag: string, id: string): void;
  close(): void;
}

type Source = FetchResult['source'];

/** Two heads of which the second's writer had not seen the first. */
interface Overwrite {
  readonly dTag: string;
  readonly mine: VerifiedEvent;
  readonly theirs: VerifiedEvent;
}

/** What a blind write beats it beats, whatever comes together with that, or later. */
const isBeaten = (theirs: VerifiedEvent, mine: VerifiedEvent): boolean => compareEvents(mine, theirs) > 0;

const isOneOf = (error: unknown, codes: readonly ErrorCode[]): boolean =>
  codes.some((code) => isNostrSyncError(error, code));

/** The signer failed, which says nothing about the value. */
const isSignersFault = (error: unknown): boolean => isOneOf(error, ['DECRYPTION_FAILED', 'SIGNER_CHANGED']);

/** What says nothing about the value itself. */
const isPassing = (error: unknown): boolean =>
  isSignersFault(error) || isOneOf(error, ['SIGNER_NOT_SET', 'INCOMPLETE', 'STORE_FAILED', 'CLOSED']);

export function createReader(ports: {
  readonly clock: Clock;
  readonly store: Store;
  readonly replica: Replica;
  readonly network: () => Network;
  readonly content: Content;
  readonly canRead: () => boolean;
  /** See `Signer.isLocal`. */
  readonly isLocal: () => boolean;
  readonly emitter: Emitter;
  readonly subscriptions: ReadonlySet<Subscription>;
}): Reader {
  const { replica, emitter } = ports;
  /** Ids of events found unreadable: each is reported once. */
  const reported = new Set<string>();
  /** poll's cursor: by d-tag, what was handed out in this process. */
  const polled = new Map<string, string>();
  /** By d-tag, the last id that `updated` told of. */
  const announced = new Map<string, string>();
  /** Conflicts that are being read, until that has ended, or wait for pieces or a signer. */
  const untold = new Map<Overwrite, Promise<void>>();
  /** By d-tag, the last id that this process wrote. */
  const written = new Map<string, string>();
  /** By id of an event that could not be read, how often in a row a signer has failed to. */
  const unread = new Map<string, { readonly dTag: string; count: number }>();
  /** D-tags of what is to be tried again. */
  const agenda = createAgenda(ports.clock, 0, (dTags) => dTags.forEach(tryAgain));
  agenda.start();

  function tryAgain(dTag: string): void {
    for (const overwrite of [...untold.keys()]) if (overwrite.dTag === dTag) tellConflict(overwrite);
    void announce(dTag);
  }

  /**
   * The signer could not read it: a person may have said no, an extension been locked. It is tried again, by and by. Returns
   * how often it has failed.
   */
  function countFailure(dTag: string, id: string): number {
    const count = (unread.get(id)?.count ?? 0) + 1;
    unread.set(id, { dTag, count });
    if (count < MAX_READS) agenda.put(dTag, Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** (count - 1)));
    return count;
  }

  // Decrypting

  /**
   * The value of one event. Throws `UNDECODABLE`, `INCOMPLETE`, `STORE_FAILED`, `SIGNER_NOT_SET`, or if the signer has
   * failed `DECRYPTION_FAILED` or `SIGNER_CHANGED`: then it is tried again.
   */
  async function decode(event: VerifiedEvent, dTag: string, source: Source): Promise<FetchResult> {
    const category = categoryOf(dTag);
    const own = replica.get(dTag)?.own;
    const about = {
      category,
      updatedAt: toIso(event.created_at * 1000),
      deviceId: deviceIdOf(event),
      eventId: event.id,
      source,
      ...(own?.id === event.id && !own.acknowledged && ({ pending: true } as const)),
    };
    if (isTombstone(event)) return { ...about, payload: null, deleted: true };
    try {
      const payload = await ports.content.payloadOf(event, dTag);
      void replica.apply(dTag, { type: 'read', id: event.id });
      // All that wait for it are told, whichever call has read it.
      if (unread.delete(event.id)) void announce(dTag);
      return { ...about, payload };
    } catch (cause) {
      // Another tab may have replaced it, and taken its pieces away.
      await lookInStore([dTag]);
      const record = replica.get(dTag);
      const isOutdated = record?.event?.id !== event.id && record?.before?.id !== event.id;
      if (isNostrSyncError(cause, 'INCOMPLETE') && !isOutdated && !reported.has(event.id)) {
        reported.add(event.id);
        emitter.emit('error', cause);
      }
      const isFinal = ports.isLocal() && isNostrSyncError(cause, 'DECRYPTION_FAILED');
      if (isPassing(cause) && !isFinal) {
        if (!isSignersFault(cause)) throw cause;
        const count = countFailure(dTag, event.id);
        if (count === 1) emitter.emit('error', cause as AnyNostrSyncError);
        if (count < MAX_READS || isNostrSyncError(cause, 'SIGNER_CHANGED')) throw cause;
      } else unread.set(event.id, { dTag, count: MAX_READS });
      const error = new NostrSyncError(
        'UNDECODABLE',
        `Cannot read the newest value of ${JSON.stringify(category)}`,
        {
          details: { category, eventId: event.id },
          cause,
        },
      );
      // What was replaced while it was read may have lost its pieces: that is no news.
      if (isOutdated) throw error;
      if (!reported.has(event.id)) emitter.emit('error', error);
      reported.add(event.id);
      void replica.apply(dTag, { type: 'unreadable', id: event.id });
      throw error;
    }
  }

  function isGone(event: VerifiedEvent): boolean {
    return isTombstone(event) || isExpired(event, Math.floor(ports.clock.now() / 1000));
  }

  /**
   * What the device shows for a category: the head, or while that cannot be read, the last good value.
   * `null`: there is none. Throws `UNDECODABLE` if there is one and nothing of it can be read.
   */
  async function valueOf(dTag: string, source: Source): Promise<FetchResult | null> {
    const record = replica.get(dTag);
    if (record?.event === undefined || isGone(record.event)) return null;
    try {
      return await decode(record.event, dTag, source);
    } catch (error) {
      const isReplaced = replica.get(dTag)?.event?.id !== record.event.id;
      if (isReplaced && !isNostrSyncError(error, 'SIGNER_NOT_SET')) return valueOf(dTag, source);
      if (!isUnreadable(error)) throw error;
      for (const older of [record.before, record.fallback]) {
        if (older === undefined || isGone(older)) break;
        const value = await decode(older, dTag, source).catch(() => undefined);
        if (value !== undefined) return value;
      }
      throw error;
    }
  }

  /** Of one value alone, and reported. */
  function isUnreadable(error: unknown): boolean {
    return isOneOf(error, ['UNDECODABLE', 'INCOMPLETE', 'DECRYPTION_FAILED']);
  }

  /** `undefined` for what cannot be read: one bad category never fails the rest. */
  function unlessUnreadable(error: unknown): undefined {
    if (!isUnreadable(error)) throw error;
  }

  // Asking

  /** What another tab has saved by now counts, told yet or not. If the store fails, only what is known here counts. */
  async function lookInStore(dTags: readonly string[]): Promise<void> {
    if (ports.store.sharedName !== undefined) await replica.reload(dTags).catch(() => undefined);
  }

  /**
   * Resolves with what the answers are worth. Rejects if nothing at all is known of any of the categories: a relay that has
   * not answered completely may have what no other has.
   */
  async function refresh(dTags: readonly string[]): Promise<Source> {
    if (dTags.length === 0) return 'local';
    const [answers] = await Promise.all([ports.network().ask(dTags, 'known'), lookInStore(dTags)]);
    const { complete: answered, incomplete: silent } = answers;
    if (isFromAll(answers) || dTags.some((dTag) => replica.get(dTag)?.event !== undefined))
      return answered.length > 0 ? 'relay' : 'local';
    const who = answered.length === 0 ? 'no relay answered' : `no answer from ${silent.join(', ')}`;
    throw new NostrSyncError('NO_RELAYS_REACHABLE', `Cannot read: ${who}, and this device holds no copy`, {
      details: { answered, silent },
    });
  }

  async function collect(dTags: readonly string[], source: Source): Promise<FetchResult[]> {
    const values = await Promise.all(dTags.map((dTag) => valueOf(dTag, source).catch(unlessUnreadable)));
    return values.filter((value) => value !== null && value !== undefined);
  }

  // Telling

  /** Hands a new head to `updated` and to the subscriptions, unless it is not the head any more once it is decrypted. */
  async function announce(dTag: string): Promise<void> {
    const event = replica.get(dTag)?.event;
    const listening = [...ports.subscriptions].filter((subscription) => subscription.dTags.has(dTag));
    if (event === undefined || !ports.canRead() || (listening.length === 0 && !emitter.has('updated')))
      return;
    if (isExpired(event, Math.floor(ports.clock.now() / 1000))) return;
    const result = await decode(event, dTag, isOwnHead(replica.get(dTag)!) ? 'local' : 'relay').catch(
      () => undefined,
    );
    await conflictsTold(dTag);
    if (result === undefined || !ports.canRead() || replica.get(dTag)?.event?.id !== event.id) return;
    if (written.get(dTag) !== event.id && announced.get(dTag) !== event.id) {
      announced.set(dTag, event.id);
      emitter.emit('updated', result);
    }
    for (const subscription of listening) deliver(subscription, dTag, result);
  }

  function deliver(subscription: Subscription, dTag: string, result: FetchResult): void {
    if (!ports.subscriptions.has(subscription) || subscription.delivered.get(dTag) === result.eventId) return;
    subscription.delivered.set(dTag, result.eventId);
    callListener(subscription.listener, result);
  }

  function present(subscription: Subscription): void {
    for (const dTag of subscription.dTags) {
      void valueOf(dTag, 'local')
        .then(async (result) => {
          await conflictsTold(dTag);
          if (!result || !ports.canRead() || replica.get(dTag)?.event?.id !== result.eventId) return;
          deliver(subscription, dTag, result);
        })
        .catch(() => undefined);
    }
  }

  /** A listener hears of the conflict before the newer value, unless the conflict has to wait for more than being read. */
  async function conflictsTold(dTag: string): Promise<void> {
    for (const [overwrite, telling] of untold) if (overwrite.dTag === dTag) await telling;
  }

  function tellConflict(overwrite: Overwrite): void {
    if (emitter.has('conflict')) untold.set(overwrite, readConflict(overwrite));
  }

  async function readConflict(overwrite: Overwrite): Promise<void> {
    const { dTag, mine, theirs } = overwrite;
    try {
      const conflict = {
        category: categoryOf(dTag),
        mine: await decode(mine, dTag, 'local'),
        theirs: await decode(theirs, dTag, 'relay'),
        shown: isBeaten(theirs, mine) ? ('mine' as const) : ('theirs' as const),
      };
      // It may have been read twice meanwhile, for two signers.
      if (untold.delete(overwrite)) emitter.emit('conflict', conflict);
    } catch (error) {
      // Later: with its pieces, or a signer. What cannot be read at all was reported as such.
      if (!isPassing(error)) untold.delete(overwrite);
    }
  }

  /** Of conflicts that could not be told yet. */
  function retell(dTag: string, head: VerifiedEvent, own: OwnWrite | undefined): void {
    for (const overwrite of [...untold.keys()]) {
      if (overwrite.dTag !== dTag || isBeaten(overwrite.theirs, overwrite.mine)) continue;
      if (overwrite.theirs.id === head.id) tellConflict(overwrite);
      // Overwritten in its turn, perhaps by one that has not seen our write either.
      else if (untold.delete(overwrite) && own?.id === overwrite.mine.id && overwrites(head, own))
        tellConflict({ ...overwrite, theirs: head });
    }
  }

  return {
    fetch: async (dTag) => valueOf(dTag, await refresh([dTag])),
    latest: async (dTag) => {
      await ports.network().ask([dTag], 'all');
      const value = await valueOf(dTag, await refresh([dTag]));
      if (value === null) return { text: 'null', isRemoval: true, expiration: undefined };
      const shown = [replica.get(dTag)?.event, replica.get(dTag)?.before].find(
        (event) => event?.id === value.eventId,
      );
      return {
        text: JSON.stringify(value.payload),
        isRemoval: false,
        expiration: shown && expirationOf(shown),
      };
    },
    syncAll: async (dTags) => collect(dTags, await refresh(dTags)),
    poll: async (dTags, signal) => {
      const source = await refresh(dTags);
      const nowSeconds = Math.floor(ports.clock.now() / 1000);
      const news = await Promise.all(
        dTags.map(async (dTag) => {
          const event = replica.get(dTag)?.event;
          const before = polled.get(dTag);
          if (event === undefined || event.id === before || isExpired(event, nowSeconds)) return undefined;
          const result = await decode(event, dTag, source).catch(unlessUnreadable);
          return result && { dTag, before, result };
        }),
      );
      signal?.throwIfAborted();
      const results: FetchResult[] = [];
      for (const one of news) {
        // Another poll has given it meanwhile, or this process has written a newer one.
        if (one === undefined || polled.get(one.dTag) !== one.before) continue;
        polled.set(one.dTag, one.result.eventId);
        results.push(one.result);
        void announce(one.dTag);
      }
      return results;
    },
    present,
    retry: () => {
      for (const overwrite of [...untold.keys()]) tellConflict(overwrite);
      for (const subscription of ports.subscriptions) present(subscription);
      for (const one of unread.values()) {
        one.count = 0;
        void announce(one.dTag);
      }
    },
    changed: ({ dTag, record, effects }) => {
      const head = record?.event;
      if (head === undefined) return;
      const advances = effects.filter((effect) => effect.type === 'advanced');
      const conflicts = effects.filter((effect) => effect.type === 'conflict');
      for (const { mine, theirs } of conflicts)
        if (isBeaten(theirs, mine)) tellConflict({ dTag, mine, theirs });
      // What turned up under a write that was held is news once that is withdrawn.
      const isBack = effects.some(({ type }) => type === 'withdrawn') && !isOwnHead(record!);
      if (advances.length === 0) return void (isBack && announce(dTag));
      // What says the same as what was told is no news.
      for (const { event, renews } of advances) {
        if (renews === undefined) continue;
        for (const told of [
          polled,
          announced,
          written,
          ...[...ports.subscriptions].map((one) => one.delivered),
        ])
          if (told.get(dTag) === renews) told.set(dTag, event.id);
        // Nor what an earlier process of this device had written.
        if (isOwnHead(record!)) written.set(dTag, event.id);
      }
      const { own } = record!;
      retell(dTag, head, own);
      // Of several that came together the newest counts: it may have seen what the one before it had not.
      const lost = conflicts.find(({ mine }) => mine.id === own?.id)?.mine;
      if (lost !== undefined && overwrites(head, own!)) tellConflict({ dTag, mine: lost, theirs: head });
      void announce(dTag);
    },
    wrote: (dTag, id) => {
      written.set(dTag, id);
      polled.set(dTag, id);
      for (const subscription of ports.subscriptions)
        if (subscription.dTags.has(dTag)) subscription.delivered.set(dTag, id);
    },
    close: agenda.stop,
  };
}
