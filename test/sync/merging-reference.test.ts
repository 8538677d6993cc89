/** The original plugin (0.1.0-alpha.3) in between: it writes whole values, and no version vectors. */

import { describe, expect, test } from 'vitest';
import { change, MERGE, restartedLocked, together, valuesOf } from './apart.ts';
import { world, written, type World } from './devices.ts';

/** What the original plugin writes now, or some seconds ago. */
const plain = (at: World, payload: unknown, secondsAgo = 0): ReturnType<typeof written> =>
  written({ payload, created_at: Math.floor(at.clock.now() / 1000) - secondsAgo });
const whyOf = async (at: World, device: ReturnType<World['device']>): Promise<unknown[]> =>
  (await at.settle(device.history('settings'))).map(({ why }) => why);

test('1(a): a write of the original plugin between two of ours, each of which had seen the one before, is no conflict', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone'], {});
  await at.settle(laptop!.device.publish('settings', 'of the laptop', { waitFor: 'replicated' }));
  await at.clock.advance(5_000);
  at.relays[0]!.inject(plain(at, 'of the original plugin'));
  await at.clock.advance(5_000);
  // It has seen the plugin's, and so what the plugin's had taken the place of.
  await at.settle(phone!.device.publish('settings', 'of the phone', { waitFor: 'replicated' }));
  await at.clock.advance(60_000);
  expect(await valuesOf(at, [laptop!, phone!])).toEqual(['of the phone', 'of the phone']);
  expect([...laptop!.device.conflicts, ...phone!.device.conflicts]).toEqual([]);
  for (const { device } of [laptop!, phone!])
    expect(await at.settle(device.inspect())).toMatchObject([{ rivals: 0 }]);
});

test('1(b): an acknowledged write of another device that is beaten on arrival is not dropped without a word', async () => {
  for (const options of [{}, MERGE]) {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone'], options);
    phone!.way.cut();
    await at.settle(laptop!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'replicated' }));
    await laptop!.device.close();
    await at.clock.advance(2_000);
    await at.settle(phone!.device.update('settings', change({ font: 14 }), { waitFor: 'saved' }));
    phone!.way.join();
    await at.clock.advance(120_000);
    // It is in the history as lost, and merged if the category is.
    expect(await whyOf(at, phone!.device)).toContain('lost');
    const theme = options === MERGE ? 'dark' : 'light';
    expect(await valuesOf(at, [phone!])).toEqual([{ theme, font: 14 }]);
    expect(phone!.merged).toHaveLength(options === MERGE ? 1 : 0);
  }
});

describe('in a category that merges, a write of the original plugin', () => {
  test('is taken to have seen what any relay had acknowledged: nothing is merged, though it is stale', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    await at.settle(laptop!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'replicated' }));
    await at.clock.advance(5_000);
    at.relays[0]!.inject(plain(at, { theme: 'light', font: 14 }));
    await at.clock.advance(300_000);
    expect(await valuesOf(at, [laptop!, phone!])).toEqual(
      Array.from({ length: 2 }, () => ({ theme: 'light', font: 14 })),
    );
    expect([...laptop!.merged, ...phone!.merged, ...laptop!.device.conflicts]).toEqual([]);
    expect(await whyOf(at, laptop!.device)).toEqual(['received', 'own', 'own']);
  });

  test.each([
    ['one', 1],
    ['two in a row', 2],
  ])(
    'that no relay could have shown ours is merged with it, over the newest that one had acknowledged: %s',
    async (_, times) => {
      const at = world({});
      const [laptop, phone] = await together(at, ['laptop', 'phone']);
      laptop!.way.cut();
      await at.settle(laptop!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'saved' }));
      for (let i = 0; i < times; i++) {
        await at.clock.advance(5_000);
        at.relays[0]!.inject(plain(at, { theme: 'light', font: 14 + i }));
      }
      await laptop!.device.close();
      // Both are shown, one after the other, before the laptop may merge.
      laptop!.way.join();
      const again = await restartedLocked(at, laptop!);
      await at.clock.advance(60_000);
      await again.unlock();
      await at.clock.advance(60_000);
      const both = { theme: 'dark', font: 13 + times };
      expect(await valuesOf(at, [again, phone!])).toEqual([both, both]);
      expect(again.merged).toMatchObject([{ base: 'exact', clashes: [], value: { payload: both } }]);
    },
  );

  test('that is beaten on arrival is merged over the newest that it can have seen', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    laptop!.way.cut();
    await at.clock.advance(5_000);
    at.relays[0]!.inject(plain(at, { theme: 'light', font: 14 }));
    await at.clock.advance(5_000);
    await at.settle(laptop!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'saved' }));
    laptop!.way.join();
    await at.clock.advance(300_000);
    const both = { theme: 'dark', font: 14 };
    expect(await valuesOf(at, [laptop!, phone!])).toEqual([both, both]);
    expect([...laptop!.device.conflicts, ...phone!.device.conflicts]).toEqual([]);
    expect(laptop!.merged.concat(phone!.merged)).toMatchObject([{ clashes: [] }]);
  });
});
