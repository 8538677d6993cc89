/** `createNostrSync`: checks what it is given, wires the parts, and minds their lifecycle. Nothing is decided here. */

import type { Primitives } from './crypto/primitives.ts';
import { createCalls } from './engine/calls.ts';
import { createDeviceId } from './engine/device-id.ts';
import { createFlushes } from './engine/flushes.ts';
import { heard } from './sync/heard.ts';
import { createIdentity } from './engine/identity.ts';
import { createRelayCalls } from './engine/relay-calls.ts';
import { createSigningIn } from './engine/signing-in.ts';
import { createStanding } from './engine/standing.ts';
import { closedError, createSteps } from './engine/steps.ts';
import { isNostrSyncError, NostrSyncError } from './errors.ts';
import {
  checkCarryOver,
  checkCategoryOptions,
  checkOptions,
  checkSigner,
  type NostrSyncOptions,
  type Platform,
  type PublishOptions,
  type ReadOptions,
  type SignerOptions,
} from './options.ts';
import type { Json } from './protocol/payload.ts';
import type { RelayInfo } from './relay/connection.ts';
import { createBeat } from './relay/liveness.ts';
import { createPool } from './relay/pool.ts';
import type { Signer } from './signer/signer.ts';
import { withDeadline } from './store/deadline.ts';
import type { Store } from './store/store.ts';
import {
  createEmitter,
  type NameOf,
  type Receipt,
  type ResultOf,
  type SyncEvents,
  type ValueOf,
} from './sync/events.ts';
import { createKnownReconciling } from './sync/relays/known-reconciling.ts';
import { createRelayLimits } from './sync/relays/relay-limits.ts';
import type { VersionInfo } from './sync/history.ts';
import type { CategoryRow } from './sync/inspecting.ts';
import { INSIDE, type Inside } from './sync/inside.ts';
import type { Category } from './state/definition.ts';
import type { State } from './state/state.ts';
import { openSession, type Session } from './sync/session.ts';
import { openState, type StateHost } from './sync/state-host.ts';
import { createStatusTeller, type SyncStatus } from './sync/status.ts';
import type { Subscription } from './sync/telling.ts';

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
   *
   * `carryOver`: what this device has under the former key comes along; see `SignerOptions`. The former signer must still be set: if there
   * are values and it is not, rejects with `SIGNER_NOT_SET`. Resolves once they are saved under the new key; what becomes of each is
   * decided when all relays have said what they have. If it rejects (also with `ENCRYPTION_FAILED`, `DECRYPTION_FAILED`, `SIGNER_CHANGED`,
   * `STORE_FAILED`), nothing has changed: the former signer is at work, and the new one is yours.
   */
  setSigner(signer: Signer, options?: SignerOptions): Promise<void>;
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
  /**
   * Makes the next value of the newest one, of which `change` gets a copy; `undefined`: there is none. In a category with `merge` that
   * is what devices wrote without seeing each other, as one. `change` is called again if another value comes in before this one is
   * saved, so it must depend on nothing but its argument. Rejects as `publish` and `fetch` do, with what `change` throws, and with
   * `INVALID_PAYLOAD` if it returns nothing or a promise: to remove a value, call `remove`.
   */
  update<C extends NameOf<Categories>>(
    category: C,
    change: (now: Categories[C] | undefined) => Categories[C],
    options?: Omit<PublishOptions, 'basedOn'>,
  ): Promise<Receipt>;
  /** Removes the value of a category on all devices: a write like any other, that holds nothing. Options as of `publish`. */
  remove(category: NameOf<Categories>, options?: Omit<PublishOptions, 'expiration'>): Promise<Receipt>;
  /**
   * The way back after a write by a wrong clock: what is stamped more than a day ahead does not count any more, on any device of this
   * version, and the value that it has is written again at the present time. Call it on a device whose clock is right: by one that is
   * behind, all that is right is from the future. Resolves with `null` if nothing is; then nothing is written. A relay that ignores
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
   * What this device keeps of a category, the newest first: its value, and former ones, also those that another device has
   * overwritten. At most 20 of them and 512 KiB, thinned with age; on this device alone, no relay has them. Needs no signer, and
   * asks no relay. Empty if there are none. Rejects with `INVALID_CATEGORY`, `STORE_FAILED`, `CLOSED`.
   */
  history(category: NameOf<Categories>): Promise<readonly VersionInfo[]>;
  /**
   * What one of them says. `eventId` is as `history` gives it. Rejects with `VERSION_NOT_KEPT`, with `INCOMPLETE` if pieces of a large
   * value are gone, and with `UNDECODABLE`, `STORE_FAILED`, `SIGNER_NOT_SET`, `INVALID_CATEGORY`, `CLOSED`, `DECRYPTION_FAILED`,
   * `SIGNER_CHANGED`.
   */
  readVersion<C extends NameOf<Categories>>(
    category: C,
    eventId: string,
    options?: ReadOptions,
  ): Promise<ResultOf<Categories, C>>;
  /**
   * Writes what one of them says again: a write like any other, on all devices, above what is the value now, which `history` then has.
   * So it can be undone in the same way. Of a removal it is a removal. An expiration that is still to come stays; what has ended is
   * restored without one. Options as of `publish`. Rejects as `readVersion` and `publish` do: then nothing was written.
   */
  restore(
    category: NameOf<Categories>,
    eventId: string,
    options?: Omit<PublishOptions, 'expiration'>,
  ): Promise<Receipt>;
  /**
   * What this device knows of each category that has, or had, a value: for tools. Nothing is decrypted, no signature checked,
   * no relay asked; needs no signer. Rejects with `STORE_FAILED`, `CLOSED`.
   */
  inspect(): Promise<readonly CategoryRow<NameOf<Categories>>[]>;
  /**
   * Calls `listener` with the current value of each category, as soon as one is known, and with each newer one that another
   * device writes; never with what this engine itself publishes. Returns the function that ends it.
   */
  subscribe<C extends NameOf<Categories>>(
    categories: readonly C[],
    listener: (result: ResultOf<Categories, C>) => void,
  ): () => void;
  /**
   * The value of a category to show and to edit, as `defineCategory` defines it: one handle for each category, the same each time. Opens
   * nothing yet. Throws `TypeError` if it is no definition, if another one has that name, or if `categories` of `createNostrSync` names it;
   * `INVALID_CATEGORY`, `CLOSED`.
   */
  state<T, Input>(category: Category<T, Input>): State<T, Input>;
  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof SyncEvents>(type: K, listener: (event: SyncEvents<Categories>[K]) => void): () => void;
  /** Adds a relay; it gets every value that this device has. Idempotent. Rejects with `INVALID_RELAY_URL`. */
  addRelay(url: string): Promise<void>;
  /** Leaves a relay. What it alone has stays there. */
  removeRelay(url: string): Promise<void>;
  /** Each relay, and how it stands. */
  getRelays(): Promise<RelayInfo[]>;
  /** The sync public key in hex; `null` while no signer is set. */
  getPubkey(): Promise<string | null>;
  /** How the engine stands; the event `status` tells each change of it. */
  getStatus(): Promise<SyncStatus>;
  /**
   * Saves what handles on categories wait with, and resolves when every relay has, or has refused, all that this device has. Rejects when
   * `signal` aborts, or with `CLOSED`.
   */
  flush(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Stops everything and closes the store. What is not delivered waits in the store. Idempotent. */
  close(): Promise<void>;
}

