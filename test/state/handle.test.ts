/** The handle over real engines: what an app shows and edits on two devices, in bursts, apart, and after a restart. */

import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCategory, isNostrSyncError, memoryStore, type State, type Store } from '../../src/node.ts';
import { wayTo } from '../sync/apart.ts';
import { received, world, type World } from '../sync/devices.ts';

interface Settings {
  theme: 'light' | 'dark';
  font: number;
  note?: string | undefined;
}
const schema = z.object({
  theme: z.enum(['light', 'dark']),
  font: z.number(),
  note: z.string().optional(),
});
const settings = defineCategory({ name: 'settings', schema, default: { theme: 'light', font: 14 } });

/** A store that outlives its engine. */
const lastingStore = (): Store => ({ ...memoryStore(), close: async () => Promise.resolve() });

const writes = (at: World): number =>
  new Set(received(at.relays[0]!, 'EVENT').map(([, event]) => (event as { id: string }).id)).size;

/** What a handle was seen to show, in turn. */
function shownBy(state: State<Settings>): Settings[] {
  const shown: Settings[] = [];
  state.subscribe((value) => shown.push(value));
  return shown;
}

describe('two devices', () => {
  test('an edit of one is shown on the other, and no default is written', async () => {
    const at = world({});
    const [laptop, phone] = [at.device(), at.device()];
    const [mine, theirs] = [laptop.state(settings), phone.state(settings)];
    const shown = shownBy(theirs);
    await at.clock.advance(100);
    expect(theirs.get()).toEqual({ theme: 'light', font: 14 });

    const saved = mine.update({ theme: 'dark' });
    expect(mine.get()).toEqual({ theme: 'dark', font: 14 });
    const receipt = await at.settle(saved);
    await at.clock.advance(3_000);
    expect(shown).toEqual([{ theme: 'dark', font: 14 }]);
    const stored = await at.settle(phone.fetch('settings'));
    expect(stored).toMatchObject({ payload: { theme: 'dark' }, eventId: receipt.eventId });
    expect([mine, theirs].map(({ meta }) => meta.get().status)).toEqual(['synced', 'synced']);
  });

  test('two offline edits of different fields are both there in the end', async () => {
    const at = world({});
    const ways = [wayTo(at), wayTo(at)];
    const devices = ways.map(({ openSocket }) => at.device({ openSocket }));
    const [laptop, phone] = devices.map((one) => one.state(settings)) as [State<Settings>, State<Settings>];
    await at.settle(laptop.update({ theme: 'light', font: 13 }));
    await at.settle(phone.ready);
    await at.clock.advance(2_000);
    for (const way of ways) way.cut();
    await at.clock.advance(2_000);
    await at.settle(laptop.update({ theme: 'dark' }));
    await at.settle(phone.update({ font: 20 }));
    expect(laptop.meta.get().status).toBe('local');
    for (const way of ways) way.join();
    await at.clock.advance(60_000);
    for (const state of [laptop, phone]) {
      expect(state.get()).toEqual({ theme: 'dark', font: 20 });
      expect(state.meta.get()).toMatchObject({ status: 'synced' });
    }
  });

  test('both have edited one field: the newer is shown, and one of them is told until the app has shown it', async () => {
    const at = world({});
    const ways = [wayTo(at), wayTo(at)];
    const [laptop, phone] = ways.map(({ openSocket }) => at.device({ openSocket }).state(settings)) as [
      State<Settings>,
      State<Settings>,
    ];
    await at.settle(laptop.update({ font: 13 }));
    await at.settle(phone.ready);
    await at.clock.advance(2_000);
    for (const way of ways) way.cut();
    await at.clock.advance(1_000);
    await at.settle(laptop.update({ font: 1 }));
    await at.clock.advance(2_000);
    await at.settle(phone.update({ font: 2 }));
    for (const way of ways) way.join();
    await at.clock.advance(60_000);
    expect([laptop.get().font, phone.get().font]).toEqual([2, 2]);
    const told = [laptop, phone].filter(({ meta }) => meta.get().status === 'conflict');
    expect(told.length).toBeGreaterThan(0);
    expect(told[0]!.meta.get().clashes).toMatchObject([{ path: ['font'], base: 13, mine: 1, theirs: 2 }]);
    for (const { meta, acknowledge } of told) {
      acknowledge();
      expect(meta.get().status).toBe('synced');
      expect(meta.get().clashes).toBeUndefined();
    }
  });
});

