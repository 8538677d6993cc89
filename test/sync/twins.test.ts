/** Two devices with one id, as a copied profile, a restored backup or an app makes them: found out, and told apart. */

import { describe, expect, test } from 'vitest';
import { memoryStore, type NostrEvent, type Store } from '../../src/node.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import { vectorOf } from '../../src/protocol/header.ts';
import { received, stored, world, type Device, type World } from './devices.ts';

/** What a store holds, in another. */
async function copyOf(store: Store): Promise<Store> {
  const copy = memoryStore();
  const entries = await store.list('');
  await copy.update([...entries.keys()], () => entries);
  return copy;
}

const codes = ({ errors }: Device): string[] => errors.map(({ code }) => code);

/** A device that wrote once, and one with a copy of its store: neither reaches the relay. */
async function twins(
  { clock, relays, urls, device: make, settle }: World,
  options: { readonly deviceId?: string } = {},
): Promise<readonly [Device, Device]> {
  const store = memoryStore();
  const laptop = make({ relays: urls, store, ...options });
  laptop.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'base', { waitFor: 'replicated' }));
  relays[0]!.misbehave({ refuseConnections: true });
  relays[0]!.disconnectAll();
  await clock.advance(1_000);
  const copied = make({ relays: urls, store: await copyOf(store), ...options });
  copied.subscribe(['settings'], () => undefined);
  return [laptop, copied];
}

describe('two devices with one id', () => {
  test.each([{}, { deviceId: 'kiosk' }])(
    'are found out by the write that one has not made, which takes a new id, and keeps it: %o',
    async (options) => {
      const all = world({});
      const { clock, relays, settle } = all;
      const [laptop, copied] = await twins(all, options);
      const { deviceId } = await laptop.getStatus();
      expect((await copied.getStatus()).deviceId).toBe(deviceId);
      await settle(laptop.publish('settings', 'of the laptop'));
      await clock.advance(5_000);
      await settle(copied.publish('settings', 'of the copy'));
      relays[0]!.behave();
      await settle(Promise.all([laptop.flush(), copied.flush()]));
      await clock.advance(2_000);
      // The laptop's write is lost, though the copy's claims to have seen what this id wrote.
      expect(laptop.conflicts).toMatchObject([
        { mine: { payload: 'of the laptop' }, theirs: { payload: 'of the copy' } },
      ]);
      expect(copied.conflicts).toEqual([]);
      const { deviceId: renewed } = await laptop.getStatus();
      expect(renewed).not.toBe(deviceId);
      expect(renewed.startsWith(options.deviceId ?? '')).toBe(true);
      const told = laptop.errors.filter(({ code }) => code === 'DEVICE_ID_TAKEN');
      expect(told).toMatchObject([
        {
          details: {
            category: 'settings',
            eventId: stored(relays[0]!)[0]!.id,
            formerDeviceId: deviceId,
            deviceId: renewed,
          },
        },
      ]);
      expect(codes(copied)).not.toContain('DEVICE_ID_TAKEN');
      // From here on they are two like any others, in both directions.
      for (const [one, other] of [
        [laptop, copied],
        [copied, laptop],
      ] as const) {
        const before = [one.conflicts.length, other.conflicts.length];
        relays[0]!.misbehave({ refuseConnections: true });
        relays[0]!.disconnectAll();
        await clock.advance(1_000);
        await settle(one.publish('settings', 'blind'));
        await clock.advance(5_000);
        await settle(other.publish('settings', 'blind too'));
        relays[0]!.behave();
        await settle(Promise.all([one.flush(), other.flush()]));
        await clock.advance(2_000);
        expect([one.conflicts.length, other.conflicts.length]).toEqual([before[0]! + 1, before[1]!]);
      }
      expect(codes(laptop).filter((code) => code === 'DEVICE_ID_TAKEN')).toHaveLength(1);
      expect(codes(copied)).not.toContain('DEVICE_ID_TAKEN');
    },
  );

  test.each([
    ['write', async (each: Device, i: number) => each.publish('settings', i)],
    ['remove', async (each: Device) => each.remove('settings')],
  ])('are found out if they %s in one second', async (_, act) => {
    const all = world({});
    const { clock, relays, settle } = all;
    const both = await twins(all);
    await settle(Promise.all(both.map(act)));
    relays[0]!.behave();
    await settle(Promise.all(both.map((each) => each.flush())));
    await clock.advance(2_000);
    expect(both.flatMap(codes).filter((code) => code === 'DEVICE_ID_TAKEN')).toHaveLength(1);
    expect(both.flatMap(({ conflicts }) => conflicts)).toHaveLength(1);
  });

  test('keep the new id over a restart', async () => {
    const { clock, relays, urls, device: make, settle } = world({});
    const store = memoryStore();
    const undying = { ...store, close: async () => undefined };
    const own = { relays: urls, deviceId: 'kiosk' };
    let kiosk = make({ ...own, store: undying });
    await settle(kiosk.publish('settings', 'base', { waitFor: 'replicated' }));
    await clock.advance(1_000);
    const other = make({ ...own, store: await copyOf(store) });
    await settle(other.fetch('settings'));
    await settle(other.publish('settings', 'of the other'));
    await settle(kiosk.fetch('settings'));
    await clock.advance(10);
    const { deviceId } = await kiosk.getStatus();
    expect(deviceId).toMatch(/^kiosk-./);
    await kiosk.close();
    kiosk = make({ ...own, store: undying });
    await settle(kiosk.publish('settings', 'of the first'));
    expect((await kiosk.getStatus()).deviceId).toBe(deviceId);
    const [last] = stored(relays[0]!);
    expect([...vectorOf(last!)!.keys()]).toEqual([deviceHash(deviceId), deviceHash('kiosk')]);
    expect(codes(kiosk)).not.toContain('DEVICE_ID_TAKEN');
  });

  test('are found out by its next write, if one ended before it had its new id', async () => {
    const { clock, urls, device: make, settle } = world({});
    const store = memoryStore();
    let isFailing = false;
    const undying: Store = {
      ...store,
      update: async (keys, change) => {
        if (isFailing && keys.some((key) => key.startsWith('device-id'))) throw new Error('the power fails');
        return store.update(keys, change);
      },
      close: async () => undefined,
    };
    const own = { relays: urls, deviceId: 'kiosk' };
    let kiosk = make({ ...own, store: undying });
    await settle(kiosk.publish('settings', 'base', { waitFor: 'replicated' }));
    await clock.advance(1_000);
    const other = make({ ...own, store: await copyOf(store) });
    await settle(other.publish('settings', 'of the other', { waitFor: 'replicated' }));
    isFailing = true;
    await settle(kiosk.fetch('settings'));
    await clock.advance(10_000);
    await kiosk.close();
    isFailing = false;
    kiosk = make({ ...own, store: undying });
    await settle(kiosk.fetch('settings'));
    await settle(kiosk.publish('settings', 'of the first'));
    expect(codes(kiosk)).toEqual(['DEVICE_ID_TAKEN']);
    expect((await kiosk.getStatus()).deviceId).toMatch(/^kiosk-./);
    expect((await settle(kiosk.fetch('settings')))?.deviceId).toMatch(/^kiosk-./);
  });

  test('are two devices from the start where each made its own id', async () => {
    const { relays, device: make, settle } = world({});
    const [laptop, phone] = [make(), make()];
    for (let i = 0; i < 3; i++) for (const each of [laptop, phone]) await settle(each.publish('settings', i));
    expect(stored(relays[0]!)).toHaveLength(1);
    expect([laptop, phone].flatMap(codes)).toEqual([]);
  });
});

