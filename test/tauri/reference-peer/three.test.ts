/** One user's three devices on one key and one relay: the published reference plugin (0.1.0-alpha.3), a Rust process and Node. */

import { afterEach, expect, onTestFinished, test } from 'vitest';
import type { FetchResult } from '../../../src/node.ts';

import { startRustDevice, type RustDevice, type Told } from '../../rust/rust-device.ts';
import { killLineProcesses } from '../../support/line-process.ts';
import { device, KEY, relay, type Device } from '../../sync/devices.ts';
import { valueOf } from '../../sync/values.ts';
import { startPeer, type ReferencePeer } from './peer.ts';

const CATEGORY = 'settings';
/** That of the example `headless`. */
const NAMESPACE = 'headless';
const LARGE = 200_000;

afterEach(killLineProcesses);

interface Three {
  readonly original: ReferencePeer;
  readonly rust: RustDevice;
  readonly node: Device;
  /** What Node was told that others wrote. */
  readonly onNode: readonly FetchResult[];
}

async function three(): Promise<Three> {
  const { url } = await relay({ limits: { maxEventBytes: 131_072 } });
  const original = startPeer(url, { key: KEY, namespace: NAMESPACE, deviceId: 'original' });
  onTestFinished(() => original.close());
  const rust = startRustDevice({ key: KEY, category: CATEGORY, relays: [url] });
  const node = device([url], { namespace: NAMESPACE, deviceId: 'node', maxPayloadSize: 409_600 });
  const onNode: FetchResult[] = [];
  node.subscribe([CATEGORY], (result) => void onNode.push(result));
  await rust.next('relay', ({ connected }) => connected === true);
  return { original, rust, node, onNode };
}

const isOf =
  (payload: unknown) =>
  (told: Told): boolean =>
    JSON.stringify(told.payload) === JSON.stringify(payload);

/** The original stamps with the second it is in, and wins only over a value of an earlier one. */
async function nextSecondAfter(updatedAt: string): Promise<void> {
  await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(Date.parse(updatedAt) + 1_000);
}

test('each writes, and both others have it, round after round', async () => {
  const { original, rust, node, onNode } = await three();
  for (let round = 1; round <= 3; round++) {
    const ofRust = { from: 'Rust', round, text: 'ü🦩' };
    expect(await rust.publish(ofRust)).toMatchObject({ event: 'published', stage: 'delivered' });
    await expect.poll(() => onNode.at(-1)?.payload, { timeout: 10_000 }).toEqual(ofRust);
    expect(await original.fetch(CATEGORY)).toMatchObject({
      payload: ofRust,
      deviceId: onNode.at(-1)!.deviceId,
    });

    const ofNode = { from: 'Node', round, text: 'ü🦩' };
    const { updatedAt } = await node.publish(CATEGORY, ofNode);
    expect((await rust.next('value', isOf(ofNode))).deviceId).toBe('node');
    expect(await original.fetch(CATEGORY)).toMatchObject({ payload: ofNode, deviceId: 'node' });

    await nextSecondAfter(updatedAt);
    const ofOriginal = { from: 'the original', round, text: 'ü🦩' };
    await original.publish(CATEGORY, ofOriginal);
    expect((await rust.next('value', isOf(ofOriginal))).deviceId).toBe('original');
    await expect.poll(() => onNode.at(-1)?.payload, { timeout: 10_000 }).toEqual(ofOriginal);
  }
  expect(rust.told.filter(({ event }) => event === 'error' || event === 'failed')).toEqual([]);
  expect([node.errors, node.conflicts]).toEqual([[], []]);
});

test('a large value goes both ways between Rust and Node; the original sees a manifest, and goes on', async () => {
  const { original, rust, node, onNode } = await three();
  // In pieces: deflating makes nothing of them.
  const [first, second] = [valueOf(LARGE, 1, true), valueOf(LARGE, 2, true)];
  const manifest = {
    size: expect.any(Number),
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    key: expect.stringMatching(/^[0-9a-f]{64}$/),
    parts: expect.any(Array),
  };

  expect(await rust.publish(first)).toMatchObject({ event: 'published', stage: 'delivered' });
  await expect.poll(() => onNode.at(-1)?.payload, { timeout: 20_000 }).toEqual(first);
  const seen = (await original.fetch(CATEGORY))!.payload;
  expect(seen).toEqual(manifest);
  expect((seen as { readonly parts: readonly string[] }).parts.length).toBeGreaterThan(3);

  const { updatedAt } = await node.publish(CATEGORY, second, { waitFor: 'replicated' });
  expect((await rust.next('value', isOf(second))).deviceId).toBe('node');
  expect((await original.fetch(CATEGORY))?.payload).toEqual(manifest);

  // It breaks nothing of its own by that, and nothing of ours.
  await node.publish('other', 'small');
  const all = await original.syncAll([CATEGORY, 'other']);
  expect(all.map(({ category }) => category).toSorted()).toEqual(['other', CATEGORY]);
  expect(all.find(({ category }) => category === 'other')).toMatchObject({ payload: 'small' });
  await nextSecondAfter(updatedAt);
  await original.publish(CATEGORY, 'small again');
  await rust.next('value', isOf('small again'));
  await expect.poll(() => onNode.at(-1)?.payload, { timeout: 10_000 }).toBe('small again');
  expect(rust.told.filter(({ event }) => event === 'error' || event === 'failed')).toEqual([]);
  expect([node.errors, node.conflicts]).toEqual([[], []]);
});
