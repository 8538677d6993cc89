/**
 * `nostr-sync/tauri`: the engine as functions, for windows of a Tauri app. With the plugin `tauri-plugin-nostr-sync` the engine is in Rust, with
 * the key and the store, and serves all windows and Rust code. Without the plugin, `configure` starts an engine in this page.
 */

import { createNostrSync } from './browser.ts';
import { browserConnectivity } from './browser/connectivity.ts';
import { systemClock } from './clock.ts';
import type { JsonPayloads, NostrSync, SyncStatus } from './nostr-sync.ts';
import type { NostrSyncOptions, ReadOptions } from './options.ts';
import type { Json } from './protocol/payload.ts';
import type { RelayInfo } from './relay/connection.ts';
import type { FetchedValue, FetchResult, Receipt, SyncEvents } from './sync/events.ts';
import type { VersionInfo } from './sync/history.ts';
import type { Category } from './state/definition.ts';
import type { State } from './state/state.ts';
import type { CategoryRow } from './sync/inspecting.ts';
import { createCalls, type Calls, type WindowPublishOptions } from './tauri/calls.ts';
import { tauriIpc } from './tauri/tauri-ipc.ts';
import { createWindowStates } from './tauri/window-states.ts';

export * from './api-common.ts';
export { secretKeySigner } from './browser.ts';
export type { WindowPublishOptions } from './tauri/calls.ts';

/** One page has one engine, or one way to it: the functions below are those of the original plugin (0.1.0-alpha.3), which name none. */
let current: (Calls & Pick<NostrSync, 'state'>) | undefined;

function calls(): NonNullable<typeof current> {
  if (current !== undefined) return current;
  const ipc = tauriIpc();
  if (ipc === undefined)
    throw new Error('Cannot sync: this page does not run in Tauri. Call configure() first.');
  const made = createCalls(ipc);
  current = { ...made, ...createWindowStates(made, ipc, systemClock) };
  // Nothing else tells Rust of the network.
  browserConnectivity.onChange(() => {
    ipc.invoke('wake', { isOnline: browserConnectivity.isOnline() }).catch(() => undefined);
  });
  return current;
}

/**
 * Starts an engine in this page, for apps without the plugin: the key is then in JavaScript, the store in IndexedDB, and
 * several windows find each other as tabs do. Call it once, before any other function of this module: these then work on
 * that engine. Returns the engine. Its events come by `on`, not as `nostr-sync://` events.
 * Throws as `createNostrSync`, and `TypeError` if an engine was chosen before.
 */
export function configure<Categories extends JsonPayloads<Categories> = Record<string, unknown>>(
  options: NostrSyncOptions,
): NostrSync<Categories> {
  if (current !== undefined) throw new TypeError('Cannot configure: an engine is in use already');
  const engine: NostrSync = createNostrSync(options);
  current = {
    ...engine,
    on: async (type, listener) => engine.on(type, listener),
    subscribe: async (categories, listener) => engine.subscribe(categories, listener),
    flush: async (options) => engine.flush(options),
  };
  return engine as unknown as NostrSync<Categories>;
}

/**
 * Writes the value of a category. When it resolves, the value is encrypted, signed and saved on this device, and goes to
 * every relay, over crashes and restarts.
 */
export async function publish<Payload>(
  category: string,
  payload: Payload & Json<Payload>,
  options?: number | WindowPublishOptions,
): Promise<Receipt> {
  return calls().publish(category, payload, options);
}

/**
 * Makes the next value of the newest one, of which `change` gets a copy; `undefined`: there is none. `change` runs in this window, and is called
 * again if another value comes in before this one is saved, so it must depend on nothing but its argument. Rejects as `publish` does, with what
 * `change` throws, with `INVALID_PAYLOAD` if it returns nothing or a promise, and with `ENGINE_BUSY` if values come in faster than that.
 */
export async function update<T = unknown>(
  category: string,
  change: (now: T | undefined) => T,
  options?: Omit<WindowPublishOptions, 'basedOn'>,
): Promise<Receipt> {
  return calls().update(category, change as (now: unknown) => unknown, options);
}

/** Removes the value of a category on all devices. */
export async function remove(
  category: string,
  options?: Omit<WindowPublishOptions, 'expiration'>,
): Promise<Receipt> {
  return calls().remove(category, options);
}