describe('edits', () => {
  test('are shown at once, and 50 in a burst are one write', async () => {
    const at = world({});
    const state = at.device().state(settings);
    await at.settle(state.ready);
    const edits: Promise<unknown>[] = [];
    for (let font = 15; font < 65; font++) {
      edits.push(state.update({ font }));
      await Promise.resolve();
      expect(state.get().font).toBe(font);
      await at.clock.advance(20);
    }
    expect(state.meta.get().status).toBe('pending');
    await at.settle(Promise.all(edits));
    await at.clock.advance(5_000);
    expect(writes(at)).toBe(1);
  });

  test('that never pause are saved all the same, every two seconds', async () => {
    const at = world({});
    const state = at.device().state(settings);
    await at.settle(state.ready);
    for (let font = 0; font < 50; font++) {
      void state.update({ font });
      await at.clock.advance(100);
    }
    expect(writes(at)).toBe(2);
  });

  test('wait no longer if the clock is set back meanwhile', async () => {
    const at = world({});
    const state = at.device().state(settings);
    await at.settle(state.ready);
    void state.update({ font: 1 });
    at.clock.set(at.clock.now() - 3_600_000);
    for (let i = 2; i < 12; i++) {
      void state.update({ font: i });
      await at.clock.advance(250);
    }
    expect(writes(at)).toBe(1);
  });

  test('that change nothing write nothing, and what is shown stays the same object', async () => {
    const at = world({});
    const state = at.device().state(settings);
    await at.settle(state.update({ theme: 'dark' }));
    const shown = shownBy(state);
    const before = state.get();
    expect(await state.update({ theme: 'dark' })).toEqual({ stage: 'none' });
    expect(await state.set({ theme: 'dark', font: 14 })).toEqual({ stage: 'none' });
    expect(await state.update((now) => now)).toEqual({ stage: 'none' });
    await at.clock.advance(5_000);
    expect(state.get()).toBe(before);
    expect([shown, writes(at)]).toEqual([[], 1]);
  });

  test('of which a function throws, or gives what does not fit, change nothing', async () => {
    const at = world({});
    const state = at.device().state(settings);
    await at.settle(state.ready);
    await expect(
      state.update(() => {
        throw new Error('mine');
      }),
    ).rejects.toThrow('mine');
    const wrong = state.update({ theme: 'blue' as 'dark' });
    await expect(wrong).rejects.toMatchObject({
      code: 'INVALID_VALUE',
      details: { category: 'settings', issues: [{ path: ['theme'] }] },
    });
    await wrong.catch((error: unknown) => {
      expect(isNostrSyncError(error, 'INVALID_VALUE') && error.message).not.toContain('blue');
    });
    await expect(state.update(3 as never)).rejects.toThrow(
      'Invalid edit: expected an object of fields, or a function, got 3',
    );
    // A function that has changed its argument has changed a copy.
    await state.update((now) => {
      now.font = 99;
      return { ...now, font: 14 };
    });
    await at.clock.advance(5_000);
    expect(state.get()).toEqual({ theme: 'light', font: 14 });
    expect(writes(at)).toBe(0);
  });

  test('a value that arrives during the debounce is under the edit, and both are saved', async () => {
    const at = world({});
    const [laptop, phone] = [at.device().state(settings), at.device().state(settings)];
    await at.settle(laptop.update({ font: 13 }));
    await at.settle(phone.ready);
    await at.clock.advance(1_000);
    void laptop.update({ theme: 'dark' });
    void phone.update({ note: 'hi' });
    await at.settle(phone.flush());
    await at.clock.advance(30);
    expect(laptop.get()).toEqual({ theme: 'dark', font: 13, note: 'hi' });
    expect(laptop.meta.get().status).toBe('pending');
    await at.clock.advance(3_000);
    expect(phone.get()).toEqual({ theme: 'dark', font: 13, note: 'hi' });
    expect(laptop.meta.get().clashes).toBeUndefined();
  });

  test('what the app writes past it, and what becomes one event with its own, is shown', async () => {
    const at = world({});
    const inner = lastingStore();
    let gate: Promise<void> = Promise.resolve();
    const store: Store = {
      ...inner,
      update: async (...args) => {
        await gate;
        return inner.update(...args);
      },
    };
    const device = at.device({ store });
    const state = device.state(settings);
    await at.settle(state.ready);
    const add = (note: string) => device.update('settings', (now) => ({ ...Object(now), note }));
    await at.settle(add('before'));
    await at.clock.advance(1_000);
    expect(state.get().note).toBe('before');
    // While one write is being saved, what comes after it waits, and goes out together.
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const first = add('first');
    await at.clock.advance(10);
    const edit = state.update({ theme: 'dark' });
    void state.flush();
    await at.clock.advance(10);
    const last = add('last');
    await at.clock.advance(10);
    open();
    const [{ eventId }, written] = await at.settle(Promise.all([edit, last, first]));
    expect(written.eventId).toBe(eventId);
    await at.clock.advance(5_000);
    expect(state.get()).toEqual({ theme: 'dark', font: 14, note: 'last' });
  });

  test('reset takes a field out, so that its default is shown; and all', async () => {
    const at = world({});
    const device = at.device();
    const state = device.state(settings);
    await at.settle(state.update({ theme: 'dark', font: 20, note: 'x' }));
    await at.settle(state.reset('theme'));
    expect(state.get()).toEqual({ theme: 'light', font: 20, note: 'x' });
    expect((await at.settle(device.fetch('settings')))?.payload).toEqual({ font: 20, note: 'x' });
    await at.settle(state.update({ font: undefined as never }));
    expect((await at.settle(device.fetch('settings')))?.payload).toEqual({ note: 'x' });
    await at.settle(state.reset());
    expect(state.get()).toEqual({ theme: 'light', font: 14 });
    expect(await state.reset()).toEqual({ stage: 'none' });
  });
});

