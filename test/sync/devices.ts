/** Devices and relays for tests of the engine: over loopback sockets, or in virtual time over sockets in memory. */

import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import { getConversationKey, v2 } from 'nostr-tools/nip44';
import { hexToBytes } from '@noble/hashes/utils.js';
import { inspect } from 'node:util';
import { afterEach, expect } from 'vitest';
import {
  createNostrSync,
  secretKeySigner,
  type Conflict,
  type DeliveryReport,
  type FetchResult,
  type NostrSync,
  type NostrSyncError,
  type NostrSyncOptions,
} from '../../src/node.ts';
import type { NostrEvent, SignedEvent } from '../../src/protocol/event.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import type { RelayOptions } from '../../src/testing/relay-options.ts';
import { tracesOf } from '../support/traces.ts';
import { startRelay, type RunningRelay, type StartRelayOptions } from '../../src/testing/relay-server.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { zlibCompression } from '../support/zlib-compression.ts';

export const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
export const OTHER_KEY = '4b22aa260e4acb7021e32f38a6cdf4b673c6a277755bfce287e370c924dc936d';
const KEY_TRACES = tracesOf({ keys: [KEY, OTHER_KEY] });
export const PUBKEY: string = getPublicKey(hexToBytes(KEY));

const cleanups: (() => unknown)[] = [];
/** What of the test that runs must not show a key: what relays heard, and what devices told and can be seen to be. */
const exposed: (() => unknown)[] = [];

afterEach(async () => {
  const seen = exposed.splice(0).map((look) => look());
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  for (const one of seen) {
    const text = typeof one === 'string' ? one : inspect(one, { depth: 8, showHidden: true });
    expect(KEY_TRACES.exec(text)?.[0], 'a key that slipped out').toBeUndefined();
  }
});

/** An embedded relay on loopback, closed after the test. */
export async function relay(options: StartRelayOptions = {}): Promise<RunningRelay> {
  const running = await startRelay(options);
  cleanups.push(() => running.close());
  exposed.push(() => JSON.stringify(running.relay.frames));
  return running;
}

/** An engine, and everything it told of. */
export interface Device extends NostrSync {
  readonly errors: NostrSyncError[];
  readonly updated: FetchResult[];
  readonly conflicts: Conflict[];
  readonly deliveries: DeliveryReport[];
}

/** A device of the user with this key, closed after the test. */
export function device(relays: readonly string[], options: NostrSyncOptions = {}): Device {
  const sync = createNostrSync({ relays, signer: secretKeySigner(KEY), ...options });
  const told = { errors: [], updated: [], conflicts: [], deliveries: [] } as Pick<
    Device,
    'errors' | 'updated' | 'conflicts' | 'deliveries'
  >;
  sync.on('error', (error) => told.errors.push(error));
  sync.on('updated', (result) => told.updated.push(result));
  sync.on('conflict', (conflict) => told.conflicts.push(conflict));
  sync.on('delivery', (report) => told.deliveries.push(report));
  cleanups.push(() => sync.close());
  exposed.push(() => [sync, told.errors, told.deliveries]);
  return Object.assign(sync, told);
}

/** Relays and devices in virtual time. Relay `i` is reached by `urls[i]`. */
export interface World {
  readonly clock: TestClock;
  readonly urls: readonly string[];
  readonly relays: readonly Relay[];
  device(options?: NostrSyncOptions): Device;
  /** Lets time pass, at most `maxMs`, until the promise is settled. */
  settle<T>(promise: Promise<T>, maxMs?: number): Promise<T>;
}

export function world(...relayOptions: readonly RelayOptions[]): World {
  const clock = createTestClock();
  const relays = relayOptions.map((options) => createRelay({ clock, ...options }));
  exposed.push(() => JSON.stringify(relays.map(({ frames }) => frames)));
  const urls = relays.map((_, i) => `wss://relay-${i}.example`);
  const openSocket = connectTo(Object.fromEntries(relays.map((one, i) => [urls[i], one])));
  return {
    clock,
    urls,
    relays,
    device: (options = {}) =>
      device(options.relays ?? urls, { clock, openSocket, compression: zlibCompression, ...options }),
    settle: async (promise, maxMs = 600_000) => {
      let isSettled = false;
      const done = (): boolean => (isSettled = true);
      promise.then(done, done);
      for (let passed = 0; !isSettled && passed <= maxMs; passed += 100)
        await clock.advance(passed === 0 ? 0 : 100);
      if (!isSettled) throw new Error(`not settled after ${maxMs} ms of virtual time`);
      return promise;
    },
  };
}

export interface Draft {
  readonly category?: string;
  readonly payload?: unknown;
  /** Instead of the encrypted payload. */
  readonly content?: string;
  readonly created_at?: number;
  readonly kind?: number;
  readonly key?: string;
  /** In addition to the d-tag. */
  readonly tags?: string[][];
  /** Instead of the d-tag. */
  readonly dTags?: string[][];
}

/** An event as the reference writes it (no version vector), made by an implementation that is not ours. */
export function written({
  category = 'settings',
  payload = 'theirs',
  content,
  created_at = Math.floor(Date.now() / 1000),
  kind = 30078,
  key = KEY,
  tags = [['device_id', 'reference']],
  dTags = [['d', `default/${category}/v1`]],
}: Draft = {}): NostrEvent {
  const secret = hexToBytes(key);
  const encrypted = v2.encrypt(JSON.stringify(payload), getConversationKey(secret, getPublicKey(secret)));
  const event = finalizeEvent(
    { kind, created_at, tags: [...dTags, ...tags], content: content ?? encrypted },
    secret,
  );
  return JSON.parse(JSON.stringify(event)) as NostrEvent;
}

/** What a relay has stored for a category, newest first. */
export function stored(relay: { readonly relay: Relay } | Relay, category = 'settings'): SignedEvent[] {
  const on = 'relay' in relay ? relay.relay : relay;
  return on
    .events()
    .filter(
      ({ kind, tags }) => kind === 30078 && tags.some(([, value]) => value === `default/${category}/v1`),
    );
}

/** The frames of one type that a relay received. */
export function received(relay: { readonly relay: Relay } | Relay, type: string): readonly unknown[][] {
  const on = 'relay' in relay ? relay.relay : relay;
  return on.frames
    .filter(({ direction, frame }) => direction === 'in' && Array.isArray(frame) && frame[0] === type)
    .map(({ frame }) => frame as unknown[]);
}

/** What a device believes of one relay. */
export async function health(
  of: NostrSync,
  url: string,
): Promise<Awaited<ReturnType<NostrSync['getRelays']>>[number]> {
  const found = (await of.getRelays()).find((info) => info.url === url);
  if (found === undefined) throw new Error(`${url} is not configured`);
  return found;
}
