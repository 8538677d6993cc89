/** Devices that write without seeing each other: each has a way to the relays that can be cut. */

import {
  memoryStore,
  secretKeySigner,
  type FetchResult,
  type NostrSyncOptions,
  type Store,
} from '../../src/node.ts';
import { mergeBy } from '../../src/merge.ts';
import { deviceIdOf } from '../../src/protocol/header.ts';
import type { OpenSocket, Socket } from '../../src/relay/socket.ts';
import type { MergedValues } from '../../src/sync/events.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import type { NostrEvent } from '../../src/protocol/event.ts';
import { KEY, received, stored, type Device, type World } from './devices.ts';

export const MERGE: NostrSyncOptions = { categories: { settings: { merge: mergeBy() } } };

export type Settings = Record<string, unknown>;

/** Of `update`: sets these fields, and leaves the others. */
export const change =
  (more: Settings) =>
  (now: unknown): Settings => ({ ...(now as Settings | undefined), ...more });

/** A store that outlives its engine. */
const lastingStore = (): Store => ({ ...memoryStore(), close: async () => Promise.resolve() });

/** The way of one device to the relays of a world. */
export interface Way {
  readonly openSocket: OpenSocket;
  cut(): void;
  join(): void;
}

export function wayTo(at: World): Way {
  const through = connectTo(Object.fromEntries(at.relays.map((one, i) => [at.urls[i]!, one])));
  const sockets = new Set<Socket>();
  let isCut = false;
  return {
    openSocket: (url, handlers) => {
      if (isCut) {
        queueMicrotask(() => handlers.onClose('no way'));
        return { bufferedAmount: () => 0, send: () => undefined, close: () => undefined };
      }
      const socket = through(url, handlers);
      sockets.add(socket);
      return socket;
    },
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.close();
      sockets.clear();
    },
    join: () => void (isCut = false),
  };
}

/** A device with its way, its store, and what it told of merges. */
export interface Apart {
  readonly name: string;
  readonly device: Device;
  readonly way: Way;
  readonly store: Store;
  readonly merged: MergedValues[];
}

export function start(
  at: World,
  name: string,
  options: NostrSyncOptions = MERGE,
  store: Store = lastingStore(),
): Apart {
  const way = wayTo(at);
  const device = at.device({ deviceId: name, store, openSocket: way.openSocket, ...options });
  device.subscribe(['settings'], () => undefined);
  const merged: MergedValues[] = [];
  device.on('merged', (one) => merged.push(one));
  return { name, device, way, store, merged };
}

/** Devices that all know one value, of the first of them. */
export async function together(
  at: World,
  names: readonly string[],
  options: NostrSyncOptions = MERGE,
  value: unknown = { theme: 'light', font: 12 },
): Promise<readonly Apart[]> {
  const all = names.map((name) => start(at, name, options));
  await at.settle(all[0]!.device.publish('settings', value, { waitFor: 'replicated' }));
  for (const { device } of all) await at.settle(device.fetch('settings'));
  await at.clock.advance(5_000);
  return all;
}

/** The same device after its process was killed: nothing but the store is left. */
export async function restarted(at: World, of: Apart, options: NostrSyncOptions = MERGE): Promise<Apart> {
  await of.device.close();
  return start(at, of.name, options, of.store);
}

/** Each of these writes while it sees none of the others; the later in the list the newer. */
export async function editApart(at: World, edits: readonly (readonly [Apart, Settings])[]): Promise<void> {
  for (const [{ way }] of edits) way.cut();
  for (const [{ device }, more] of edits) {
    await at.settle(device.update('settings', change(more), { waitFor: 'saved' }));
    await at.clock.advance(2_000);
  }
}

/** What each of them has in the end. */
export async function valuesOf(at: World, all: readonly Apart[]): Promise<unknown[]> {
  const results: (FetchResult | null)[] = [];
  for (const { device } of all) results.push(await at.settle(device.fetch('settings')));
  return results.map((one) => one?.payload);
}

/** Who wrote what the relay has in turn, while time passes; `atMs`: since when, to a tenth of a second. */
export async function writersAt(
  at: World,
  forMs: number,
  relay = 0,
): Promise<readonly { readonly atMs: number; readonly by: string }[]> {
  const seen: { atMs: number; by: string }[] = [];
  let last = stored(at.relays[relay]!)[0]?.id;
  for (let atMs = 100; atMs <= forMs; atMs += 100) {
    await at.clock.advance(100);
    const [head] = stored(at.relays[relay]!);
    if (head === undefined || head.id === last) continue;
    last = head.id;
    seen.push({ atMs, by: deviceIdOf(head as NostrEvent) });
  }
  return seen;
}

/** All values of the category that a relay was sent, by id, as they came. */
export function writtenTo(at: World, relay = 0): ReadonlyMap<string, NostrEvent> {
  const events = received(at.relays[relay]!, 'EVENT').map(([, event]) => event as NostrEvent);
  const values = events.filter(({ tags }) => tags.some(([, value]) => value === 'default/settings/v1'));
  return new Map(values.map((event) => [event.id, event]));
}

/** The same device after its process was killed, without a signer until it is unlocked. */
export async function restartedLocked(
  at: World,
  of: Apart,
  options: NostrSyncOptions = MERGE,
): Promise<Apart & { readonly unlock: () => Promise<void> }> {
  const again = await restarted(at, of, { ...options, signer: undefined as never });
  return { ...again, unlock: async () => again.device.setSigner(secretKeySigner(KEY)) };
}
