/** What one device removes, or lets end, while another edits it. */

import { describe, expect, test } from 'vitest';
import {
  change,
  editApart,
  restarted,
  together,
  valuesOf,
  writtenTo,
  type Apart,
  type Settings,
} from './apart.ts';
import { stored, world, type World } from './devices.ts';

const rivalsOf = async (at: World, { device }: Apart): Promise<unknown> =>
  (await at.settle(device.inspect()))[0]!.rivals;
const whyOf = async (at: World, { device }: Apart): Promise<unknown[]> =>
  (await at.settle(device.history('settings'))).map(({ why }) => why);

describe('of a removal of the category and an edit, which have not seen each other, the newer wins as a whole', () => {
  test('the removal: the edit is told of, and stays in the history', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    await editApart(at, [[laptop!, { theme: 'dark' }]]);
    phone!.way.cut();
    await at.settle(phone!.device.remove('settings'));
    laptop!.way.join();
    phone!.way.join();
    await at.clock.advance(300_000);
    expect(await valuesOf(at, [laptop!, phone!])).toEqual([undefined, undefined]);
    expect(laptop!.device.conflicts).toMatchObject([
      { mine: { payload: { theme: 'dark', font: 12 } }, theirs: { deleted: true } },
    ]);
    expect(await whyOf(at, laptop!)).toEqual(['removed', 'lost', 'own']);
    expect([laptop!.merged, phone!.merged]).toEqual([[], []]);
  });

  test('the edit: the removal is told of, and nothing is merged', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    for (const { way } of [laptop!, phone!]) way.cut();
    await at.settle(phone!.device.remove('settings'));
    await at.clock.advance(2_000);
    await at.settle(laptop!.device.update('settings', change({ theme: 'dark' })));
    laptop!.way.join();
    phone!.way.join();
    await at.clock.advance(300_000);
    expect(await valuesOf(at, [laptop!, phone!])).toEqual(
      Array.from({ length: 2 }, () => ({ theme: 'dark', font: 12 })),
    );
    expect(phone!.device.conflicts).toMatchObject([
      { mine: { deleted: true }, theirs: { payload: { theme: 'dark', font: 12 } }, shown: 'theirs' },
    ]);
    expect(laptop!.device.conflicts).toEqual([]);
    expect([await rivalsOf(at, laptop!), await rivalsOf(at, phone!)]).toEqual([0, 0]);
    expect([laptop!.merged, phone!.merged]).toEqual([[], []]);
  });
});

test('of fields an edit wins over the removal of what it is in; what one removes and the other leaves is removed', async () => {
  const at = world({});
  const value = { editor: { theme: 'light', size: 1 }, old: { a: 1 }, gone: 1, kept: 1 };
  const [laptop, phone] = await together(at, ['laptop', 'phone'], undefined, value);
  for (const { way } of [laptop!, phone!]) way.cut();
  const edited = { editor: { theme: 'dark', size: 1 }, old: { a: 1 }, kept: 1 };
  await at.settle(laptop!.device.publish('settings', edited, { waitFor: 'saved' }));
  await at.clock.advance(2_000);
  await at.settle(phone!.device.publish('settings', { kept: 1 }, { waitFor: 'saved' }));
  laptop!.way.join();
  phone!.way.join();
  await at.clock.advance(90_000);
  const both = { editor: { theme: 'dark', size: 1 }, kept: 1 };
  expect(await valuesOf(at, [laptop!, phone!])).toEqual([both, both]);
  // That the removal of the editor was taken back is told.
  expect(laptop!.merged).toMatchObject([{ base: 'exact', clashes: [{ path: ['editor'] }] }]);
});

describe('a value that ends', () => {
  const seconds = (at: World): number => Math.floor(at.clock.now() / 1000);

  /** Both publish apart, the phone later. */
  async function apart(
    at: World,
    laptopEnds: number | undefined,
    phoneEnds: number | undefined,
  ): Promise<readonly Apart[]> {
    const all = await together(at, ['laptop', 'phone']);
    for (const { way } of all) way.cut();
    const values: [Settings, number | undefined][] = [
      [{ theme: 'dark', font: 12 }, laptopEnds],
      [{ theme: 'light', font: 14 }, phoneEnds],
    ];
    for (const [i, [value, ends]] of values.entries()) {
      const expiration = ends === undefined ? {} : { expiration: seconds(at) + ends };
      await at.settle(all[i]!.device.publish('settings', value, { waitFor: 'saved', ...expiration }));
      await at.clock.advance(2_000);
    }
    return all;
  }
  const endOf = (at: World): number | undefined => {
    const end = stored(at.relays[0]!)[0]!.tags.find(([name]) => name === 'expiration')?.[1];
    return end === undefined ? undefined : Number(end) - seconds(at);
  };
  const BOTH = { theme: 'dark', font: 14 };

  test.each([
    ['at the later of the two', 7_200, 3_600, 7_200],
    ['at the later of the two, which may be the newer', 3_600, 7_200, 7_200],
    ['never if one never does', 3_600, undefined, undefined],
    ['never if the older never does', undefined, 3_600, undefined],
  ])('ends, once it is merged, %s', async (_, laptopEnds, phoneEnds, expected) => {
    const at = world({});
    const all = await apart(at, laptopEnds, phoneEnds);
    for (const { way } of all) way.join();
    await at.clock.advance(60_000);
    expect(await valuesOf(at, all)).toEqual([BOTH, BOTH]);
    if (expected === undefined) expect(endOf(at)).toBeUndefined();
    else expect(Math.abs(endOf(at)! + 66 - expected)).toBeLessThanOrEqual(8);
  });

  /** The laptop's value is on the relay, and the laptop is gone; the phone's is newer. They meet seconds before one of them ends. */
  async function lastMoment(
    at: World,
    laptopEnds: number | undefined,
    phoneEnds: number | undefined,
  ): Promise<Apart> {
    const [laptop, phone] = await apart(at, laptopEnds, phoneEnds);
    const begin = at.clock.now();
    laptop!.way.join();
    await at.settle(laptop!.device.flush());
    await laptop!.device.close();
    await phone!.device.close();
    await at.clock.advance(592_000 - (at.clock.now() - begin));
    const again = await restarted(at, phone!);
    await at.clock.advance(1_000);
    expect(await rivalsOf(at, again)).toBe(1);
    await at.clock.advance(600_000);
    return again;
  }

  test('goes into the history unmerged if it has ended as a rival', async () => {
    const at = world({});
    const phone = await lastMoment(at, 600, undefined);
    expect(await valuesOf(at, [phone])).toEqual([{ theme: 'light', font: 14 }]);
    expect(await rivalsOf(at, phone)).toBe(0);
    expect(await whyOf(at, phone)).toEqual(['own', 'lost', 'received']);
    expect([phone.merged, phone.device.conflicts]).toEqual([[], []]);
    expect(writtenTo(at).size).toBe(3);
  });

  test('counts as removed if it has ended as the head: what was edited beside it is the value then, and that is told', async () => {
    const at = world({});
    const phone = await lastMoment(at, undefined, 598);
    const theirs = { theme: 'dark', font: 12 };
    expect(await valuesOf(at, [phone])).toEqual([theirs]);
    expect(phone.merged).toMatchObject([{ value: { payload: theirs }, clashes: [{ path: [] }] }]);
    // It never ends, as the edit does not.
    expect(stored(at.relays[0]!)[0]!.tags.some(([name]) => name === 'expiration')).toBe(false);
  });
});
