/** What the engine tells the app: the shapes of results and events, and the emitter they come through. */

import { misuse, type NostrSyncError } from '../errors.ts';
import type { RelayInfo } from '../relay/connection.ts';
import type { Delivery, Stage } from './record.ts';

/** The seed's `FetchResult`, grown by `eventId`, `source` and `deleted`. */
export interface FetchResult<T = unknown> {
  readonly category: string;
  readonly payload: T;
  /** When it was written by the writer's clock, ISO 8601. */
  readonly updatedAt: string;
  /** The device that wrote it; the sync pubkey where it did not say. */
  readonly deviceId: string;
  /** Id of the Nostr event, 64 hex digits. */
  readonly eventId: string;
  /** `'relay'`: at least one relay answered completely; `'local'`: none did, this is what the device knew. */
  readonly source: 'relay' | 'local';
  /** The value was removed; `payload` is `null`. Only from `poll`, `subscribe` and `updated`. */
  readonly deleted?: true;
}

/** How far one write has come, and with which relay. */
export interface DeliveryReport {
  readonly category: string;
  readonly eventId: string;
  /** When it was stamped, ISO 8601. */
  readonly updatedAt: string;
  readonly stage: Stage;
  /** By relay URL. */
  readonly relays: Readonly<Record<string, Delivery>>;
  /** Of a value larger than one event: how many pieces each relay has, by relay URL, of how many in all. */
  readonly pieces?: { readonly total: number; readonly done: Readonly<Record<string, number>> };
}

/** What `publish` resolves with. */
export interface Receipt extends DeliveryReport {
  /** The id of the write that has taken this one's place before it was delivered; stage and relays are then that one's. */
  readonly supersededBy?: string;
}

export interface Conflict {
  readonly category: string;
  /** What this device had written, or built on its write; overwritten by `theirs`, whose writer had not seen it. */
  readonly mine: FetchResult;
  readonly theirs: FetchResult;
}

export interface SyncEvents {
  /** A new value from another device, once, however it was learned. */
  readonly updated: FetchResult;
  /** A relay was connected, lost, added or removed, or asked for AUTH. */
  readonly 'relay-status': RelayInfo;
  /** Something failed that no call was waiting for. */
  readonly error: NostrSyncError;
  /** A write of this device came a step further. */
  readonly delivery: DeliveryReport;
  /** A write of this device was overwritten by one that had not seen it. */
  readonly conflict: Conflict;
}

export interface Emitter {
  on<K extends keyof SyncEvents>(type: K, listener: (event: SyncEvents[K]) => void): () => void;
  emit<K extends keyof SyncEvents>(type: K, event: SyncEvents[K]): void;
  has(type: keyof SyncEvents): boolean;
}

/** Calls app code. What it throws is the app's own: it surfaces as an uncaught error and stops nothing here. */
export function callListener<T>(listener: (event: T) => void, event: T): void {
  try {
    listener(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

export const EVENT_TYPES: readonly (keyof SyncEvents)[] = [
  'updated',
  'relay-status',
  'error',
  'delivery',
  'conflict',
];

export function createEmitter(): Emitter {
  const listeners = new Map<string, Set<(event: never) => void>>(
    EVENT_TYPES.map((type) => [type, new Set()]),
  );
  return {
    on: (type, listener) => {
      const set = listeners.get(type);
      if (set === undefined) throw new TypeError(misuse('event', `one of ${EVENT_TYPES.join(', ')}`, type));
      if (typeof listener !== 'function') throw new TypeError(misuse('listener', 'a function', listener));
      // Its own function each time, so that the same listener can be added twice and taken away once.
      const added = (event: never): void => (listener as (event: never) => void)(event);
      set.add(added);
      return () => void set.delete(added);
    },
    emit: (type, event) => {
      for (const listener of [...listeners.get(type)!])
        callListener(listener as (event: unknown) => void, event);
    },
    has: (type) => listeners.get(type)!.size > 0,
  };
}
