/** Device and relay as real processes, where the relay dies at the worst moment and has then lost everything. */

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createNostrSync, secretKeySigner } from '../../src/node.ts';
import { KEY, root, startDevice, startRelayProcess, type DeviceProcess } from './processes.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const newFolder = (): Promise<string> => mkdtemp(join(root, 'store-'));

async function started(folder: string, url: string): Promise<DeviceProcess> {
  const device = startDevice(folder, url);
  expect(await device.answer()).toEqual({ type: 'started' });
  return device;
}

/** What a device that knows nothing is told by the relay. */
async function seenBy(url: string): Promise<unknown> {
  const fresh = createNostrSync({ relays: [url], signer: secretKeySigner(KEY) });
  cleanups.push(() => fresh.close());
  return (await fresh.fetch('settings'))?.payload;
}

const publish = (value: number, waitFor: 'saved' | 'delivered' | 'replicated' = 'delivered') =>
  ({ do: 'publish', category: 'settings', value, waitFor }) as const;
const FETCH = { do: 'fetch', category: 'settings' } as const;
const FLUSH = { do: 'flush' } as const;

test('a relay that dies before its OK is sent the write when it is back', async () => {
  const doomed = await startRelayProcess(0, 'before-ok');
  const device = await started(await newFolder(), doomed.url);
  device.tell(publish(1));
  await doomed.ended;
  const relay = await startRelayProcess(doomed.port);
  expect(await device.answer()).toMatchObject({ type: 'receipt', value: 1 });
  expect(await device.ask(FLUSH)).toEqual({ type: 'flushed' });
  expect(await seenBy(relay.url)).toEqual({ value: 1 });
});

test('a relay that dies after its OK, and has lost the write, is found out and sent it again', async () => {
  const doomed = await startRelayProcess(0, 'after-ok');
  const device = await started(await newFolder(), doomed.url);
  device.tell(publish(1, 'replicated'));
  await doomed.ended;
  const relay = await startRelayProcess(doomed.port);
  expect(await device.answer()).toMatchObject({ type: 'receipt', value: 1 });
  await expect.poll(() => seenBy(relay.url), { timeout: 20_000, interval: 200 }).toEqual({ value: 1 });
});

test('a relay that has lost what it once showed is sent it when it is asked, also by the next process', async () => {
  const first = await startRelayProcess();
  const folder = await newFolder();
  const device = await started(folder, first.url);
  expect(await device.ask(publish(1, 'replicated'))).toMatchObject({ receipt: { stage: 'replicated' } });
  await device.kill();
  await first.kill();
  const wiped = await startRelayProcess(first.port);
  expect(await seenBy(wiped.url)).toBeUndefined();
  const next = await started(folder, wiped.url);
  expect(await next.ask(FETCH)).toMatchObject({ result: { payload: { value: 1 } } });
  expect(await next.ask(FLUSH)).toEqual({ type: 'flushed' });
  expect(await seenBy(wiped.url)).toEqual({ value: 1 });
});

test('a relay that is killed and restarted in mid-publish ends with the newest value, and every publish resolves', async () => {
  let relay = await startRelayProcess();
  const device = await started(await newFolder(), relay.url);
  device.tell({ do: 'loop', category: 'settings', from: 1 });
  let newest = 0;
  for (let restart = 0; restart < 5; restart++) {
    for (let seen = 0; seen < 10; seen++) {
      const answer = await device.answer();
      expect(answer).toMatchObject({ type: 'receipt', value: newest + 1 });
      newest++;
    }
    await relay.kill();
    relay = await startRelayProcess(relay.port);
  }
  // The last of them started empty: all it can have is what the device has gone on to publish.
  await expect
    .poll(() => seenBy(relay.url), { timeout: 20_000, interval: 200 })
    .toMatchObject({ value: expect.toSatisfy((value: number) => value >= newest) });
  await device.kill();
});

test('a process killed right after `saved`, with the relay down, delivers with its next life', async () => {
  const gone = await startRelayProcess();
  await gone.kill();
  const folder = await newFolder();
  const device = await started(folder, gone.url);
  expect(await device.ask(publish(7, 'saved'))).toMatchObject({ receipt: { stage: 'saved' } });
  await device.kill();
  const relay = await startRelayProcess(gone.port);
  const next = await started(folder, relay.url);
  expect(await next.ask(FLUSH)).toEqual({ type: 'flushed' });
  expect(await seenBy(relay.url)).toEqual({ value: 7 });
});

test('a second process on the same store is told so, and the first goes on', async () => {
  const relay = await startRelayProcess();
  const folder = await newFolder();
  const first = await started(folder, relay.url);
  expect(await first.ask(publish(1))).toMatchObject({ type: 'receipt' });
  const second = await started(folder, relay.url);
  const refusal = {
    type: 'failed',
    code: 'STORE_FAILED',
    message: expect.stringMatching(/process \d+ is using it/),
  };
  expect(await second.ask(publish(2))).toEqual(refusal);
  expect(await second.ask(FETCH)).toEqual(refusal);
  expect(await first.ask(publish(3))).toMatchObject({ type: 'receipt' });
  expect(await seenBy(relay.url)).toEqual({ value: 3 });
  await first.kill();
  const third = await started(folder, relay.url);
  expect(await third.ask(publish(4))).toMatchObject({ type: 'receipt', value: 4 });
  expect(await seenBy(relay.url)).toEqual({ value: 4 });
});
