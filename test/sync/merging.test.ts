/** Devices that write without seeing each other, in a category that merges: who merges, when, and what the app is told. */

import { expect, test } from 'vitest';
import { memoryStore, secretKeySigner, type Store } from '../../src/node.ts';
import { mergeBy } from '../../src/merge.ts';
import type { NostrSyncOptions } from '../../src/options.ts';
import type { MergedValues } from '../../src/sync/events.ts';
import { device as open, KEY, stored, world, type Device, type World } from './devices.ts';

const MERGE: NostrSyncOptions = { categories: { settings: { merge: mergeBy() } } };
type Settings = Record<string, unknown>;
const change =
  (more: Settings) =>
  (now: unknown): Settings => ({ ...(now as Settings | undefined), ...more });

/** A store that outlives its process. */
const kept = (): Store => ({ ...memoryStore(), close: async () => Promise.resolve() });

/** Two devices that know the same value; then the relay is gone. */
async function apart(
  at: World,
  options: NostrSyncOptions = MERGE,
): Promise<{ laptop: Device; phone: Device; laptopStore: Store; phoneStore: Store }> {
  const [laptopStore, phoneStore] = [kept(), kept()];
  const laptop = at.device({ deviceId: 'laptop', store: laptopStore, ...options });
  const phone = at.device({ deviceId: 'phone', store: phoneStore, ...options });
  for (const each of [laptop, phone]) each.subscribe(['settings'], () => undefined);
  await at.settle(laptop.publish('settings', { theme: 'light', font: 12 }, { waitFor: 'replicated' }));
  await at.settle(phone.fetch('settings'));
  cut(at);
  return { laptop, phone, laptopStore, phoneStore };
}
function cut({ relays }: World): void {
  for (const one of relays) {
    one.misbehave({ refuseConnections: true });
    one.disconnectAll();
  }
}
const join = ({ relays }: World): void => relays.forEach((one) => one.behave());
const mergesOf = (of: Device): MergedValues[] => {
  const heard: MergedValues[] = [];
  of.on('merged', (one) => heard.push(one));
  return heard;
};

test('two devices that change different fields apart both have both, and neither is told of a conflict', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at);
  const heard = mergesOf(laptop);
  await at.settle(laptop.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  await at.settle(phone.publish('settings', { theme: 'light', font: 14 }));
  join(at);
  await at.clock.advance(90_000);
  const both = { theme: 'dark', font: 14 };
  for (const each of [laptop, phone]) {
    expect(await at.settle(each.fetch('settings'))).toMatchObject({ payload: both });
    expect(each.conflicts).toEqual([]);
    expect(each.errors).toEqual([]);
  }
  expect(heard).toMatchObject([{ value: { payload: both }, base: 'exact', clashes: [], parts: [{}, {}] }]);
  // The author of what was overwritten has merged, once.
  expect(laptop.updated.map(({ payload }) => payload)).toContainEqual(both);
  expect(phone.updated.at(-1)).toMatchObject({ payload: both, deviceId: 'laptop' });
});

test('killed before the merge, they merge after the next start', async () => {
  const at = world({});
  const { laptop, phone, laptopStore, phoneStore } = await apart(at);
  await at.settle(laptop.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  await at.settle(phone.update('settings', change({ font: 14 })));
  await Promise.all([laptop.close(), phone.close()]);
  join(at);
  const again = ['laptop', 'phone'].map((deviceId, i) => {
    const one = at.device({ deviceId, store: [laptopStore, phoneStore][i]!, ...MERGE });
    one.subscribe(['settings'], () => undefined);
    return one;
  });
  await at.clock.advance(90_000);
  for (const each of again)
    expect(await at.settle(each.fetch('settings'))).toMatchObject({ payload: { theme: 'dark', font: 14 } });
});

test('what a destroyed device had delivered is merged by the one that overwrote it', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at);
  await at.settle(laptop.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  await at.settle(phone.update('settings', change({ font: 14 })));
  await phone.close();
  // The laptop delivers, and is gone.
  join(at);
  await at.settle(laptop.flush());
  await laptop.close();
  const other = at.device({ deviceId: 'tablet', ...MERGE });
  await at.settle(other.fetch('settings'));
  expect(await at.settle(other.fetch('settings'))).toMatchObject({ payload: { theme: 'dark', font: 12 } });
});

test('one field changed on both is a clash: the newer is shown, and the other is told', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at);
  const heard = mergesOf(laptop);
  await at.settle(laptop.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  await at.settle(phone.update('settings', change({ theme: 'sepia' })));
  join(at);
  await at.clock.advance(90_000);
  const count = stored(at.relays[0]!).length;
  expect(laptop.conflicts).toMatchObject([
    {
      mine: { payload: { theme: 'dark' } },
      theirs: { payload: { theme: 'sepia' } },
      base: { payload: { theme: 'light' } },
      shown: 'theirs',
      clashes: [{ path: ['theme'], base: 'light', mine: 'dark', theirs: 'sepia' }],
    },
  ]);
  expect(heard).toMatchObject([{ clashes: [{ path: ['theme'] }] }]);
  expect(phone.conflicts).toEqual([]);
  // Nothing was to be added to the newest: nothing was written.
  expect(count).toBe(1);
  expect(stored(at.relays[0]!)[0]!.tags).toContainEqual(['device_id', 'phone']);
});

test('a removal beats an edit that it had not seen, and the loser is told', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at);
  await at.settle(laptop.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  await at.settle(phone.remove('settings'));
  join(at);
  await at.clock.advance(300_000);
  expect(await at.settle(laptop.fetch('settings'))).toBeNull();
  expect(laptop.conflicts).toMatchObject([{ theirs: { deleted: true } }]);
});

