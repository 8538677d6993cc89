/** A whole value that an app has made of an older one, in a category that merges. */

import { expect, test } from 'vitest';
import { memoryStore, type Store } from '../../src/node.ts';
import { change, MERGE, start, together, valuesOf } from './apart.ts';
import { world } from './devices.ts';

test('a whole value is made of one that no socket has carried: what was written after that stays', async () => {
  const at = world({});
  at.relays[0]!.misbehave({ refuseConnections: true });
  const laptop = start(at, 'laptop', MERGE);
  const publish = async (value: object, basedOn?: string): Promise<string> => {
    const options = { waitFor: 'saved', ...(basedOn !== undefined && { basedOn }) } as const;
    return (await at.settle(laptop.device.publish('settings', value, options))).eventId;
  };
  const first = await publish({ a: 1 });
  await publish({ a: 1, b: 1 });
  await publish({ a: 2, b: 1 });
  await publish({ a: 2, b: 2 });
  await publish({ a: 1, c: 1 }, first);
  expect(await valuesOf(at, [laptop])).toEqual([{ a: 2, b: 2, c: 1 }]);
  expect(laptop.merged).toEqual([]);
});

test('a whole value that changes what another device has changed since tells of that', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone'], MERGE);
  const base = await at.settle(laptop!.device.fetch('settings'));
  await at.settle(phone!.device.publish('settings', { theme: 'light', font: 14 }));
  await at.clock.advance(5_000);
  await at.settle(laptop!.device.fetch('settings'));
  const mine = { theme: 'dark', font: 16 };
  await at.settle(laptop!.device.publish('settings', mine, { basedOn: base!.eventId }));
  await at.clock.advance(5_000);
  expect(await valuesOf(at, [laptop!, phone!])).toEqual([mine, mine]);
  expect(laptop!.merged).toMatchObject([
    { base: 'exact', clashes: [{ path: ['font'], base: 12, mine: 14, theirs: 16 }] },
  ]);
});

test('a whole value is made of a head that was saved together with an own write: both edits stay', async () => {
  const at = world({});
  const [phone] = await together(at, ['phone'], MERGE);
  const memory = memoryStore();
  let open = (): void => undefined;
  let gate = Promise.resolve();
  const store: Store = {
    ...memory,
    update: async (keys, decide) => {
      await gate;
      return memory.update(keys, decide);
    },
  };
  const laptop = start(
    at,
    'laptop',
    { categories: { settings: { ...MERGE.categories!['settings'], settle: 'on-edit' } } },
    store,
  );
  await at.settle(laptop.device.fetch('settings'));
  await at.clock.advance(5_000);
  gate = new Promise((resolve) => {
    open = resolve;
  });
  const other = laptop.device.publish('other', 1, { waitFor: 'saved' });
  await at.clock.advance(100);
  const own = laptop.device.update('settings', change({ own: 1 }), { waitFor: 'saved' });
  await at.clock.advance(2_000);
  await at.settle(phone!.device.update('settings', change({ font: 14 })));
  await at.clock.advance(1_000);
  open();
  await at.settle(Promise.all([other, own]));
  const now = await at.settle(laptop.device.fetch('settings'));
  expect(now?.payload).toEqual({ theme: 'light', font: 14 });
  const next = { theme: 'dark', font: 14 };
  await at.settle(laptop.device.publish('settings', next, { basedOn: now!.eventId }));
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 14, own: 1 }]);
  expect(laptop.merged).toMatchObject([{ clashes: [] }]);
});
