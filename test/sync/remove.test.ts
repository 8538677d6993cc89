/** Removing: a tombstone that wins like any write, and a deletion request below it for whoever heeds those. */

import { expect, test, vi } from 'vitest';
import { memoryStore, type FetchResult, type NostrEvent } from '../../src/node.ts';
import { device, PUBKEY, received, relay, stored, world, written } from './devices.ts';

/** What an older version of this engine, or another client, asks for beside a tombstone: to delete all that is older. */
const deletionBelow = ({ created_at }: NostrEvent): NostrEvent =>
  written({
    kind: 5,
    created_at: created_at - 1,
    content: '',
    dTags: [['a', `30078:${PUBKEY}:default/settings/v1`]],
    tags: [['k', '30078']],
  });

test('what one device removes is gone on all, and subscribers are told so', async () => {
  const { url } = await relay();
  const [laptop, phone] = [device([url]), device([url])];
  await laptop.publish('settings', 1);
  const got: FetchResult[] = [];
  phone.subscribe(['settings'], (result) => got.push(result));
  await vi.waitFor(() => expect(got).toHaveLength(1));
  expect(await laptop.remove('settings')).toMatchObject({ category: 'settings', stage: 'delivered' });
  await vi.waitFor(() => expect(got[1]).toMatchObject({ payload: null, deleted: true }));
  for (const each of [laptop, phone]) {
    expect(await each.fetch('settings')).toBeNull();
    expect(await each.syncAll(['settings'])).toEqual([]);
  }
  expect(await phone.poll(['settings'])).toMatchObject([{ deleted: true }]);
  expect(await phone.poll(['settings'])).toEqual([]);
  expect(await laptop.poll(['settings'])).toEqual([]);
});

test('the deletion request follows the tombstone to the relay, is below it, and names the old event alone', async () => {
  const one = await relay();
  const laptop = device([one.url]);
  const { eventId } = await laptop.publish('settings', 1);
  await laptop.remove('settings', { waitFor: 'replicated' });
  await vi.waitFor(() => expect(received(one, 'EVENT')).toHaveLength(3));
  const [, tombstone, deletion] = received(one, 'EVENT').map(([, event]) => event as NostrEvent);
  expect(tombstone!.tags).toContainEqual(['deleted', '']);
  expect(tombstone!.content).not.toBe('');
  expect(deletion).toMatchObject({
    kind: 5,
    created_at: tombstone!.created_at - 1,
    tags: [
      ['e', eventId],
      ['k', '30078'],
    ],
  });
  await laptop.flush();
  expect(stored(one)).toMatchObject([{ id: tombstone!.id }]);
});

test('a device that has never seen the value asks to delete it as well', async () => {
  const one = await relay();
  const laptop = device([one.url]);
  const { eventId } = await laptop.publish('settings', 1, { waitFor: 'replicated' });
  // The stamp of the removal is above that anyway.
  await vi.waitFor(() => expect(Date.now() / 1000).toBeGreaterThan(stored(one)[0]!.created_at + 1), 3_000);
  const phone = device([one.url]);
  await phone.remove('settings', { waitFor: 'replicated' });
  await vi.waitFor(() => expect(received(one, 'EVENT')).toHaveLength(3));
  const [, tombstone, deletion] = received(one, 'EVENT').map(([, event]) => event as NostrEvent);
  expect(deletion).toMatchObject({ kind: 5, created_at: tombstone!.created_at - 1 });
  expect(deletion!.tags).toContainEqual(['e', eventId]);
});

test('a relay that still has the old value, or gets it back, cannot bring it back', async () => {
  const [one, two] = [await relay(), await relay()];
  const laptop = device([one.url, two.url]);
  await laptop.publish('settings', 1, { waitFor: 'replicated' });
  const old = stored(one);
  await laptop.remove('settings', { waitFor: 'replicated' });
  two.relay.restore(old);
  const phone = device([one.url, two.url]);
  expect(await phone.fetch('settings')).toBeNull();
  expect(await laptop.fetch('settings')).toBeNull();
  await vi.waitFor(() =>
    expect(stored(two)).toMatchObject([{ tags: expect.arrayContaining([['deleted', '']]) }]),
  );
  expect(await device([two.url]).fetch('settings')).toBeNull();
});

