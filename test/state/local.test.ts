/** What stays on the device: single fields, and whole categories. */

import { expect, test } from 'vitest';
import { defineCategory } from '../../src/node.ts';
import { received, world } from '../sync/devices.ts';
import { eventsSent, LOCKED, lastingStore, startDevice, unlocked } from './devices.ts';

interface Settings {
  theme: string;
  window: { x: number; y: number };
}
const DEFAULT: Settings = { theme: 'light', window: { x: 0, y: 0 } };
const settings = defineCategory<Settings>({ name: 'settings', default: DEFAULT, local: ['window'] });
const device = defineCategory<Settings>({ name: 'device', default: DEFAULT, local: true });

test('a local field is shown, kept over a restart as ciphertext, and given to no relay', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, {}, store);
  const state = first.device.state(settings);
  expect(await at.settle(state.update({ window: { x: 123456, y: 0 } }))).toEqual({ stage: 'device' });
  expect(eventsSent(at)).toEqual([]);
  expect(state.meta.get().status).toBe('synced');
  const receipt = await at.settle(state.update({ theme: 'dark', window: { x: 7, y: 8 } }));
  expect(receipt.eventId).toBeDefined();
  const other = startDevice(at).device;
  expect((await at.settle(other.fetch('settings')))?.payload).toEqual({ theme: 'dark' });
  expect(JSON.stringify([...(await store.list(''))])).not.toContain('123456');

  const again = first.restart().device.state(settings);
  await at.settle(again.ready);
  await at.clock.advance(100);
  expect(again.get()).toEqual({ theme: 'dark', window: { x: 7, y: 8 } });
});

test('a field that became local stays in the document as an older app wrote it, and is not shown', async () => {
  const at = world({});
  const other = startDevice(at).device;
  await at.settle(other.publish('settings', { theme: 'dark', window: { x: 9, y: 9 } }));
  const state = startDevice(at).device.state(settings);
  await at.settle(state.ready);
  expect(state.get()).toEqual({ theme: 'dark', window: { x: 0, y: 0 } });
  await at.settle(state.update({ theme: 'blue', window: { x: 1, y: 1 } }));
  await at.clock.advance(1_000);
  expect(state.get()).toEqual({ theme: 'blue', window: { x: 1, y: 1 } });
  expect((await at.settle(other.fetch('settings')))?.payload).toEqual({
    theme: 'blue',
    window: { x: 9, y: 9 },
  });
});

test('nor does a reset of the rest take it away', async () => {
  const at = world({});
  const other = startDevice(at).device;
  await at.settle(other.publish('settings', { theme: 'dark', window: { x: 9, y: 9 } }));
  const state = startDevice(at).device.state(settings);
  await at.settle(state.ready);
  await at.settle(state.reset());
  await at.clock.advance(1_000);
  expect(state.get()).toEqual(DEFAULT);
  expect((await at.settle(other.fetch('settings')))?.payload).toEqual({ window: { x: 9, y: 9 } });
});

test('a local category never leaves the device, and has the same handle', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, {}, store);
  const state = first.device.state(device);
  await at.settle(state.ready, 1_000);
  expect(state.meta.get().status).toBe('synced');
  await at.settle(state.update({ theme: 'dark' }));
  await at.settle(state.undo());
  expect(state.get()).toEqual(DEFAULT);
  await at.settle(state.redo());
  await expect(state.update(4 as never)).rejects.toThrow(TypeError);
  await at.settle(first.device.close());
  expect(eventsSent(at)).toEqual([]);
  expect(JSON.stringify(received(at.relays[0]!, 'REQ'))).not.toContain('default/device/');

  const again = first.restart(LOCKED);
  const later = again.device.state(device);
  later.subscribe(() => undefined);
  await at.clock.advance(100);
  expect(later.get()).toEqual(DEFAULT);
  expect(await at.settle(later.update({ window: { x: 5, y: 0 } }))).toEqual({ stage: 'sealed' });
  await at.settle(again.device.setSigner(unlocked()));
  await at.clock.advance(1_000);
  expect(later.get()).toEqual({ theme: 'dark', window: { x: 5, y: 0 } });
  expect([...(await store.list('draft/'))]).toEqual([]);
});

test('what somebody has changed in the store is no value: the defaults, and an edit replaces it', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, {}, store);
  await at.settle(first.device.state(device).update({ theme: 'dark' }));
  await at.settle(first.device.close());
  const [[key]] = [...(await store.list('local/'))] as [[string, string]];
  for (const text of [
    '',
    'x',
    '[]',
    '{"by":1,"parts":[]}',
    '{"by":"aa","parts":[]}',
    '{"by":"aa","parts":[1]}',
  ]) {
    await store.update([], () => new Map([[key, text]]));
    const again = first.restart();
    const state = again.device.state(device);
    await at.settle(state.ready, 4_000);
    expect(state.get()).toEqual(DEFAULT);
    await at.settle(again.device.close());
  }
  await store.update([], () => new Map([[key, '{"by":"aa","parts":["bb"]}']]));
  const state = first.restart().device.state(device);
  await at.settle(state.ready, 4_000);
  expect(state.meta.get()).toMatchObject({ status: 'error', error: { code: 'DECRYPTION_FAILED' } });
});

test('a large value of one part or several comes back whole', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, {}, store);
  const theme = '\u{1F600}x'.repeat(20_000);
  await at.settle(first.device.state(device).update({ theme }));
  await at.settle(first.device.close());
  const again = first.restart().device.state(device);
  await at.settle(again.ready, 4_000);
  await at.clock.advance(100);
  expect(again.get().theme).toBe(theme);
});

test('an edit made before what the device has was read does not replace the rest', async () => {
  const at = world({});
  const store = lastingStore();
  const quick = defineCategory<Settings>({ name: 'device', default: DEFAULT, local: true, debounceMs: 0 });
  const first = startDevice(at, {}, store);
  await at.settle(first.device.state(quick).update({ theme: 'dark' }));
  await at.settle(first.device.close());
  const again = first.restart().device.state(quick);
  expect((await at.settle(again.update({ window: { x: 1, y: 1 } }))).stage).toBe('device');
  expect(again.get()).toEqual({ theme: 'dark', window: { x: 1, y: 1 } });
});
