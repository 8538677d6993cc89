/** When a removed value is gone from the stores of devices, as docs/STORE.md says. */

import { expect, test } from 'vitest';
import { memoryStore, type Store } from '../../src/node.ts';
import type { CategoryOptions } from '../../src/options.ts';
import { stored, world } from '../sync/devices.ts';

/** Whether the event of a value is in a store: after its removal here, after its removal by another device, and after one value more. */
async function whereItIs(settings: CategoryOptions): Promise<readonly boolean[]> {
  const at = world({});
  const stores = [memoryStore(), memoryStore()];
  const [laptop, phone] = stores.map((store, i) => {
    const one = at.device({ deviceId: `device ${i}`, store, categories: { settings } });
    one.subscribe(['settings'], () => undefined);
    return one;
  });
  await at.settle(laptop!.publish('settings', 'secret', { waitFor: 'replicated' }));
  await at.settle(phone!.fetch('settings'));
  const { content } = stored(at.relays[0]!)[0]!;
  const isIn = async (store: Store): Promise<boolean> =>
    [...(await store.list('')).values()].some((text) => text.includes(content));
  await at.clock.advance(2_000);
  await at.settle(laptop!.remove('settings', { waitFor: 'replicated' }));
  await at.clock.advance(2_000);
  const removed = await Promise.all(stores.map(isIn));
  await at.settle(laptop!.publish('settings', 'next', { waitFor: 'replicated' }));
  await at.clock.advance(2_000);
  return [...removed, await isIn(stores[1]!)];
}

test('a removed value stays as a former value', async () => {
  expect(await whereItIs({})).toEqual([true, true, true]);
});

test('without history it goes: here with the removal, on the other device with the next value', async () => {
  expect(await whereItIs({ history: false })).toEqual([false, true, false]);
});
