/** What the engine tells the app: the shapes of results and events, and the emitter they come through. */

import { misuse, type AnyNostrSyncError } from '../errors.ts';
import type { Schema } from '../protocol/schema.ts';
import type { RelayInfo } from '../relay/connection.ts';
import type { Delivery, Stage } from './heads/record.ts';
import type { SyncStatus } from './status.ts';
import type { MergeClash } from './merging/merger.ts';

/** The seed's `FetchResult`, grown by `eventId`, `source` and `deleted`, by which a removal is told from a value. */
export type FetchResult<T = unknown, C extends string = string> = FetchedValue<T, C> | Removal<C>;

/** A value, and who wrote it when. */
export interface FetchedValue<T = unknown, C extends string = string> extends Written<C> {
  readonly payload: T;
  readonly deleted?: never;
}

/** The value was removed. Only from `poll`, `subscribe`, `updated` and `conflict`. */
export interface Removal<C extends string = string> extends Written<C> {
  readonly payload: null;
  readonly deleted: true;
}

interface Written<C extends string> {
  readonly category: C;
  /** When it was written by the writer's clock, ISO 8601. */
  readonly updatedAt: string;
  /** The device that wrote it; the sync pubkey if it did not say. */
  readonly deviceId: string;
  /** Id of the Nostr event, 64 hex digits; of a value that is shown before it is merged by an edit (`pending`), one of its own. */
  readonly eventId: string;
  /** Which version of the app's data it is; absent: the first. See `defineCategory`. */
  readonly schema?: Schema;
  /** `'relay'`: at least one relay answered completely; `'local'`: none did, this is what the device knew. */
  readonly source: 'relay' | 'local';
  /**
   * This device wrote it, and no relay has said that it has it; or it is shown until the app's next edit writes it: `settle: 'on-edit'`.
   */
  readonly pending?: true;
}

/** Names of categories. */
export type NameOf<Categories> = keyof Categories & string;

/** The values of some categories: a union that `category` tells apart. */
export type ValueOf<Categories, C extends NameOf<Categories> = NameOf<Categories>> = {
  readonly [K in C]: FetchedValue<Categories[K], K>;
}[C];

/** Values and removals of some categories: a union that `category` and `deleted` tell apart. */
export type ResultOf<Categories, C extends NameOf<Categories> = NameOf<Categories>> = {
  readonly [K in C]: FetchResult<Categories[K], K>;
}[C];

/** How far one write has come, and with which relay. */
export interface DeliveryReport<C extends string = string> {
  readonly category: C;
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

/** Two devices wrote without seeing each other: one value is shown, and the other gave way. What the event `conflict` tells. */
export interface Conflict<T = unknown, C extends string = string> {
  readonly category: C;
  /** What this device had written. Of the two, the writer of the newer had not seen the older. */
  readonly mine: FetchResult<T, C>;
  readonly theirs: FetchResult<T, C>;
  /**
   * Which of them is the newer, and the value unless something has come since. `'mine'`: it was written before every relay had answered,
   * and `theirs`, an older value that it had not seen, has turned up since.
   */
  readonly shown: 'mine' | 'theirs';
  /** Of a category that is merged: the newest value that both had seen, if it is known. */
  readonly base?: FetchResult<T, C>;
  /** Of a category that is merged: where the merge may have given something up. There is no conflict without any. */
  readonly clashes?: readonly MergeClash[];
}

/** What devices wrote without seeing each other is one value now. */
export interface MergedValues<T = unknown, C extends string = string> {
  readonly category: C;
  readonly value: FetchResult<T, C>;
  /** What it was made of: the value that was the newest, then what that had not seen. */
  readonly parts: readonly FetchResult<T, C>[];
  /** Whether all that they had in common was known: if `'older'`, every difference is a clash. `'absent'`: they had nothing in common. */
  readonly base: 'exact' | 'older' | 'absent';
  /** Where the merge may have given something up. Empty: each edit is in `value`. */
  readonly clashes: readonly MergeClash[];
}

/** What `on` hears of, by event. `Categories` as of `NostrSync`. */
export interface SyncEvents<Categories extends object = Record<string, unknown>> {
  /** A new value from another device, once, however it was learned. */
  readonly updated: ResultOf<Categories>;
  /** A relay was connected, lost, added or removed, or asked for AUTH. */
  readonly 'relay-status': RelayInfo;
  /** Something failed that no call was waiting for. */
  readonly error: AnyNostrSyncError;
  /** A write of this device came a step further. */
  readonly delivery: DeliveryReport<NameOf<Categories>>;
  /** A write of this device was overwritten by one that had not seen it. */
  readonly conflict: { readonly [C in NameOf<Categories>]: Conflict<Categories[C], C> }[NameOf<Categories>];
  /** This device has merged what devices wrote without seeing each other: only categories with `merge`. */
  readonly merged: { readonly [C in NameOf<Categories>]: MergedValues<Categories[C], C> }[NameOf<Categories>];
  /** The status has changed; also once when a listener is added. `lastSyncedAt` alone is no change. */
  readonly status: SyncStatus;
}

export interface Emitter {
  on<K extends keyof SyncEvents>(type: K, listener: (event: SyncEvents[K]) => void): () => void;
  emit<K extends keyof SyncEvents>(type: K, event: SyncEvents[K]): void;
  has(type: keyof SyncEvents): boolean;
}

/** A copy of JSON-like data; what is of a class, such as an error, as it is. */
function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  return Object.fromEntries(
    Object.entries(value as object).map(([key, member]) => [key, copyOf(member)]),
  ) as T;
}

/**
 * Calls app code, with a copy: what one listener does to its result is nothing to the next. What it throws is the app's own: it
 * surfaces as an uncaught error and stops nothing here.
 */
export function callListener<T>(listener: (event: T) => void, event: T): void {
  try {
    listener(copyOf(event));
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
  'merged',
  'status',
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
