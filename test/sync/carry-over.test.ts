/** A device with data of its own joins another key: what comes along, what gives way, and that nothing is overwritten on an unknown. */

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { memoryStore, secretKeySigner, type Signer, type Store } from '../../src/node.ts';
import { mergeBy } from '../../src/merge.ts';
import { KEY, OTHER_KEY, stored, world, type Device, type World } from './devices.ts';

/** A phone with `settings` under a key of its own, on a relay as well, and the signer of the key that it joins. */
async function phone(
  here: World,
  options: Parameters<World['device']>[0] = {},
  value: unknown = { theme: 'light' },
): Promise<{ device: Device; joined: Signer }> {
  const device = here.device({ signer: secretKeySigner(OTHER_KEY), ...options });
  await here.settle(device.publish('settings', value));
  return { device, joined: secretKeySigner(KEY) };
}

/** A laptop that has `settings` under the key that is joined. */
async function laptop(here: World, value: unknown = { theme: 'dark' }): Promise<Device> {
  const device = here.device();
  await here.settle(device.publish('settings', value, { waitFor: 'replicated' }));
  return device;
}

const payload = async (here: World, of: Device, category = 'settings'): Promise<unknown> =>
  (await here.settle(of.fetch(category)))?.payload;
const before = async (of: Device, category = 'settings') =>
  (await of.history(category)).filter(({ why }) => why === 'before-joining');

/** Decided for long. */
const later = (here: World): Promise<void> => here.clock.advance(20_000);

test('what the new key has not comes along, with the time at which it was written', async () => {
  const here = world({}, {});
  const { device, joined } = await phone(here);
  const written = await here.settle(device.fetch('settings'));
  await here.clock.advance(3_600_000);
  const seen: unknown[] = [];
  device.subscribe(['settings'], (result) => seen.push(result.payload));
  await here.settle(device.setSigner(joined, { carryOver: 'missing' }));
  await here.settle(device.flush());
  const other = here.device();
  expect(await here.settle(other.fetch('settings'))).toMatchObject({
    payload: { theme: 'light' },
    updatedAt: written!.updatedAt,
    source: 'relay',
  });
  expect(seen).toEqual([{ theme: 'light' }, { theme: 'light' }]);
  expect([device.errors, device.conflicts]).toEqual([[], []]);
});

test('flush ends once it is decided about everything, without a further call', async () => {
  const here = world({}, {});
  await laptop(here);
  const store = memoryStore();
  const slow: Store = {
    ...store,
    update: async (keys, decide) => {
      await new Promise<void>((resolve) => here.clock.after(300, resolve));
      return store.update(keys, decide);
    },
  };
  const { device, joined } = await phone(here, { store: slow });
  await here.settle(device.setSigner(joined, { carryOver: 'missing' }));
  let isDone = false;
  const done = device.flush().then(() => (isDone = true));
  await later(here);
  expect(isDone).toBe(true);
  await done;
});

test('what the new key has stays, though it is older, and what gave way is in the history', async () => {
  const here = world({}, {});
  const desk = await laptop(here);
  await here.clock.advance(60_000);
  const { device, joined } = await phone(here);
  await here.settle(device.setSigner(joined, { carryOver: 'missing' }));
  await later(here);
  expect(await payload(here, device)).toEqual({ theme: 'dark' });
  expect(await payload(here, desk)).toEqual({ theme: 'dark' });
  // One of each key: the value that gave way was sent to no relay under the new one.
  expect(here.relays.map((relay) => stored(relay).length)).toEqual([2, 2]);
  const [version] = await before(device);
  expect((await here.settle(device.readVersion('settings', version!.eventId))).payload).toEqual({
    theme: 'light',
  });
  expect(device.conflicts).toMatchObject([
    {
      category: 'settings',
      mine: { payload: { theme: 'light' } },
      theirs: { payload: { theme: 'dark' } },
      shown: 'theirs',
    },
  ]);
  await here.settle(device.restore('settings', version!.eventId));
  await later(here);
  expect(await payload(here, desk)).toEqual({ theme: 'light' });
});

