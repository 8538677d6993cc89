/** What users of other libraries have lost data by, each with its source: none of it happens here. */

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCategory, type State } from '../../src/node.ts';
import { items } from '../../src/merge.ts';
import { world, type World } from '../sync/devices.ts';
import { eventsSent, lastingStore, shownBy, startDevice } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
  tags: string[];
  accounts: Record<string, string>;
  window: { x: number; y: number };
}
const DEFAULT: Settings = {
  theme: 'light',
  font: 14,
  tags: ['new'],
  accounts: { main: 'default' },
  window: { x: 0, y: 0 },
};
const schema = z.object({
  theme: z.string(),
  font: z.number(),
  tags: z.array(z.string()),
  accounts: z.record(z.string(), z.string()),
  window: z.object({ x: z.number(), y: z.number() }),
});
const settings = defineCategory({ name: 'settings', schema, default: DEFAULT });

const payload = async (at: World): Promise<unknown> =>
  (await at.settle(startDevice(at).device.fetch('settings')))?.payload;

/** The devices of a user, with one value, cut off from each other. */
async function apart(
  at: World,
  value: Partial<Settings>,
): Promise<readonly { readonly state: State<Settings>; readonly join: () => void }[]> {
  const devices = [startDevice(at), startDevice(at)];
  const states = devices.map(({ device }) => device.state(settings));
  if (Object.keys(value).length > 0) await at.settle(states[0]!.update(value));
  for (const state of states) await at.settle(state.ready);
  await at.clock.advance(2_000);
  for (const { way } of devices) way.cut();
  await at.clock.advance(1_000);
  return states.map((state, i) => ({ state, join: devices[i]!.way.join }));
}

describe('defaults', () => {
  test('a new client does not send its defaults to all (tinyplex/tinybase#167)', async () => {
    const at = world({});
    await at.settle(startDevice(at).device.state(settings).update({ theme: 'mine', font: 20 }));
    const state = startDevice(at).device.state(settings);
    await at.settle(state.ready);
    await at.clock.advance(600_000);
    expect(eventsSent(at)).toHaveLength(1);
    await at.settle(state.update({ window: { x: 5, y: 0 } }));
    expect(await payload(at)).toEqual({ theme: 'mine', font: 20, window: { x: 5 } });
  });

  test('a fresh device that edits one field offline keeps the user’s others (startup-page#112)', async () => {
    const at = world({});
    await at.settle(startDevice(at).device.state(settings).update({ theme: 'mine', font: 20 }));
    await at.clock.advance(60_000);
    const fresh = startDevice(at);
    fresh.way.cut();
    const state = fresh.device.state(settings);
    await at.settle(state.update({ window: { x: 1, y: 2 } }));
    expect(state.get()).toMatchObject({ theme: 'light', window: { x: 1, y: 2 } });
    fresh.way.join();
    await at.clock.advance(300_000);
    expect(await payload(at)).toEqual({ theme: 'mine', font: 20, window: { x: 1, y: 2 } });
    expect(state.get()).toMatchObject({ theme: 'mine', font: 20 });
  });

  test("write: 'full' stores them, and a field that is as its default gives way (startup-page#112)", async () => {
    const at = world({});
    const full = defineCategory({ name: 'settings', schema, default: DEFAULT, write: 'full' });
    const [first, second] = [startDevice(at), startDevice(at)];
    for (const { way } of [first, second]) way.cut();
    await at.settle(first.device.state(full).update({ theme: 'mine' }));
    await at.clock.advance(5_000);
    await at.settle(second.device.state(full).update({ font: 20 }));
    for (const { way } of [first, second]) way.join();
    await at.clock.advance(300_000);
    expect(await payload(at)).toEqual({ ...DEFAULT, theme: 'mine', font: 20 });
  });

  test('what the user has emptied is not filled again by a merge with the defaults (vuex-persist#106)', async () => {
    const at = world({});
    const state = startDevice(at).device.state(settings);
    await at.settle(state.update({ tags: [], accounts: {} }));
    await at.settle(state.update({ accounts: { other: 'x' } }));
    const other = startDevice(at).device.state(settings);
    await at.settle(other.ready);
    expect(other.get()).toMatchObject({ tags: [], accounts: { other: 'x' } });
  });
});

