/** A whole value that an app has made of an older one, in a category that merges. */

import { expect, test } from 'vitest';
import { NostrSyncError } from '../../src/errors.ts';
import { mergeBy } from '../../src/merge.ts';
import {
  memoryStore,
  secretKeySigner,
  type NostrSyncOptions,
  type Signer,
  type Store,
} from '../../src/node.ts';
import type { Conflict } from '../../src/sync/events.ts';
import { change, editApart, MERGE, restarted, start, together, valuesOf, type Apart } from './apart.ts';
import { KEY, world, type World } from './devices.ts';

const ON_EDIT: NostrSyncOptions = { categories: { settings: { merge: mergeBy(), settle: 'on-edit' } } };

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
  const laptop = start(at, 'laptop', ON_EDIT, store);
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

/** A store that can fail to give former values. It outlives its device. */
function failing(): { readonly store: Store; readonly fail: (isFailing: boolean) => void } {
  const memory = memoryStore();
  let isFailing = false;
  const store: Store = {
    ...memory,
    close: async () => Promise.resolve(),
    get: async (key) => {
      if (isFailing && key.startsWith('version/')) throw new NostrSyncError('STORE_FAILED', 'a bad sector');
      return memory.get(key);
    },
  };
  return {
    store,
    fail: (is) => {
      isFailing = is;
    },
  };
}

test('a whole value is not written while the store fails to give what this device wrote before it', async () => {
  const at = world({});
  const [phone] = await together(at, ['phone'], ON_EDIT);
  const { store, fail } = failing();
  const first = start(at, 'laptop', ON_EDIT, store);
  await at.settle(first.device.fetch('settings'));
  await editApart(at, [
    [first, { own: 1 }],
    [phone!, { font: 14 }],
  ]);
  for (const { way } of [phone!, first]) way.join();
  await at.clock.advance(60_000);
  const laptop = await restarted(at, first, ON_EDIT);
  const now = await at.settle(laptop.device.fetch('settings'));
  expect(now?.payload).toEqual({ theme: 'light', font: 14 });
  const publish = async (): Promise<unknown> =>
    laptop.device.publish('settings', { theme: 'dark', font: 14 }, { basedOn: now!.eventId });
  fail(true);
  await expect(at.settle(publish())).rejects.toMatchObject({ code: 'STORE_FAILED' });
  fail(false);
  await at.settle(publish());
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 14, own: 1 }]);
});

test('nor one of before that, while it fails to give what else is to be merged', async () => {
  const at = world({});
  const [phone] = await together(at, ['phone'], ON_EDIT);
  const { store, fail } = failing();
  const first = start(at, 'laptop', ON_EDIT, store);
  const before = await at.settle(first.device.fetch('settings'));
  await editApart(at, [
    [phone!, { font: 14 }],
    [first, { own: 1 }],
  ]);
  for (const { way } of [phone!, first]) {
    way.join();
    await at.clock.advance(30_000);
  }
  const laptop = await restarted(at, first, ON_EDIT);
  const publish = async (): Promise<unknown> =>
    laptop.device.publish('settings', { theme: 'dark', font: 12 }, { basedOn: before!.eventId });
  fail(true);
  await expect(at.settle(publish())).rejects.toMatchObject({ code: 'STORE_FAILED' });
  fail(false);
  await at.settle(publish());
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 14, own: 1 }]);
});

