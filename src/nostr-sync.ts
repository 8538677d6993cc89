/** `createNostrSync`: checks what it is given, wires the parts, and minds their lifecycle. Nothing is decided here. */

import { toIso } from './clock.ts';
import type { Primitives } from './crypto/primitives.ts';
import { isNostrSyncError, misuse, NostrSyncError } from './errors.ts';
import {
  checkCategories,
  checkOptions,
  checkReading,
  checkSigner,
  checkWrite,
  isDeviceId,
  type NostrSyncOptions,
  type Platform,
  type PublishOptions,
  type ReadOptions,
} from './options.ts';
import { categoryOf, toDTag } from './protocol/address.ts';
import { isHex32, type NostrEvent } from './protocol/event.ts';
import { MAX_READS, RETRY_BASE_MS, RETRY_CAP_MS } from './protocol/limits.ts';
import type { Json } from './protocol/payload.ts';
import type { RandomBytes } from './relay/backoff.ts';
import type { RelayInfo } from './relay/connection.ts';
import { createPool } from './relay/pool.ts';
import { canonicalRelayUrl } from './relay/url.ts';
import type { Signer } from './signer/signer.ts';
import { withDeadline } from './store/deadline.ts';
import type { Store } from './store/store.ts';
import { createRelayLimits } from './sync/relays/relay-limits.ts';
import {
  createEmitter,
  type NameOf,
  type Receipt,
  type ResultOf,
  type SyncEvents,
  type ValueOf,
} from './sync/events.ts';
import type { Reader } from './sync/reader.ts';
import type { Subscription } from './sync/telling.ts';
import { openSession, type Session } from './sync/session.ts';
import { publicKeyOf } from './sync/values/account.ts';
import { createStatusTeller, type SyncStatus } from './sync/status.ts';

export type { SyncStatus } from './sync/status.ts';

/** Each category's payload, as far as types can tell JSON: the bound of `Categories`. */
export type JsonPayloads<Categories> = object & { readonly [C in keyof Categories]: Json<Categories[C]> };