describe('the first connection', () => {
  test('a value from before is not wiped by an empty account, nor the account by it (remotestorage.js#1170, litewrite#150)', async () => {
    const at = world({});
    await at.settle(startDevice(at).device.state(settings).update({ theme: 'account' }));
    const adopting = defineCategory({
      name: 'settings',
      schema,
      default: DEFAULT,
      adopt: { value: () => ({ theme: 'before', font: 9 }) },
    });
    const state = startDevice(at).device.state(adopting);
    await at.settle(state.ready);
    await at.clock.advance(5_000);
    expect(await payload(at)).toEqual({ theme: 'account', font: 9 });
    const alone = world({});
    const first = startDevice(alone).device.state(adopting);
    await alone.settle(first.ready);
    await alone.clock.advance(5_000);
    expect(await payload(alone)).toEqual({ theme: 'before', font: 9 });
  });

  test('an edit made before the value is loaded is not lost to it (legend-state#659)', async () => {
    const at = world({});
    await at.settle(startDevice(at).device.state(settings).update({ theme: 'mine' }));
    const state = startDevice(at).device.state(settings);
    const edit = state.update({ font: 33 });
    expect(state.get().font).toBe(33);
    await at.settle(edit);
    await at.clock.advance(5_000);
    expect(state.get()).toMatchObject({ theme: 'mine', font: 33 });
    expect(await payload(at)).toEqual({ theme: 'mine', font: 33 });
  });
});

describe('the debounce', () => {
  test('an engine that is closed inside of it has saved the edit (feedzero#162)', async () => {
    const at = world({});
    const first = startDevice(at);
    const edit = first.device.state(settings).update({ theme: 'renamed' });
    await at.settle(first.device.close());
    await edit;
    const again = first.restart().device.state(settings);
    await at.settle(again.ready);
    expect(again.get().theme).toBe('renamed');
  });

  test('what arrives inside of it is no base for what was edited before (nuxt-realtime#51, GitSyncMarks#210)', async () => {
    const at = world({});
    const [one, two] = [startDevice(at).device.state(settings), startDevice(at).device.state(settings)];
    await at.settle(one.update({ theme: 'a', font: 1 }));
    await at.settle(two.ready);
    await at.clock.advance(2_000);
    void one.update({ font: 2 });
    await at.settle(two.update({ theme: 'b', tags: ['t'] }));
    await at.clock.advance(5_000);
    expect(await payload(at)).toEqual({ theme: 'b', font: 2, tags: ['t'] });
  });
});

describe('the schema', () => {
  test('one value that it does not know resets nothing (leather-io/mono#1685, mold#1577, paseo#3787)', async () => {
    const at = world({});
    await at.settle(
      startDevice(at).device.publish('settings', { theme: 4, font: 20, tags: ['a'], later: 1 }),
    );
    const device = startDevice(at);
    const state = device.device.state(settings);
    await at.settle(state.ready);
    expect(state.get()).toEqual({ ...DEFAULT, font: 20, tags: ['a'] });
    expect(state.meta.get()).toMatchObject({ status: 'invalid', issues: [{ path: ['theme'] }] });
    await at.settle(state.update({ font: 21 }));
    expect(await payload(at)).toEqual({ theme: 4, font: 21, tags: ['a'], later: 1 });
    await at.settle(state.update({ theme: 'dark' }));
    expect(state.meta.get().issues).toBeUndefined();
    expect(device.device.errors.map(({ code }) => code)).toEqual(['INVALID_VALUE']);
  });

  test('an older build does not save its shape over the newer one (obsidian-journal#466, super-productivity#8930)', async () => {
    const at = world({});
    const newer = defineCategory({
      name: 'settings',
      default: { look: { theme: 'x' } },
      version: 2,
      migrate: { 2: (value) => ({ look: { theme: (value as Settings).theme } }) },
    });
    const old = startDevice(at).device.state(settings);
    await at.settle(old.update({ theme: 'mine' }));
    const state = startDevice(at).device.state(newer);
    await at.settle(state.ready);
    await at.settle(state.update({ look: { theme: 'new' } }));
    await at.clock.advance(2_000);
    await expect(old.set({ ...DEFAULT, font: 3 })).rejects.toMatchObject({ code: 'SCHEMA_NEWER' });
    expect(await payload(at)).toEqual({ look: { theme: 'new' } });
  });

  test('reading, migrating and validating write nothing, on no device (animus#65, pinot#19270)', async () => {
    const at = world({});
    await at.settle(startDevice(at).device.publish('settings', { theme: 5, font: 20 }));
    const migrating = defineCategory({
      name: 'settings',
      default: { size: 1 },
      version: 2,
      migrate: { 2: (value) => ({ size: (value as Settings).font }) },
    });
    for (const category of [settings, migrating, settings, migrating]) {
      const state = startDevice(at).device.state(category as typeof migrating);
      await at.settle(state.ready);
    }
    await at.clock.advance(3_600_000);
    expect(eventsSent(at)).toHaveLength(1);
  });
});

