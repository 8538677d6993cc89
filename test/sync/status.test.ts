/** What an app can tell its user: whether there is a network, what waits, and when all was in step. */

import { expect, test } from 'vitest';
import type { Connectivity, OpenSocket, SyncStatus } from '../../src/node.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { device, world } from './devices.ts';

interface Network extends Connectivity {
  set(online: boolean): void;
}

function network(): Network {
  let online = true;
  const listeners = new Set<() => void>();
  return {
    isOnline: () => online,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set: (next) => {
      online = next;
      for (const listener of listeners) listener();
    },
  };
}

test('offline, nothing is ready from that moment on, relays are tried seldom; online, at once', async () => {
  const clock = createTestClock();
  const relay = createRelay({ clock });
  let attempts = 0;
  let isCut = false;
  const openSocket: OpenSocket = (url, handlers) => {
    attempts++;
    if (!isCut) return relay.openSocket(url, handlers);
    clock.after(1, () => handlers.onClose('unreachable'));
    return { send: () => undefined, bufferedAmount: () => 0, close: () => undefined };
  };
  const connectivity = network();
  const laptop = device(['wss://relay.example'], { clock, openSocket, connectivity });
  await clock.advance(1_000);
  expect(await laptop.getStatus()).toMatchObject({ ready: true, online: true });
  isCut = true;
  connectivity.set(false);
  expect(await laptop.getStatus()).toMatchObject({ ready: false, online: false, connectedRelayCount: 0 });
  attempts = 0;
  await clock.advance(600_000);
  // It may not be true that there is no network.
  expect(attempts).toBeGreaterThan(5);
  expect(attempts).toBeLessThan(12);
  isCut = false;
  connectivity.set(true);
  await clock.advance(1_000);
  expect(await laptop.getStatus()).toMatchObject({ ready: true, online: true });
});

test('`status` is told when it changes, once for all that changes together, with what waits and since when', async () => {
  const { clock, relays, device: make, settle } = world({});
  const connectivity = network();
  const laptop = make({ connectivity });
  const told: SyncStatus[] = [];
  laptop.on('status', (status) => told.push(status));
  await clock.advance(1_000);
  expect(told.at(-1)).toMatchObject({ ready: true, online: true, outboxDepth: 0, pendingChanges: 0 });
  expect(told.length).toBeLessThan(5);
  await settle(laptop.fetch('settings'));
  const before = told.length;
  relays[0]!.misbehave({ refuseConnections: true });
  relays[0]!.disconnectAll();
  connectivity.set(false);
  await clock.advance(1_000);
  const offlineSince = clock.now();
  expect(told.slice(before)).toMatchObject([{ ready: false, online: false, connectedRelayCount: 0 }]);
  for (const category of ['a', 'b']) {
    await settle(laptop.publish(category, 1, { waitFor: 'saved' }));
    await settle(laptop.publish(category, 2, { waitFor: 'saved' }));
  }
  await clock.advance(5_000);
  expect(told.at(-1)).toMatchObject({ pendingChanges: 2, outboxDepth: 2 });
  expect(Date.parse((await laptop.getStatus()).lastSyncedAt!)).toBeLessThan(offlineSince);
  relays[0]!.behave();
  connectivity.set(true);
  await settle(laptop.flush());
  await clock.advance(5_000);
  expect(told.at(-1)).toMatchObject({ ready: true, pendingChanges: 0, outboxDepth: 0 });
  expect(Date.parse((await laptop.getStatus()).lastSyncedAt!)).toBeGreaterThan(offlineSince);
  for (const [i, status] of told.entries()) expect(status).not.toEqual(told[i - 1]);
  // Nothing happens: nothing is told.
  const after = told.length;
  await clock.advance(60_000);
  await settle(laptop.fetch('a'));
  expect(told).toHaveLength(after);
});

test('a change that one relay has waits for the others, and is not pending', async () => {
  const { clock, relays, device: make, settle } = world({}, {});
  relays[1]!.misbehave({ refuseConnections: true });
  const laptop = make();
  await clock.advance(1_000);
  await settle(laptop.publish('settings', 1));
  expect(await laptop.getStatus()).toMatchObject({ pendingChanges: 0, outboxDepth: 1 });
});

test('`status` is told at once to who begins to listen, and when the network goes, even if nothing else changes', async () => {
  const { clock, device: make } = world();
  const connectivity = network();
  const laptop = make({ connectivity });
  await clock.advance(1_000);
  const told: SyncStatus[] = [];
  laptop.on('status', (status) => told.push(status));
  await clock.advance(0);
  expect(told).toMatchObject([{ online: true, relayCount: 0 }]);
  connectivity.set(false);
  await clock.advance(0);
  expect(told.slice(1)).toMatchObject([{ online: false, relayCount: 0 }]);
});

test('what a relay answers while a change is pending is no sync', async () => {
  const { clock, relays, device: make, settle } = world({});
  const laptop = make();
  await clock.advance(1_000);
  await settle(laptop.publish('settings', 1));
  const { lastSyncedAt } = await laptop.getStatus();
  expect(lastSyncedAt).not.toBe(null);
  relays[0]!.misbehave({ dropOk: true });
  await clock.advance(60_000);
  await settle(laptop.publish('settings', 2, { waitFor: 'saved' }));
  await settle(laptop.fetch('other'));
  const lastSeen = (await laptop.getRelays())[0]!.lastSeen!;
  const status = await laptop.getStatus();
  expect(status).toMatchObject({ pendingChanges: 1, lastSyncedAt: expect.any(String) as string });
  expect(lastSeen > status.lastSyncedAt!).toBe(true);
  relays[0]!.behave();
  await settle(laptop.flush());
  expect((await laptop.getStatus()).lastSyncedAt! > lastSeen).toBe(true);
});

test('each that begins to listen is told the present status, whether or not others have heard it; one that has stopped is not', async () => {
  const at = world({});
  const laptop = at.device();
  const heard: string[] = [];
  const listen = (name: string): (() => void) => laptop.on('status', () => heard.push(name));
  listen('first');
  await at.clock.advance(10_000);
  heard.splice(0);
  listen('second');
  listen('gone')();
  await at.clock.advance(10_000);
  expect(heard).toEqual(['second']);
});
