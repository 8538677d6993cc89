/** Handles in windows of one app: each window has its own, over its calls and events, and the engine knows the definition. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  createNostrSync,
  defineCategory,
  secretKeySigner,
  type NostrSync,
  type State,
} from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { closeApps, pluginStandIn, type PluginStandIn } from './plugin-stand-in.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const URL = 'wss://relay.test';

interface Settings {
  readonly theme: string;
  readonly size: number;
}
const settingsOf = (more: object = {}) =>
  defineCategory<Settings>({
    name: 'settings',
    default: { theme: 'light', size: 12 },
    debounceMs: 0,
    ...more,
  });

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await closeApps();
});

/** Another device of the user, and the app. */
function setUp(definition = settingsOf()): { readonly app: PluginStandIn; readonly phone: NostrSync } {
  const openSocket = connectTo({ [URL]: createRelay({}) });
  const app = pluginStandIn({ relays: [URL], openSocket, definitions: [definition] });
  app.setSigner(KEY);
  const phone = createNostrSync({ relays: [URL], signer: secretKeySigner(KEY), openSocket });
  cleanups.push(() => phone.close());
  return { app, phone };
}
const shows = (state: State<Settings>, value: Partial<Settings>): Promise<void> =>
  vi.waitFor(() => expect(state.get()).toMatchObject(value), { timeout: 5_000 });
const stands = (state: State<Settings>, status: string): Promise<void> =>
  vi.waitFor(() => expect(state.meta.get().status).toBe(status), { timeout: 5_000 });
/** In use, as by a component. */
const used = (state: State<Settings>): State<Settings> => {
  cleanups.push(
    state.subscribe(() => undefined),
    () => state.close(),
  );
  return state;
};

describe('windows', () => {
  test('show what each of them and another device edits, and how it stands', async () => {
    const { app, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')].map(({ state }) =>
      used(state(settingsOf())),
    );
    const theirs = used(phone.state(settingsOf()));
    await stands(main!, 'synced');
    await second!.update({ theme: 'dark' });
    await shows(main!, { theme: 'dark', size: 12 });
    await theirs.update({ size: 20 });
    for (const state of [main!, second!, theirs]) await shows(state, { theme: 'dark', size: 20 });
    for (const state of [main!, second!]) await stands(state, 'synced');
  });

  test('start nothing until a handle is used', async () => {
    const { app } = setUp();
    const { state } = app.window('main');
    const before = app.invoked.length;
    const settings = state(settingsOf());
    expect(settings.get()).toEqual({ theme: 'light', size: 12 });
    await new Promise((done) => setTimeout(done, 50));
    expect(app.invoked.slice(before)).toEqual([]);
  });

  test('edit different fields at the same time, and lose nothing', async () => {
    const { app, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')].map(({ state }) =>
      used(state(settingsOf())),
    );
    await stands(main!, 'synced');
    await stands(second!, 'synced');
    await Promise.all([main!.update({ theme: 'dark' }), second!.update({ size: 20 })]);
    for (const state of [main!, second!, used(phone.state(settingsOf()))])
      await shows(state, { theme: 'dark', size: 20 });
  });

  test('flush what their handles wait with, but do not wait for the app to be unlocked', async () => {
    const { app, phone } = setUp();
    const { state, flush } = app.window('main');
    const main = used(state(settingsOf()));
    await stands(main, 'synced');
    const editing = main.update({ theme: 'dark' });
    await flush();
    expect(await phone.fetch('settings')).toMatchObject({ payload: { theme: 'dark' } });
    await editing;
    app.setSigner(null);
    await stands(main, 'locked');
    const waiting = main.update({ size: 20 });
    await flush();
    app.setSigner(KEY);
    await waiting;
  });

  test.each([
    ['nothing is stored yet', undefined],
    ['it was told of a value', { theme: 'light', size: 9 }],
    ['it has written one', 'itself'],
  ] as const)('save an edit of the very turn in which the page goes: %s', async (_, before) => {
    const listeners = new Map<string, () => void>();
    vi.stubGlobal('addEventListener', (type: string, listener: () => void) => listeners.set(type, listener));
    cleanups.push(() => vi.unstubAllGlobals());
    const slow = settingsOf({ debounceMs: 60_000, maxWaitMs: 60_000 });
    const { app, phone } = setUp(slow);
    const { state, kill } = app.window('main');
    // In a page that is gone nothing can be closed.
    const main = state(slow);
    main.subscribe(() => undefined);
    await main.ready;
    if (before === 'itself') {
      void main.update({ size: 9 });
      await main.flush();
    } else if (before !== undefined) {
      await phone.publish('settings', before);
      await shows(main, before);
    }
    await stands(main, 'synced');
    void main.update({ theme: 'dark' });
    listeners.get('pagehide')!();
    // What is asked for gets no answer any more.
    await new Promise(setImmediate);
    kill();
    await vi.waitFor(async () => {
      const value = { ...(before !== undefined && { size: 9 }), theme: 'dark' };
      expect(await phone.fetch('settings')).toMatchObject({ payload: value });
    });
  });

  test('save an edit that was made while the app was locked, once it is not', async () => {
    const { app, phone } = setUp();
    app.setSigner(null);
    const main = used(app.window('main').state(settingsOf()));
    await stands(main, 'locked');
    const editing = main.update({ theme: 'dark' });
    expect(main.get().theme).toBe('dark');
    app.setSigner(KEY);
    await editing;
    await shows(used(phone.state(settingsOf())), { theme: 'dark' });
  });

  test('read what another one has written in the form of a newer version', async () => {
    const migrate = { 2: (old: unknown) => ({ ...(old as object), size: 99 }) };
    const next = (): ReturnType<typeof settingsOf> => settingsOf({ version: 2, migrate });
    const { app } = setUp(next());
    const [main, second] = [app.window('main'), app.window('second')].map(({ state }) => used(state(next())));
    await stands(main!, 'synced');
    await stands(second!, 'synced');
    await second!.update({ size: 13 });
    await shows(main!, { size: 13 });
  });

  test('write nothing that the engine has no definition of', async () => {
    const { app } = setUp();
    const other = app
      .window('main')
      .state(defineCategory({ name: 'other', default: { n: 0 }, debounceMs: 0 }));
    cleanups.push(() => other.close());
    await expect(other.update({ n: 1 })).rejects.toThrow(/"categories"/);
  });
});
