/** An engine over a store that fails, and is well again. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createNostrSync, fileStore, memoryStore, secretKeySigner, type Store } from '../../src/node.ts';
import { startRelay } from '../../src/testing/relay-server.ts';
import { KEY, OTHER_KEY, PUBKEY, received, stored, world, written } from './devices.ts';
import { valueOf } from './values.ts';

const START = 1_767_225_600;

test('a store that another engine holds fails each call with STORE_FAILED, and works once it is free', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-'));
  const relay = await startRelay();
  const open = () =>
    createNostrSync({ relays: [relay.url], signer: secretKeySigner(KEY), store: fileStore(folder) });
  const first = open();
  await first.publish('settings', 1);
  const second = open();
  try {
    await expect(second.publish('settings', 2)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(second.fetch('settings')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await first.close();
    expect((await second.publish('settings', 2)).stage).toBe('delivered');
    expect(await second.getPubkey()).toHaveLength(64);
  } finally {
    await Promise.all([first.close(), second.close()]);
    await relay.close();
    await rm(folder, { recursive: true });
  }
});

test('calls keep their order, also if the store is opened again between them', async () => {
  const { clock, relays, urls, device: make, settle } = world({});
  const inner = memoryStore();
  let tries = 0;
  const get: Store['get'] = async (key) => {
    // Never at first, then late.
    if (++tries === 1) return new Promise(() => undefined);
    await new Promise<void>((resolve) => void clock.after(500, resolve));
    return inner.get(key);
  };
  const laptop = make({ store: { ...inner, get } });
  const calls = [laptop.publish('settings', 'first'), laptop.removeRelay(urls[0]!)];
  await clock.advance(20_100);
  calls.push(laptop.publish('settings', 'second'), laptop.addRelay(urls[0]!));
  await settle(Promise.all(calls as Promise<unknown>[]));
  await clock.advance(60_000);
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'second' });
  expect(stored(relays[0]!)).toHaveLength(1);
});

test('what came while the store failed stays known and is saved once it is well, whatever others saved meanwhile', async () => {
  const { clock, relays, urls, device: make, settle } = world({}, {});
  const inner = memoryStore();
  let isFull = false;
  const store: Store = {
    ...inner,
    update: async (keys, decide) => {
      if (isFull) throw new Error('full');
      await inner.update(keys, decide);
    },
    close: async () => undefined,
  };
  const laptop = make({ relays: [urls[0]!], store });
  relays[0]!.inject(written({ payload: 'older', created_at: START }));
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'older' });
  isFull = true;
  relays[0]!.inject(written({ payload: 'newer', created_at: START + 1 }));
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'newer' });
  expect(laptop.errors[0]).toMatchObject({ code: 'STORE_FAILED' });
  // As another tab would: it knows the older value, and saves to whom it has brought that.
  await settle(make({ relays: [urls[1]!], store: { ...store, update: inner.update } }).flush());
  expect(stored(relays[1]!)).toHaveLength(1);
  relays[0]!.misbehave({ refuseConnections: true });
  relays[0]!.disconnectAll();
  isFull = false;
  await clock.advance(10_000);
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'newer', source: 'local' });
  await laptop.close();
  const restarted = make({ relays: [urls[0]!], store });
  expect(await settle(restarted.fetch('settings'))).toMatchObject({ payload: 'newer', source: 'local' });
});

const forged = (change: object) => (text: string) => {
  const { head, ...rest } = JSON.parse(text) as { head: { event: object } };
  return JSON.stringify({ ...rest, head: { ...head, event: { ...head.event, ...change } } });
};

test.each<[string, (text: string) => string]>([
  ['is cut off', (text) => text.slice(0, -1)],
  ['has a false signature', forged({ sig: '0'.repeat(128) })],
  ['has another content than was signed', forged({ content: written().content })],
  ['is of another author', forged(written({ key: OTHER_KEY }))],
])(
  'a stored record that %s is neither shown nor sent, and is kept for whoever can read it',
  async (_, damage) => {
    const { relays, urls, device: make, settle } = world({});
    const inner = memoryStore();
    const store: Store = { ...inner, close: async () => undefined };
    const before = make({ relays: [], store });
    await settle(before.publish('settings', 'mine'));
    await before.close();
    const key = `head/${PUBKEY}/default/settings/v1`;
    const damaged = damage((await inner.get(key))!);
    await inner.update([], () => new Map([[key, damaged]]));
    const laptop = make({ relays: urls, store });
    await settle(laptop.flush());
    expect(await settle(laptop.fetch('settings'))).toBeNull();
    expect(received(relays[0]!, 'EVENT')).toEqual([]);
    expect(laptop.errors).toMatchObject([{ code: 'STORE_FAILED' }]);
    await settle(laptop.publish('settings', 'next', { waitFor: 'replicated' }));
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'next' });
    expect(await inner.get(`unreadable/${key}`)).toBe(damaged);
  },
);

// Found by `npm run fuzz -- store --seed 1`, entry 15.
test.each(['', 'x'.repeat(5_000), 'a\u0000b', '\ud800'])(
  'a stored device id that no event can carry (%j) is replaced, and the device writes on',
  async (damaged) => {
    const store = memoryStore();
    await store.update([], () => new Map([['device-id', damaged]]));
    const sync = createNostrSync({ store, signer: secretKeySigner(KEY) });
    try {
      expect((await sync.publish('settings', 1)).stage).toBe('saved');
      const { deviceId } = await sync.getStatus();
      expect(deviceId).toMatch(/^[0-9a-f-]{36}$/);
      expect(await store.get('device-id')).toBe(deviceId);
    } finally {
      await sync.close();
    }
  },
);

test('what a relay has answered is not sent to it again while the answers are being saved', async () => {
  const { clock, relays, device: make, settle } = world({}, {});
  // Its answer comes while that of the other relay is being saved.
  relays[1]!.misbehave({ delayMs: 30 });
  const inner = memoryStore();
  const update: Store['update'] = async (keys, decide) => {
    await new Promise<void>((resolve) => void clock.after(50, resolve));
    return inner.update(keys, decide);
  };
  const laptop = make({ store: { ...inner, update } });
  await settle(laptop.publish('settings', 1, { waitFor: 'replicated' }));
  for (const relay of relays) expect(received(relay, 'EVENT')).toHaveLength(1);
  // What they said is saved by then.
  await clock.advance(5_000);
});

test('pieces of a value that was replaced while the store failed go once it is well', async () => {
  const { clock, relays, device: make, settle } = world({});
  const large = { maxPayloadSize: 409_600 };
  // More than the ring of former values has room for.
  await settle(make(large).publish('settings', valueOf(400_000, 1, true), { waitFor: 'replicated' }));
  const inner = memoryStore();
  let isFull = false;
  const update: Store['update'] = async (keys, decide) => {
    if (isFull) throw new Error('full');
    return inner.update(keys, decide);
  };
  const laptop = make({ ...large, store: { ...inner, update } });
  await settle(laptop.fetch('settings'));
  expect((await inner.list('piece/')).size).toBeGreaterThan(0);
  isFull = true;
  for (const payload of ['newer', 'newest']) {
    relays[0]!.inject(written({ payload, created_at: Math.floor(clock.now() / 1000) + 1 }));
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload });
    await clock.advance(2_000);
  }
  isFull = false;
  await clock.advance(10_000);
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'newest' });
  expect((await inner.list('piece/')).size).toBe(0);
});

test('a first write whose release was not saved is let go once a relay shows it: what is newer is not kept from the app', async () => {
  const { clock, relays, device: make, settle } = world({});
  // So it is saved before they have answered.
  relays[0]!.misbehave({ delayMs: 50 });
  const inner = memoryStore();
  let isFull = false;
  const store: Store = {
    ...inner,
    close: async () => undefined,
    update: async (keys, change) => {
      if (isFull) throw new Error('the disk is full');
      return inner.update(keys, change);
    },
  };
  const laptop = make({ store });
  await clock.advance(1_000);
  const saved = laptop.publish('settings', 'first', { waitFor: 'saved', onSaved: () => (isFull = true) });
  await settle(saved);
  await clock.advance(500);
  expect(stored(relays[0]!)).toHaveLength(1);
  await settle(laptop.close());
  isFull = false;
  const again = make({ store });
  again.subscribe(['settings'], () => undefined);
  await clock.advance(20_000);
  const phone = make();
  expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'first' });
  await settle(phone.publish('settings', 'newer', { waitFor: 'replicated' }));
  expect(await settle(again.fetch('settings'))).toMatchObject({ payload: 'newer' });
});
