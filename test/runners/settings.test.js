/** What an app tests, under each runner: two devices and a relay in memory. */

import { generateKey, isNostrSyncError } from 'nostr-sync';
import { createRelay } from 'nostr-sync/testing';
import { createSettings, inMemory } from './settings.js';

const opened = [];

function device(relay, key, options = {}) {
  const settings = createSettings({ ...inMemory(relay, key), ...options });
  opened.push(settings);
  return settings;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((settings) => settings.close()));
});

test('what one device saves, the other is told and can load', async () => {
  const relay = createRelay();
  const key = generateKey();
  const [phone, laptop] = [device(relay, key), device(relay, key)];
  const told = new Promise((resolve) => laptop.onChange(resolve));
  const receipt = await phone.save({ theme: 'dark', list: [1, { deep: true }] });
  expect(['delivered', 'replicated']).toContain(receipt.stage);
  expect(await told).toEqual({ theme: 'dark', list: [1, { deep: true }] });
  expect(await laptop.load()).toEqual({ theme: 'dark', list: [1, { deep: true }] });
});

test('a large value goes, deflated or in pieces', async () => {
  const relay = createRelay();
  const key = generateKey();
  const [phone, laptop] = [
    device(relay, key, { maxPayloadSize: 409_600 }),
    device(relay, key, { maxPayloadSize: 409_600 }),
  ];
  const text = Array.from({ length: 60_000 }, (_, i) => ((i * i) % 36).toString(36)).join('');
  await phone.save({ text });
  expect(await laptop.load()).toEqual({ text });
});

test('a relay that refuses is an error with a code', async () => {
  const relay = createRelay();
  relay.misbehave({ refuse: 'blocked: not you' });
  try {
    await device(relay, generateKey()).save({});
    throw new Error('It was taken');
  } catch (error) {
    expect(isNostrSyncError(error, 'NO_RELAYS_ACCEPTED')).toBe(true);
  }
});

test('what is no JSON is refused', async () => {
  const saving = device(createRelay(), generateKey()).save({ at: new Date() });
  await expect(saving).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
});

test('an aborted signal is heard', async () => {
  const saving = device(createRelay(), generateKey()).save({}, { signal: AbortSignal.abort() });
  await expect(saving).rejects.toMatchObject({ name: 'AbortError' });
});