test('nothing is overwritten on an unknown: as long as one relay is silent nothing goes out', async () => {
  const here = world({}, {});
  const desk = await laptop(here);
  const { device, joined } = await phone(here);
  // The relay that is silent is the one that knows.
  await here.settle(device.publish('notes', 'mine', { waitFor: 'replicated' }));
  here.relays[0]!.misbehave({ receive: (frame) => (frame[0] === 'REQ' ? 'ignore' : undefined) });
  here.relays[1]!.misbehave({ rewrite: (frame) => (frame[0] === 'EVENT' ? [] : [frame]) });
  const before1 = here.relays.map((relay) => relay.events().length);
  await here.settle(device.setSigner(joined, { carryOver: 'missing' }));
  await here.clock.advance(120_000);
  expect(here.relays.map((relay) => relay.events().length)).toEqual(before1);
  expect(device.errors.map(({ code }) => code)).toEqual(['NO_RELAYS_REACHABLE']);
  // It is shown as what this device knows, and is in the history.
  expect(await here.settle(device.fetch('settings'))).toMatchObject({
    payload: { theme: 'light' },
    pending: true,
  });
  expect(await before(device)).toHaveLength(1);
  await expect(here.settle(device.update('settings', () => 'mine'))).rejects.toMatchObject({
    code: 'NO_RELAYS_REACHABLE',
    details: { silent: [here.urls[0]] },
  });
  for (const relay of here.relays) relay.behave();
  await here.clock.advance(400_000);
  expect(await payload(here, device)).toEqual({ theme: 'dark' });
  expect(await payload(here, desk)).toEqual({ theme: 'dark' });
  expect(await payload(here, desk, 'notes')).toBe('mine');
  expect(await before(device)).toHaveLength(1);
});

test('a device that is killed in between goes on with the new key alone', async () => {
  const here = world({});
  const store = memoryStore();
  const keeping: Store = { ...store, close: async () => undefined };
  const { device, joined } = await phone(here, { store: keeping });
  const large = randomBytes(45_000).toString('base64');
  await here.settle(device.publish('large', large, { waitFor: 'replicated' }));
  here.relays[0]!.misbehave({ receive: () => 'ignore' });
  await here.settle(device.setSigner(joined, { carryOver: 'missing' }));
  expect((await device.getStatus()).pendingChanges).toBe(2);
  await device.close();
  here.relays[0]!.behave();
  const again = here.device({ store: keeping, signer: secretKeySigner(KEY) });
  await here.settle(again.flush());
  const other = here.device();
  expect(await payload(here, other)).toEqual({ theme: 'light' });
  expect(await payload(here, other, 'large')).toBe(large);
  expect((await store.list('carried/')).size).toBe(0);
});

test('killed at any write to its store, a device has its values under the one key or under the other', async () => {
  let isOver = false;
  for (let writes = 0; !isOver; writes++) {
    const here = world({});
    const desk = await laptop(here);
    const store = memoryStore();
    let left = Infinity;
    let die: (error: Error) => void = () => undefined;
    const dead = new Promise<never>((_, reject) => (die = reject));
    dead.catch(() => undefined);
    const dying: Store = {
      ...store,
      update: async (...update) => (left-- > 0 ? store.update(...update) : dead),
      close: async () => undefined,
    };
    const { device } = await phone(here, { store: dying });
    await here.settle(device.publish('notes', 'mine', { waitFor: 'replicated' }));
    left = writes;
    let isJoined = false;
    const joining = device.setSigner(secretKeySigner(KEY), { carryOver: 'missing' });
    joining.then(
      () => (isJoined = true),
      () => undefined,
    );
    await here.clock.advance(5_000);
    isOver = left > 0;
    die(new Error('dead'));
    await here.settle(device.close());
    const again = here.device({ store: { ...store, close: async () => undefined } });
    if (!isJoined) {
      // The app kept the former key until then.
      await here.settle(again.setSigner(secretKeySigner(OTHER_KEY)));
      expect(await payload(here, again)).toEqual({ theme: 'light' });
      await here.settle(again.setSigner(secretKeySigner(KEY), { carryOver: 'missing' }));
    }
    await later(here);
    expect(await payload(here, desk), `${writes} writes`).toEqual({ theme: 'dark' });
    expect(await payload(here, desk, 'notes'), `${writes} writes`).toBe('mine');
    const [version] = await before(again);
    const kept = await here.settle(again.readVersion('settings', version!.eventId));
    expect(kept.payload).toEqual({ theme: 'light' });
    expect((await store.list('carried/')).size).toBe(0);
    expect(writes).toBeLessThan(20);
  }
});

test('a store that does not take what is carried leaves the former key at work', async () => {
  const here = world({});
  const store = memoryStore();
  const failing: Store = {
    ...store,
    update: (keys, decide) =>
      store.update(keys, (current) => {
        const changes = decide(current);
        if ([...changes.keys()].some((key) => key.startsWith('carried/'))) throw new Error('full');
        return changes;
      }),
  };
  const { device, joined } = await phone(here, { store: failing });
  await expect(here.settle(device.setSigner(joined, { carryOver: 'missing' }))).rejects.toThrow('full');
  expect(await payload(here, device)).toEqual({ theme: 'light' });
  expect(await here.settle(device.getPubkey())).toBe(await secretKeySigner(OTHER_KEY).getPublicKey());
});