describe('conflicts', () => {
  test('two devices that edit all the time come to rest (couchbase-lite-ios#1217, pouchdb#6597)', async () => {
    const at = world({});
    const devices = await apart(at, { theme: 'a' });
    for (let i = 0; i < 5; i++)
      for (const [n, { state }] of devices.entries()) {
        await at.settle(state.update({ font: i * 2 + n, theme: `${n} ${i}` }));
        await at.clock.advance(1_000);
      }
    for (const { join } of devices) join();
    await at.clock.advance(300_000);
    const before = eventsSent(at).length;
    await at.clock.advance(3_600_000);
    expect(eventsSent(at).length).toBe(before);
    expect(devices[0]!.state.get()).toEqual(devices[1]!.state.get());
  });

  test('with an absent base both first edits are kept (joplin#16023, vscode#159037)', async () => {
    const at = world({});
    const [one, two] = await apart(at, {});
    await at.settle(one!.state.update({ theme: 'a', window: { x: 5, y: 0 } }));
    await at.clock.advance(2_000);
    await at.settle(two!.state.update({ font: 2, window: { x: 0, y: 7 } }));
    for (const { join } of [one!, two!]) join();
    await at.clock.advance(300_000);
    expect(await payload(at)).toEqual({ theme: 'a', font: 2, window: { x: 5, y: 7 } });
    expect(two!.state.meta.get().clashes).toBeUndefined();
  });

  test('neither "remote wins" nor "mine wins" toggles what the other has changed (dayGLANCE#759, Netcatty#381)', async () => {
    const at = world({});
    const [one, two] = await apart(at, { theme: 'a', font: 1 });
    await at.settle(one!.state.update({ theme: 'b' }));
    await at.clock.advance(2_000);
    await at.settle(two!.state.update({ font: 2 }));
    const shown = [shownBy(one!.state), shownBy(two!.state)];
    for (const { join } of [one!, two!]) join();
    await at.clock.advance(300_000);
    expect([one!.state.get(), two!.state.get()]).toEqual([
      { ...DEFAULT, theme: 'b', font: 2 },
      { ...DEFAULT, theme: 'b', font: 2 },
    ]);
    // The device that wrote the newer value was never shown its own edit gone.
    expect(shown[1]!.every(({ font }) => font === 2)).toBe(true);
  });

  test('one that was settled does not come back (classeur#12)', async () => {
    const at = world({});
    const [one, two] = await apart(at, { font: 1 });
    await at.settle(one!.state.update({ font: 2 }));
    await at.clock.advance(2_000);
    await at.settle(two!.state.update({ font: 3 }));
    for (const { join } of [one!, two!]) join();
    await at.clock.advance(300_000);
    for (const { state } of [one!, two!]) state.acknowledge();
    await at.settle(one!.state.update({ theme: 'later' }));
    await at.clock.advance(300_000);
    expect([one!.state.meta.get().status, two!.state.meta.get().status]).toEqual(['synced', 'synced']);
  });

  test('lists of items are merged by their ids, if the category says so', async () => {
    const at = world({});
    const list = defineCategory<{ all: { id: string; done: boolean }[] }>({
      name: 'list',
      default: { all: [] },
      merge: { all: items('id') },
    });
    const [one, two] = [startDevice(at), startDevice(at)];
    const [mine, theirs] = [one.device.state(list), two.device.state(list)];
    await at.settle(mine.update({ all: [{ id: 'a', done: false }] }));
    await at.settle(theirs.ready);
    await at.clock.advance(2_000);
    for (const { way } of [one, two]) way.cut();
    await at.settle(mine.update((now) => ({ all: [...now.all, { id: 'b', done: false }] })));
    await at.clock.advance(2_000);
    await at.settle(theirs.update((now) => ({ all: now.all.map((item) => ({ ...item, done: true })) })));
    for (const { way } of [one, two]) way.join();
    await at.clock.advance(300_000);
    const merged = {
      all: [
        { id: 'a', done: true },
        { id: 'b', done: false },
      ],
    };
    expect([mine.get(), theirs.get()]).toEqual([merged, merged]);
  });

  test('a merge of two values that fit, and which does not, is none: the newer stays, and that is told', async () => {
    const at = world({});
    const range = defineCategory({
      name: 'range',
      schema: z.object({ from: z.number(), to: z.number() }).refine(({ from, to }) => from <= to),
      default: { from: 0, to: 100 },
    });
    const [one, two] = [startDevice(at), startDevice(at)];
    const [mine, theirs] = [one.device.state(range), two.device.state(range)];
    await at.settle(mine.update({ from: 10, to: 20 }));
    await at.settle(theirs.ready);
    await at.clock.advance(2_000);
    for (const { way } of [one, two]) way.cut();
    await at.settle(mine.update({ from: 15 }));
    await at.clock.advance(2_000);
    await at.settle(theirs.update({ to: 12 }));
    for (const { way } of [one, two]) way.join();
    await at.clock.advance(300_000);
    expect([mine.get(), theirs.get()]).toEqual([
      { from: 10, to: 12 },
      { from: 10, to: 12 },
    ]);
    expect([mine, theirs].some(({ meta }) => meta.get().clashes?.[0]?.path.length === 0)).toBe(true);
  });
});

