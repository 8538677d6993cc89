/** What of a category that merges is known without a call of the app: a value that is overwritten unseen cannot be merged. */

import { expect, test } from 'vitest';
import { mergeBy } from '../../src/merge.ts';
import { memoryStore } from '../../src/node.ts';
import { stored, world } from './devices.ts';

const MERGE = { categories: { settings: { merge: mergeBy() }, others: {} } };

test('what was written offline overwrites nothing unseen, though the app has not asked for it', async () => {
  const at = world({});
  const [relay] = at.relays;
  const phone = at.device({ deviceId: 'phone', ...MERGE });
  await at.settle(phone.publish('settings', { theme: 'light' }, { waitFor: 'replicated' }));
  const store = { ...memoryStore(), close: async () => Promise.resolve() };
  const before = at.device({ deviceId: 'laptop', store, ...MERGE });
  await at.settle(before.fetch('settings'));
  await before.close();
  await at.clock.advance(5_000);
  await at.settle(phone.publish('settings', { theme: 'dark' }, { waitFor: 'replicated' }));
  // Destroyed: only the relay has its edit.
  await phone.close();
  await at.clock.advance(5_000);
  relay!.misbehave({ refuseConnections: true });
  const laptop = at.device({ deviceId: 'laptop', store, ...MERGE });
  await at.settle(
    laptop.update('settings', (now) => ({ ...(now as object), font: 14 }), { waitFor: 'saved' }),
  );
  relay!.behave();
  await at.clock.advance(120_000);
  const both = { theme: 'dark', font: 14 };
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: both });
});

test.each(['merged', 'subscribed to'])(
  'a relay that is there before the store is read is asked for what is %s, and then sent what it lacks',
  async (why) => {
    const at = world({});
    const inner = memoryStore();
    const store = { ...inner, close: async () => Promise.resolve() };
    const options = why === 'merged' ? MERGE : {};
    const before = at.device({ deviceId: 'laptop', relays: [], store, ...options });
    await at.settle(before.publish('settings', 1));
    await before.close();
    const slow = {
      ...store,
      list: async (prefix: string) => {
        await new Promise<void>((resolve) => at.clock.after(2_000, resolve));
        return inner.list(prefix);
      },
    };
    const laptop = at.device({ deviceId: 'laptop', store: slow, ...options });
    if (why !== 'merged') laptop.subscribe(['settings'], () => undefined);
    await at.clock.advance(1_000);
    expect(at.relays[0]!.frames).toEqual([]);
    await at.clock.advance(5_000);
    const came = at.relays[0]!.frames.filter(({ direction }) => direction === 'in');
    expect(came.slice(0, 2).map(({ frame }) => (frame as unknown[])[0])).toEqual(['REQ', 'EVENT']);
  },
);

test('what other devices write is told live; a category without `merge` is not asked for', async () => {
  const at = world({});
  const laptop = at.device({ deviceId: 'laptop', ...MERGE });
  const phone = at.device({ deviceId: 'phone', ...MERGE });
  await at.clock.advance(1_000);
  await at.settle(phone.publish('settings', 1, { waitFor: 'replicated' }));
  await at.settle(phone.publish('others', 1, { waitFor: 'replicated' }));
  await at.clock.advance(1_000);
  expect(laptop.updated.map(({ category }) => category)).toEqual(['settings']);
  expect(stored(at.relays[0]!, 'others')).toHaveLength(1);
});
