/** A handle while no signer is set: what it shows, and what becomes of edits. */

import { expect, test } from 'vitest';
import {
  defineCategory,
  NostrSyncError,
  secretKeySigner,
  type EditReceipt,
  type Store,
} from '../../src/node.ts';
import { OTHER_KEY, world } from '../sync/devices.ts';
import { eventsSent, LOCKED, lastingStore, shownBy, startDevice, unlocked } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
}
const DEFAULT: Settings = { theme: 'light', font: 14 };
const settings = defineCategory<Settings>({ name: 'settings', default: DEFAULT });
const kept = defineCategory<Settings>({ name: 'settings', default: DEFAULT, whileLocked: 'keep' });

test('nothing of the value is shown while locked, and all of it after that', async () => {
  const at = world({});
  const { device } = startDevice(at);
  const state = device.state(settings);
  await at.settle(state.update({ theme: 'dark' }));
  await at.clock.advance(2_000);
  const shown = shownBy(state);
  await device.clearSigner();
  await at.clock.advance(100);
  expect(state.get()).toEqual(DEFAULT);
  expect(state.meta.get()).toEqual({ status: 'locked' });
  await at.settle(device.setSigner(unlocked()));
  await at.clock.advance(1_000);
  expect(shown).toEqual([DEFAULT, { theme: 'dark', font: 14 }]);
  expect(state.meta.get().status).toBe('synced');
});

test("whileLocked: 'keep' leaves on the screen what was there", async () => {
  const at = world({});
  const { device } = startDevice(at);
  const state = device.state(kept);
  await at.settle(state.update({ theme: 'dark' }));
  await at.clock.advance(2_000);
  const shown = shownBy(state);
  await device.clearSigner();
  await at.clock.advance(100);
  expect(state.get()).toEqual({ theme: 'dark', font: 14 });
  expect(state.meta.get().status).toBe('locked');
  await at.settle(device.setSigner(unlocked()));
  await at.clock.advance(1_000);
  expect(shown).toEqual([]);
});

test('an edit made while locked is sealed, survives a kill, and is made over what there is when unlocked', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, {}, store);
  await at.settle(first.device.state(settings).update({ theme: 'dark', font: 20 }));
  await at.clock.advance(2_000);
  await at.settle(first.device.close());

  const locked = first.restart(LOCKED);
  const receipt: EditReceipt = await at.settle(locked.device.state(settings).update({ font: 99 }));
  expect(receipt).toEqual({ stage: 'sealed' });
  expect(locked.device.state(settings).get()).toEqual({ theme: 'light', font: 99 });
  const drafts = [...(await store.list('draft/'))];
  expect(drafts).toHaveLength(1);
  expect(drafts[0]![1]).not.toContain('font');

  // Killed: it is never closed. Another device changes another field meanwhile.
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  await at.settle(other.update({ theme: 'blue' }));
  const again = locked.restart(LOCKED);
  const state = again.device.state(settings);
  state.subscribe(() => undefined);
  await at.clock.advance(3_500);
  expect(state.meta.get().status).toBe('locked');
  await at.settle(again.device.setSigner(unlocked()));
  await at.clock.advance(10_000);
  expect(state.get()).toEqual({ theme: 'blue', font: 99 });
  expect(other.get()).toEqual({ theme: 'blue', font: 99 });
  expect([...(await store.list('draft/'))]).toEqual([]);
});

