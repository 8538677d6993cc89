/** The calls of a window: all of them, also those of the hosting one, go to the engine through Rust. */

import { misuse, NostrSyncError } from '../errors.ts';
import { heard } from '../engine/heard.ts';
import type { SyncStatus } from '../nostr-sync.ts';
import { checkReading, type PublishOptions, type ReadOptions } from '../options.ts';
import { MAX_PAYLOAD_BYTES } from '../protocol/limits.ts';
import { encodePayload } from '../protocol/payload.ts';
import type { RelayInfo } from '../relay/connection.ts';
import { callListener, type FetchResult, type Receipt } from '../sync/events.ts';
import type { Ipc } from './ipc.ts';
import { VALUE_EVENT, type ValueEvent } from './wire.ts';

/** The options of a window's write. No callback crosses windows, and the signal stays in its own. */
export interface WindowPublishOptions extends Omit<PublishOptions, 'signal' | 'onSaved'> {
  /** Ends the waiting, at once: the call rejects with its reason. A write that has begun goes on. */
  readonly signal?: AbortSignal;
}

export interface Calls {
  publish(category: string, payload: unknown, options?: number | WindowPublishOptions): Promise<Receipt>;
  remove(category: string, options?: Omit<WindowPublishOptions, 'expiration'>): Promise<Receipt>;
  reset(category: string, options?: Omit<WindowPublishOptions, 'expiration'>): Promise<Receipt | null>;
  fetch(category: string, options?: ReadOptions): Promise<FetchResult | null>;
  syncAll(categories: readonly string[], options?: ReadOptions): Promise<FetchResult[]>;
  poll(categories: readonly string[], options?: ReadOptions): Promise<FetchResult[]>;
  subscribe(categories: readonly string[], listener: (result: FetchResult) => void): Promise<() => void>;
  addRelay(url: string): Promise<void>;
  removeRelay(url: string): Promise<void>;
  getRelays(): Promise<RelayInfo[]>;
  getPubkey(): Promise<string | null>;
  getStatus(): Promise<SyncStatus>;
  flush(options?: ReadOptions): Promise<void>;
}

export function createCalls(ipc: Ipc): Calls {
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

  async function write(
    method: string,
    args: Readonly<Record<string, unknown>>,
    third?: number | WindowPublishOptions,
  ): Promise<Receipt> {
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

  return {
    publish: async (category, payload, options) => {
      // JSON would carry these as something else; sizes are for the engine, which knows the app's limit.
      encodePayload(payload, { bytes: MAX_PAYLOAD_BYTES, why: 'the most that maxPayloadSize allows' });
      return write('publish', { category, payload }, options);
    },
    remove: async (category, options) => write('remove', { category }, options),
    reset: async (category, options) => write('reset', { category }, options),
    fetch: async (category, options) => ask('fetch', { category }, options),
    syncAll: async (categories, options) => ask('sync_all', { categories }, options),
    poll: async (categories, options) => ask('poll', { categories }, options),
    subscribe: async (categories, listener) => {
      if (!Array.isArray(categories))
        throw new TypeError(misuse('categories', 'an array of strings', categories));
      if (typeof listener !== 'function') throw new TypeError(misuse('listener', 'a function', listener));
      const wanted = new Set<string>(categories);
      /** By category, the id of the newest value that this window knows. */
      const known = new Map<string, string>();
      let isStopped = false;
      const unlisten = await ipc.listen(VALUE_EVENT, (event) => {
        const { from, result: text } = event as ValueEvent;
        const result = JSON.parse(text) as FetchResult;
        if (isStopped || !wanted.has(result.category) || known.get(result.category) === result.eventId)
          return;
        known.set(result.category, result.eventId);
        if (from !== ipc.label) callListener(listener, result);
      });
      const stop = (): void => {
        isStopped = true;
        unlisten();
      };
      try {
        await call('subscribe', { categories });
      } catch (error) {
        stop();
        throw error;
      }
      return stop;
    },
    addRelay: async (url) => void (await call('add_relay', { url })),
    removeRelay: async (url) => void (await call('remove_relay', { url })),
    getRelays: async () => call('get_relays'),
    getPubkey: async () => call('get_pubkey'),
    getStatus: async () => call('get_status'),
    flush: async (options) => void (await ask('flush', {}, options)),
  };
}
