/** The calls of a window: they go to the engine, which Rust runs. */

import { misuse, NostrSyncError } from '../errors.ts';
import { heard } from '../sync/heard.ts';
import type { NostrSync, SyncStatus } from '../nostr-sync.ts';
import { checkReading, type PublishOptions, type ReadOptions } from '../options.ts';
import { MAX_PAYLOAD_BYTES } from '../protocol/limits.ts';
import { encodePayload } from '../protocol/payload.ts';
import type { RelayInfo } from '../relay/connection.ts';
import {
  callListener,
  EVENT_TYPES,
  type FetchResult,
  type Receipt,
  type SyncEvents,
} from '../sync/events.ts';
import { fromWire, type UpdateReply, type WireError } from '../wire.ts';
import type { Ipc } from './ipc.ts';
import { createListen } from './listening.ts';

/** How often in a row another value may come in while the function of an `update` is called. */
const MAX_LAPS = 100;

/** The options of a window's write. No callback crosses windows, and the signal stays in its own. */
export interface WindowPublishOptions extends Omit<PublishOptions, 'signal' | 'onSaved'> {
  /** Ends the waiting, at once: the call rejects with its reason. A write that has begun goes on. */
  readonly signal?: AbortSignal;
}

export interface Calls {
  publish(category: string, payload: unknown, options?: number | WindowPublishOptions): Promise<Receipt>;
  remove(category: string, options?: Omit<WindowPublishOptions, 'expiration'>): Promise<Receipt>;
  reset(category: string, options?: Omit<WindowPublishOptions, 'expiration'>): Promise<Receipt | null>;
  /** `seen`: the value as this window last saw it, as JSON (`null`: none). If it is still that, one message to the process is all it takes. */
  update(
    category: string,
    change: (now: unknown) => unknown,
    options?: Omit<WindowPublishOptions, 'basedOn'>,
    seen?: string | null,
  ): Promise<Receipt>;
  history: NostrSync['history'];
  readVersion(category: string, eventId: string, options?: ReadOptions): Promise<FetchResult>;
  restore(
    category: string,
    eventId: string,
    options?: Omit<WindowPublishOptions, 'expiration'>,
  ): Promise<Receipt>;
  inspect: NostrSync['inspect'];
  fetch(category: string, options?: ReadOptions): Promise<FetchResult | null>;
  syncAll(categories: readonly string[], options?: ReadOptions): Promise<FetchResult[]>;
  poll(categories: readonly string[], options?: ReadOptions): Promise<FetchResult[]>;
  subscribe(categories: readonly string[], listener: (result: FetchResult) => void): Promise<() => void>;
  on<K extends keyof SyncEvents>(type: K, listener: (event: SyncEvents[K]) => void): Promise<() => void>;
  addRelay(url: string): Promise<void>;
  removeRelay(url: string): Promise<void>;
  getRelays(): Promise<RelayInfo[]>;
  getPubkey(): Promise<string | null>;
  getStatus(): Promise<SyncStatus>;
  flush(options?: ReadOptions): Promise<void>;
}

export function createCalls(ipc: Ipc): Calls {
  const listen = createListen(ipc);
  const call = <T>(method: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> =>
    ipc.invoke(method, args) as Promise<T>;

  async function ask<T>(
    method: string,
    args: Readonly<Record<string, unknown>>,
    options?: ReadOptions,
  ): Promise<T> {
    const signal = checkReading(options);
    signal?.throwIfAborted();
    return heard(signal, call<T>(method, args));
  }

  async function write<T = Receipt>(
    method: string,
    args: Readonly<Record<string, unknown>>,
    third?: number | WindowPublishOptions,
  ): Promise<T> {
    const { signal, ...options }: WindowPublishOptions =
      typeof third === 'object' ? (third ?? {}) : { expiration: third as number };
    // JSON has no NaN: it would arrive as "no expiration".
    if (options.expiration === undefined || Number.isFinite(options.expiration))
      return ask(method, { ...args, options }, signal && { signal });
    throw new NostrSyncError(
      'INVALID_EXPIRATION',
      misuse('expiration', 'a Unix time in seconds that is still to come', options.expiration),
    );
  }

  /** JSON would carry what is none as something else; sizes are for the engine, which knows the app's limit. */
  function checkPayload(payload: unknown): void {
    encodePayload(payload, { bytes: MAX_PAYLOAD_BYTES, why: 'the most that maxPayloadSize allows' });
  }

  async function update(
    category: string,
    change: (now: unknown) => unknown,
    options?: Omit<WindowPublishOptions, 'basedOn'>,
    seen?: string | null,
  ): Promise<Receipt> {
    if (typeof change !== 'function') throw new TypeError(misuse('change', 'a function', change));
    const changed = (now: string | null): { readonly now: string | null; readonly payload: unknown } => {
      const payload = change(now === null ? undefined : JSON.parse(now));
      checkPayload(payload);
      return { now, payload };
    };
    let made: ReturnType<typeof changed> | undefined;
    try {
      if (seen !== undefined) made = changed(seen);
    } catch {
      // Of the value that there is now it may be another matter.
    }
    for (let lap = 0; lap <= MAX_LAPS; lap++) {
      const reply = await write<UpdateReply>('update', { category, ...made }, options);
      if ('receipt' in reply) return reply.receipt;
      made = changed(reply.now);
    }
    throw new NostrSyncError('ENGINE_BUSY', 'Cannot update: newer values come in faster than it is written');
  }

  return {
    publish: async (category, payload, options) => {
      checkPayload(payload);
      return write('publish', { category, payload }, options);
    },
    remove: async (category, options) => write('remove', { category }, options),
    reset: async (category, options) => write('reset', { category }, options),
    update,
    history: async (category) => call('history', { category }),
    readVersion: async (category, eventId, options) => ask('read_version', { category, eventId }, options),
    restore: async (category, eventId, options) => write('restore', { category, eventId }, options),
    inspect: async () => call('inspect'),
    fetch: async (category, options) => ask('fetch', { category }, options),
    syncAll: async (categories, options) => ask('sync_all', { categories }, options),
    poll: async (categories, options) => ask('poll', { categories }, options),
    subscribe: async (categories, listener) => {
      if (!Array.isArray(categories))
        throw new TypeError(misuse('categories', 'an array of strings', categories));
      if (typeof listener !== 'function') throw new TypeError(misuse('listener', 'a function', listener));
      return listen('subscribe', { categories }, (result) => callListener(listener, result as FetchResult));
    },
    on: async <K extends keyof SyncEvents>(type: K, listener: (event: SyncEvents[K]) => void) => {
      if (!EVENT_TYPES.includes(type))
        throw new TypeError(misuse('event', `one of ${EVENT_TYPES.join(', ')}`, type));
      if (typeof listener !== 'function') throw new TypeError(misuse('listener', 'a function', listener));
      return listen('listen', { event: type }, (event) => {
        const told = type === 'error' ? fromWire(event as WireError) : event;
        callListener(listener, told as SyncEvents[K]);
      });
    },
    addRelay: async (url) => void (await call('add_relay', { url })),
    removeRelay: async (url) => void (await call('remove_relay', { url })),
    getRelays: async () => call('get_relays'),
    getPubkey: async () => call('get_pubkey'),
    getStatus: async () => call('get_status'),
    flush: async (options) => void (await ask('flush', {}, options)),
  };
}
