/** What an app writes in a category that merges: on what it is made, what it says that it has seen, and what goes with it. */

import { describe, expect, test } from 'vitest';
import { secretKeySigner, type NostrSyncOptions, type Signer } from '../../src/node.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import { vectorOf } from '../../src/protocol/header.ts';
import { change, editApart, MERGE, restarted, start, together, valuesOf, type Apart } from './apart.ts';
import { KEY, stored, world, type Device, type World } from './devices.ts';

/** A signer that takes its time for each event. */
function slowly(at: World, ms: number): Signer {
  const signer = secretKeySigner(KEY);
  return {
    ...signer,
    signEvent: async (event) => {
      await new Promise<void>((resolve) => void at.clock.after(ms, resolve));
      return signer.signEvent(event);
    },
  };
}

describe('an update', () => {
  test.each([
    ['in a category that merges', MERGE],
    ['in any other', {}],
  ])('is run again if the head moved before it was saved, %s', async (_, options) => {
    const at = world({});
    const [phone] = await together(at, ['phone'], options);
    const laptop = start(at, 'laptop', { ...options, signer: slowly(at, 5_000) });
    await at.settle(laptop.device.fetch('settings'));
    const got: unknown[] = [];
    const editing = laptop.device.update('settings', (now) => {
      got.push(now);
      return change({ theme: 'dark' })(now);
    });
    await at.clock.advance(2_000);
    await at.settle(phone!.device.update('settings', change({ font: 14 })));
    await at.settle(editing);
    expect(got).toEqual([
      { theme: 'light', font: 12 },
      { theme: 'light', font: 14 },
    ]);
    await at.clock.advance(60_000);
    expect(await valuesOf(at, [laptop, phone!])).toEqual(
      Array.from({ length: 2 }, () => ({ theme: 'dark', font: 14 })),
    );
    expect([...laptop.device.conflicts, ...phone!.device.conflicts]).toEqual([]);
    // It has seen what it was run on.
    const [head] = stored(at.relays[0]!);
    expect(vectorOf(head!)?.has(deviceHash('phone'))).toBe(true);
    // A merge was not needed.
    expect([...laptop.merged, ...phone!.merged]).toEqual([]);
  });
});

describe('the vector of a value that was made of an older one', () => {
  test('is what the app had seen, in a category that does not merge', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone'], {});
    const base = await at.settle(laptop!.device.fetch('settings'));
    await at.settle(phone!.device.publish('settings', 'newer'));
    await at.clock.advance(5_000);
    await at.settle(laptop!.device.fetch('settings'));
    const mine = { theme: 'dark', font: 12 };
    await at.settle(laptop!.device.publish('settings', mine, { basedOn: base!.eventId }));
    const vector = vectorOf(stored(at.relays[0]!)[0]!)!;
    expect([vector.has(deviceHash('laptop')), vector.has(deviceHash('phone'))]).toEqual([true, false]);
    await at.settle(laptop!.device.publish('settings', mine));
    await at.clock.advance(5_000);
    expect(phone!.device.conflicts).toHaveLength(1);
  });

  test('has the newest in it, in a category that merges: the value has it too', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    const base = await at.settle(laptop!.device.fetch('settings'));
    await at.settle(phone!.device.update('settings', change({ font: 14 })));
    await at.clock.advance(5_000);
    const mine = { theme: 'dark', font: 12 };
    await at.settle(laptop!.device.publish('settings', mine, { basedOn: base!.eventId }));
    const vector = vectorOf(stored(at.relays[0]!)[0]!)!;
    expect(vector.get(deviceHash('phone'))).toBeGreaterThan(0);
    expect(await valuesOf(at, [laptop!])).toEqual([{ theme: 'dark', font: 14 }]);
    expect([...laptop!.device.conflicts, ...phone!.device.conflicts]).toEqual([]);
  });
});

describe('a call that waits behind a slow write has seen what that has taken in meanwhile (V1)', () => {
  /** The laptop's first write takes in what the phone writes while it is signed; the second was asked for before. */
  async function behind(
    options: NostrSyncOptions,
    then: (laptop: Device, former: string) => Promise<unknown>,
  ): Promise<{ readonly at: World; readonly laptop: Apart; readonly phone: Apart }> {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone'], options);
    await laptop!.device.setSigner(slowly(at, 5_000));
    const [former] = await at.settle(laptop!.device.history('settings'));
    const calls = [laptop!.device.update('settings', change({ theme: 'dark' }))];
    await at.clock.advance(1_000);
    const waiting = then(laptop!.device, former!.eventId);
    await at.clock.advance(1_000);
    await at.settle(phone!.device.update('settings', change({ font: 14 })));
    await at.settle(Promise.all([...calls, waiting]));
    await at.clock.advance(60_000);
    const vector = vectorOf(stored(at.relays[0]!)[0]!)!;
    expect([...vector.keys()]).toEqual([deviceHash('laptop'), deviceHash('phone')]);
    const rows = await at.settle(Promise.all([laptop!, phone!].map(({ device }) => device.inspect())));
    expect(rows.flat().map(({ rivals }) => rivals)).toEqual([0, 0]);
    return { at, laptop: laptop!, phone: phone! };
  }

  test.each<[string, (laptop: Device, former: string) => Promise<unknown>, unknown]>([
    ['a removal', async (laptop) => laptop.remove('settings'), undefined],
    ['a restore', async (laptop, former) => laptop.restore('settings', former), { theme: 'light', font: 12 }],
    [
      'a removal and an update after it',
      async (laptop) =>
        Promise.all([laptop.remove('settings'), laptop.update('settings', change({ size: 3 }))]),
      { size: 3 },
    ],
  ])('%s, which takes the place of both: its app is told', async (_, then, left) => {
    const { at, laptop, phone } = await behind(MERGE, then);
    expect(await valuesOf(at, [laptop, phone])).toEqual([left, left]);
    const clash = { path: [], reason: 'both-changed', mine: { theme: 'dark', font: 14 } };
    expect(laptop.merged).toMatchObject([{ base: 'older', clashes: [clash] }]);
    expect(laptop.merged[0]!.clashes[0]!.theirs).toEqual(left);
    expect(phone.merged).toEqual([]);
  });

  test('a whole value, in a category that does not merge', async () => {
    const { at, laptop, phone } = await behind({}, async (device) => device.publish('settings', 'whole'));
    expect(await valuesOf(at, [laptop, phone])).toEqual(['whole', 'whole']);
  });
});