/** `Categories` maps each category to the type of its payload, for those who want it typed. */
export interface NostrSync<Categories extends object = Record<string, unknown>> {
  /**
   * Sets who signs, and wipes the signer before (see `keepSigner`). Rejects with `SIGNING_FAILED` if the signer gives no public
   * key, and with `SIGNER_NOT_SET` if there is no extension yet. After these, and after a store that failed, the engine tries
   * again by itself, and with each call. Values and outbox are kept per public key: those of the former key wait in the store
   * until it comes back.
   */
  setSigner(signer: Signer): Promise<void>;
  /** Drops the signer and wipes its buffers, at once. What was saved goes on to the relays: it is ciphertext. */
  clearSigner(): Promise<void>;
  /**
   * Writes the value of a category. When it resolves, the value is encrypted, signed and saved on this device, and goes
   * to every relay, over crashes and restarts. When it rejects, nothing of it is saved, and no honest relay has
   * it. A relay that says no and keeps it all the same can show it later, which `WITHDRAWN_WRITE_SHOWN` tells.
   * Waits up to 5 s for a relay to take it; being offline is no error.
   * Rejects with `SIGNER_NOT_SET`, `INVALID_CATEGORY`, `INVALID_PAYLOAD`, `PAYLOAD_TOO_LARGE`, `INVALID_EXPIRATION`,
   * `ENCRYPTION_FAILED`, `SIGNING_FAILED`, `SIGNER_CHANGED`, `STORE_FAILED`, `CLOCK_SKEW`, `NO_RELAYS_ACCEPTED`, `CLOSED`.
   */
  publish<C extends NameOf<Categories>, Payload>(
    category: C,
    // If the categories have types, `JsonPayloads` has checked them.
    payload: Record<string, unknown> extends Categories ? Payload & Json<Payload> : Categories[C],
    options?: number | PublishOptions,
  ): Promise<Receipt>;
  /** Removes the value of a category on all devices: a write like any other, that holds nothing. Options as of `publish`. */
  remove(category: NameOf<Categories>, options?: Omit<PublishOptions, 'expiration'>): Promise<Receipt>;
  /**
   * The way back after a write by a wrong clock: what is stamped more than a day ahead does not count any more, on any device of this version, and the
   * value that it has is written again at the present time. Call it on a device whose clock is right: by one that is behind, all that is right is from the
   * future. Resolves with `null` if nothing is; then nothing is written. A relay that ignores
   * deletion requests (NIP-09) may keep what it has, and refuse what is newer: its delivery says so. Rejects as `publish` and `fetch` do.
   */
  reset(category: NameOf<Categories>, options?: Omit<PublishOptions, 'expiration'>): Promise<Receipt | null>;
  /**
   * The newest value that the relays or this device know. `null` only if there is none: removed, or every relay that is
   * connected or connecting has answered completely, within ten seconds, and none has a value. Rejects with
   * `NO_RELAYS_REACHABLE` (unknown; `details: { answered, silent }`), `UNDECODABLE`, `INCOMPLETE`, `STORE_FAILED`,
   * `SIGNER_NOT_SET`, `INVALID_CATEGORY`, `CLOSED`, and, if the signer has failed, `DECRYPTION_FAILED` or `SIGNER_CHANGED`.
   */
  fetch<C extends NameOf<Categories>>(
    category: C,
    options?: ReadOptions,
  ): Promise<ValueOf<Categories, C> | null>;
  /**
   * The newest values of several categories with one request per relay. Leaves out categories without a value, and those that
   * cannot be read, which `error` reports. A category that is left out may be unknown, since a relay may not have answered:
   * `fetch` tells whether it is absent. Rejects with `NO_RELAYS_REACHABLE` if nothing is known and a relay has not answered.
   */
  syncAll<C extends NameOf<Categories>>(
    categories: readonly C[],
    options?: ReadOptions,
  ): Promise<ValueOf<Categories, C>[]>;
  /** Like `syncAll`, but only what this process has neither written nor been given by `poll` before. */
  poll<C extends NameOf<Categories>>(
    categories: readonly C[],
    options?: ReadOptions,
  ): Promise<ResultOf<Categories, C>[]>;
  /**
   * Calls `listener` with the current value of each category, as soon as one is known, and with each newer one that another
   * device writes; never with what this engine itself publishes. Returns the function that ends it.
   */
  subscribe<C extends NameOf<Categories>>(
    categories: readonly C[],
    listener: (result: ResultOf<Categories, C>) => void,
  ): () => void;
  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof SyncEvents>(type: K, listener: (event: SyncEvents<Categories>[K]) => void): () => void;
  /** Adds a relay; it gets every value that this device has. Idempotent. Rejects with `INVALID_RELAY_URL`. */
  addRelay(url: string): Promise<void>;
  removeRelay(url: string): Promise<void>;
  getRelays(): Promise<RelayInfo[]>;
  /** The sync public key in hex; `null` while no signer is set. */
  getPubkey(): Promise<string | null>;
  getStatus(): Promise<SyncStatus>;
  /** Resolves when every relay has, or has refused, all that this device has. Rejects when `signal` aborts, or with `CLOSED`. */
  flush(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Stops everything and closes the store. What is not delivered waits in the store. Idempotent. */
  close(): Promise<void>;
}

function uuid(randomBytes: RandomBytes): string {
  const hex = [...randomBytes(16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Settles as the promise does; if the signal aborts before, rejects at once with its reason. */
export function heard<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    const settled = (): void => signal.removeEventListener('abort', abort);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(settled);
  });
}

function closedError(): NostrSyncError {
  return new NostrSyncError('CLOSED', 'The engine was closed');
}

export function createEngine<Categories extends object>(
  options: NostrSyncOptions,
  defaults: Platform & { readonly primitives: Primitives; readonly store: (namespace: string) => Store },
): NostrSync<Categories> {
  const settings = checkOptions(options);
  if (options.signer !== undefined) checkSigner(options.signer);
  const { namespace } = settings;
  const platform = { ...defaults, ...options };
  const { clock, randomBytes, connectivity, tabs } = platform;
  const isOnline = (): boolean => connectivity?.isOnline() ?? true;
  const store = withDeadline(options.store ?? defaults.store(namespace), clock);
  const sharedTabs = store.sharedName === undefined ? undefined : tabs;
  const emitter = createEmitter();
  const subscriptions = new Set<Subscription>();
  const flushes = new Set<{ resolve: () => void; reject: (error: Error) => void }>();

  let deviceId: string | undefined;
  /** The engine's own id; or the one that took the place of an id which the app gives. */
  const deviceIdKey = options.deviceId === undefined ? 'device-id' : `device-id/${options.deviceId}`;
  let session: Session | undefined;
  /** The signer that was set last, also while its session is being opened. */
  let signer: Signer | undefined;
  /** All calls that come while the store is opened wait for this. */
  let opening: Promise<void> | undefined;
  /** Pending while the signer is asked for its public key, and its session is opened. */
  let entering: Promise<void> | undefined;
  /** The signer with which signing in has failed. It is tried again: an extension may come late, and a store recover. */
  let failedSigner: Signer | undefined;
  /** How often in a row the engine has failed to start, and what ends the waiting for the next time. */
  let failures = 0;
  let cancelRetry = (): void => undefined;
  /** Each call ends the wait for the public key of one signer: it is made when another signer takes its place, or none. */
  const drops = new Set<() => void>();
  let closing: Promise<void> | undefined;
  /** What relays said before this time was said to another identity. */
  let identityAt = '';
  let lastSyncedAt: string | null = null;
  const statusChanged = createStatusTeller(
    () => (deviceId === undefined || closing !== undefined || !emitter.has('status') ? undefined : status()),
    (changed) => emitter.emit('status', changed),
  );

  const limits = createRelayLimits({ store, clock });
  const pool = createPool({
    ...platform,
    limits,
    isOnline,
    signAuth: async (template) => session?.signAuth(template),
    onChange: (relay) => {
      emitter.emit('relay-status', relay.info());
      session?.relayChanged(relay);
      statusChanged();
    },
    onWrongTime: ({ url }, reason) => {
      const message = `${url} refuses AUTH for the time of this clock: ${reason}`;
      emitter.emit('error', new NostrSyncError('CLOCK_SKEW', message, { details: {} }));
    },
  });
  for (const [url, spelling] of settings.relays) pool.add(url, spelling);
  // If another tab may lead, the session decides whether this one connects.
  if (sharedTabs === undefined) pool.start();
  let wasOnline = isOnline();
  const stopListening = connectivity?.onChange(() => {
    const isLost = wasOnline && !isOnline();
    wasOnline = isOnline();
    if (isLost) pool.lose();
    else (session ?? pool).wake();
    statusChanged();
  });

  // Lifecycle: one change at a time, in the order of the calls.

  let lifecycle: Promise<void> = open();
  lifecycle.catch(startFailed);
  if (options.signer !== undefined) {
    setSigner(options.signer).catch((error: unknown) => {
      // An app that closes the engine at once knows why no signer was set.
      if (isNostrSyncError(error) && closing === undefined) emitter.emit('error', error);
    });
  }

  /** The device id, and the last identity: its outbox goes on before a signer is set. */
  async function open(): Promise<void> {
    if (deviceId === undefined) {
      const stored = await store.get(deviceIdKey);
      if (isDeviceId(stored)) deviceId = stored;
      else deviceId = options.deviceId ?? (await keepDeviceId(uuid(randomBytes)));
    }
    await limits.load();
    const pubkey = await store.get(`identity/${namespace}`);
    if (isHex32(pubkey)) await openIdentity(pubkey);
  }

  /** Resolves with the id that is in the store then: another tab may have kept one meanwhile. */
  async function keepDeviceId(next: string): Promise<string> {
    const former = deviceId;
    let kept = next;
    await store.update([deviceIdKey], (current) => {
      const other = current.get(deviceIdKey);
      kept = isDeviceId(other) && other !== former ? other : next;
      return new Map([[deviceIdKey, kept]]);
    });
    return kept;
  }

  /** Another device has this one's id. Under one id, vectors cannot tell whose writes were seen: so this device takes a new one. */
  async function leaveDeviceId(dTag: string, event: NostrEvent): Promise<void> {
    const former = deviceId!;
    const made = uuid(randomBytes);
    const suffixed = `${options.deviceId}-${made}`;
    const next = options.deviceId !== undefined && isDeviceId(suffixed) ? suffixed : made;
    deviceId = await keepDeviceId(next);
    if (deviceId !== next) return;
    const category = categoryOf(dTag);
    const message = `Another device writes under the id of this one, which has a new one now: seen in ${JSON.stringify(category)}`;
    const details = { category, eventId: event.id, formerDeviceId: former, deviceId };
    emitter.emit('error', new NostrSyncError('DEVICE_ID_TAKEN', message, { details }));
  }

  async function openIdentity(pubkey: string): Promise<Session> {
    if (session?.pubkey === pubkey) return session;
    const former = session;
    session = undefined;
    if (former !== undefined) {
      await former.close();
      pool.stop();
      identityAt = toIso(clock.now());
      lastSyncedAt = null;
    }
    session = await openSession({
      ...platform,
      pubkey,
      namespace,
      deviceId: () => deviceId!,
      // If the store fails, it is tried again with the next change of the category.
      onTwin: (dTag, event) => void leaveDeviceId(dTag, event).catch(() => undefined),
      store,
      pool,
      emitter,
      subscriptions,
      tabs: sharedTabs,
      pacing: settings.pacing,
      // Not before all that was saved together is told: one write may be done, and the next one owed.
      onProgress: () => {
        queueMicrotask(checkFlushes);
        statusChanged();
      },
    });
    return session;
  }

  /** Runs after every earlier lifecycle step; a failed opening of the store is tried again. */
  function next<T>(step: () => Promise<T>): Promise<T> {
    if (closing !== undefined) return Promise.reject(closedError());
    const result = lifecycle.catch(() => open()).then(step);
    lifecycle = result.then(
      () => undefined,
      (error: unknown) => {
        if (deviceId === undefined) throw error;
      },
    );
    lifecycle.catch(() => undefined);
    return result;
  }

  /** In the order of the calls: one that has waited while the store was tried again goes before those that came since. */
  function opened(): Promise<void> {
    opening ??= settled().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  /** Resolves after all steps, also those that are added while this waits. A signer that hangs is no step. */
  async function settled(): Promise<void> {
    for (let step: unknown; step !== lifecycle;) {
      if (closing !== undefined) throw closedError();
      step = lifecycle;
      await lifecycle.catch(() => next(async () => undefined));
    }
    if (closing !== undefined) throw closedError();
  }

  async function signedIn(what: string): Promise<Session> {
    await opened();
    await entering?.catch(() => undefined);
    if (failedSigner !== undefined && failedSigner === signer) await (entering ?? enter(failedSigner));
    if (closing !== undefined) throw closedError();
    if (session?.signer() === undefined)
      throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: no signer is set`);
    return session;
  }

  function setSigner(given: Signer): Promise<void> {
    checkSigner(given);
    if (closing !== undefined) return Promise.reject(closedError());
    const former = signer;
    dropSigner();
    if (former !== given) wipe(former);
    signer = given;
    return enter(given);
  }

  function wipe(former: Signer | undefined): void {
    if (options.keepSigner !== true) former?.wipe?.();
  }

  function enter(given: Signer): Promise<void> {
    const mine = signIn(given);
    entering = mine;
    mine.then(
      () => {
        failures = 0;
        if (entering === mine) entering = undefined;
      },
      (error: unknown) => {
        if (entering === mine) entering = undefined;
        if (signer !== given || closing !== undefined) return;
        failedSigner = given;
        // A person who said no must not be asked for ever.
        if (!isNostrSyncError(error, 'SIGNING_FAILED') || failures < MAX_READS) startFailed();
      },
    );
    return mine;
  }

  /** Tries again by a timer: an app that makes no call must get what it subscribed to, once a store or a signer recovers. */
  function startFailed(): void {
    if (closing !== undefined) return;
    cancelRetry();
    cancelRetry = clock.after(Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** failures++), () => {
      const again = failedSigner !== undefined && failedSigner === signer;
      if (again && entering === undefined) enter(failedSigner!).catch(() => undefined);
      else next(async () => undefined).catch(startFailed);
    });
  }

  async function signIn(given: Signer): Promise<void> {
    const stillWanted = (): void => {
      if (signer === given) return;
      throw new NostrSyncError(
        'SIGNER_NOT_SET',
        'Cannot set the signer: it was cleared or replaced meanwhile',
      );
    };
    // Before its turn among the steps: calls that need no signer must not wait for one that hangs. If the signer was dropped
    // meanwhile, its own failure does not count.
    const pubkey = await publicKeyOf(given, { clock, drops }).finally(stillWanted);
    await next(async () => {
      stillWanted();
      const opening = await openIdentity(pubkey);
      const key = `identity/${namespace}`;
      await store.update([key], (current) =>
        current.get(key) === pubkey ? new Map() : new Map([[key, pubkey]]),
      );
      stillWanted();
      opening.setSigner(given);
      statusChanged();
      failedSigner = undefined;
    });
  }

  function relayInfos(): RelayInfo[] {
    const led = new Map(session?.network.relays().map((info) => [info.url, info]));
    return [...pool.connections.values()].map((relay) => led.get(relay.url) ?? relay.info());
  }

  /** Waits for nothing: after this no call to the old signer is made. */
  function dropSigner(): void {
    signer = undefined;
    for (const drop of [...drops]) drop();
    session?.setSigner(undefined);
    statusChanged();
  }

  function status(): SyncStatus {
    const relays = relayInfos();
    const connectedRelayCount = relays.filter((relay) => relay.connected).length;
    const pendingChanges = session?.pendingChanges() ?? 0;
    if (pendingChanges === 0)
      for (const { lastSeen } of relays)
        if (lastSeen !== null && lastSeen >= identityAt && lastSeen > (lastSyncedAt ?? ''))
          lastSyncedAt = lastSeen;
    return {
      ready: session?.signer() !== undefined && connectedRelayCount > 0,
      online: isOnline(),
      relayCount: relays.length,
      connectedRelayCount,
      deviceId: deviceId!,
      outboxDepth: session?.network.depth() ?? 0,
      pendingChanges,
      lastSyncedAt,
    };
  }

  function checkFlushes(): void {
    if (closing !== undefined || (session?.network.depth() ?? 0) > 0) return;
    for (const flush of [...flushes]) flush.resolve();
  }

  function write(category: unknown, payload: unknown, given: unknown, isRemoval: boolean): Promise<Receipt> {
    const dTag = toDTag(namespace, category);
    const wanted = checkWrite(payload, given, settings, Math.floor(clock.now() / 1000));
    return heard(wanted.signal, signedIn(isRemoval ? 'remove' : 'publish')).then((to) =>
      to.writer.publish(dTag, { ...wanted, isRemoval }),
    );
  }

  // Results hold what devices wrote. Only the app can know that it is of the types of `Categories`, hence `never`.
  async function read<T>(
    what: string,
    given: unknown,
    work: (reader: Reader, signal?: AbortSignal) => Promise<T>,
  ): Promise<never> {
    const signal = checkReading(given);
    const reading = signedIn(what).then(({ reader }) => {
      signal?.throwIfAborted();
      return work(reader, signal);
    });
    return heard(signal, reading) as Promise<never>;
  }

  const sync: NostrSync = {
    setSigner: async (given) => setSigner(given),
    clearSigner: async () => {
      const former = signer;
      dropSigner();
      former?.wipe?.();
    },
    publish: async (category, payload, given) => write(category, payload, given, false),
    remove: async (category, removeOptions) => write(category, null, removeOptions, true),
    reset: async (category, given) => {
      const dTag = toDTag(namespace, category);
      const wanted = checkWrite(null, given, settings, Math.floor(clock.now() / 1000));
      return heard(
        wanted.signal,
        signedIn('reset').then(async ({ reader, writer }) => {
          const value = await reader.latest(dTag);
          wanted.signal?.throwIfAborted();
          if (!writer.isAhead(dTag)) return null;
          return writer.publish(dTag, { ...wanted, ...value, isReset: true });
        }),
      );
    },
    fetch: async (category, given) => {
      const dTag = toDTag(namespace, category);
      return read('fetch', given, (reader) => reader.fetch(dTag));
    },
    syncAll: async (categories, given) => {
      const dTags = checkCategories(namespace, categories);
      return read('sync', given, (reader) => reader.syncAll(dTags));
    },
    poll: async (categories, given) => {
      const dTags = checkCategories(namespace, categories);
      return read('poll', given, (reader, signal) => reader.poll(dTags, signal));
    },
    subscribe: (categories, listener) => {
      const dTags = new Set(checkCategories(namespace, categories));
      if (typeof listener !== 'function') throw new TypeError(misuse('listener', 'a function', listener));
      const subscription: Subscription = {
        dTags,
        listener: listener as Subscription['listener'],
        delivered: new Map(),
      };
      subscriptions.add(subscription);
      session?.rewatch();
      if (session?.signer() !== undefined) session.reader.present(subscription);
      return () => {
        if (subscriptions.delete(subscription)) session?.rewatch();
      };
    },
    on: (type, listener) => {
      const stop = emitter.on(type, listener);
      if (type === 'status') void opened().then(statusChanged, () => undefined);
      return stop;
    },
    addRelay: async (url) => {
      const canonical = canonicalRelayUrl(url, options.allowInsecureRelays);
      await opened();
      const isKnown = pool.connections.has(canonical);
      pool.add(canonical, url.trim());
      if (isKnown) return;
      session?.relayChanged(pool.connections.get(canonical)!);
      session?.relayListChanged(canonical, true);
    },
    removeRelay: async (url) => {
      const canonical = canonicalRelayUrl(url, options.allowInsecureRelays);
      await opened();
      if (!pool.connections.has(canonical)) return;
      pool.remove(canonical);
      session?.relayListChanged(canonical, false);
      await session?.relayRemoved(canonical);
    },
    getRelays: async () => {
      await opened();
      await session?.told();
      return relayInfos();
    },
    getPubkey: async () => {
      await opened();
      await entering?.catch(() => undefined);
      return session?.signer() === undefined ? null : session.pubkey;
    },
    getStatus: async () => {
      await opened();
      await session?.told();
      return status();
    },
    flush: async ({ signal } = {}) => {
      signal?.throwIfAborted();
      await opened();
      await new Promise<void>((resolve, reject) => {
        const settle = (act: () => void): void => {
          flushes.delete(flush);
          signal?.removeEventListener('abort', abort);
          act();
        };
        const flush = {
          resolve: () => settle(resolve),
          reject: (error: Error) => settle(() => reject(error)),
        };
        const abort = (): void => flush.reject(signal!.reason as Error);
        flushes.add(flush);
        signal?.addEventListener('abort', abort);
        checkFlushes();
      });
    },
    close: async () => {
      closing ??= (async () => {
        stopListening?.();
        cancelRetry();
        const before = lifecycle;
        const former = signer;
        dropSigner();
        wipe(former);
        await before.catch(() => undefined);
        await session?.close();
        session = undefined;
        pool.close();
        subscriptions.clear();
        for (const flush of [...flushes]) flush.reject(closedError());
        await store.close();
      })();
      return closing;
    },
  };
  return sync as unknown as NostrSync<Categories>;
}
