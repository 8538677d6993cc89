/** The engine over a relay that nobody here wrote: @nostr-relay/core with an SQLite file, in a process of its own. */

import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { probeRelay } from '../../../src/cli/probe.ts';
import { secretKeySigner } from '../../../src/node.ts';
import { aRelay } from '../../names.ts';
import { device, KEY, written } from '../../sync/devices.ts';
import { referenceDevice, type ReferenceDevice } from '../reference-device.ts';
import { keepsStateOf } from '../suite.ts';
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

keepsStateOf(startNostrRelay);

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

  test('that asks for AUTH is answered', async () => {
    const { url } = await startNostrRelay({ hostname: '127.0.0.1' });
    const laptop = device([url]);
    await laptop.publish('ui-settings', 1, { waitFor: 'replicated' });
    expect(await device([url]).fetch('ui-settings')).toMatchObject({ payload: 1 });
    expect(laptop.errors).toEqual([]);
  });
});

test('what `doctor` says of it', async () => {
  const { url } = await startNostrRelay();
  const report = await probeRelay(aRelay(url), { signer: secretKeySigner(KEY), randomBytes });
  expect(report).toMatchObject({
    ...{ reachable: true, auth: 'none', deletes: true, limitedForNow: null },
    habits: { live: 'any d-tag', reconciles: 'not at all', servesExpired: true, deletesNewer: true },
    rate: { burst: null },
  });
});
