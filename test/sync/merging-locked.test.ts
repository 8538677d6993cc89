/** Rivals of a locked app, of a write that every relay refuses, of a store that was put back, and of a clock that is ahead. */

import { expect, test } from 'vitest';
import { memoryStore, secretKeySigner, type Store } from '../../src/node.ts';
import {
  change,
  editApart,
  MERGE,
  restartedLocked,
  start,
  together,
  valuesOf,
  writersAt,
  type Apart,
} from './apart.ts';
import { KEY, stored, world, type World } from './devices.ts';

const rivalsOf = async (at: World, { device }: Apart): Promise<number> =>
  (await at.settle(device.inspect()))[0]!.rivals;

test('locked: rivals gather as ciphertext, and are merged a second after the next signer; a conflict is told then', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone']);
  await editApart(at, [
    [laptop!, { theme: 'dark', size: 1 }],
    [phone!, { theme: 'sepia', font: 14 }],
  ]);
  phone!.way.join();
  await at.settle(phone!.device.flush());
  const again = await restartedLocked(at, laptop!);
  await at.clock.advance(600_000);
  expect(await rivalsOf(at, again)).toBe(1);
  expect([again.merged, again.device.conflicts, again.device.errors]).toEqual([[], [], []]);
  // The phone has nothing to merge: no relay has the laptop's value.
  await again.unlock();
  const [first, ...more] = await writersAt(at, 60_000);
  expect([first?.by, more]).toEqual(['laptop', []]);
  expect(first!.atMs).toBeGreaterThanOrEqual(1_000);
  expect(first!.atMs).toBeLessThanOrEqual(1_500);
  expect(again.device.conflicts).toMatchObject([
    {
      mine: { payload: { theme: 'dark' } },
      theirs: { payload: { theme: 'sepia' } },
      clashes: [{ path: ['theme'] }],
    },
  ]);
  const both = { theme: 'sepia', font: 14, size: 1 };
  expect(await valuesOf(at, [again, phone!])).toEqual([both, both]);
});

test('a base that the signer will not read any more: each difference is told all the same', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone']);
  const base = stored(at.relays[0]!)[0]!.content;
  await editApart(at, [
    [laptop!, { theme: 'dark', size: 1 }],
    [phone!, { theme: 'sepia', font: 14 }],
  ]);
  phone!.way.join();
  await at.settle(phone!.device.flush());
  const again = await restartedLocked(at, laptop!);
  await at.clock.advance(10_000);
  const signer = secretKeySigner(KEY);
  const refusing = async (pubkey: string, text: string): Promise<string> => {
    if (text === base) throw new Error('not that one');
    return signer.nip44.decrypt(pubkey, text);
  };
  await again.device.setSigner({ ...signer, nip44: { ...signer.nip44, decrypt: refusing } });
  await at.clock.advance(600_000);
  expect(again.merged).toMatchObject([{ base: 'older' }]);
  const [told] = again.device.conflicts;
  expect(told?.base).toBeUndefined();
  expect(told?.clashes?.map(({ path, reason }) => `${path.join('.')}: ${reason}`)).toContain(
    'theme: both-changed',
  );
});

test('a write that every relay refuses is withdrawn: the rivals that it had taken in come back, and are merged later', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone']);
  await editApart(at, [
    [laptop!, { theme: 'dark' }],
    [phone!, { font: 14 }],
  ]);
  phone!.way.join();
  await at.settle(phone!.device.flush());
  let rejected: unknown;
  const edited = new Promise<void>((resolve) => {
    const stop = laptop!.device.on('updated', () => {
      stop();
      at.relays[0]!.misbehave({ refuse: 'blocked: not today' });
      laptop!.device.update('settings', change({ size: 3 })).then(
        () => resolve(),
        (error: unknown) => {
          rejected = error;
          resolve();
        },
      );
    });
  });
  laptop!.way.join();
  await at.settle(edited);
  expect(rejected).toMatchObject({ code: 'NO_RELAYS_ACCEPTED' });
  at.relays[0]!.behave();
  await at.clock.advance(60_000);
  const both = { theme: 'dark', font: 14 };
  expect(await valuesOf(at, [laptop!, phone!])).toEqual([both, both]);
  expect(await rivalsOf(at, laptop!)).toBe(0);
});

test('a store that was put back from a backup lacks what both had seen: merged late, and every difference is told', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone']);
  const backup = new Map(await laptop!.store.list(''));
  for (const font of [13, 14, 15]) {
    await at.settle(laptop!.device.update('settings', change({ font }), { waitFor: 'replicated' }));
    await at.clock.advance(5_000);
  }
  await laptop!.device.close();
  const back: Store = memoryStore();
  await back.update([], () => backup);
  // It is edited before it has seen what came after the backup.
  const again = start(at, 'laptop', undefined, back);
  again.way.cut();
  await at.settle(again.device.update('settings', change({ theme: 'dark' }), { waitFor: 'saved' }));
  await at.clock.advance(5_000);
  await at.settle(phone!.device.update('settings', change({ size: 3 }), { waitFor: 'replicated' }));
  again.way.join();
  await at.clock.advance(600_000);
  const [one, other] = await valuesOf(at, [again, phone!]);
  expect(one).toEqual(other);
  expect(one).toMatchObject({ font: 15, size: 3 });
  const told = [...again.merged, ...phone!.merged];
  expect(told).toMatchObject([{ base: 'older' }]);
  const paths = told[0]!.clashes.map(({ path, reason }) => [path, reason]);
  expect(paths).toEqual(['theme', 'font', 'size'].map((name) => [[name], 'uncertain']));
});

test('a clock that is ahead: its stamp orders it as any other, and nothing of the others is lost', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone']);
  const skewed = { ...at.clock, now: () => at.clock.now() + 600_000 };
  await phone!.device.close();
  const again = start(at, 'phone', { ...MERGE, clock: skewed }, phone!.store);
  await at.clock.advance(1_000);
  again.way.cut();
  laptop!.way.cut();
  await at.settle(again.device.update('settings', change({ theme: 'dark' }), { waitFor: 'saved' }));
  await at.clock.advance(5_000);
  await at.settle(laptop!.device.update('settings', change({ font: 14 }), { waitFor: 'saved' }));
  for (const { way } of [again, laptop!]) way.join();
  await at.clock.advance(120_000);
  const both = { theme: 'dark', font: 14 };
  expect(await valuesOf(at, [laptop!, again])).toEqual([both, both]);
});

test('what a merge gives up is told with the next signer, if the app is locked before that could be read', async () => {
  const at = world({});
  const [laptop, phone] = await together(at, ['laptop', 'phone']);
  const base = await at.settle(laptop!.device.fetch('settings'));
  await at.settle(phone!.device.update('settings', change({ theme: 'sepia' }), { waitFor: 'replicated' }));
  await at.settle(laptop!.device.fetch('settings'));
  const mine = { theme: 'dark', font: 12 };
  const onSaved = (): void => void laptop!.device.clearSigner();
  const options = { basedOn: base!.eventId, waitFor: 'saved', onSaved } as const;
  await at.settle(laptop!.device.publish('settings', mine, options));
  await at.clock.advance(60_000);
  expect(laptop!.merged).toEqual([]);
  for (let times = 0; times < 2; times++) {
    await laptop!.device.setSigner(secretKeySigner(KEY));
    await at.clock.advance(5_000);
  }
  expect(laptop!.merged).toMatchObject([{ value: { payload: mine }, clashes: [{ path: ['theme'] }] }]);
});