describe('handles', () => {
  test('a subscription is only a listener: a thousand that come and go open nothing, and leave nothing (TanStack/db#1178, rxdb#8971, use-pouchdb#78)', async () => {
    const at = world({});
    const { device } = startDevice(at);
    const state = device.state(settings);
    await at.settle(state.ready);
    const frames = at.relays[0]!.frames.length;
    for (let i = 0; i < 1_000; i++) state.subscribe(() => undefined)();
    await at.clock.advance(1_000);
    expect(at.relays[0]!.frames.length).toBe(frames);
    await at.settle(state.update({ font: 3 }));
    expect(state.get().font).toBe(3);
  });

  test('the first snapshot is the same object each time, and not the value (nanostores/react#38)', async () => {
    const at = world({});
    const store = lastingStore();
    const first = startDevice(at, {}, store);
    await at.settle(first.device.state(settings).update({ font: 3 }));
    const state = first.restart().device.state(settings);
    await at.settle(state.ready);
    expect(state.initial).toBe(settings.initial);
    expect([state.initial.font, state.get().font]).toEqual([14, 3]);
    expect(state.get()).toBe(state.get());
    const before = state.get();
    await at.settle(state.update({ theme: 'x' }));
    expect(state.get().window).toBe(before.window);
    expect(state.get()).not.toBe(before);
  });

  test('a page that was rendered elsewhere shows that until it knows better', async () => {
    const at = world({});
    const there = startDevice(at).device.state(settings);
    await at.settle(there.update({ theme: 'dark', font: 20 }));
    const html = JSON.stringify(there.dehydrate());
    await at.settle(there.update({ font: 21 }));
    const state = startDevice(at).device.state(settings);
    state.hydrate(JSON.parse(html) as never);
    const { initial } = state;
    expect(initial).toEqual({ ...DEFAULT, theme: 'dark', font: 20 });
    expect([state.get(), state.initial]).toEqual([initial, initial]);
    expect(state.get()).toBe(initial);
    await at.settle(state.ready);
    expect(state.get().font).toBe(21);
    expect(state.initial).toBe(initial);
    state.hydrate({ category: 'other', version: 1, value: { font: 1 } });
    state.hydrate({ category: 'settings', version: 9, value: { font: 1 } });
    expect(state.initial).toBe(initial);
    expect(() => state.hydrate('x' as never)).toThrow(
      'Invalid from: expected what dehydrate returns, got "x"',
    );
  });
});
