/** Versions of an app side by side: who may write, what is shown, and what is never lost. */

import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineCategory, type NostrSyncOptions, type State } from '../../src/node.ts';
import { world, type World } from '../sync/devices.ts';
import { eventsSent, lastingStore, startDevice } from './devices.ts';

const one = defineCategory({
  name: 'settings',
  schema: z.object({ size: z.number() }),
  default: { size: 10 },
});
/** Adds a field. */
const two = defineCategory({
  name: 'settings',
  schema: z.object({ size: z.number(), theme: z.string() }),
  default: { size: 10, theme: 'light' },
  version: 2,
});
/** Has another form. */
const three = defineCategory({
  name: 'settings',
  schema: z.object({ px: z.number(), theme: z.string() }),
  default: { px: 10, theme: 'light' },
  version: 3,
  migrate: {
    3: (value) => {
      const { size, ...rest } = value as { size?: number };
      return size === undefined ? rest : { ...rest, px: size };
    },
  },
});

const tags = (at: World): (readonly string[] | undefined)[] =>
  eventsSent(at).map((event) => event.tags.find(([name]) => name === 'schema')?.slice(1));

const payload = async (at: World, options?: NostrSyncOptions): Promise<unknown> =>
  (await at.settle(startDevice(at, options).device.fetch('settings')))?.payload;

const settled = async (at: World, ...states: readonly Pick<State<unknown>, 'ready'>[]): Promise<void> => {
  for (const state of states) await at.settle(state.ready);
  await at.clock.advance(3_000);
};

test('an older app shows and edits what a newer one has added to, keeps what it does not know, and never says it is older', async () => {
  const at = world({});
  const newer = startDevice(at).device.state(two);
  await at.settle(newer.update({ theme: 'dark' }));
  const older = startDevice(at).device.state(one);
  await settled(at, older);
  expect(older.get()).toEqual({ size: 10 });
  await at.settle(older.update({ size: 20 }));
  await settled(at, newer);
  expect(newer.get()).toEqual({ size: 20, theme: 'dark' });
  expect(tags(at)).toEqual([
    ['2', '1'],
    ['2', '1'],
  ]);
});

test('what an older app wrote is migrated when it is read, and written in the new form with the next edit alone', async () => {
  const at = world({});
  await at.settle(startDevice(at).device.state(one).update({ size: 20 }));
  await at.settle(startDevice(at).device.publish('settings', { size: 21, later: { a: 1 } }));
  const state = startDevice(at).device.state(three);
  await settled(at, state);
  expect(state.get()).toEqual({ px: 21, theme: 'light' });
  await at.clock.advance(600_000);
  expect(eventsSent(at)).toHaveLength(2);
  await at.settle(state.update({ theme: 'dark' }));
  expect(await payload(at)).toEqual({ px: 21, theme: 'dark', later: { a: 1 } });
  expect(tags(at)).toEqual([['1', '1'], undefined, ['3', '3']]);
});

test('an app that a newer one has locked out shows what it last could read, and writes nothing', async () => {
  const at = world({});
  const old = startDevice(at);
  const older = old.device.state(one);
  await at.settle(older.update({ size: 20 }));
  const newer = startDevice(at).device.state(three);
  await settled(at, newer);
  await at.settle(newer.update({ theme: 'dark' }));
  await at.clock.advance(2_000);
  expect(older.get()).toEqual({ size: 20 });
  expect(older.meta.get()).toMatchObject({ status: 'outdated', error: { code: 'SCHEMA_NEWER' } });
  await expect(older.update({ size: 30 })).rejects.toMatchObject({
    code: 'SCHEMA_NEWER',
    details: { category: 'settings', version: 3, writableBy: 3 },
  });
  await expect(older.undo()).rejects.toMatchObject({ code: 'SCHEMA_NEWER' });
  // Nor does the engine, whoever asks.
  await expect(at.settle(old.device.publish('settings', { size: 5 }))).rejects.toMatchObject({
    code: 'SCHEMA_NEWER',
  });
  await at.clock.advance(60_000);
  expect(await payload(at)).toEqual({ px: 20, theme: 'dark' });

  // After a restart, too: its former values are there, and one that the newer app wrote is none of them.
  await at.settle(newer.update({ theme: 'blue' }));
  await at.clock.advance(2_000);
  const again = old.restart().device.state(one);
  await settled(at, again);
  expect(again.get()).toEqual({ size: 20 });
  expect(again.meta.get().status).toBe('outdated');
});

