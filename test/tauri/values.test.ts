/** Updating, merging and history from windows of one app: the functions run in the window that calls, the rules in the engine. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import { mergeBy } from '../../src/merge.ts';
import { createNostrSync, secretKeySigner, systemClock, type NostrSync } from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import type { AppWindow, PluginStandIn } from './plugin-stand-in.ts';
import { closeApps, pluginStandIn } from './plugin-stand-in.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const URL = 'wss://relay.test';
const CATEGORIES = { settings: { merge: mergeBy() } };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeApps();
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

interface World {
  readonly app: PluginStandIn;
  readonly relay: Relay;
  /** Another device of the user. */
  readonly phone: NostrSync;
}

/** `aheadMs`: of the phone's clock, which says whose value is the newer. */
function setUp(aheadMs = 0): World {
  const relay = createRelay({});
  const openSocket = connectTo({ [URL]: relay });
  const app = pluginStandIn({ relays: [URL], openSocket, categories: CATEGORIES });
  app.setSigner(KEY);
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const options = { relays: [URL], signer: secretKeySigner(KEY), openSocket, categories: CATEGORIES };
  const phone = createNostrSync({ ...options, clock });
  cleanups.push(() => phone.close());
  return { app, relay, phone };
}

const heardBy = async (window: AppWindow): Promise<unknown[]> => {
  const heard: unknown[] = [];
  await window.calls.subscribe(['settings'], ({ payload }) => heard.push(payload));
  return heard;
};
const eventsOf = (app: PluginStandIn, name: string): any[] =>
  app.heard.filter(({ event }) => event === name).map(({ payload }) => payload);
const change =
  (more: object) =>
  (now: unknown): unknown => ({ ...(now as object), ...more });

describe('update', () => {
  test('of several windows at once counts every one, and the functions run in the windows that call', async () => {
    const { app, phone } = setUp();
    const windows = [app.window('main'), app.window('second'), app.window('third')];
    await windows[0]!.calls.publish('settings', 0);
    const given: unknown[] = [];
    const more = windows.flatMap(({ calls }) =>
      [1, 2].map(() =>
        calls.update('settings', (now) => {
          given.push(now);
          return (now as number) + 1;
        }),
      ),
    );
    await Promise.all(more);
    expect(await windows[1]!.calls.fetch('settings')).toMatchObject({ payload: 6 });
    await windows[1]!.calls.flush();
    expect(await phone.fetch('settings')).toMatchObject({ payload: 6 });
    // The functions were called again where another window was faster.
    expect(given.length).toBeGreaterThan(6);
  });

  test('gives the function nothing if there is nothing, and a copy that it may write into', async () => {
    const { app } = setUp();
    const { calls } = app.window('main');
    await calls.update('settings', (now) => ({ was: now ?? 'nothing' }));
    await calls.update('settings', (now) => Object.assign(now as object, { more: true }));
    expect(await calls.fetch('settings')).toMatchObject({ payload: { was: 'nothing', more: true } });
  });

  test('that fails writes nothing, and takes no write of another window with it', async () => {
    const { app } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    await main.calls.publish('settings', { n: 0 });
    const failing = (): never => {
      throw new RangeError('of the app');
    };
    const [first, ...others] = await Promise.allSettled([
      second.calls.publish('settings', { n: 1 }, { waitFor: 'saved' }),
      main.calls.update('settings', failing),
      main.calls.update('settings', () => undefined),
      main.calls.update('settings', async () => 1),
      main.calls.update('settings', () => 'x'.repeat(70_000)),
      main.calls.update('settings', 7 as never),
      main.calls.update('settings', () => 1, { basedOn: 'f'.repeat(64) } as object),
      main.calls.update('a/b', () => 1),
      main.calls.update('settings', () => 1, { signal: AbortSignal.abort(new Error('has left')) }),
    ]);
    expect(first.status).toBe('fulfilled');
    expect(others.map((one) => (one as PromiseRejectedResult).reason)).toMatchObject([
      { message: 'of the app' },
      { code: 'INVALID_PAYLOAD' },
      { code: 'INVALID_PAYLOAD' },
      { code: 'PAYLOAD_TOO_LARGE' },
      { name: 'TypeError' },
      { name: 'TypeError', message: expect.stringContaining('basedOn') },
      { code: 'INVALID_CATEGORY' },
      { message: 'has left' },
    ]);
    expect(await main.calls.fetch('settings')).toMatchObject({ payload: { n: 1 } });
  });

  test('is heard by the other windows, and of Rust code by all', async () => {
    const { app } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const [inMain, inSecond] = [await heardBy(main), await heardBy(second)];
    await main.calls.update('settings', () => 'by main');
    await vi.waitFor(() => expect(inSecond).toEqual(['by main']));
    const asked: any = await app.call('update', { category: 'settings' });
    expect(asked).toEqual({ now: '"by main"' });
    const made = await app.call('update', { category: 'settings', now: asked.now, payload: 'by Rust' });
    expect(made).toMatchObject({ receipt: { category: 'settings' } });
    await vi.waitFor(() => expect([inMain, inSecond]).toEqual([['by Rust'], ['by main', 'by Rust']]));
    const stale = await app.call('update', { category: 'settings', now: asked.now, payload: 'late' });
    expect(stale).toEqual({ now: '"by Rust"' });
  });
});

