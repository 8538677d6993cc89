/** What the handles of windows keep on the device: the process keeps it for them, over their end. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  createNostrSync,
  defineCategory,
  memoryStore,
  secretKeySigner,
  type CategoryDefinition,
  type NostrSync,
  type State,
  type Store,
} from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { closeApps, pluginStandIn, type AppWindow, type PluginStandIn } from './plugin-stand-in.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const OTHER_KEY = '0f0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const URL = 'wss://relay.test';

interface Settings {
  readonly theme: string;
  readonly size: number;
}
type More = Partial<CategoryDefinition<Settings>>;
const settingsOf = (more: More = {}) =>
  defineCategory<Settings>({
    name: 'settings',
    default: { theme: 'light', size: 12 },
    debounceMs: 0,
    ...(more as object),
  });
/** An edit of these waits until something makes it go. */
const SLOW: More = { debounceMs: 60_000, maxWaitMs: 60_000 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await closeApps();
});

interface Devices {
  readonly app: PluginStandIn;
  readonly phone: NostrSync;
  readonly store: Store;
  readonly definition: ReturnType<typeof settingsOf>;
  /** A handle of this window that is in use, as by a component. */
  shown(window: AppWindow): State<Settings>;
  /** The same store under a new process. */
  restarted(): Promise<PluginStandIn>;
}

/** The app, and another device of the user. */
function setUp(more: More = {}): Devices {
  const definition = settingsOf(more);
  const openSocket = connectTo({ [URL]: createRelay({}) });
  const store = memoryStore();
  // The next process opens it again.
  const start = (): PluginStandIn =>
    pluginStandIn({
      relays: [URL],
      openSocket,
      definitions: [definition],
      store: { ...store, close: async () => undefined },
    });
  const app = start();
  app.setSigner(KEY);
  const phone = createNostrSync({ relays: [URL], signer: secretKeySigner(KEY), openSocket });
  cleanups.push(() => phone.close());
  return {
    ...{ app, phone, store, definition },
    shown: ({ state }) => {
      const handle = state(definition);
      handle.subscribe(() => undefined);
      return handle;
    },
    restarted: async () => {
      await closeApps();
      return start();
    },
  };
}
const shows = (state: State<Settings>, value: Partial<Settings>): Promise<void> =>
  vi.waitFor(() => expect(state.get()).toMatchObject(value), { timeout: 5_000 });
const stands = (state: State<Settings>, status: string): Promise<void> =>
  vi.waitFor(() => expect(state.meta.get().status).toBe(status), { timeout: 5_000 });
const gets = (phone: NostrSync, payload: unknown): Promise<void> =>
  vi.waitFor(async () => expect(await phone.fetch('settings')).toMatchObject({ payload }), {
    timeout: 5_000,
  });
const textOf = async (store: Store): Promise<string> => JSON.stringify([...(await store.list(''))]);
const draftsIn = async (store: Store): Promise<string[]> => [...(await store.list('draft/')).values()];

describe('an edit that is made while the app is locked', () => {
  test('is kept, as ciphertext, over the end of its window', async () => {
    const { app, phone, store, shown } = setUp();
    const first = app.window('main');
    const main = shown(first);
    await stands(main, 'synced');
    app.setSigner(null);
    await stands(main, 'locked');
    expect(await main.update({ theme: 'a theme in the clear' })).toEqual({ stage: 'sealed' });
    expect(await textOf(store)).not.toContain('in the clear');
    first.kill();
    const again = shown(app.window('main'));
    app.setSigner(KEY);
    await shows(again, { theme: 'a theme in the clear' });
    await gets(phone, { theme: 'a theme in the clear' });
  });

  test('is kept over the end of the process', async () => {
    const { app, phone, store, shown, restarted } = setUp();
    const main = shown(app.window('main'));
    await stands(main, 'synced');
    app.setSigner(null);
    await stands(main, 'locked');
    await main.update({ size: 20 });
    const next = await restarted();
    const again = shown(next.window('main'));
    await stands(again, 'locked');
    next.setSigner(KEY);
    await gets(phone, { size: 20 });
    await vi.waitFor(async () => expect(await draftsIn(store)).toEqual([]));
  });

  test('is made once if two windows are open', async () => {
    const { app, phone, shown } = setUp();
    const [main, second] = [shown(app.window('main')), shown(app.window('second'))];
    await stands(main, 'synced');
    await stands(second, 'synced');
    app.setSigner(null);
    await stands(main, 'locked');
    await stands(second, 'locked');
    await Promise.all([main.update({ theme: 'dark' }), second.update({ size: 20 })]);
    app.setSigner(KEY);
    for (const state of [main, second]) {
      await shows(state, { theme: 'dark', size: 20 });
      await stands(state, 'synced');
    }
    await gets(phone, { theme: 'dark', size: 20 });
    const history = await phone.history('settings');
    expect(history.length).toBeLessThanOrEqual(2);
  });

  test('waits for its own key', async () => {
    const { app, phone, shown } = setUp();
    const main = shown(app.window('main'));
    await stands(main, 'synced');
    app.setSigner(null);
    await stands(main, 'locked');
    await main.update({ size: 20 });
    app.setSigner(OTHER_KEY);
    await stands(main, 'synced');
    expect(main.get()).toEqual({ theme: 'light', size: 12 });
    app.setSigner(KEY);
    await gets(phone, { size: 20 });
  });
});