test('a large value that gives way is kept with its pieces', async () => {
  const here = world({});
  await laptop(here);
  const large = randomBytes(45_000).toString('base64');
  const { device, joined } = await phone(here, {}, large);
  await here.settle(device.setSigner(joined, { carryOver: 'missing' }));
  await later(here);
  const [version] = await before(device);
  expect((await here.settle(device.readVersion('settings', version!.eventId))).payload).toBe(large);
});

test('a category that merges is merged, and what both say is that of the new key', async () => {
  const here = world({});
  const categories = { settings: { merge: mergeBy() } };
  const desk = await laptop(here, { theme: 'dark', size: 12 });
  const { device, joined } = await phone(here, { categories }, { theme: 'light', font: 'serif' });
  const seen: unknown[] = [];
  await here.settle(device.setSigner(joined, { carryOver: 'missing' }));
  device.subscribe(['settings'], (result) => seen.push(result.payload));
  await later(here);
  expect(await payload(here, desk)).toEqual({ theme: 'dark', size: 12, font: 'serif' });
  expect(seen.at(-1)).toEqual({ theme: 'dark', size: 12, font: 'serif' });
  expect(await before(device)).toHaveLength(1);
  expect(device.conflicts).toEqual([]);
});

test('a function of the app makes one value of two, and is not asked for what the new key has not', async () => {
  const here = world({});
  const desk = await laptop(here, { theme: 'dark' });
  const { device, joined } = await phone(here);
  await here.settle(device.publish('notes', 'mine'));
  const asked: unknown[] = [];
  const carryOver = (...args: unknown[]): unknown => {
    asked.push(args);
    return 'of both';
  };
  await here.settle(device.setSigner(joined, { carryOver }));
  await later(here);
  expect(asked).toEqual([['settings', { theme: 'light' }, { theme: 'dark' }]]);
  expect(await payload(here, desk)).toBe('of both');
  expect(await payload(here, desk, 'notes')).toBe('mine');
  expect(await before(device)).toHaveLength(1);
});

test('without the former signer nothing changes: its values could not be read', async () => {
  const here = world({});
  const { device, joined } = await phone(here);
  await device.clearSigner();
  await expect(here.settle(device.setSigner(joined, { carryOver: 'missing' }))).rejects.toMatchObject({
    code: 'SIGNER_NOT_SET',
  });
  await here.settle(device.setSigner(secretKeySigner(OTHER_KEY)));
  expect(await payload(here, device)).toEqual({ theme: 'light' });
});

test('a new signer that says no leaves the former one at work', async () => {
  const here = world({});
  const { device, joined } = await phone(here);
  const refusing: Signer = {
    ...joined,
    isLocal: true,
    nip44: { ...joined.nip44, encrypt: async () => Promise.reject(new Error('no')) },
  };
  await expect(here.settle(device.setSigner(refusing, { carryOver: 'missing' }))).rejects.toMatchObject({
    code: 'ENCRYPTION_FAILED',
  });
  expect(await here.settle(device.getPubkey())).toBe(await secretKeySigner(OTHER_KEY).getPublicKey());
  await here.settle(device.publish('settings', 'again'));
  expect(await payload(here, device)).toBe('again');
});

test('locked in between, what is absent comes along, and what the new key has stays', async () => {
  const here = world({});
  const desk = await laptop(here);
  const { device, joined } = await phone(here);
  await here.settle(device.publish('notes', 'mine'));
  const joining = device.setSigner(joined, { carryOver: 'missing' });
  await here.settle(joining);
  await device.clearSigner();
  await here.settle(device.flush());
  expect(await payload(here, desk)).toEqual({ theme: 'dark' });
  expect(await payload(here, desk, 'notes')).toBe('mine');
  expect(await before(device)).toHaveLength(1);
});

test('without carryOver no value goes from one key to the other', async () => {
  const here = world({});
  const { device } = await phone(here);
  for (const options of [undefined, {}, { carryOver: 'none' } as const]) {
    await here.settle(device.setSigner(secretKeySigner(KEY), options));
    await later(here);
    expect(await here.settle(device.fetch('settings'))).toBeNull();
    await here.settle(device.setSigner(secretKeySigner(OTHER_KEY)));
  }
});

test.each([[null], [{ carryOver: 'all' }], [{ carry: 'missing' }]])('misuse is told: %j', async (options) => {
  const here = world({});
  const { device, joined } = await phone(here);
  await expect(device.setSigner(joined, options as never)).rejects.toThrow(TypeError);
  expect(await payload(here, device)).toEqual({ theme: 'light' });
});
