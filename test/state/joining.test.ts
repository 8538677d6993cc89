/** A device joins another key: what handles keep beside the value comes along, and replaces nothing. */

import { expect, test } from 'vitest';
import {
  defineCategory,
  secretKeySigner,
  type NostrSyncOptions,
  type Signer,
  type Store,
} from '../../src/node.ts';
import { KEY, OTHER_KEY, PUBKEY, world } from '../sync/devices.ts';
import { eventsSent, LOCKED, lastingStore, startDevice } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
  window: number;
}
const DEFAULT: Settings = { theme: 'light', font: 14, window: 0 };
const settings = defineCategory<Settings>({ name: 'settings', default: DEFAULT, local: ['window'] });
const device = defineCategory<Settings>({ name: 'device', default: DEFAULT, local: true });

/** The key that the device begins with, and the one that it joins. */
const own = (): Signer => secretKeySigner(OTHER_KEY);
const joined = (): Signer => secretKeySigner(KEY);
const asOwn = (): NostrSyncOptions => ({ signer: own() });
const JOIN = { carryOver: 'missing' } as const;

const keysOf = async (store: Store, prefix: string): Promise<readonly string[]> => [
  ...(await store.list(prefix)).keys(),
];

test('local fields and local categories come along, handles that are open show them, and no relay gets them', async () => {
  const at = world({});
  const store = lastingStore();
  const here = startDevice(at, asOwn(), store);
  const state = here.device.state(settings);
  await at.settle(state.update({ theme: 'dark', window: 654321 }));
  await at.settle(here.device.state(device).update({ font: 765432 }));
  await at.settle(here.device.setSigner(joined(), JOIN));
  await at.settle(here.device.flush());
  await at.clock.advance(20_000);
  expect(state.get()).toEqual({ theme: 'dark', font: 14, window: 654321 });
  expect(here.device.state(device).get()).toEqual({ ...DEFAULT, font: 765432 });
  await at.settle(here.device.close());
  // Without the former key, and as ciphertext.
  const text = JSON.stringify([...(await store.list(`local/${PUBKEY}/`))]);
  expect(text).not.toMatch(/654321|765432/);
  const again = here.restart();
  const states = [again.device.state(settings), again.device.state(device)] as const;
  await at.settle(Promise.all(states.map(({ ready }) => ready)));
  expect(states.map((one) => one.get())).toEqual([
    { theme: 'dark', font: 14, window: 654321 },
    { ...DEFAULT, font: 765432 },
  ]);
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get()).toEqual({ ...DEFAULT, theme: 'dark' });
});

test('they come along if they are all that there is, and with no handle open', async () => {
  const at = world({});
  const store = lastingStore();
  const here = startDevice(at, asOwn(), store);
  await at.settle(here.device.state(device).update({ font: 20 }));
  await at.settle(here.device.close());
  const again = here.restart(asOwn()).device;
  await at.settle(again.setSigner(joined(), JOIN));
  await at.settle(again.state(device).ready);
  expect(again.state(device).get().font).toBe(20);
  expect(eventsSent(at)).toEqual([]);
});

test('what the key that is joined has on this device stays', async () => {
  const at = world({});
  const store = lastingStore();
  const before = startDevice(at, {}, store);
  await at.settle(before.device.state(device).update({ theme: 'theirs' }));
  await at.settle(before.device.close());
  const here = before.restart(asOwn()).device;
  const state = here.state(device);
  await at.settle(state.update({ theme: 'mine', font: 20 }));
  await at.settle(here.setSigner(joined(), JOIN));
  await at.clock.advance(1_000);
  expect(state.get()).toEqual({ ...DEFAULT, theme: 'theirs' });
  // And that of the former key waits for it.
  await at.settle(here.setSigner(own()));
  await at.clock.advance(1_000);
  expect(state.get()).toEqual({ ...DEFAULT, theme: 'mine', font: 20 });
});

/** A device with an edit of the own key that was made while locked, and that no handle has taken in. */
async function withSealedEdit(
  at: ReturnType<typeof world>,
  edit: Partial<Settings>,
): Promise<ReturnType<typeof startDevice>> {
  const store = lastingStore();
  const first = startDevice(at, asOwn(), store);
  await at.settle(first.device.state(settings).update({ font: 15, window: 3 }));
  await at.settle(first.device.close());
  const locked = first.restart(LOCKED);
  expect(await at.settle(locked.device.state(settings).update(edit))).toEqual({ stage: 'sealed' });
  await at.settle(locked.device.close());
  expect(await keysOf(store, 'draft/')).toHaveLength(1);
  const again = locked.restart(asOwn());
  await at.settle(again.device.setSigner(joined(), JOIN));
  return again;
}