describe('merging', () => {
  /** The phone and the app know one value, and are apart. */
  async function apart({ relay, phone }: World, calls: AppWindow['calls']): Promise<void> {
    await calls.publish('settings', { theme: 'light', font: 12 }, { waitFor: 'replicated' });
    await phone.fetch('settings');
    await calls.poll(['settings']);
    relay.misbehave({ refuseConnections: true });
    relay.disconnectAll();
    await vi.waitFor(async () => expect((await calls.getStatus()).ready).toBe(false));
  }

  test('what devices changed apart reaches every window', async () => {
    const world = setUp();
    const { app, relay, phone } = world;
    const [main, second] = [app.window('main'), app.window('second')];
    const [inMain, inSecond] = [await heardBy(main), await heardBy(second)];
    await apart(world, main.calls);
    await phone.update('settings', change({ font: 14 }), { waitFor: 'saved' });
    await second.calls.update('settings', change({ theme: 'dark' }), { waitFor: 'saved' });
    relay.behave();
    const both = { theme: 'dark', font: 14 };
    await vi.waitFor(() => expect([inMain.at(-1), inSecond.at(-1)]).toEqual([both, both]), 15_000);
    expect(await phone.fetch('settings')).toMatchObject({ payload: both });
    expect(eventsOf(app, 'conflict')).toEqual([]);
  }, 30_000);

  test('gives a value that a window made of an older one back to that window with what it had not seen', async () => {
    const { app, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const [inMain, inSecond] = [await heardBy(main), await heardBy(second)];
    await main.calls.publish('settings', { theme: 'light', font: 12 }, { waitFor: 'replicated' });
    const { eventId } = (await main.calls.fetch('settings'))!;
    await second.calls.update('settings', change({ font: 14 }));
    await main.calls.publish('settings', { theme: 'dark', font: 12 }, { basedOn: eventId });
    const both = { theme: 'dark', font: 14 };
    await vi.waitFor(() => expect([inMain.at(-1), inSecond.at(-1)]).toEqual([both, both]));
    expect(inSecond).not.toContainEqual({ theme: 'dark', font: 12 });
    await main.calls.flush();
    expect(await phone.fetch('settings')).toMatchObject({ payload: both });
    await expect(main.calls.publish('settings', 1, { basedOn: 'x' })).rejects.toThrow(TypeError);
  });

  test('by this device reaches every window, `poll` and `updated`, and `merged` and `conflict` tell of what it gives up', async () => {
    const world = setUp(5_000);
    const { app, relay, phone } = world;
    const [main, second] = [app.window('main'), app.window('second')];
    const [inMain, inSecond] = [await heardBy(main), await heardBy(second)];
    await apart(world, main.calls);
    await second.calls.update('settings', change({ theme: 'dark', font: 16 }), { waitFor: 'saved' });
    await phone.update('settings', change({ font: 18 }), { waitFor: 'saved' });
    relay.behave();
    await vi.waitFor(() => expect(eventsOf(app, 'merged')).toHaveLength(1), 15_000);
    const value = { theme: 'dark', font: 18 };
    const clash = { path: ['font'], reason: 'both-changed', base: 12, mine: 16, theirs: 18 };
    expect(eventsOf(app, 'merged')).toMatchObject([
      { category: 'settings', base: 'exact', clashes: [clash], value: { payload: value } },
    ]);
    expect(eventsOf(app, 'conflict')).toMatchObject([
      { clashes: [clash], base: { payload: { font: 12 } }, mine: { payload: { font: 16 } }, shown: 'theirs' },
    ]);
    await vi.waitFor(() => expect([inMain.at(-1), inSecond.at(-1)]).toEqual([value, value]));
    await vi.waitFor(() => expect(eventsOf(app, 'updated').at(-1)).toMatchObject({ payload: value }));
    expect(await main.calls.poll(['settings'])).toMatchObject([{ payload: value }]);
    expect(await main.calls.poll(['settings'])).toEqual([]);
  }, 30_000);
});

describe('history', () => {
  test('is listed, read and restored from any window, and the others hear of it', async () => {
    const { app, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const inSecond = await heardBy(second);
    expect([await main.calls.history('settings'), await main.calls.inspect()]).toEqual([[], []]);
    for (const n of [1, 2]) await main.calls.publish('settings', { n }, { waitFor: 'replicated' });
    const versions = await second.calls.history('settings');
    expect(versions).toMatchObject([{ isCurrent: true }, { isCurrent: false, why: 'own' }]);
    const [, { eventId }] = versions as [unknown, { eventId: string }];
    expect(await second.calls.readVersion('settings', eventId)).toMatchObject({ payload: { n: 1 } });
    const receipt = await main.calls.restore('settings', eventId, { waitFor: 'replicated' });
    expect(receipt.eventId).not.toBe(eventId);
    expect(await phone.fetch('settings')).toMatchObject({ payload: { n: 1 } });
    await vi.waitFor(() => expect(inSecond).toEqual([{ n: 1 }, { n: 2 }, { n: 1 }]));
    expect(await main.calls.inspect()).toMatchObject([
      { category: 'settings', isOwn: true, stage: 'replicated', kept: 2, rivals: 0 },
    ]);
    for (const ask of [main.calls.readVersion, main.calls.restore])
      await expect(ask('settings', 'f'.repeat(64))).rejects.toMatchObject({
        ...{ code: 'VERSION_NOT_KEPT', details: { category: 'settings', eventId: 'f'.repeat(64) } },
      });
    await expect(main.calls.readVersion('settings', 'x')).rejects.toThrow(TypeError);
  });

  test('of a locked app is listed, and not read', async () => {
    const { app } = setUp();
    const { calls } = app.window('main');
    const { eventId } = await calls.publish('settings', 1);
    app.setSigner(null);
    expect(await calls.history('settings')).toMatchObject([{ eventId }]);
    expect(await calls.inspect()).toMatchObject([{ eventId }]);
    await expect(calls.readVersion('settings', eventId)).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  });
});
