/** A whole value that an app has made of an older one, in a category that merges. */

import { expect, test } from 'vitest';
import { MERGE, start, together, valuesOf } from './apart.ts';
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