test('an edit that waits for the former key is made under the new one, over what came along', async () => {
  const at = world({});
  const here = await withSealedEdit(at, { theme: 'dark' });
  await at.settle(here.device.flush());
  const state = here.device.state(settings);
  await at.settle(state.ready);
  await at.clock.advance(20_000);
  expect(state.get()).toEqual({ theme: 'dark', font: 15, window: 3 });
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get()).toEqual({ ...DEFAULT, theme: 'dark', font: 15 });
});

test('of a field that the former key had another value of, and of one that stays here', async () => {
  const at = world({});
  const here = await withSealedEdit(at, { font: 20, window: 7 });
  const state = here.device.state(settings);
  await at.settle(state.ready);
  await at.clock.advance(20_000);
  expect(state.get()).toEqual({ ...DEFAULT, font: 20, window: 7 });
  expect(state.meta.get().clashes).toBeUndefined();
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get()).toEqual({ ...DEFAULT, font: 20 });
});

test('it gives way to what the new key has of the same field, which is told; the fields that are absent there come along', async () => {
  const at = world({});
  await at.settle(startDevice(at).device.publish('settings', { theme: 'theirs' }, { waitFor: 'replicated' }));
  const here = await withSealedEdit(at, { theme: 'mine', font: 16 });
  const state = here.device.state(settings);
  await at.settle(state.ready);
  await at.clock.advance(20_000);
  expect(state.get()).toMatchObject({ theme: 'theirs', font: 16 });
  expect(state.meta.get()).toMatchObject({
    status: 'conflict',
    clashes: expect.arrayContaining([
      expect.objectContaining({ path: ['theme'], mine: 'mine', theirs: 'theirs' }),
    ]),
  });
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get()).toMatchObject({ theme: 'theirs' });
});

test('nothing of it is sent on an unknown: as long as no relay has said what the new key has, it waits', async () => {
  const at = world({});
  await at.settle(startDevice(at).device.publish('settings', { theme: 'theirs' }, { waitFor: 'replicated' }));
  const before = eventsSent(at).length;
  const store = lastingStore();
  const first = startDevice(at, asOwn(), store);
  first.way.cut();
  await at.settle(first.device.state(device).update({ font: 15 }));
  await at.settle(first.device.close());
  const locked = first.restart(LOCKED);
  locked.way.cut();
  await at.settle(locked.device.state(settings).update({ theme: 'mine' }));
  await at.settle(locked.device.close());
  const here = locked.restart({ signer: undefined as never });
  here.way.cut();
  await at.settle(here.device.setSigner(own()));
  await at.settle(here.device.setSigner(joined(), JOIN));
  const state = here.device.state(settings);
  void state.ready;
  await at.clock.advance(60_000);
  expect(state.get().theme).toBe('light');
  expect(eventsSent(at)).toHaveLength(before);
  here.way.join();
  await at.clock.advance(120_000);
  expect(state.get().theme).toBe('theirs');
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get().theme).toBe('theirs');
});

test('nor while a value that came along waits to be decided about', async () => {
  const at = world({});
  await at.settle(startDevice(at).device.publish('settings', { theme: 'theirs' }, { waitFor: 'replicated' }));
  const store = lastingStore();
  const first = startDevice(at, asOwn(), store);
  first.way.cut();
  await at.settle(first.device.state(settings).update({ theme: 'own', font: 15 }));
  await at.settle(first.device.close());
  const locked = first.restart(LOCKED);
  locked.way.cut();
  await at.settle(locked.device.state(settings).update({ theme: 'mine' }));
  await at.settle(locked.device.close());
  const here = locked.restart(asOwn());
  here.way.cut();
  await at.settle(here.device.setSigner(joined(), JOIN));
  const state = here.device.state(settings);
  void state.ready;
  await at.clock.advance(30_000);
  expect(state.get()).toMatchObject({ theme: 'own', font: 15 });
  here.way.join();
  await at.clock.advance(120_000);
  expect(state.get()).toMatchObject({ theme: 'theirs', font: 15 });
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get().theme).toBe('theirs');
});

