/** The main job over real sockets: what one device publishes, the other gets. */

import { expect, test } from 'vitest';
import { memoryStore, type FetchResult } from '../../src/node.ts';
import { device, relay } from './devices.ts';

test('what one device publishes, the other fetches', async () => {
  const { url } = await relay();
  const laptop = device([url]);
  const receipt = await laptop.publish('ui-settings', { theme: 'dark' });
  expect(receipt.stage).toBe('delivered');
  const phone = device([url]);
  const result = await phone.fetch('ui-settings');
  expect(result).toMatchObject({
    category: 'ui-settings',
    payload: { theme: 'dark' },
    source: 'relay',
    eventId: receipt.eventId,
  });
  expect(result?.deviceId).toBe((await laptop.getStatus()).deviceId);
});

test('a subscriber is pushed what another device publishes, and never its own', async () => {
  const { url } = await relay();
  const [laptop, phone] = [device([url]), device([url])];
  const got: FetchResult[] = [];
  const arrived = new Promise<void>((resolve) => {
    phone.subscribe(['ui-settings'], (result) => {
      got.push(result);
      resolve();
    });
  });
  laptop.subscribe(['ui-settings'], () => expect.fail('own write'));
  await laptop.publish('ui-settings', { theme: 'dark' });
  await arrived;
  expect(got.map((result) => result.payload)).toEqual([{ theme: 'dark' }]);
});

test('a write made offline is saved, and delivered once a relay is there', async () => {
  const first = await relay();
  const { url } = first;
  const port = Number(new URL(url).port);
  await first.close();
  const store = memoryStore();
  const phone = device([url], { store });
  const receipt = await phone.publish('wallet', { accounts: 2 });
  expect(receipt.stage).toBe('saved');
  expect((await phone.getStatus()).outboxDepth).toBe(1);
  await relay({ port });
  await phone.flush();
  expect((await phone.getStatus()).outboxDepth).toBe(0);
  expect(await device([url]).fetch('wallet')).toMatchObject({ payload: { accounts: 2 } });
});

test('unknown is not empty', async () => {
  const { url } = await relay();
  expect(await device([url]).fetch('nothing')).toBeNull();
  await expect(device([]).fetch('nothing')).rejects.toMatchObject({ code: 'NO_RELAYS_REACHABLE' });
});
