/** `identity`: one call pairs and joins, and a key takes the place of another only once nothing of that is needed any more. */

import { afterEach, expect, test } from 'vitest';
import {
  createNostrSync,
  identity,
  secretKeySigner,
  type Identity,
  type JoinedIdentity,
  type NostrSync,
} from '../../src/node.ts';
import { createInvitation, joinByInvitation } from '../../src/pair/node.ts';
import { startRelay, type RunningRelay } from '../../src/testing/relay-server.ts';
import { memoryKeyStore, type MemoryKeyStore } from './memory-key-store.ts';

const namespace = 'my-app';
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Device {
  readonly keyStore: MemoryKeyStore;
  readonly me: Identity;
  readonly sync: NostrSync;
}

/** A device at its first start, with what its user has set. */
async function device(relays: readonly string[], settings: string): Promise<Device> {
  const keyStore = memoryKeyStore();
  const me = await identity({ namespace, keyStore });
  const sync = createNostrSync({ namespace, relays, signer: me.signer });
  cleanups.push(() => sync.close());
  await sync.publish('settings', settings);
  return { keyStore, me, sync };
}

async function setUp(): Promise<{ laptop: Device; phone: Device; relay: RunningRelay }> {
  const relay = await startRelay();
  cleanups.push(() => relay.close());
  return {
    relay,
    laptop: await device([relay.url], 'of laptop'),
    phone: await device([relay.url], 'of phone'),
  };
}

/** Up to the yes on the phone. */
async function invited(laptop: Device, phone: Device, relay: RunningRelay) {
  const invitation = await laptop.me.pair(createInvitation, { relays: [relay.url], name: 'Laptop' });
  const joining = await phone.me.join(joinByInvitation, invitation.uri, { name: 'Phone' }, phone);
  cleanups.push(async () => joining.cancel());
  await invitation.confirm(await joining.digits);
  expect(await joining.inviter).toEqual({ name: 'Laptop', pubkey: laptop.me.pubkey });
  return { invitation, joining };
}

test('a device with data of its own joins: it has the other key, and lost nothing', async () => {
  const { laptop, phone, relay } = await setUp();
  await phone.sync.publish('notes', 'of phone');
  const { invitation, joining } = await invited(laptop, phone, relay);
  const joined: JoinedIdentity = await joining.accept();
  expect(await invitation.done).toEqual({ name: 'Phone', deviceId: (await phone.sync.getStatus()).deviceId });
  expect(joined).toMatchObject({ pubkey: laptop.me.pubkey, isNew: false, relays: [relay.url] });
  expect(phone.keyStore.kept).toEqual(laptop.keyStore.kept);
  expect(await phone.sync.getPubkey()).toBe(laptop.me.pubkey);
  await phone.sync.flush();
  expect((await phone.sync.fetch('settings'))?.payload).toBe('of laptop');
  expect((await laptop.sync.fetch('notes'))?.payload).toBe('of phone');
  const [version] = (await phone.sync.history('settings')).filter(({ why }) => why === 'before-joining');
  expect((await phone.sync.readVersion('settings', version!.eventId)).payload).toBe('of phone');
  // The next start, and the next device.
  expect(await identity({ namespace, keyStore: phone.keyStore })).toMatchObject({ pubkey: laptop.me.pubkey });
  (await joined.pair(createInvitation, { relays: [relay.url], name: 'Phone' })).cancel();
});

test('what the other device has is asked of its relays, before anything is carried over', async () => {
  const [here, there] = [await startRelay(), await startRelay()];
  cleanups.push(here.close, there.close);
  const laptop = await device([there.url], 'of laptop');
  const phone = await device([here.url], 'of phone');
  await laptop.sync.flush();
  const { joining } = await invited(laptop, phone, there);
  expect((await joining.accept()).relays).toEqual([there.url]);
  expect((await phone.sync.fetch('settings'))?.payload).toBe('of laptop');
  expect((await laptop.sync.fetch('settings'))?.payload).toBe('of laptop');
  expect((await phone.sync.getRelays()).map(({ url }) => url).sort()).toEqual([here.url, there.url].sort());
});

test('a key that cannot be saved leaves the former one kept and at work', async () => {
  const { laptop, phone, relay } = await setUp();
  const before = Uint8Array.from(phone.keyStore.kept!);
  phone.keyStore.save = async () => Promise.reject(new Error('disk full'));
  const { invitation, joining } = await invited(laptop, phone, relay);
  await expect(joining.accept()).rejects.toThrow('disk full');
  await expect(invitation.done).rejects.toMatchObject({ code: 'PAIRING_CANCELLED' });
  expect(phone.keyStore.kept).toEqual(before);
  expect(await phone.sync.getPubkey()).toBe(phone.me.pubkey);
  expect((await phone.sync.fetch('settings'))?.payload).toBe('of phone');
});

test('a device that is locked keeps its key: what it has could not be carried over', async () => {
  const { laptop, phone, relay } = await setUp();
  const before = Uint8Array.from(phone.keyStore.kept!);
  await phone.sync.clearSigner();
  const { joining } = await invited(laptop, phone, relay);
  await expect(joining.accept()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  expect(phone.keyStore.kept).toEqual(before);
});

test('a device that has the key already joins without a change', async () => {
  const { laptop, relay } = await setUp();
  const keyStore = memoryKeyStore();
  await keyStore.save(laptop.keyStore.kept!);
  const me = await identity({ namespace, keyStore });
  const sync = createNostrSync({ namespace, relays: [relay.url], signer: me.signer });
  cleanups.push(() => sync.close());
  const { joining } = await invited(laptop, { keyStore, me, sync }, relay);
  expect(await joining.accept()).toMatchObject({ pubkey: me.pubkey, signer: me.signer });
  expect((await sync.fetch('settings'))?.payload).toBe('of laptop');
});

test('another key in the store is not shared, and a join without an engine is misuse', async () => {
  const { laptop, relay } = await setUp();
  await expect(laptop.me.join(joinByInvitation, 'x', { name: 'Phone' }, {} as never)).rejects.toThrow(
    TypeError,
  );
  await expect(
    laptop.me.join(joinByInvitation, 'x', { name: 'Phone', relays: [relay.url] }, laptop),
  ).rejects.toMatchObject({ code: 'PAIRING_BAD_CODE' });
  const other = memoryKeyStore();
  const { pubkey } = await identity({ namespace, keyStore: other });
  laptop.keyStore.kept = other.kept;
  expect(await secretKeySigner(laptop.keyStore.kept!).getPublicKey()).toBe(pubkey);
  await expect(
    laptop.me.pair(createInvitation, { relays: [relay.url], name: 'Laptop' }),
  ).rejects.toMatchObject({
    code: 'SIGNER_CHANGED',
  });
});