/** One closure: the parts name each other, and nothing is here but their wiring, and the order in which they start and end. */
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
  const categories = new Map(settings.categories);
  const closers = new Set<() => Promise<void>>();
  const savers = new Set<() => Promise<void>>();
  const sharedTabs = store.sharedName === undefined ? undefined : tabs;
  const emitter = createEmitter();
  const subscriptions = new Set<Subscription>();
  let closing: Promise<void> | undefined;

  const device = createDeviceId(options.deviceId, { store, randomBytes, emitter });
  const limits = createRelayLimits({ store, clock });
  const reconciling = createKnownReconciling({ store, clock });
  const { changed: statusChanged, greeting } = createStatusTeller(
    () => {
      const deviceId = device.current();
      return deviceId === undefined || closing !== undefined || !emitter.has('status')
        ? undefined
        : standing.status(deviceId);
    },
    (changed) => emitter.emit('status', changed),
  );
  const pool = createPool({
    ...platform,
    limits,
    reconciling: reconciling.of,
    isOnline,
    beat: createBeat(clock, () => connectivity?.isHidden?.()),
    signAuth: async (template) => session()?.signAuth(template),
    onChange: (relay) => {
      emitter.emit('relay-status', relay.info());
      session()?.relayChanged(relay);
      statusChanged();
    },
    onWrongTime: ({ url }, reason) => {
      const message = `${url} refuses AUTH for the time of this clock: ${reason}`;
      emitter.emit('error', new NostrSyncError('CLOCK_SKEW', message, { details: {} }));
    },
  });
  const identity = createIdentity({
    store,
    namespace,
    open: (pubkey) =>
      openSession({
        ...platform,
        pubkey,
        namespace,
        deviceId: () => device.current()!,
        // If the store fails, it is tried again with the next change of the category.
        onTwin: async (dTag, event) => device.leave(dTag, event).catch(() => undefined),
        store,
        pool,
        emitter,
        subscriptions,
        tabs: sharedTabs,
        pacing: settings.pacing,
        categories,
        // Not before all that was saved together is told: one write may be done, and the next one owed.
        onProgress: () => {
          queueMicrotask(flushes.check);
          statusChanged();
        },
      }),
    onLeft: () => {
      pool.stop();
      standing.identityChanged();
    },
  });
  const { session } = identity;
  const standing = createStanding({ clock, pool, session, isOnline });
  for (const [url, spelling] of settings.relays) pool.add(url, spelling);
  // If another tab may lead, the session decides whether this one connects.
  if (sharedTabs === undefined) pool.start();
  let wasOnline = isOnline();
  const stopListening = connectivity?.onChange(() => {
    const isLost = wasOnline && !isOnline();
    wasOnline = isOnline();
    if (isLost) pool.lose();
    else (session() ?? pool).wake();
    statusChanged();
  });

  const steps = createSteps({
    open: async () => {
      if (device.current() === undefined) await device.load();
      await Promise.all([limits.load(), reconciling.load()]);
      await identity.restore();
    },
    isOpen: () => device.current() !== undefined,
    onOpenFailed: () => signing.startFailed(),
  });
  const { opened } = steps;
  const flushes = createFlushes(() => !steps.isClosed() && (session()?.owed() ?? 0) === 0);
  const signing = createSigningIn({
    clock,
    keepSigner: options.keepSigner === true,
    steps,
    session,
    enterIdentity: identity.enter,
    ...{ store, namespace, boxes: { ...defaults, randomBytes } },
    onChange: statusChanged,
  });

  async function known(): Promise<Session | undefined> {
    await opened();
    await signing.entered();
    return session();
  }

  async function setSigner(given: Signer, how?: SignerOptions): Promise<void> {
    checkSigner(given);
    const carryOver = checkCarryOver(how);
    if (closing !== undefined) throw closedError();
    if (carryOver === 'none') return signing.set(given);
    await saveHandles();
    return signing.join(given, carryOver);
  }

  /** What cannot be saved is told by the handle. */
  async function saveHandles(): Promise<void> {
    await Promise.all([...savers].map((save) => save()));
  }

  async function close(): Promise<void> {
    await Promise.all([...closers].map((save) => save()));
    stopListening?.();
    signing.close();
    signing.wipe(signing.drop());
    await steps.close();
    await identity.close();
    pool.close();
    subscriptions.clear();
    flushes.close(closedError());
    await store.close();
  }

  if (options.signer !== undefined) {
    setSigner(options.signer).catch((error: unknown) => {
      // An app that closes the engine at once knows why no signer was set.
      if (isNostrSyncError(error) && closing === undefined) emitter.emit('error', error);
    });
  }

  const sync: NostrSync = {
    ...createCalls({ clock, settings, subscriptions, session, signedIn: signing.signedIn, known }),
    ...createRelayCalls({ pool, session, opened, standing, allowInsecure: options.allowInsecureRelays }),
    setSigner,
    clearSigner: async () => signing.drop()?.wipe?.(),
    on: (type, listener) => {
      const stop = emitter.on(type, listener);
      let isListening = true;
      if (type === 'status') {
        const greet = greeting(listener as (status: SyncStatus) => void);
        void opened().then(
          () => isListening && greet(),
          () => undefined,
        );
      }
      return () => {
        isListening = false;
        stop();
      };
    },
    state: (category) => {
      if (closing !== undefined) throw closedError();
      return openState(category, host);
    },
    getPubkey: async () => {
      const current = await known();
      return current?.signer() === undefined ? null : current.pubkey;
    },
    getStatus: async () => {
      await opened();
      await session()?.told();
      return standing.status(device.current()!);
    },
    flush: async ({ signal } = {}) => {
      await heard(signal, opened().then(saveHandles));
      await flushes.wait(signal);
    },
    close: async () => {
      closing ??= close();
      return closing;
    },
  };
  const inside: Inside = {
    known: async () => (await known())?.opened,
    signedIn: async (what) => (await signing.signedIn(what)).opened,
  };
  const host: StateHost = {
    ...{ sync, inside, clock, randomBytes, emitter, closers, savers, tabs: sharedTabs },
    ...{ primitives: defaults.primitives, states: new Map() },
    define: (name, given) => {
      for (const [dTag, said] of checkCategoryOptions(namespace, { [name]: given })) {
        if (settings.categories.has(dTag))
          throw new TypeError(`Invalid categories.${name}: it is said by defineCategory, and nowhere else`);
        categories.set(dTag, said);
      }
      session()?.categoriesChanged();
    },
  };
  return { ...sync, [INSIDE]: inside } as unknown as NostrSync<Categories>;
}