describe('a write of the app that a merge goes with', () => {
  test('keeps its expiration', async () => {
    const at = world({});
    const [laptop, phone] = await together(at, ['laptop', 'phone']);
    await editApart(at, [
      [laptop!, { theme: 'dark' }],
      [phone!, { font: 14 }],
    ]);
    const expiration = Math.floor(at.clock.now() / 1000) + 3_600;
    await laptop!.device.setSigner(slowly(at, 1_000));
    laptop!.way.join();
    phone!.way.join();
    const mine = { theme: 'dark', font: 14, size: 4 };
    const published = new Promise<unknown>((resolve) => {
      const stop = laptop!.device.on('updated', () => {
        stop();
        // While the first is signed the merge comes due: the second and the merge are one write then.
        void laptop!.device.update('settings', change({ size: 3 }));
        resolve(laptop!.device.publish('settings', mine, { expiration }));
      });
    });
    await at.settle(published);
    await at.clock.advance(60_000);
    expect(await valuesOf(at, [laptop!, phone!])).toEqual([mine, mine]);
    expect(stored(at.relays[0]!)[0]!.tags).toContainEqual(['expiration', String(expiration)]);
  });
});

describe('of calls that are one write', () => {
  async function busy(options = MERGE) {
    const at = world({});
    const [laptop] = await together(at, ['laptop'], options);
    await laptop!.device.setSigner(slowly(at, 1_000));
    const first = laptop!.device.update('settings', change({ first: 1 }));
    await at.clock.advance(100);
    return { at, laptop: laptop!.device, first, way: laptop! };
  }

  test.each([
    ['in a category that merges', MERGE],
    ['in any other', {}],
  ])('one that is aborted is not part of it, %s', async (_, options) => {
    const { at, laptop, first, way } = await busy(options);
    const abort = new AbortController();
    const aborted = laptop.update('settings', change({ aborted: 1 }), { signal: abort.signal });
    const last = laptop.update('settings', change({ last: 1 }));
    await at.settle(first);
    // By now the two are signed, as one.
    await at.clock.advance(500);
    abort.abort(new Error('no longer'));
    await expect(at.settle(aborted)).rejects.toThrow('no longer');
    await at.settle(last);
    expect(await valuesOf(at, [way])).toEqual([{ theme: 'light', font: 12, first: 1, last: 1 }]);
  });

  test('a value that was made of one which is aborted is written as it is', async () => {
    const { at, laptop, first, way } = await busy();
    const abort = new AbortController();
    const one = { theme: 'dark', font: 12 };
    const aborted = laptop.publish('settings', one, { signal: abort.signal });
    const last = laptop.publish('settings', { ...one, last: 1 });
    abort.abort(new Error('no longer'));
    await expect(at.settle(aborted)).rejects.toThrow('no longer');
    await at.settle(Promise.all([first, last]));
    expect(await valuesOf(at, [way])).toEqual([{ theme: 'dark', font: 12, first: 1, last: 1 }]);
  });

  test.each([
    ['in a category that merges', MERGE],
    ['in any other', {}],
  ])(
    'a restore keeps its place before a later edit, though it has to be read first, %s',
    async (_, options) => {
      const at = world({});
      const [laptop] = await together(at, ['laptop'], options);
      await at.settle(laptop!.device.publish('settings', { theme: 'dark' }, { waitFor: 'replicated' }));
      const signer = secretKeySigner(KEY);
      const decrypt: typeof signer.nip44.decrypt = async (...of) => {
        await new Promise<void>((resolve) => void at.clock.after(3_000, resolve));
        return signer.nip44.decrypt(...of);
      };
      const again = await restarted(at, laptop!, {
        ...options,
        signer: { ...signer, nip44: { ...signer.nip44, decrypt } },
      });
      await at.settle(again.device.fetch('settings'));
      const [, before] = await at.settle(again.device.history('settings'));
      const restoring = again.device.restore('settings', before!.eventId);
      await at.settle(again.device.update('settings', change({ size: 3 }), { waitFor: 'saved' }));
      await at.settle(restoring);
      expect(await valuesOf(at, [again])).toEqual([{ theme: 'light', font: 12, size: 3 }]);
    },
  );

  test.each([
    ['in a category that merges', MERGE],
    ['in any other', {}],
  ])('an update after a restore changes what is restored, %s', async (_, options) => {
    const { at, laptop, first, way } = await busy(options);
    await at.settle(first);
    const [, before] = await at.settle(laptop.history('settings'));
    const again = laptop.update('settings', change({ again: 1 }));
    await at.clock.advance(100);
    const calls = [laptop.restore('settings', before!.eventId), again];
    await at.clock.advance(0);
    calls.push(laptop.update('settings', change({ last: 1 })));
    await at.settle(Promise.all(calls));
    expect(await valuesOf(at, [way])).toEqual([{ theme: 'light', font: 12, last: 1 }]);
    expect(laptop.errors).toEqual([]);
  });
});