test('flush of the engine saves what waits for the debounce, and ends when relays have it', async () => {
  const at = world({});
  const [laptop, phone] = [at.device(), at.device()];
  const state = laptop.state(settings);
  await at.settle(state.update({ font: 20 }));
  const made = state.update({ theme: 'dark' });
  await at.settle(laptop.flush());
  expect((await at.settle(phone.fetch('settings')))?.payload).toEqual({ font: 20, theme: 'dark' });
  await made;
});

describe('undo', () => {
  test('takes back what this handle has changed, and no other device’s field', async () => {
    const at = world({});
    const [laptop, phone] = [at.device().state(settings), at.device().state(settings)];
    await at.settle(laptop.update({ theme: 'dark' }));
    await at.settle(phone.ready);
    await at.settle(phone.update({ font: 20 }));
    await at.clock.advance(2_000);
    await at.settle(laptop.undo());
    expect(laptop.get()).toEqual({ theme: 'light', font: 20 });
    await at.settle(laptop.redo());
    expect(laptop.get()).toEqual({ theme: 'dark', font: 20 });
    expect(await laptop.redo()).toEqual({ stage: 'none' });
    await at.settle(laptop.undo());
    expect(await laptop.undo()).toEqual({ stage: 'none' });
  });
});

describe('a restart', () => {
  test('what was saved offline is shown again, and goes out', async () => {
    const at = world({});
    const store = lastingStore();
    const way = wayTo(at);
    way.cut();
    const before = at.device({ store, openSocket: way.openSocket });
    await at.settle(before.state(settings).update({ theme: 'dark' }));
    await at.settle(before.close());
    const after = at.device({ store, openSocket: way.openSocket }).state(settings);
    const shown = shownBy(after);
    await at.settle(after.ready);
    expect(shown).toEqual([{ theme: 'dark', font: 14 }]);
    expect(after.meta.get().status).toBe('local');
    way.join();
    await at.clock.advance(60_000);
    expect(after.meta.get().status).toBe('synced');
  });

  test('close saves what waits', async () => {
    const at = world({});
    const store = lastingStore();
    const before = at.device({ store });
    const edit = before.state(settings).update({ theme: 'dark' });
    await at.settle(before.close());
    expect((await edit).stage).not.toBe('none');
    const after = at.device({ store }).state(settings);
    await at.settle(after.ready);
    expect(after.get().theme).toBe('dark');
  });
});