/** While a signer takes its time to be set, the phone's edit arrives; then the laptop's call, which was made before, goes on. */
async function publishedWhileUnlocking(options: NostrSyncOptions): Promise<{
  readonly at: World;
  readonly laptop: Apart;
  readonly conflicts: Conflict[];
}> {
  const at = world({});
  const [laptop, phone] = (await together(at, ['laptop', 'phone'], options)) as [Apart, Apart];
  const conflicts: Conflict[] = [];
  phone.device.on('conflict', (conflict) => conflicts.push(conflict));
  let unlock = (): void => undefined;
  const isUnlocked = new Promise<void>((resolve) => (unlock = resolve));
  const signer = secretKeySigner(KEY);
  const slow: Signer = { ...signer, getPublicKey: async () => isUnlocked.then(() => signer.getPublicKey()) };
  const unlocking = laptop.device.setSigner(slow);
  const publishing = laptop.device.publish('settings', { theme: 'dark', font: 12 });
  await at.settle(phone.device.publish('settings', { theme: 'light', font: 14 }));
  await at.clock.advance(5_000);
  unlock();
  await at.settle(Promise.all([unlocking, publishing]));
  await at.clock.advance(5_000);
  return { at, laptop, conflicts };
}

test('a whole value is made of what the app had at the call, not of what came while a signer was set', async () => {
  const { at, laptop } = await publishedWhileUnlocking(MERGE);
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 14 }]);
});

test('without merging the device is told whose value that has beaten', async () => {
  const { at, laptop, conflicts } = await publishedWhileUnlocking({});
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 12 }]);
  expect(conflicts).toMatchObject([{ shown: 'theirs', mine: { payload: { theme: 'light', font: 14 } } }]);
});

test('whole values that wait together with a restore change what was restored, each of them', async () => {
  const at = world({});
  let sign = (): void => undefined;
  let turn = Promise.resolve();
  const signer = secretKeySigner(KEY);
  const slow: Signer = { ...signer, signEvent: async (event) => turn.then(() => signer.signEvent(event)) };
  const [laptop] = (await together(at, ['laptop'], { ...MERGE, signer: slow })) as [Apart];
  const { device } = laptop;
  const { eventId: old } = (await at.settle(device.fetch('settings')))!;
  const { eventId: basedOn } = await at.settle(device.publish('settings', { theme: 'dark', font: 16 }));
  await at.clock.advance(5_000);
  turn = new Promise((resolve) => (sign = resolve));
  const first = device.publish('settings', { theme: 'dark', font: 18 });
  await at.clock.advance(100);
  const restoring = device.restore('settings', old);
  await at.clock.advance(100);
  const all = [
    device.publish('settings', { theme: 'dark', font: 16, size: 1 }, { basedOn }),
    device.publish('settings', { theme: 'dark', font: 16, wrap: true }, { basedOn }),
  ];
  await at.clock.advance(100);
  sign();
  await at.settle(Promise.all([first, restoring, ...all]));
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'light', font: 12, size: 1, wrap: true }]);
});

test('a whole value that waits behind a restore, and was made of what came in since, takes away what it has taken away', async () => {
  const at = world({});
  let sign = (): void => undefined;
  let turn = Promise.resolve();
  const signer = secretKeySigner(KEY);
  const slow: Signer = { ...signer, signEvent: async (event) => turn.then(() => signer.signEvent(event)) };
  const [laptop, phone] = (await together(at, ['laptop', 'phone'], MERGE)) as [Apart, Apart];
  await at.settle(laptop.device.setSigner(slow));
  const { device } = laptop;
  const { eventId: old } = (await at.settle(device.fetch('settings')))!;
  await at.settle(phone.device.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  turn = new Promise((resolve) => (sign = resolve));
  const first = device.restore('settings', old);
  await at.clock.advance(100);
  const second = device.restore('settings', old);
  await at.clock.advance(100);
  await at.settle(phone.device.update('settings', change({ font: 14 })));
  await at.clock.advance(100);
  const { eventId: basedOn } = (await at.settle(device.fetch('settings')))!;
  const last = device.publish('settings', { theme: 'dark' }, { basedOn });
  await at.clock.advance(100);
  sign();
  await at.settle(Promise.all([first, second, last]));
  await at.clock.advance(5_000);
  const now = { theme: 'light' };
  expect(await valuesOf(at, [laptop, phone])).toEqual([now, now]);
});
