/**
 * Shared state with the published reference plugin itself (`tauri-plugin-nostr-sync` 0.1.0-alpha.3), over the embedded
 * relay. What needs its clock turned or its events forged is in `test/interop`, against a model of it.
 */

import { afterEach, describe, expect, test } from 'vitest';
import { defineCategory, type FetchResult, type NostrSyncOptions, type State } from '../../../src/node.ts';
import type { RunningRelay } from '../../../src/testing/relay-server.ts';
import { PAYLOADS, payloadOf } from '../../interop/payloads.ts';
import { device as anyDevice, KEY, PUBKEY, relay as anyRelay, type Device } from '../../sync/devices.ts';
import { startPeer, type PeerOptions, type ReferencePeer } from './peer.ts';

const inHalfAnHour = (): number => Math.floor(Date.now() / 1000) + 1_800;

const peers: ReferencePeer[] = [];
afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.close();
});

function theirs(url: string, options: Partial<PeerOptions> = {}): ReferencePeer {
  const peer = startPeer(url, { key: KEY, namespace: 'sage', deviceId: 'reference-device', ...options });
  peers.push(peer);
  return peer;
}

const ours = (url: string, options: NostrSyncOptions = {}): Device =>
  anyDevice([url], { namespace: 'sage', deviceId: 'our-laptop', ...options });

/** With room for a frame that holds the largest event. */
const relay = (options = {}): Promise<RunningRelay> =>
  anyRelay({ limits: { maxEventBytes: 131_072 }, ...options });

/** The reference stamps with the second it is in, and can only win over a value of an earlier one. */
async function nextSecondAfter(updatedAt: string): Promise<void> {
  await expect.poll(() => Date.now(), { timeout: 5_000 }).toBeGreaterThan(Date.parse(updatedAt) + 1_000);
}

describe('the two', () => {
  test('are the same identity, and write the same tags at the same address', async () => {
    const { url, relay: stored } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    expect(await peer.pubkey()).toBe(PUBKEY);
    expect(await device.getPubkey()).toBe(PUBKEY);
    const expiration = inHalfAnHour();
    await peer.publish('theirs', 1, expiration);
    await device.publish('ours', 1, expiration);
    const tagsOf = (deviceId: string): readonly (readonly string[])[] =>
      stored
        .events()
        .map(({ tags }) => tags)
        .find((tags) => tags.some(([name, value]) => name === 'device_id' && value === deviceId))!;
    const common = (category: string, deviceId: string): unknown[] => [
      ['d', `sage/${category}/v1`],
      ['device_id', deviceId],
      ['expiration', String(expiration)],
    ];
    expect(tagsOf('reference-device')).toEqual(common('theirs', 'reference-device'));
    // Ours adds one that the reference does not know.
    expect(tagsOf('our-laptop').filter(([name]) => name !== 'vv')).toEqual(common('ours', 'our-laptop'));
    expect(stored.events().map(({ kind }) => kind)).toEqual([30_078, 30_078]);
  });

  test('keep their namespaces apart', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url, { namespace: 'other' }), ours(url)];
    await peer.publish('settings', 'of another app');
    expect(await device.fetch('settings')).toBeNull();
    await device.publish('settings', 'ours');
    expect(await peer.fetch('settings')).toMatchObject({ payload: 'of another app' });
  });

  test('share state over a relay that asks both for AUTH', async () => {
    const { url } = await relay({ auth: 'both' });
    const [peer, device] = [theirs(url), ours(url)];
    await device.publish('ours', 1);
    await expect.poll(() => peer.fetch('ours').catch(() => null), { timeout: 15_000 }).not.toBeNull();
    await peer.publish('theirs', 2);
    expect(await device.fetch('theirs')).toMatchObject({ payload: 2 });
  });
});

describe('what the reference writes', () => {
  test('is fetched, synced, polled and pushed to ours, with its device and its time', async () => {
    const { url, relay: stored } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    const pushed: FetchResult[] = [];
    device.subscribe(['ui-settings'], (result) => void pushed.push(result));
    await peer.publish('ui-settings', { theme: 'dark' });
    const [event] = stored.events();
    const expected = {
      category: 'ui-settings',
      payload: { theme: 'dark' },
      updatedAt: new Date(event!.created_at * 1000).toISOString(),
      deviceId: 'reference-device',
      eventId: event!.id,
      source: 'relay',
    };
    await expect.poll(() => pushed).toEqual([expected]);
    expect(await device.fetch('ui-settings')).toEqual(expected);
    expect(await device.syncAll(['ui-settings', 'wallet'])).toEqual([expected]);
    const other = ours(url);
    expect(await other.poll(['ui-settings', 'wallet'])).toEqual([expected]);
    expect(await other.poll(['ui-settings', 'wallet'])).toEqual([]);
  });

  test('comes to ours unchanged', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    for (const [i, payload] of PAYLOADS.entries()) await peer.publish(`payload-${i}`, payload);
    for (const [i, payload] of PAYLOADS.entries())
      expect(await device.fetch(`payload-${i}`)).toMatchObject({ payload });
  });

  test('is seen by ours up to the largest that it can encrypt', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    await peer.publish('large', payloadOf(65_408));
    expect(await device.fetch('large')).toMatchObject({ payload: payloadOf(65_408) });
    await expect(peer.publish('larger', payloadOf(65_537))).rejects.toThrow('exceeds');
  });

  test('in a later second than ours wins for both', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    const { updatedAt } = await device.publish('counter', 'ours');
    await nextSecondAfter(updatedAt);
    await peer.publish('counter', 'theirs');
    expect(await device.fetch('counter')).toMatchObject({ payload: 'theirs' });
    expect(await peer.fetch('counter')).toMatchObject({ payload: 'theirs' });
    expect(device.conflicts).toEqual([]);
  });
});