describe('a backup that is restored', () => {
  /** A device that wrote, was backed up, and wrote twice more; then its store is the backup's. */
  async function restored(
    { clock, urls, device: make, settle }: World,
    between: (backedUp: Device) => Promise<unknown> = async () => undefined,
  ): Promise<Device> {
    const store = memoryStore();
    const before = make({ relays: urls, store });
    await settle(before.publish('settings', 'in the backup', { waitFor: 'replicated' }));
    await between(before);
    const backup = await copyOf(store);
    for (const payload of ['after it', 'last']) {
      await clock.advance(5_000);
      await settle(before.publish('settings', payload, { waitFor: 'replicated' }));
    }
    await before.close();
    const after = make({ relays: urls, store: backup });
    after.subscribe(['settings'], () => undefined);
    await settle(after.fetch('settings'));
    await clock.advance(10_000);
    return after;
  }

  test('is told once of its write, as its own later ones might be those of a copy that never saw it', async () => {
    const all = world({});
    const device = await restored(all);
    expect(codes(device)).toEqual(['DEVICE_ID_TAKEN']);
    expect(device.conflicts).toMatchObject([
      { mine: { payload: 'in the backup' }, theirs: { payload: 'last' } },
    ]);
    // It goes on from there as any device does.
    await all.settle(device.publish('settings', 'next', { waitFor: 'replicated' }));
    await all.settle(all.device().fetch('settings'));
    await all.clock.advance(60_000);
    expect([codes(device), device.conflicts.length]).toEqual([['DEVICE_ID_TAKEN'], 1]);
  });

  test('is told of nothing where another device had built on its write by then', async () => {
    const all = world({});
    const device = await restored(all, async (backedUp) => {
      const phone = all.device();
      await all.settle(phone.fetch('settings'));
      await all.clock.advance(1_000);
      await all.settle(phone.publish('settings', 'of the phone', { waitFor: 'replicated' }));
      await all.settle(backedUp.fetch('settings'));
    });
    expect([codes(device), device.conflicts]).toEqual([['DEVICE_ID_TAKEN'], []]);
  });
});

describe('one device alone is not taken for two', () => {
  test('where it was reinstalled under the id that the app gives it', async () => {
    const { clock, device: make, settle } = world({});
    for (let i = 0; i < 3; i++) {
      const kiosk = make({ deviceId: 'kiosk' });
      kiosk.subscribe(['settings'], () => undefined);
      await settle(kiosk.publish('settings', i, { waitFor: 'replicated' }));
      await clock.advance(1_000);
      expect(codes(kiosk)).toEqual([]);
      await kiosk.close();
    }
  });

  test('where a write that was withdrawn turns up', async () => {
    const { clock, relays, device: make, settle } = world({});
    const laptop = make();
    laptop.subscribe(['settings'], () => undefined);
    await settle(laptop.publish('settings', 'former'));
    relays[0]!.misbehave({ refuse: 'blocked: no' });
    await expect(settle(laptop.publish('settings', 'refused'))).rejects.toThrow();
    const sent = received(relays[0]!, 'EVENT').map(([, event]) => event as NostrEvent);
    const refused = sent.toSorted((a, b) => b.created_at - a.created_at)[0]!;
    relays[0]!.behave();
    relays[0]!.inject(refused);
    await clock.advance(2_000);
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'refused' });
    expect(codes(laptop)).not.toContain('DEVICE_ID_TAKEN');
  });
});