test('a signer that may ask a person is asked with the next edit, which merges', async () => {
  const at = world({});
  const asking = { ...secretKeySigner(KEY), isLocal: false };
  const { laptop, phone } = await apart(at, { ...MERGE, signer: asking });
  await at.settle(laptop.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  await at.settle(phone.update('settings', change({ font: 14 })));
  join(at);
  await at.clock.advance(300_000);
  const shown = { theme: 'dark', font: 14 };
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: shown, pending: true });
  await at.settle(laptop.update('settings', change({ size: 3 })));
  await at.clock.advance(5_000);
  const all = { theme: 'dark', font: 14, size: 3 };
  expect(await at.settle(phone.fetch('settings'))).toMatchObject({ payload: all });
});

test('an edit while a merge is due contains what this device had written before (V1)', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at);
  await at.settle(laptop.update('settings', change({ theme: 'dark' })));
  await at.clock.advance(5_000);
  await at.settle(phone.update('settings', change({ font: 14 })));
  const value = { theme: 'light', font: 14, size: 3 };
  // At once, when it is told of what the phone has written: before the merge.
  const edited = new Promise<unknown>((resolve) => {
    const stop = laptop.on('updated', () => {
      stop();
      resolve(laptop.publish('settings', value));
    });
  });
  join(at);
  await at.settle(edited);
  await at.clock.advance(90_000);
  const all = { theme: 'dark', font: 14, size: 3 };
  for (const each of [laptop, phone])
    expect(await at.settle(each.fetch('settings'))).toMatchObject({ payload: all });
});

test('of two publishes in a row the second takes back what the first did', async () => {
  const at = world({});
  const { laptop } = await apart(at);
  const first = laptop.publish('settings', { theme: 'dark', font: 12 });
  const second = laptop.publish('settings', { theme: 'light', font: 12 });
  await at.settle(Promise.all([first, second]));
  expect(await at.settle(laptop.fetch('settings')).catch(() => undefined)).toMatchObject({
    payload: { theme: 'light', font: 12 },
  });
});

test('a value that was made of an older one changes what the app has changed there', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at);
  join(at);
  const base = await at.settle(laptop.fetch('settings'));
  await at.settle(phone.update('settings', change({ font: 14 })));
  await at.clock.advance(5_000);
  await at.settle(laptop.publish('settings', { theme: 'dark', font: 12 }, { basedOn: base!.eventId }));
  await at.clock.advance(5_000);
  expect(await at.settle(phone.fetch('settings'))).toMatchObject({ payload: { theme: 'dark', font: 14 } });
});

test('without rules a value that was made of an older one is in conflict with what came since', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at, {});
  join(at);
  const base = await at.settle(laptop.fetch('settings'));
  await at.settle(phone.update('settings', change({ font: 14 })));
  await at.clock.advance(5_000);
  await at.settle(laptop.publish('settings', { theme: 'dark', font: 12 }, { basedOn: base!.eventId }));
  await at.clock.advance(5_000);
  expect(phone.conflicts).toMatchObject([{ theirs: { payload: { theme: 'dark', font: 12 } } }]);
});

test('an update gets the newest value, or nothing, and rejects with what its function throws', async () => {
  const at = world({});
  const laptop = at.device({});
  await at.settle(laptop.update('settings', (now) => ({ was: now ?? 'nothing' })));
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: { was: 'nothing' } });
  const failing = laptop.update('settings', () => {
    throw new RangeError('of the app');
  });
  await expect(at.settle(failing)).rejects.toThrow('of the app');
  await expect(laptop.update('settings', 7 as never)).rejects.toThrow(TypeError);
});

test('updates that wait for their turn all count', async () => {
  const at = world({});
  const laptop = at.device({});
  await at.settle(laptop.publish('settings', 0));
  const more = Array.from({ length: 5 }, () => laptop.update('settings', (now) => (now as number) + 1));
  await at.settle(Promise.all(more));
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: 5 });
});

test.each([
  ['categories', []],
  ['categories', { settings: 7 }],
  ['categories', { settings: { merge: {} } }],
  ['categories', { settings: { settle: 'never' } }],
  ['categories', { settings: { misspelt: 1 } }],
])('%s that are none are refused', (name, value) => {
  expect(() => open([], { [name]: value as never })).toThrow(TypeError);
});

test('what is too large to be one value is told, each is in the history, and an update makes it smaller', async () => {
  const at = world({});
  const { laptop, phone } = await apart(at, { ...MERGE, maxPayloadSize: 409_600 });
  const long = (letter: string): string => letter.repeat(250_000);
  await at.settle(laptop.update('settings', change({ draft: long('a') })));
  await at.clock.advance(5_000);
  await at.settle(phone.update('settings', change({ notes: long('b') })));
  join(at);
  await at.clock.advance(400_000);
  expect(laptop.errors).toMatchObject([
    { code: 'MERGE_FAILED', details: { category: 'settings' }, cause: { code: 'PAYLOAD_TOO_LARGE' } },
  ]);
  const newest = await at.settle(laptop.fetch('settings'));
  expect(newest).toMatchObject({ payload: { notes: long('b') } });
  expect((await at.settle(laptop.history('settings'))).length).toBe(3);
  const seen: unknown[] = [];
  const edit = (now: unknown): Settings => {
    seen.push(now);
    return change({ draft: 'short' })(now);
  };
  await at.settle(laptop.update('settings', edit));
  expect(seen).toMatchObject([{ draft: long('a'), notes: long('b') }]);
  await at.clock.advance(90_000);
  expect(await at.settle(phone.fetch('settings'))).toMatchObject({
    payload: { theme: 'light', font: 12, draft: 'short', notes: long('b') },
  });
});