describe('what ours writes', () => {
  test('is fetched, synced and polled by the reference, with its device and its time', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    const { updatedAt } = await device.publish('ui-settings', { theme: 'dark' });
    const expected = {
      category: 'ui-settings',
      payload: { theme: 'dark' },
      // The same moment, written as the reference does.
      updatedAt: updatedAt.replace('.000Z', 'Z'),
      deviceId: 'our-laptop',
    };
    expect(await peer.fetch('ui-settings')).toEqual(expected);
    expect(await peer.syncAll(['ui-settings', 'wallet'])).toEqual([expected]);
    expect(await peer.poll(['ui-settings', 'wallet'])).toEqual([expected]);
    expect(await peer.poll(['ui-settings', 'wallet'])).toEqual([]);
  });

  test('comes to the reference unchanged', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    for (const [i, payload] of PAYLOADS.entries()) await device.publish(`payload-${i}`, payload);
    for (const [i, payload] of PAYLOADS.entries())
      expect(await peer.fetch(`payload-${i}`)).toMatchObject({ payload });
  });

  test('twice in one second is polled by the reference both times, though it asks for strictly newer', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    for (let value = 0; value < 4; value++) {
      await device.publish('ui-settings', value);
      expect(await peer.poll(['ui-settings'])).toMatchObject([{ payload: value }]);
    }
  });

  test('wins over what it has seen of the reference, in the same second', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    for (let round = 0; round < 5; round++) {
      await peer.publish(`counter-${round}`, 'theirs');
      expect(await device.fetch(`counter-${round}`)).toMatchObject({ payload: 'theirs' });
      await device.publish(`counter-${round}`, 'ours');
      expect(await peer.fetch(`counter-${round}`)).toMatchObject({ payload: 'ours' });
    }
  });

  test('as a removal is null to the reference', async () => {
    const { url } = await relay();
    const [peer, device] = [theirs(url), ours(url)];
    await peer.publish('ui-settings', { theme: 'dark' });
    await device.fetch('ui-settings');
    await device.remove('ui-settings', { waitFor: 'replicated' });
    expect(await peer.fetch('ui-settings')).toMatchObject({ payload: null });
    expect(await device.fetch('ui-settings')).toBeNull();
  });
});

describe("a category with `write: 'full'`", () => {
  interface Settings {
    theme: string;
    font: number;
    note: string;
    far?: unknown;
  }
  const settings = defineCategory<Settings>({
    ...{ name: 'settings', default: { theme: 'light', font: 14, note: '' } },
    ...{ write: 'full', debounceMs: 0 },
  });
  const handle = async (url: string, deviceId: string): Promise<State<Settings>> => {
    const state = ours(url, { deviceId }).state(settings);
    await state.ready;
    return state;
  };

  test('is whole for the reference, whose edit comes to ours, and no default of ours takes it back', async () => {
    const { url } = await relay();
    const peer = theirs(url);
    const laptop = await handle(url, 'our-laptop');
    await laptop.update({ theme: 'dark' });
    // What the reference knows of the defaults is what it is given, once the relay has it.
    await expect
      .poll(async () => (await peer.fetch('settings'))?.payload)
      .toEqual({ theme: 'dark', font: 14, note: '' });
    const given = await peer.fetch('settings');
    await nextSecondAfter(given!.updatedAt);
    await peer.publish('settings', { ...(given!.payload as object), font: 20, far: [1] });
    await expect.poll(() => laptop.get()).toEqual({ theme: 'dark', font: 20, note: '', far: [1] });
    // A device that has never been here: its defaults are no edits.
    const phone = await handle(url, 'our-phone');
    await phone.update({ note: 'hi' });
    const all = { theme: 'dark', font: 20, note: 'hi', far: [1] };
    await expect.poll(() => laptop.get()).toEqual(all);
    await expect.poll(async () => (await peer.fetch('settings'))?.payload).toEqual(all);
    expect([laptop, phone].map(({ meta }) => meta.get().clashes)).toEqual([undefined, undefined]);
  });

  test('edited by two of ours with the reference in between keeps what all three have changed', async () => {
    const running = await relay();
    const { url } = running;
    const peer = theirs(url);
    const laptop = await handle(url, 'our-laptop');
    const phone = await handle(url, 'our-phone');
    await laptop.update({ theme: 'dark' });
    await expect.poll(() => phone.get().theme).toBe('dark');
    const given = await peer.fetch('settings');
    await nextSecondAfter(given!.updatedAt);
    await peer.publish('settings', { ...(given!.payload as object), font: 20 });
    for (const state of [laptop, phone]) await expect.poll(() => state.get().font).toBe(20);
    // At once, each over what the reference has written: one field each.
    await Promise.all([laptop.update({ theme: 'blue' }), phone.update({ note: 'from the phone' })]);
    const all = { theme: 'blue', font: 20, note: 'from the phone' };
    for (const state of [laptop, phone])
      await expect.poll(() => state.get(), { timeout: 30_000 }).toEqual(all);
    await expect.poll(async () => (await peer.fetch('settings'))?.payload, { timeout: 30_000 }).toEqual(all);
    expect([laptop, phone].map(({ meta }) => meta.get().clashes)).toEqual([undefined, undefined]);
  });
});
