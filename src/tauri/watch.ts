/** What the hosting window announces of its engine: every event, and the values of the categories that windows have subscribed to. */

import { isNostrSyncError, misuse } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import { EVENT_TYPES, type FetchResult, type SyncEvents } from '../sync/events.ts';
import type { Announcer } from './announcer.ts';
import { toWire } from './ipc.ts';

export interface Watch {
  subscribe(categories: readonly string[]): void;
  /** Gives the current values once more. */
  again(): void;
  /** `from`, a webview or Rust code, has written this. */
  written(from: string | null, result: FetchResult): void;
  /** Of this device; `''` before the engine is open. */
  deviceId(): string;
  /** Whether another device wrote the value, or this engine made it of what others wrote. */
  isNews(result: FetchResult): boolean;
}

export function createWatch(
  engine: NostrSync,
  announcer: Announcer,
  {
    isMerged,
    heads,
  }: { readonly isMerged: (category: string) => boolean; readonly heads: ReadonlySet<string> },
): Watch {
  /** By category, how to end the engine's subscription. */
  const watched = new Map<string, () => void>();
  let deviceId = '';

  engine.on('status', (status) => {
    deviceId = status.deviceId;
  });
  /** A page before this one may have written it: a value that is new to this engine need not be new to the device. */
  const isNews = ({ category, deviceId: writer, eventId }: FetchResult): boolean =>
    writer !== deviceId || (isMerged(category) && !heads.has(eventId));
  for (const type of EVENT_TYPES) {
    engine.on(type, (event: SyncEvents[typeof type]) => {
      if (type === 'updated' && !isNews(event as FetchResult)) return;
      announcer.emit(type, () => (isNostrSyncError(event) ? toWire(event) : event));
    });
  }

  /** Subscribes again to what was subscribed to: a new window needs the current value. The others know the value by its id. */
  function subscribe(categories: readonly string[]): void {
    if (!Array.isArray(categories))
      throw new TypeError(misuse('categories', 'an array of strings', categories));
    for (const category of new Set<string>(categories)) {
      const stop = engine.subscribe([category], announcer.value);
      watched.get(category)?.();
      watched.set(category, stop);
    }
  }

  return {
    subscribe,
    again: () => subscribe([...watched.keys()]),
    written: (from, result) => {
      if (watched.has(result.category)) announcer.saved(from, result);
    },
    deviceId: () => deviceId,
    isNews,
  };
}
