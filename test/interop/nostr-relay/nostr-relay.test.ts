/** The engine over a relay that nobody here wrote: @nostr-relay/core with an SQLite file, in a process of its own. */

import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { probeRelay } from '../../../src/cli/probe.ts';
import { memoryStore, secretKeySigner, type FetchResult } from '../../../src/node.ts';
import { aRelay } from '../../names.ts';
import { device, KEY, relay, stored, written } from '../../sync/devices.ts';
import { referenceDevice, type ReferenceDevice } from '../reference-device.ts';
import { startNostrRelay } from './relay-process.ts';

const probes: ReferenceDevice[] = [];
afterEach(() => {
  for (const probe of probes.splice(0)) probe.close();
});

/** Looks at the relay, and writes to it, past the engine. */
async function probe(url: string): Promise<ReferenceDevice> {
  const opened = await referenceDevice(url, { key: KEY });
  probes.push(opened);
  return opened;
}

describe('two devices', () => {
  test('fetch, sync and poll what the other publishes', async () => {
    const { url } = await startNostrRelay();
    const [laptop, phone] = [device([url]), device([url])];
    const receipt = await laptop.publish('ui-settings', { theme: 'dark' });
    expect(receipt.stage).toBe('delivered');
    await laptop.publish('wallet', { accounts: 2 });
    expect(await phone.fetch('ui-settings')).toMatchObject({
      payload: { theme: 'dark' },
      source: 'relay',
      eventId: receipt.eventId,
    });
    expect(await phone.fetch('nothing')).toBeNull();
    const categories = ['ui-settings', 'wallet', 'nothing'];
    const byCategory = (a: FetchResult, b: FetchResult): number => (a.category < b.category ? -1 : 1);
    const all = (await phone.syncAll(categories)).toSorted(byCategory);
    expect(all.map(({ payload }) => payload)).toEqual([{ theme: 'dark' }, { accounts: 2 }]);
    expect(await phone.poll(categories)).toHaveLength(2);
    expect(await phone.poll(categories)).toEqual([]);
    await laptop.publish('wallet', { accounts: 3 });
    expect(await phone.poll(categories)).toMatchObject([{ category: 'wallet', payload: { accounts: 3 } }]);
    expect(await laptop.poll(categories)).toEqual([]);
  });

  test('are pushed each other’s writes, live, never their own', async () => {
    const { url } = await startNostrRelay();
    const [laptop, phone] = [device([url]), device([url])];
    const [onLaptop, onPhone]: [FetchResult[], FetchResult[]] = [[], []];
    laptop.subscribe(['ui-settings'], (result) => void onLaptop.push(result));
    phone.subscribe(['ui-settings'], (result) => void onPhone.push(result));
    await laptop.publish('ui-settings', 1);
    await expect.poll(() => onPhone.map(({ payload }) => payload)).toEqual([1]);
    await phone.publish('ui-settings', 2);
    await expect.poll(() => onLaptop.map(({ payload }) => payload)).toEqual([2]);
    expect(onPhone).toHaveLength(1);
  });

  test('that write in turn as fast as they can end on one head, which is the last write', async () => {
    const { url } = await startNostrRelay();
    const [laptop, phone] = [device([url]), device([url])];
    for (let value = 0; value < 10; value++) {
      const writer = value % 2 === 0 ? laptop : phone;
      await writer.fetch('counter');
      await writer.publish('counter', value);
    }
    await Promise.all([laptop.flush(), phone.flush()]);
    for (const reader of [laptop, phone, device([url])])
      expect(await reader.fetch('counter')).toMatchObject({ payload: 9 });
    expect([...laptop.conflicts, ...phone.conflicts]).toEqual([]);
  });

  test('that overwrite each other unseen agree on one head, and the loser is told', async () => {
    const { url } = await startNostrRelay();
    const [laptop, phone] = [device([]), device([])];
    const receipts = [
      await laptop.publish('ui-settings', 'laptop'),
      await phone.publish('ui-settings', 'phone'),
    ];
    await Promise.all([laptop.addRelay(url), phone.addRelay(url)]);
    await Promise.all([laptop.flush(), phone.flush()]);
    await expect
      .poll(async () =>
        (await Promise.all([laptop, phone].map((one) => one.fetch('ui-settings')))).map(
          (one) => one?.eventId,
        ),
      )
      .toSatisfy(([a, b]) => a === b);
    const winner = (await device([url]).fetch('ui-settings'))?.eventId;
    expect(receipts.map(({ eventId }) => eventId)).toContain(winner);
    await expect.poll(() => laptop.conflicts.length + phone.conflicts.length).toBe(1);
  });
});