describe('an edit that waits', () => {
  test.each(['clear', 'keep'] as const)('outlives a lock: %s', async (whileLocked) => {
    const { app, phone, shown } = setUp({ ...SLOW, whileLocked });
    const main = shown(app.window('main'));
    await stands(main, 'synced');
    const editing = main.update({ theme: 'dark' });
    app.setSigner(null);
    await stands(main, 'locked');
    expect(main.get().theme).toBe(whileLocked === 'clear' ? 'light' : 'dark');
    if (whileLocked === 'clear') expect(await editing).toEqual({ stage: 'sealed' });
    app.setSigner(KEY);
    await shows(main, { theme: 'dark' });
    await gets(phone, { theme: 'dark' });
  });

  test('is made by the process when its window is closed, with no window left', async () => {
    const { app, phone, store, shown } = setUp(SLOW);
    const window = app.window('main');
    const main = shown(window);
    await phone.publish('settings', { size: 9 });
    await shows(main, { size: 9 });
    void main.update({ theme: 'dark' });
    void main.update({ theme: 'darker' });
    await new Promise(setImmediate);
    await window.close();
    await gets(phone, { theme: 'darker', size: 9 });
    expect(await draftsIn(store)).toEqual([]);
  });

  test('is told to the other windows when its own is closed', async () => {
    const { app, shown } = setUp(SLOW);
    const window = app.window('main');
    const [main, second] = [shown(window), shown(app.window('second'))];
    await stands(main, 'synced');
    void main.update({ theme: 'dark' });
    await new Promise(setImmediate);
    await window.close();
    await shows(second, { theme: 'dark' });
  });

  test('is merged with what has come in when its window is closed', async () => {
    const { app, phone, shown } = setUp(SLOW);
    const window = app.window('main');
    const main = shown(window);
    await stands(main, 'synced');
    void main.update({ theme: 'dark' });
    await phone.publish('settings', { size: 9 });
    await window.close();
    await gets(phone, { theme: 'dark', size: 9 });
  });

  test('is sealed if its window is closed while the app is being locked', async () => {
    const { app, phone, store, shown } = setUp(SLOW);
    const window = app.window('main');
    const main = shown(window);
    await stands(main, 'synced');
    void main.update({ theme: 'dark' });
    await new Promise(setImmediate);
    window.kill();
    app.setSigner(null);
    await window.close();
    expect(await draftsIn(store)).toHaveLength(1);
    app.setSigner(KEY);
    shown(app.window('main'));
    await gets(phone, { theme: 'dark' });
  });

  test('is made when the app ends', async () => {
    const { app, phone, shown, restarted } = setUp(SLOW);
    const main = shown(app.window('main'));
    await stands(main, 'synced');
    void main.update({ theme: 'dark' });
    await new Promise(setImmediate);
    const next = await restarted();
    next.setSigner(KEY);
    await gets(phone, { theme: 'dark' });
  });

  test('is made once, if its window is closed while it is being saved', async () => {
    const { app, phone, store, shown } = setUp();
    const window = app.window('main');
    const main = shown(window);
    await stands(main, 'synced');
    void main.update({ theme: 'dark' });
    await vi.waitFor(() => expect(app.invoked.some(({ command }) => command === 'update')).toBe(true));
    await window.close();
    await gets(phone, { theme: 'dark' });
    expect(await phone.history('settings')).toHaveLength(1);
    expect(await draftsIn(store)).toEqual([]);
  });

  test('leaves nothing behind once it is saved', async () => {
    const { app, store, shown } = setUp();
    const main = shown(app.window('main'));
    await stands(main, 'synced');
    await main.update({ theme: 'dark' });
    await main.update({ size: 20 });
    const count = app.invoked.filter(({ command }) => command === 'keep').length;
    // Each is held, and let go.
    await vi.waitFor(() =>
      expect(app.invoked.filter(({ command }) => command === 'keep').length).toBe(Math.max(count, 4)),
    );
    expect([...(await store.list('draft/')).keys()]).toEqual([]);
  });
});

describe('data from before syncing', () => {
  test('is taken in once, by whichever window is first', async () => {
    const value = vi.fn(() => ({ theme: 'old', size: 12 }));
    const { app, phone, shown } = setUp({ adopt: { value } });
    const first = app.window('main');
    const main = shown(first);
    await shows(main, { theme: 'old' });
    await gets(phone, { theme: 'old' });
    await stands(main, 'synced');
    await main.reset('theme');
    first.kill();
    const again = shown(app.window('main'));
    await stands(again, 'synced');
    await again.update({ size: 20 });
    expect(again.get()).toEqual({ theme: 'light', size: 20 });
    expect(value).toHaveBeenCalledOnce();
  });

  test('is not asked for again if there was nothing', async () => {
    const value = vi.fn(() => null);
    const { app, store, shown } = setUp({ adopt: { value } });
    await stands(shown(app.window('main')), 'synced');
    await vi.waitFor(async () => expect((await store.list('adopted/')).size).toBe(1));
    await stands(shown(app.window('second')), 'synced');
    expect(value).toHaveBeenCalledOnce();
  });
});