test('a device whose write comes after a removal, and is refused for it, learns of the removal by itself', async () => {
  const one = await relay();
  const [laptop, phone] = [device([one.url]), device([])];
  const told: FetchResult[] = [];
  phone.on('updated', (result) => told.push(result));
  await phone.publish('settings', 'made offline');
  await laptop.publish('settings', 1, { waitFor: 'replicated' });
  await laptop.remove('settings', { waitFor: 'replicated' });
  one.relay.inject(deletionBelow(stored(one)[0]!));
  await phone.addRelay(one.url);
  await vi.waitFor(() =>
    expect(told).toMatchObject([{ category: 'settings', payload: null, deleted: true }]),
  );
  expect(JSON.stringify(one.relay.frames)).toContain('"ERROR: deleted:');
});

test('and learns of it after a restart, where it was closed before the relay could tell', async () => {
  const one = await relay();
  const store = { ...memoryStore(), close: async () => undefined };
  const [laptop, phone] = [device([one.url]), device([], { store })];
  await phone.publish('settings', 'made offline');
  await laptop.publish('settings', 1, { waitFor: 'replicated' });
  await laptop.remove('settings', { waitFor: 'replicated' });
  one.relay.inject(deletionBelow(stored(one)[0]!));
  const refused = new Promise<void>((resolve) =>
    phone.on('delivery', ({ relays }) => relays[one.url] === 'refused' && resolve(phone.close())),
  );
  await phone.addRelay(one.url);
  await refused;
  expect(phone.updated).toEqual([]);
  const again = device([one.url], { store });
  await vi.waitFor(() => expect(again.updated).toMatchObject([{ category: 'settings', deleted: true }]));
});

test('and learns of it within the quarter of an hour, where the relay had forgotten the removal and is shown it again', async () => {
  const { clock, relays, urls, device: make, settle } = world({});
  const laptop = make();
  const phone = make({ relays: [] });
  await settle(phone.publish('settings', 'made offline'));
  await settle(laptop.publish('settings', 1));
  await settle(laptop.remove('settings', { waitFor: 'replicated' }));
  const [tombstone] = stored(relays[0]!);
  const deletion = deletionBelow(tombstone!);
  await laptop.close();
  relays[0]!.restore([deletion]);
  await phone.addRelay(urls[0]!);
  await clock.advance(60_000);
  expect(phone.deliveries.at(-1)!.relays[urls[0]!]).toBe('refused');
  relays[0]!.restore([deletion, tombstone!]);
  await clock.advance(900_000);
  expect(phone.updated).toMatchObject([{ category: 'settings', deleted: true }]);
});

test('by a clock that is two years ahead, on a relay that takes any stamp, leaves the category a present', async () => {
  const { clock, relays, device: make, settle } = world({ limits: { createdAtUpperLimit: 1e9 } });
  const ahead = { now: () => clock.now() + 63_072_000_000, after: clock.after };
  const [tablet, laptop] = [make({ clock: ahead }), make()];
  await settle(tablet.publish('settings', 1, { waitFor: 'replicated' }));
  await settle(tablet.remove('settings', { waitFor: 'replicated' }));
  await clock.advance(10_000);
  await settle(tablet.close());
  await settle(laptop.fetch('settings'));
  await settle(laptop.reset('settings', { waitFor: 'replicated' }));
  await settle(laptop.publish('settings', 2, { waitFor: 'replicated' }));
  expect(stored(relays[0]!)[0]!.created_at).toBeLessThan(clock.now() / 1000 + 60);
});

test('a category can be written again after it was removed', async () => {
  const { url } = await relay();
  const [laptop, phone] = [device([url]), device([url])];
  await laptop.publish('settings', 1);
  await laptop.remove('settings', { waitFor: 'replicated' });
  await phone.fetch('settings');
  await phone.publish('settings', 2, { waitFor: 'replicated' });
  expect(await laptop.fetch('settings')).toMatchObject({ payload: 2 });
});

test('what is not there can be removed, and an empty answer is no deletion', async () => {
  const one = await relay();
  const laptop = device([one.url]);
  await laptop.remove('nothing');
  expect(await laptop.fetch('nothing')).toBeNull();
  await laptop.publish('settings', 1, { waitFor: 'replicated' });
  one.relay.wipe();
  expect(await laptop.fetch('settings')).toMatchObject({ payload: 1 });
});