describe('the relay', () => {
  test('keeps the newest, and of one second the lowest id, in whatever order they come', async () => {
    const { url } = await startNostrRelay();
    const reader = await probe(url);
    const now = Math.floor(Date.now() / 1000);
    const events = [now - 1, now, now, now, now - 2].map((created_at, payload) =>
      written({ created_at, payload }),
    );
    for (const event of events) await reader.send(event);
    const [head] = events
      .filter(({ created_at }) => created_at === now)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(await device([url]).fetch('settings')).toMatchObject({ eventId: head!.id });
  });

  test('gives a hundred and fifty values by one sync, though it returns 100 where no limit is asked for', async () => {
    const { url } = await startNostrRelay();
    const categories = Array.from({ length: 150 }, (_, n) => `category-${n}`);
    const writer = await probe(url);
    for (const category of categories) await writer.publish(category, category);
    const results = await device([url]).syncAll(categories);
    expect(new Set(results.map(({ payload }) => payload))).toEqual(new Set(categories));
  });

  test('that sends what a subscription did not ask for disturbs nothing', async () => {
    const { url } = await startNostrRelay();
    const [laptop, phone] = [device([url]), device([url])];
    const got: unknown[] = [];
    phone.subscribe(['quiet'], ({ payload }) => void got.push(payload));
    await laptop.publish('quiet', 1);
    await expect.poll(() => got).toEqual([1]);
    const writer = await probe(url);
    for (let n = 0; n < 100; n++) await writer.publish(`busy-${n}`, n);
    await laptop.publish('quiet', 2);
    await expect.poll(() => got, { timeout: 10_000 }).toEqual([1, 2]);
    expect(phone.updated.map(({ category }) => category)).toEqual(['quiet', 'quiet']);
  });

  test('that is killed and started on the same file still has everything, and connections come back', async () => {
    const running = await startNostrRelay();
    const [laptop, phone] = [device([running.url]), device([running.url])];
    const got: unknown[] = [];
    phone.subscribe(['ui-settings'], ({ payload }) => void got.push(payload));
    await laptop.publish('ui-settings', 1, { waitFor: 'replicated' });
    await running.restart();
    expect(await device([running.url]).fetch('ui-settings')).toMatchObject({ payload: 1, source: 'relay' });
    await laptop.publish('ui-settings', 2);
    await laptop.flush();
    await expect.poll(() => got.at(-1), { timeout: 15_000 }).toBe(2);
  });

  test('that asks for AUTH is answered', async () => {
    const { url } = await startNostrRelay({ hostname: '127.0.0.1' });
    const laptop = device([url]);
    await laptop.publish('ui-settings', 1, { waitFor: 'replicated' });
    expect(await device([url]).fetch('ui-settings')).toMatchObject({ payload: 1 });
    expect(laptop.errors).toEqual([]);
  });
});

describe('the outbox', () => {
  test('delivers what was written while the relay was down', async () => {
    const running = await startNostrRelay();
    await running.kill();
    const store = memoryStore();
    const phone = device([running.url], { store });
    for (let value = 0; value < 5; value++)
      expect((await phone.publish('wallet', value)).stage).toBe('saved');
    expect((await phone.getStatus()).outboxDepth).toBe(1);
    await running.restart();
    await phone.flush();
    expect((await phone.getStatus()).outboxDepth).toBe(0);
    expect(await device([running.url]).fetch('wallet')).toMatchObject({ payload: 4 });
  });

  test('brings a value to the relay that lacks it, and the newer one to the relay that is behind', async () => {
    const [theirs, ours] = [await startNostrRelay(), await relay()];
    await device([theirs.url]).publish('here', 1, { waitFor: 'replicated' });
    const laptop = device([ours.url]);
    await laptop.publish('there', 2, { waitFor: 'replicated' });
    await laptop.publish('both', 'newer', { waitFor: 'replicated' });
    await (
      await probe(theirs.url)
    ).send(written({ category: 'both', payload: 'older', created_at: 1_700_000_000 }));
    const phone = device([theirs.url, ours.url]);
    // The first time it learns them; asked again, a relay that lacks one, or shows an older one, is sent it.
    for (let time = 0; time < 2; time++) await phone.syncAll(['here', 'there', 'both']);
    await phone.flush();
    await expect.poll(() => stored(ours, 'here').length).toBe(1);
    const reader = await probe(theirs.url);
    await expect.poll(() => reader.fetch('there')).toMatchObject({ payload: 2 });
    await expect.poll(() => reader.fetch('both')).toMatchObject({ payload: 'newer' });
  });

  test('comes to an end after a removal, though this relay deletes whatever a deletion request names', async () => {
    const { url } = await startNostrRelay();
    const [laptop, phone] = [device([url]), device([url])];
    await laptop.publish('ui-settings', 1, { waitFor: 'replicated' });
    expect(await phone.fetch('ui-settings')).toMatchObject({ payload: 1 });
    expect((await laptop.remove('ui-settings', { waitFor: 'replicated' })).stage).toBe('replicated');
    await laptop.flush();
    expect(await phone.poll(['ui-settings'])).toMatchObject([{ payload: null, deleted: true }]);
    expect(await (await probe(url)).fetch('ui-settings')).toMatchObject({ payload: null });
    expect(await laptop.fetch('ui-settings')).toBeNull();
  });
});

test('what `doctor` says of it', async () => {
  const { url } = await startNostrRelay();
  const report = await probeRelay(aRelay(url), { signer: secretKeySigner(KEY), randomBytes });
  expect(report).toMatchObject({
    ...{ reachable: true, auth: 'none', deletes: true, limitedForNow: null },
    habits: { live: 'any d-tag', servesExpired: true, deletesNewer: true },
    rate: { burst: null },
  });
});