describe('what never leaves the device', () => {
  test('is shown in every window, kept as ciphertext, and given to no relay', async () => {
    const { app, phone, store, shown, restarted } = setUp({ local: ['theme'] });
    const [main, second] = [shown(app.window('main')), shown(app.window('second'))];
    await stands(main, 'synced');
    await stands(second, 'synced');
    await main.update({ theme: 'of this device', size: 20 });
    await shows(second, { theme: 'of this device', size: 20 });
    await gets(phone, { size: 20 });
    expect((await phone.fetch('settings'))?.payload).toEqual({ size: 20 });
    expect(await textOf(store)).not.toContain('of this device');
    const next = await restarted();
    next.setSigner(KEY);
    await shows(shown(next.window('main')), { theme: 'of this device', size: 20 });
  });

  test('may be a whole category', async () => {
    const { app, phone, shown } = setUp({ local: true });
    const [main, second] = [shown(app.window('main')), shown(app.window('second'))];
    await stands(main, 'synced');
    await stands(second, 'synced');
    expect(await main.update({ size: 20 })).toEqual({ stage: 'device' });
    await shows(second, { size: 20 });
    expect(await phone.fetch('settings')).toBeNull();
  });

  test('is saved when its window is closed', async () => {
    const { app, shown } = setUp({ ...SLOW, local: true });
    const window = app.window('main');
    const [main, second] = [shown(window), shown(app.window('second'))];
    await stands(main, 'synced');
    void main.update({ size: 20 });
    await new Promise(setImmediate);
    await window.close();
    await shows(second, { size: 20 });
  });
});

describe('the calls of a window', () => {
  const D_TAG = 'default/settings/v1';
  const PUBKEY = 'f'.repeat(64);
  const draft = { key: `draft/${PUBKEY}/${D_TAG}/1`, version: 1, at: 1, value: {} };
  const keep = { category: 'settings', pubkey: PUBKEY, page: 'p', instead: [] };

  test.each([
    ['a key of something else', 'keep', { ...keep, what: 'draft', draft: { ...draft, key: 'device-id' } }],
    [
      'a key of another category',
      'keep',
      { ...keep, what: 'draft', draft: { ...draft, key: `draft/${PUBKEY}/default/other/v1/1` } },
    ],
    ['in the place of something else', 'keep', { ...keep, what: 'draft', draft, instead: ['device-id'] }],
    ['no list', 'keep', { ...keep, what: 'draft', draft, instead: undefined }],
    ['no draft', 'keep', { ...keep, what: 'held' }],
    ['drops something else', 'keep', { ...keep, what: 'dropped', keys: [`head/${PUBKEY}/${D_TAG}`] }],
    ['no pubkey', 'keep', { ...keep, what: 'adopted', pubkey: '../../x' }],
    ['nothing known', 'keep', { ...keep, what: 'nonsense' }],
    ['nothing known', 'kept', { ...keep, what: 'nonsense' }],
    ['a note under another key', 'update', { ...keep, options: { notes: [['device-id', '']] } }],
    ['a note of another text', 'update', { ...keep, options: { notes: [[draft.key, 'text']] } }],
    [
      'a mark of another text',
      'update',
      { ...keep, options: { notes: [[`adopted/${PUBKEY}/${D_TAG}`, '']] } },
    ],
    ['notes that are none', 'remove', { ...keep, options: { notes: 'text' } }],
  ])('are refused: %s (%s)', async (_, method, args) => {
    const { app, store } = setUp();
    await app.call('get_status');
    const before = await textOf(store);
    const error = await app.call(method, args).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await textOf(store)).toBe(before);
  });

  test('may overtake each other: the newer draft counts, and none that is saved', async () => {
    const { app, store } = setUp(SLOW);
    const { pubkey, draftKey } = (await app.call('kept', { ...keep, what: 'who' })) as Record<string, string>;
    const at = (time: number, theme: string) => ({
      ...{ ...keep, pubkey, what: 'held' },
      draft: { key: draftKey, version: 1, at: time, value: { theme } },
    });
    await app.call('keep', at(2, 'newer'));
    await app.call('keep', at(1, 'older'));
    await app.call('gone');
    expect(await app.call('fetch', { category: 'settings' })).toMatchObject({ payload: { theme: 'newer' } });
    await app.call('keep', { ...at(3, 'late'), what: 'draft' });
    expect(await draftsIn(store)).toEqual([]);
  });

  test('of a page that was reloaded without a word bring what it had not saved', async () => {
    const { app, phone, shown } = setUp(SLOW);
    const first = app.window('main');
    const main = shown(first);
    await stands(main, 'synced');
    void main.update({ theme: 'dark' });
    await new Promise(setImmediate);
    first.kill();
    await shows(shown(app.window('main')), { theme: 'dark' });
    await gets(phone, { theme: 'dark' });
  });
});