test('an edit that is made while another key takes the place is kept for the one that was there', async () => {
  const at = world({});
  const here = startDevice(at, asOwn());
  const state = here.device.state(settings);
  await at.settle(state.update({ theme: 'dark' }));
  const joining = here.device.setSigner(joined(), JOIN);
  await Promise.resolve();
  const edit = state.update({ font: 20 });
  await at.settle(joining);
  expect(await at.settle(edit)).toEqual({ stage: 'sealed' });
  await at.settle(here.device.setSigner(own()));
  await at.clock.advance(10_000);
  expect(state.get()).toMatchObject({ theme: 'dark', font: 20 });
});

test.each(['clear', 'keep'] as const)(
  'an edit that waits when another signer is set waits for the one before it (whileLocked: %s)',
  async (whileLocked) => {
    const at = world({});
    const here = startDevice(at, asOwn());
    const kept = defineCategory<Settings>({ name: 'settings', default: DEFAULT, whileLocked });
    const state = here.device.state(kept);
    await at.settle(state.update({ theme: 'dark' }));
    const edit = state.update({ font: 20 });
    await at.settle(here.device.setSigner(joined()));
    expect(await at.settle(edit)).toEqual({ stage: 'sealed' });
    expect(state.get()).toEqual(DEFAULT);
    await at.settle(here.device.setSigner(own()));
    await at.clock.advance(10_000);
    expect(state.get()).toMatchObject({ theme: 'dark', font: 20 });
  },
);

test('an edit that waits for the debounce while the device joins is not lost', async () => {
  const at = world({});
  const here = startDevice(at, asOwn());
  const state = here.device.state(settings);
  await at.settle(state.ready);
  const edit = state.update({ theme: 'dark' });
  await at.settle(here.device.setSigner(joined(), JOIN));
  expect((await at.settle(edit)).stage).not.toBe('none');
  await at.settle(here.device.flush());
  await at.clock.advance(20_000);
  expect(state.get().theme).toBe('dark');
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get().theme).toBe('dark');
});

test('data of before syncing is not taken in again: a field that was reset since stays so', async () => {
  const at = world({});
  const adopting = defineCategory<{ name?: string | undefined }>({
    ...{ name: 'settings', default: {}, adopt: { value: () => ({ name: 'old' }) } },
  });
  const here = startDevice(at, asOwn());
  const state = here.device.state(adopting);
  await at.settle(state.ready);
  await at.clock.advance(3_000);
  expect(state.get()).toEqual({ name: 'old' });
  await at.settle(state.reset('name'));
  await at.settle(here.device.setSigner(joined(), JOIN));
  await at.clock.advance(20_000);
  expect(state.get()).toEqual({});
});

test('without the former signer, and if it fails, nothing changes', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, asOwn(), store);
  await at.settle(first.device.state(device).update({ font: 15 }));
  await at.settle(first.device.close());
  const locked = first.restart(LOCKED);
  await expect(at.settle(locked.device.setSigner(joined(), JOIN))).rejects.toMatchObject({
    code: 'SIGNER_NOT_SET',
  });
  const failing: Signer = {
    ...own(),
    isLocal: false,
    nip44: { ...own().nip44, decrypt: () => Promise.reject(new Error('no')) },
  };
  await at.settle(locked.device.setSigner(failing));
  await expect(at.settle(locked.device.setSigner(joined(), JOIN))).rejects.toMatchObject({
    code: 'DECRYPTION_FAILED',
  });
  expect(await keysOf(store, `local/${PUBKEY}/`)).toEqual([]);
  await at.settle(locked.device.setSigner(own()));
  await at.settle(locked.device.state(device).ready);
  expect(locked.device.state(device).get().font).toBe(15);
});

test('what nobody can open is left where it is, and holds up nothing', async () => {
  const at = world({});
  const store = lastingStore();
  const first = startDevice(at, asOwn(), store);
  await at.settle(first.device.state(device).update({ font: 15 }));
  await at.settle(first.device.close());
  const [key] = await keysOf(store, 'local/');
  const by = PUBKEY;
  for (const [name, text] of [
    ['broken', JSON.stringify({ by, parts: ['AgAA'] })],
    ['garbage', 'garbage'],
    ['empty', ''],
  ] as const)
    await store.update([], () => new Map([[key!.replace('device', name), text]]));
  const again = first.restart(asOwn()).device;
  await at.settle(again.setSigner(joined(), JOIN));
  expect(await keysOf(store, `local/${PUBKEY}/`)).toHaveLength(1);
  await at.settle(again.state(device).ready);
  expect(again.state(device).get().font).toBe(15);
});
