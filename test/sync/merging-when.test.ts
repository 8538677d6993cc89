/** Rivals become one value: by which device, and when. The rows of who merges, and how often. */

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { deviceIdOf } from '../../src/protocol/header.ts';
import {
  change,
  editApart,
  MERGE,
  restarted,
  start,
  together,
  valuesOf,
  writersAt,
  writtenTo,
  type Apart,
} from './apart.ts';
import { world, type World } from './devices.ts';

const BOTH = { theme: 'dark', font: 14 };

/** The laptop's edit is on the relay; the phone, which had not seen it, has written a newer one that no relay has yet. */
async function overwritten(at: World, others: readonly string[] = []): Promise<readonly Apart[]> {
  const all = await together(at, ['laptop', 'phone', ...others]);
  const [laptop, phone] = all;
  phone!.way.cut();
  await at.settle(laptop!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'replicated' }));
  await at.clock.advance(2_000);
  await editApart(at, [[phone!, { font: 14 }]]);
  return all;
}

describe('what was overwritten unseen is merged', () => {
  test('by its author, at once', async () => {
    const at = world({});
    const [laptop, phone, tablet] = await overwritten(at, ['tablet']);
    phone!.way.join();
    const [first, second, ...more] = await writersAt(at, 300_000);
    expect([first?.by, second?.by, more]).toEqual(['phone', 'laptop', []]);
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(100);
    expect(second!.atMs - first!.atMs).toBeLessThanOrEqual(700);
    expect(await valuesOf(at, [laptop!, phone!, tablet!])).toEqual(Array.from({ length: 3 }, () => BOTH));
  });

  test('by its author also after a crash between seeing and merging: rivals are saved with the head', async () => {
    const at = world({});
    const [laptop, phone] = await overwritten(at);
    phone!.way.join();
    await new Promise<void>((seen) => {
      const stop = laptop!.device.on('updated', () => {
        stop();
        seen();
      });
      void at.clock.advance(60_000);
    });
    const rows = await at.settle(laptop!.device.inspect());
    expect(rows).toMatchObject([{ rivals: 1 }]);
    await phone!.device.close();
    const again = await restarted(at, laptop!);
    const writers = await writersAt(at, 60_000);
    expect(writers.map(({ by }) => by)).toEqual(['laptop']);
    expect(await valuesOf(at, [again])).toEqual([BOTH]);
  });

  test('by the device that overwrote it after its wait, if its author is destroyed; a third one that was there loses nothing', async () => {
    const at = world({});
    const [laptop, phone, tablet] = await overwritten(at, ['tablet']);
    await laptop!.device.close();
    phone!.way.join();
    const [first, second, ...more] = await writersAt(at, 300_000);
    expect([first?.by, second?.by, more]).toEqual(['phone', 'phone', []]);
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(7_800);
    expect(second!.atMs - first!.atMs).toBeLessThanOrEqual(16_500);
    expect(await valuesOf(at, [phone!, tablet!])).toEqual([BOTH, BOTH]);
    expect(phone!.merged).toMatchObject([{ base: 'exact', clashes: [], value: { payload: BOTH } }]);
    expect([...phone!.device.conflicts, ...tablet!.device.conflicts]).toEqual([]);
  });

  test('by any other that has seen both, later still, if both are destroyed', async () => {
    const at = world({});
    const [laptop, phone, tablet] = await overwritten(at, ['tablet']);
    await laptop!.device.close();
    phone!.way.join();
    await at.settle(phone!.device.flush());
    await phone!.device.close();
    const [first, ...more] = await writersAt(at, 300_000);
    expect([first?.by, more]).toEqual(['tablet', []]);
    // Since the phone's write came a moment ago.
    expect(first!.atMs).toBeGreaterThanOrEqual(26_000);
    expect(first!.atMs).toBeLessThanOrEqual(60_500);
    expect(await valuesOf(at, [tablet!])).toEqual([BOTH]);
  });
});

test('if the next edit merges, it merges what has waited as well, though this device never had what both had seen', async () => {
  const at = world({});
  const [laptop, phone] = await overwritten(at);
  const { settings } = MERGE.categories!;
  const tablet = start(at, 'tablet', { categories: { settings: { ...settings, settle: 'on-edit' } } });
  await at.settle(tablet.device.fetch('settings'));
  await laptop!.device.close();
  phone!.way.join();
  await at.settle(phone!.device.flush());
  await phone!.device.close();
  const edit = async (size: number): Promise<void> => {
    await at.settle(tablet.device.update('settings', change({ size }), { waitFor: 'saved' }));
  };
  const rivals = async (): Promise<unknown> => (await at.settle(tablet.device.inspect()))[0]!.rivals;
  // The author may be about to merge, and knows better.
  await edit(1);
  expect(await rivals()).toBe(1);
  await at.clock.advance(600_000);
  expect(await rivals()).toBe(1);
  await edit(2);
  expect(await rivals()).toBe(0);
  expect(tablet.merged).toMatchObject([{ base: 'older', value: { payload: { size: 2, font: 14 } } }]);
});

test('three and more at once: the fields of all of them are there in the end, in a few merges', async () => {
  const at = world({});
  const all = await together(at, ['laptop', 'phone', 'tablet', 'desk', 'watch']);
  await editApart(
    at,
    all.map((one) => [one, { [one.name]: one.name }] as const),
  );
  for (const { way } of all) way.join();
  await at.clock.advance(600_000);
  const value = { theme: 'light', font: 12, ...Object.fromEntries(all.map(({ name }) => [name, name])) };
  expect(await valuesOf(at, all)).toEqual(all.map(() => value));
  // The first value, five edits, and no more merges than n - 1, but for those that were under way at the same time.
  expect(writtenTo(at).size).toBeLessThanOrEqual(1 + 5 + 8);
  for (const { device } of all) {
    expect(await at.settle(device.inspect())).toMatchObject([{ rivals: 0 }]);
    expect([device.conflicts, device.errors]).toEqual([[], []]);
  }
});

test('two merge at the same time: the merges are equal, the lower adds nothing, and nothing more is written', async () => {
  const at = world({ latencyMs: 400 });
  // Chance is the same for all.
  const equal = (n: number): Uint8Array => (n === 4 ? new Uint8Array(4).fill(128) : randomBytes(n));
  const all = await together(at, ['laptop', 'phone', 'tablet', 'desk'], { ...MERGE, randomBytes: equal });
  const [laptop, phone, ...witnesses] = all;
  phone!.way.cut();
  await at.settle(laptop!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'replicated' }));
  await at.clock.advance(2_000);
  await laptop!.device.close();
  await editApart(at, [[phone!, { font: 14 }]]);
  phone!.way.join();
  await at.settle(phone!.device.flush());
  await phone!.device.close();
  await at.clock.advance(600_000);
  expect(await valuesOf(at, witnesses)).toEqual([BOTH, BOTH]);
  // The first value, two edits, and a merge of each of the witnesses.
  const writers = [...writtenTo(at).values()].map((event) => deviceIdOf(event));
  expect(writers.sort()).toEqual(['desk', 'laptop', 'laptop', 'phone', 'tablet']);
  for (const { device } of witnesses) {
    expect(await at.settle(device.inspect())).toMatchObject([{ rivals: 0 }]);
    expect(device.conflicts).toEqual([]);
  }
});