describe('the handle', () => {
  test('is one for each category and engine, and opens nothing before it is used', async () => {
    const at = world({});
    const device = at.device();
    const state = device.state(settings);
    expect(device.state(settings)).toBe(state);
    expect(state.get()).toEqual({ theme: 'light', font: 14 });
    expect(state.initial).toBe(state.get());
    await at.clock.advance(10_000);
    expect(received(at.relays[0]!, 'REQ').filter((frame) => JSON.stringify(frame).includes('limit'))).toEqual(
      [],
    );
    const other = defineCategory({ name: 'settings', default: {} });
    expect(() => device.state(other)).toThrow(TypeError);
    expect(() => device.state({ name: 'settings' } as never)).toThrow(
      'Invalid category: expected what defineCategory returns, got an object',
    );
    const named = at.device({ categories: { settings: {} } });
    expect(() => named.state(settings)).toThrow(TypeError);
    await at.settle(device.close());
    expect(() => device.state(settings)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  test('asks relays for the value once it is used, and not before', async () => {
    const at = world({});
    const device = at.device();
    const state = device.state(settings);
    const asked = (): number =>
      received(at.relays[0]!, 'REQ').filter((frame) => JSON.stringify(frame).includes('default/settings/v1'))
        .length;
    await at.clock.advance(5_000);
    // What is merged is watched: another device's edits are heard of before they are overwritten.
    expect(asked()).toBe(1);
    await at.settle(state.ready);
    expect(asked()).toBe(2);
  });

  test('ready after 3 s, though a relay that is connected says nothing', async () => {
    const at = world({});
    at.relays[0]!.misbehave({ receive: ([type]) => (type === 'REQ' ? 'ignore' : undefined) });
    const state = at.device().state(settings);
    let isReady = false;
    void state.ready.then(() => (isReady = true));
    await at.clock.advance(2_500);
    expect([isReady, state.meta.get().status]).toEqual([false, 'loading']);
    await at.clock.advance(600);
    expect([isReady, state.get()]).toEqual([true, { theme: 'light', font: 14 }]);
  });

  test('offline at first: that there is no value is found out once a relay is there', async () => {
    const at = world({});
    const way = wayTo(at);
    way.cut();
    const state = at.device({ openSocket: way.openSocket }).state(settings);
    await at.settle(state.ready);
    await at.clock.advance(30_000);
    expect(state.meta.get().status).toBe('local');
    way.join();
    await at.clock.advance(60_000);
    expect(state.meta.get().status).toBe('synced');
  });

  test('ready: there is a value, or it is known that there is none, or 3 s have passed', async () => {
    const at = world({});
    const absent = at.device().state(settings);
    await at.settle(absent.ready, 1_000);
    expect(absent.meta.get().status).toBe('synced');
    expect(absent.ready).toBe(absent.ready);
    const alone = at.device({ relays: ['wss://nowhere.example'] }).state(settings);
    await at.settle(alone.ready, 3_100);
    await at.clock.advance(10_000);
    expect(alone.meta.get().status).toBe('local');
  });
});