test('killed at any moment after the unlock, it is made once: what another device has changed since stays', async () => {
  let madeBefore = 0;
  for (let writes = 0; writes < 6; writes++) {
    const at = world({});
    const store = lastingStore();
    const first = startDevice(at, {}, store);
    await at.settle(first.device.state(settings).update({ font: 20 }));
    await at.clock.advance(2_000);
    await at.settle(first.device.close());
    const locked = first.restart(LOCKED);
    await at.settle(locked.device.state(settings).update({ font: 99 }));

    let left = writes;
    const dying: Store = {
      ...store,
      update: async (...args) => {
        if (left-- <= 0) throw new NostrSyncError('STORE_FAILED', 'killed');
        return store.update(...args);
      },
    };
    const killed = startDevice(at, {}, dying);
    killed.device.state(settings).subscribe(() => undefined);
    await at.clock.advance(10_000);
    killed.way.cut();
    locked.way.cut();
    const other = startDevice(at).device.state(settings);
    await at.settle(other.ready);
    const wasMade = other.get().font === 99;
    madeBefore += wasMade ? 1 : 0;
    if (wasMade) await at.settle(other.update({ font: 20 }));

    const again = startDevice(at, {}, store).device.state(settings);
    again.subscribe(() => undefined);
    await at.clock.advance(10_000);
    for (const { get } of [again, other])
      expect(get().font, `after ${writes} writes`).toBe(wasMade ? 20 : 99);
    expect(
      [...(await store.list('draft/'))].filter(([, box]) => box !== ''),
      `after ${writes} writes`,
    ).toEqual([]);
  }
  expect(madeBefore).toBeGreaterThan(0);
});

test('an edit that waits when the signer goes is sealed, and its call is told so', async () => {
  const at = world({});
  const { device } = startDevice(at);
  const state = device.state(settings);
  await at.settle(state.update({ theme: 'dark' }));
  const edit = state.update({ font: 20 });
  await device.clearSigner();
  expect(await at.settle(edit)).toEqual({ stage: 'sealed' });
  expect(state.get()).toEqual(DEFAULT);
  await at.clock.advance(1_000);
  const second = await at.settle(state.update({ theme: 'blue' }));
  expect(second).toEqual({ stage: 'sealed' });
  await at.settle(device.setSigner(unlocked()));
  await at.clock.advance(5_000);
  expect(state.get()).toEqual({ theme: 'blue', font: 20 });
  // Another theme was there, which was not shown when this one was chosen.
  expect(state.meta.get()).toMatchObject({
    status: 'conflict',
    clashes: [{ path: ['theme'], mine: 'dark', theirs: 'blue' }],
  });
});

test('flush of the engine does not wait for somebody to unlock the app', async () => {
  const at = world({});
  const { device } = startDevice(at);
  const state = device.state(settings);
  await at.settle(state.update({ theme: 'dark' }));
  await at.settle(device.flush());
  await device.clearSigner();
  await at.settle(state.update({ font: 20 }));
  await at.settle(device.flush());
  await at.settle(device.setSigner(unlocked()));
  await at.settle(device.flush());
  expect((await at.settle(device.fetch('settings')))?.payload).toEqual({ theme: 'dark', font: 20 });
});

test('another person who signs in is shown nothing of the one before, and is given no edit of theirs', async () => {
  const at = world({});
  const { device } = startDevice(at);
  const state = device.state(settings);
  await at.settle(state.update({ theme: 'mine' }));
  await at.clock.advance(1_000);
  await device.clearSigner();
  await at.clock.advance(100);
  await at.settle(state.update({ font: 77 }));
  const before = eventsSent(at).length;
  await at.settle(device.setSigner(secretKeySigner(OTHER_KEY)));
  await at.clock.advance(10_000);
  expect(state.get()).toEqual(DEFAULT);
  expect(state.meta.get().status).toBe('synced');
  expect(eventsSent(at).length).toBe(before);
  await at.settle(device.setSigner(unlocked()));
  await at.clock.advance(10_000);
  expect(state.get()).toEqual({ theme: 'mine', font: 77 });
});

test('a device on which nobody was ever signed in keeps edits in memory, until somebody is', async () => {
  const at = world({});
  const { device } = startDevice(at, LOCKED);
  const state = device.state(settings);
  const edit = state.update({ font: 77 });
  await at.clock.advance(10_000);
  expect(state.get().font).toBe(77);
  await at.settle(device.setSigner(unlocked()));
  expect((await at.settle(edit)).eventId).toBeDefined();
});