/** The way back after a write by a wrong clock: see `NostrSync.reset`. `null`: nothing is stamped in the future. */
export async function reset(
  category: string,
  options?: Omit<WindowPublishOptions, 'expiration'>,
): Promise<Receipt | null> {
  return calls().reset(category, options);
}

/** What this device keeps of a category, the newest first: its value, and former ones. Needs no signer. See `NostrSync.history`. */
export async function history(category: string): Promise<readonly VersionInfo[]> {
  return calls().history(category);
}

/** What one of them says. `eventId` is as `history` gives it. Rejects with `VERSION_NOT_KEPT` if it is not kept. */
export async function readVersion<T = unknown>(
  category: string,
  eventId: string,
  options?: ReadOptions,
): Promise<FetchResult<T>> {
  return (await calls().readVersion(category, eventId, options)) as FetchResult<T>;
}

/** Writes what one of them says again, on all devices: `history` then has what it replaces. */
export async function restore(
  category: string,
  eventId: string,
  options?: Omit<WindowPublishOptions, 'expiration'>,
): Promise<Receipt> {
  return calls().restore(category, eventId, options);
}

/** What this device knows of each category, for tools: nothing is decrypted. Needs no signer. */
export async function inspect(): Promise<readonly CategoryRow[]> {
  return calls().inspect();
}

/** The newest value that the relays or this device know; `null` only if it is known that there is none. */
export async function fetch<T = unknown>(
  category: string,
  options?: ReadOptions,
): Promise<FetchedValue<T> | null> {
  return (await calls().fetch(category, options)) as FetchedValue<T> | null;
}

/** The newest values of several categories with one request per relay; leaves out what is absent or unreadable. */
export async function syncAll<T = unknown>(
  categories: readonly string[],
  options?: ReadOptions,
): Promise<FetchedValue<T>[]> {
  return (await calls().syncAll(categories, options)) as FetchedValue<T>[];
}

/** Like `syncAll`, but only what `poll` has not returned since the engine started, nor this device written. */
export async function poll<T = unknown>(
  categories: readonly string[],
  options?: ReadOptions,
): Promise<FetchResult<T>[]> {
  return (await calls().poll(categories, options)) as FetchResult<T>[];
}

/**
 * Calls `listener` with the current value of each category as soon as one is known, and with each newer one from another
 * device, another window or Rust code; never with what this window publishes. Resolves with how to stop.
 */
export async function subscribe<T = unknown>(
  categories: readonly string[],
  listener: (result: FetchResult<T>) => void,
): Promise<() => void> {
  return calls().subscribe(categories, listener as (result: FetchResult) => void);
}

/**
 * Calls `listener` with each event of the engine of this type from now on. With the plugin it comes
 * by a channel of this window's own: no other window can hear it, or make it. Resolves with how to stop.
 */
export async function on<K extends keyof SyncEvents>(
  type: K,
  listener: (event: SyncEvents[K]) => void,
): Promise<() => void> {
  return calls().on(type, listener);
}

/**
 * The value of a category to show and to edit, as `defineCategory` defines it: one handle for each category and window, the same each time. With the
 * plugin, the engine is told of definitions by the plugin's builder (`categories`), and keeps for this window what never leaves the device, and edits
 * that wait. Throws as `NostrSync.state`.
 */
export function state<T, Input>(category: Category<T, Input>): State<T, Input> {
  return calls().state(category);
}

/** Adds a relay; it gets every value that this device has. */
export async function addRelay(url: string): Promise<void> {
  return calls().addRelay(url);
}

/** Leaves a relay. What it alone has stays there. */
export async function removeRelay(url: string): Promise<void> {
  return calls().removeRelay(url);
}

/** Each relay, and how it stands. */
export async function getRelays(): Promise<RelayInfo[]> {
  return calls().getRelays();
}

/** The sync public key in hex; `null` while no signer is set. */
export async function getPubkey(): Promise<string | null> {
  return calls().getPubkey();
}

/** How the engine stands; the event `status` tells each change of it. */
export async function getStatus(): Promise<SyncStatus> {
  return calls().getStatus();
}

/** Saves what the handles of this window wait with, and resolves when every relay has, or has refused, all that this device has. */
export async function flush(options?: ReadOptions): Promise<void> {
  return calls().flush(options);
}