test('an older app that is offline and edits is merged by the newer one, in the new form', async () => {
  const at = world({});
  const [old, fresh] = [startDevice(at), startDevice(at)];
  const older = old.device.state(one);
  const newer = fresh.device.state(three);
  await at.settle(older.update({ size: 20 }));
  await settled(at, newer);
  for (const { way } of [old, fresh]) way.cut();
  await at.clock.advance(1_000);
  await at.settle(older.update({ size: 30 }));
  await at.clock.advance(2_000);
  await at.settle(newer.update({ theme: 'dark' }));
  old.way.join();
  await at.clock.advance(10_000);
  fresh.way.join();
  await at.clock.advance(300_000);
  expect(newer.get()).toEqual({ px: 30, theme: 'dark' });
  expect(await payload(at)).toEqual({ px: 30, theme: 'dark' });
  expect(older.meta.get().status).toBe('outdated');
});

test('an edit that an older app could not get out before the newer one wrote waits on its device for the update', async () => {
  const at = world({});
  const [old, fresh] = [startDevice(at), startDevice(at)];
  const older = old.device.state(one);
  const newer = fresh.device.state(three);
  await at.settle(older.update({ size: 20 }));
  await settled(at, newer);
  old.way.cut();
  await at.clock.advance(1_000);
  await at.settle(older.update({ size: 30 }));
  await at.clock.advance(2_000);
  await at.settle(newer.update({ theme: 'dark' }));
  await at.clock.advance(2_000);
  old.way.join();
  await at.clock.advance(60_000);
  expect(await payload(at)).toEqual({ px: 20, theme: 'dark' });
  const updated = old.restart().device.state(three);
  updated.subscribe(() => undefined);
  await at.clock.advance(60_000);
  expect([updated.get(), newer.get()]).toEqual([
    { px: 30, theme: 'dark' },
    { px: 30, theme: 'dark' },
  ]);
});

test('what is restored is of the version that it was of', async () => {
  const at = world({});
  await at.settle(startDevice(at).device.state(one).update({ size: 20 }));
  const { device } = startDevice(at);
  const state = device.state(three);
  await settled(at, state);
  await at.settle(state.update({ px: 5 }));
  const [, former] = await device.history('settings');
  await at.settle(device.restore('settings', former!.eventId));
  await at.clock.advance(5_000);
  expect(tags(at).at(-1)).toEqual(['1', '1']);
  const again = startDevice(at).device.state(three);
  await settled(at, again);
  expect(again.get()).toEqual({ px: 20, theme: 'light' });
  expect(state.get()).toEqual({ px: 20, theme: 'light' });
});

test('a migration that throws writes nothing, and is told', async () => {
  const at = world({});
  const broken = defineCategory<{ px: number }>({
    name: 'settings',
    default: { px: 1 },
    version: 2,
    migrate: {
      2: () => {
        throw new Error('no');
      },
    },
  });
  await at.settle(startDevice(at).device.publish('settings', { size: 1 }));
  const state = startDevice(at).device.state(broken);
  await settled(at, state);
  expect(state.get()).toEqual({ px: 1 });
  expect(state.meta.get()).toMatchObject({ status: 'error', error: { code: 'INVALID_VALUE' } });
  await expect(state.update({ px: 2 })).rejects.toMatchObject({ code: 'INVALID_VALUE' });
  expect(eventsSent(at)).toHaveLength(1);
});

test('a value of which nothing can be shown: the newest former one is, also after a restart', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, {}, store);
  const state = first.device.state(one);
  await at.settle(state.update({ size: 20 }));
  const other = startDevice(at).device;
  await at.settle(other.fetch('settings'));
  await at.settle(other.publish('settings', 'garbage'));
  await at.clock.advance(3_000);
  expect(state.get()).toEqual({ size: 20 });
  expect(state.meta.get()).toMatchObject({ status: 'invalid', issues: [{ path: [] }] });
  expect(first.device.errors.map(({ code }) => code)).toEqual(['INVALID_VALUE']);
  const again = first.restart().device.state(one);
  await settled(at, again);
  expect(again.get()).toEqual({ size: 20 });
  expect(await payload(at)).toBe('garbage');
  await at.settle(again.update({ size: 21 }));
  expect(await payload(at)).toEqual({ size: 21 });
});
