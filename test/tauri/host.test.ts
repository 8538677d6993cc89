/** Windows of one app, one engine: calls, hand-over, events; against a stand-in for the Rust half. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import { createNostrSync, secretKeySigner, type NostrSync } from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { signerConformance } from '../../src/testing/signer-conformance.ts';
import { storeConformance } from '../../src/testing/store-conformance.ts';
import type { Calls } from '../../src/tauri/calls.ts';
import type { Ipc } from '../../src/tauri/ipc.ts';
import { rustSigner } from '../../src/tauri/rust-signer.ts';
import { rustStore } from '../../src/tauri/rust-store.ts';
import type { Grant } from '../../src/tauri/wire.ts';
import { written } from '../sync/devices.ts';
import { closeWindows, pluginStandIn, type PluginStandIn } from './plugin-stand-in.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const URL = 'wss://relay.test';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await closeWindows();
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

interface World {
  readonly app: PluginStandIn;
  readonly relay: Relay;
  /** Another device of the user. */
  readonly phone: NostrSync;
}

function setUp({ isUnlocked = true } = {}): World {
  const relay = createRelay({});
  const openSocket = connectTo({ [URL]: relay });
  const app = pluginStandIn({ relays: [URL], openSocket });
  if (isUnlocked) app.setSigner(KEY);
  const phone = createNostrSync({ relays: [URL], signer: secretKeySigner(KEY), openSocket });
  cleanups.push(() => phone.close());
  return { app, relay, phone };
}

const notes = (app: PluginStandIn): string[] =>
  [...app.store.keys()].filter((key) => key.startsWith('tauri/request/'));
const hosts = (app: PluginStandIn): string[] =>
  app.invoked.filter(({ command }) => command === 'engine_attach').map(({ label }) => label);

describe('calls', () => {
  test('of every window reach one engine, and give what those of the original plugin give', async () => {
    const { app, relay, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const receipt = await second.calls.publish('ui-settings', { theme: 'dark' });
    expect(receipt).toMatchObject({
      category: 'ui-settings',
      stage: expect.stringMatching(/delivered|replicated/),
    });
    expect(await main.calls.fetch('ui-settings')).toMatchObject({
      payload: { theme: 'dark' },
      source: 'relay',
    });
    expect(await main.calls.fetch('nothing')).toBeNull();
    await phone.publish('wallet', [1]);
    const all = await main.calls.syncAll(['ui-settings', 'wallet', 'nothing']);
    expect(all.map(({ category }) => category)).toEqual(['ui-settings', 'wallet']);
    expect(await main.calls.poll(['ui-settings', 'wallet'])).toMatchObject([{ category: 'wallet' }]);
    expect(await second.calls.poll(['ui-settings', 'wallet'])).toEqual([]);
    expect(await main.calls.getStatus()).toMatchObject({
      ready: true,
      relayCount: 1,
      connectedRelayCount: 1,
    });
    expect(await second.calls.getRelays()).toMatchObject([{ url: URL, connected: true }]);
    expect(await second.calls.getPubkey()).toBe(await phone.getPubkey());
    await second.calls.addRelay('wss://other.test');
    expect(await main.calls.getRelays()).toHaveLength(2);
    await main.calls.removeRelay('wss://other.test');
    expect(await second.calls.getRelays()).toHaveLength(1);
    await main.calls.flush();
    await main.calls.remove('ui-settings');
    expect(await second.calls.fetch('ui-settings')).toBeNull();
    expect(hosts(app)).toEqual(['main']);
    // The phone's, and the one of both windows.
    expect(relay.connections()).toBe(2);
  });

  test('of any window reset a value that is stamped in the future', async () => {
    const { app, relay, phone } = setUp();
    const main = app.window('main');
    expect(await main.calls.reset('settings')).toBeNull();
    const ahead = Math.floor(Date.now() / 1000) + 100_000;
    relay.inject(written({ created_at: ahead, key: KEY }));
    expect(await main.calls.reset('settings', { waitFor: 'replicated' })).toMatchObject({
      stage: 'replicated',
    });
    expect(await phone.fetch('settings')).toMatchObject({ payload: 'theirs' });
    expect(
      relay
        .events()
        .filter(({ kind }) => kind === 30_078)
        .every((event) => event.created_at < ahead),
    ).toBe(true);
  });

  test('of Rust code are carried out too, and its windows hear of what it wrote', async () => {
    const { app } = setUp();
    const main = app.window('main');
    const got: unknown[] = [];
    await main.calls.subscribe(['settings'], (result) => got.push(result.payload));
    await app.call('publish', { category: 'settings', payload: 'by Rust', options: null });
    await vi.waitFor(() => expect(got).toEqual(['by Rust']));
    expect(await app.call('fetch', { category: 'settings' })).toMatchObject({ payload: 'by Rust' });
  });

  test('take an expiration as a number or among options', async () => {
    const { app, relay } = setUp();
    const main = app.window('main');
    const later = Math.floor(Date.now() / 1000) + 3_600;
    await main.calls.publish('one', 1, later);
    await main.calls.publish('two', 2, { expiration: later, waitFor: 'replicated' });
    const expirations = relay.events().map(({ tags }) => tags.find(([name]) => name === 'expiration')?.[1]);
    expect(expirations).toEqual([String(later), String(later)]);
    await expect(main.calls.publish('three', 3, 1)).rejects.toMatchObject({ code: 'INVALID_EXPIRATION' });
    await expect(main.calls.publish('three', 3, Number.NaN)).rejects.toMatchObject({
      code: 'INVALID_EXPIRATION',
    });
    await expect(main.calls.publish('three', 3, { expiration: Number.NaN })).rejects.toMatchObject({
      code: 'INVALID_EXPIRATION',
    });
  });

  test('fail with the errors of the engine, details included', async () => {
    const { app, relay } = setUp();
    const { calls } = app.window('main');
    await expect(calls.fetch('a/b')).rejects.toMatchObject({
      name: 'NostrSyncError',
      code: 'INVALID_CATEGORY',
    });
    await expect(calls.publish('a', new Date())).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
    await expect(calls.publish('a', 'x'.repeat(65_600))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      details: { size: 65_602, limit: 65_536 },
    });
    await expect(calls.addRelay('http://x')).rejects.toMatchObject({ code: 'INVALID_RELAY_URL' });
    // @ts-expect-error -- what JavaScript may pass
    await expect(calls.publish('a', 1, { waitFor: 'never' })).rejects.toThrow(TypeError);
    relay.misbehave({ refuse: 'blocked: not you' });
    await expect(calls.publish('a', 1)).rejects.toMatchObject({
      code: 'NO_RELAYS_ACCEPTED',
      details: { reasons: { [URL]: 'blocked: not you' } },
    });
    await vi.waitFor(() => expect(notes(app)).toEqual([]));
  });

  test('carry values larger than one event', async () => {
    const { app, phone } = setUp();
    const large = 'x'.repeat(65_500);
    await app.window('main').calls.publish('a', large, { waitFor: 'replicated' });
    expect((await phone.fetch('a'))?.payload === large).toBe(true);
  });

  test('hear a signal at once, in every window and whatever hangs; a write that has begun goes on', async () => {
    const { app } = setUp();
    const window = app.window('calls', { mayHost: false });
    const asks: ((options: { readonly signal: AbortSignal }) => Promise<unknown>)[] = [
      (options) => window.calls.fetch('settings', options),
      (options) => window.calls.syncAll(['settings'], options),
      (options) => window.calls.poll(['settings'], options),
      (options) => window.calls.flush(options),
      (options) => window.calls.remove('other', options),
      (options) => window.calls.publish('settings', 'goes on', { ...options, waitFor: 'saved' }),
    ];
    for (const ask of asks) {
      const abort = new AbortController();
      const asked = ask({ signal: abort.signal });
      await vi.waitFor(() => expect(app.invoked.length).toBeGreaterThan(0));
      abort.abort(new Error('the person has left'));
      await expect(asked).rejects.toThrow('the person has left');
    }
    const before = app.invoked.length;
    for (const ask of asks) await expect(ask({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
    expect(app.invoked).toHaveLength(before);
    // @ts-expect-error -- what JavaScript may pass
    await expect(window.calls.fetch('settings', { signal: 'stop' })).rejects.toThrow(TypeError);
    app.window('main');
    await vi.waitFor(async () =>
      expect(await window.calls.fetch('settings')).toMatchObject({ payload: 'goes on' }),
    );
  });

  test('need a signer, and work again once it is set', async () => {
    const { app } = setUp({ isUnlocked: false });
    const { calls } = app.window('main');
    await expect(calls.publish('a', 1)).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    expect(await calls.getPubkey()).toBeNull();
    app.setSigner(KEY);
    await calls.publish('a', 1);
    app.setSigner(null);
    await expect(calls.publish('a', 2)).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  });
});

describe('subscribe', () => {
  test('gives the current value once, then what other devices and other windows write, never its own', async () => {
    const { app, phone } = setUp();
    await phone.publish('settings', 'first', { waitFor: 'replicated' });
    const [main, second] = [app.window('main'), app.window('second')];
    const [inMain, inSecond] = [[] as unknown[], [] as unknown[]];
    await main.calls.subscribe(['settings'], ({ payload }) => inMain.push(payload));
    await vi.waitFor(() => expect(inMain).toEqual(['first']));
    // Whoever comes later gets it too, and the others not again.
    const stop = await second.calls.subscribe(['settings'], ({ payload }) => inSecond.push(payload));
    await vi.waitFor(() => expect(inSecond).toEqual(['first']));
    await phone.publish('settings', 'by the phone');
    await vi.waitFor(() =>
      expect([inMain.at(-1), inSecond.at(-1)]).toEqual(['by the phone', 'by the phone']),
    );
    await main.calls.publish('settings', 'by main');
    await vi.waitFor(() => expect(inSecond.at(-1)).toBe('by main'));
    await second.calls.remove('settings');
    await vi.waitFor(() => expect(inMain).toEqual(['first', 'by the phone', null]));
    stop();
    await main.calls.publish('settings', 'unheard');
    await main.calls.flush();
    expect(inSecond).toEqual(['first', 'by the phone', 'by main']);
    expect(
      app.heard.filter(({ event }) => event === 'updated').map(({ payload }) => payload.payload),
    ).toEqual(['first', 'by the phone']);
  });

  test('tells of the last of several writes that became one event', async () => {
    const { app } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const inSecond: unknown[] = [];
    await second.calls.subscribe(['settings'], ({ payload }) => inSecond.push(payload));
    const receipts = await Promise.all([1, 2, 3].map((value) => main.calls.publish('settings', value)));
    expect(new Set(receipts.map(({ eventId }) => eventId)).size).toBeLessThan(3);
    await vi.waitFor(() => expect(inSecond.at(-1)).toBe(3));
  });

  test('of a locked app gives the value once it is unlocked, also to a window that came between', async () => {
    const { app, phone } = setUp({ isUnlocked: false });
    await phone.publish('settings', 'there', { waitFor: 'replicated' });
    const main = app.window('main');
    const [inMain, inSecond] = [[] as unknown[], [] as unknown[]];
    await main.calls.subscribe(['settings'], ({ payload }) => inMain.push(payload));
    expect(inMain).toEqual([]);
    app.setSigner(KEY);
    await vi.waitFor(() => expect(inMain).toEqual(['there']));
    app.setSigner(null);
    const second = app.window('second');
    await second.calls.subscribe(['settings'], ({ payload }) => inSecond.push(payload));
    expect(inSecond).toEqual([]);
    app.setSigner(KEY);
    await vi.waitFor(() => expect(inSecond).toEqual(['there']));
    expect(inMain).toEqual(['there']);
  });

  test('outlives the hosting window', async () => {
    const { app, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const got: unknown[] = [];
    await second.calls.subscribe(['settings'], ({ payload }) => got.push(payload));
    main.kill();
    await phone.publish('settings', 'to the new host');
    await vi.waitFor(() => expect(got).toEqual(['to the new host']));
    expect(hosts(app)).toEqual(['main', 'second']);
  });
});

describe('a hand-over', () => {
  /** Kills the window when it calls `command` for the `nth` time, before or after that is carried out. */
  function killAt(
    app: PluginStandIn,
    window: { kill(): void; label: string },
    matches: (command: string, args: any) => boolean,
  ): Promise<void> {
    return new Promise((resolve) => {
      app.onInvoke = (label, command, args) => {
        if (label !== window.label || !matches(command, args)) return;
        app.onInvoke = () => undefined;
        // After the command itself was carried out.
        setImmediate(() => {
          window.kill();
          resolve();
        });
      };
    });
  }

  const isWriteOf = (args: any, prefix: string): boolean =>
    Object.keys(args.changes ?? {}).some((key) => key.startsWith(prefix));

  test.each([
    ['before anything was saved', (command: string) => command === 'sign_event'],
    ['after the write was saved', (_: string, args: any) => isWriteOf(args, 'head/')],
  ])('in mid-publish loses nothing: %s', async (_, matches) => {
    const { app, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    await second.calls.publish('other', 0);
    const killed = killAt(app, main, matches);
    const publishing = second.calls.publish('settings', 'precious');
    await killed;
    expect(await publishing).toMatchObject({ category: 'settings' });
    await second.calls.flush();
    expect(await phone.fetch('settings')).toMatchObject({ payload: 'precious' });
    await vi.waitFor(() => expect(notes(app)).toEqual([]));
  });

  test('writes what was noted as saved no second time', async () => {
    const { app, relay, phone } = setUp();
    relay.misbehave({ dropOk: true });
    const [main, second] = [app.window('main'), app.window('second')];
    await second.calls.getStatus();
    const killed = killAt(app, main, (_, args) => isWriteOf(args, 'tauri/request/'));
    const publishing = second.calls.publish('settings', 'older');
    // The relay has it, its answer and the call's are on the way.
    await killed;
    // Another device has seen it and goes on from there, before anybody hosts again.
    await phone.fetch('settings');
    relay.behave();
    await phone.publish('settings', 'newer', { waitFor: 'delivered' });
    expect(await publishing).toMatchObject({ stage: 'saved' });
    await second.calls.flush();
    expect(await second.calls.fetch('settings')).toMatchObject({ payload: 'newer' });
    expect(await phone.fetch('settings')).toMatchObject({ payload: 'newer' });
    await vi.waitFor(() => expect(notes(app)).toEqual([]));
  });

  test.each([
    ['publish', 1, (calls: Calls) => [calls.publish('settings', 1)]],
    ['remove', 1, (calls: Calls) => [calls.remove('settings')]],
    ['three that became two events', 2, (calls: Calls) => [1, 2, 3].map((n) => calls.publish('settings', n))],
  ])('right after the save of a write repeats nothing of it: %s', async (_, eventCount, write) => {
    const { app, relay } = setUp();
    relay.misbehave({ dropOk: true });
    const [main, second] = [app.window('main'), app.window('second')];
    await second.calls.getStatus();
    let signed = 0;
    const saved = new Set<string>();
    app.onInvoke = (label, command, args) => {
      if (command === 'sign_event' && args.template.kind === 30_078) signed += 1;
      if (!isWriteOf(args, 'head/')) return;
      for (const [key, text] of Object.entries<string>(args.changes))
        if (key.startsWith('head/')) saved.add(JSON.parse(text).head.event.id);
      if (label !== 'main' || saved.size < eventCount) return;
      // This is carried out, and nothing that would come after it.
      queueMicrotask(() => {
        main.kill();
        relay.behave();
      });
    };
    const receipts = await Promise.all(write(second.calls));
    expect(new Set(receipts.map(({ eventId }) => eventId))).toEqual(saved);
    expect([signed, saved.size]).toEqual([eventCount, eventCount]);
    await second.calls.flush();
    await vi.waitFor(() => expect(notes(app)).toEqual([]));
  });

  test('right after a refused write was withdrawn writes it again, and tells no window that it is saved', async () => {
    const { app, relay, phone } = setUp();
    relay.misbehave({ refuse: 'blocked: not you' });
    const [main, second] = [app.window('main'), app.window('second')];
    await second.calls.getStatus();
    app.onInvoke = (label, _, args) => {
      const isWithdrawal = Object.entries<string>(args.changes ?? {}).some(
        ([key, text]) => key.startsWith('head/') && !('head' in JSON.parse(text)),
      );
      if (label !== 'main' || !isWithdrawal) return;
      queueMicrotask(() => {
        main.kill();
        relay.behave();
      });
    };
    expect(await second.calls.publish('settings', 'again')).toMatchObject({ stage: 'delivered' });
    expect(await phone.fetch('settings')).toMatchObject({ payload: 'again' });
    await vi.waitFor(() => expect(notes(app)).toEqual([]));
  });

  test('writes once what the former page of the same window had on its way', async () => {
    const { app, relay } = setUp();
    const main = app.window('main');
    const caller = app.window('caller', { mayHost: false });
    await caller.calls.getStatus();
    let arrive = (): void => undefined;
    /** Of each save that was sent, whether Rust had none before it. */
    const areFirst: boolean[] = [];
    app.onInvoke = (_, command, args) => {
      // The next page has looked for notes, found none, and writes.
      if (command === 'sign_event') arrive();
      if (!isWriteOf(args, 'tauri/request/')) return undefined;
      areFirst.push(![...app.store.keys()].some((key) => key.startsWith('head/')));
      if (areFirst.length > 1) return undefined;
      main.kill();
      app.window('main');
      return new Promise((resolve) => {
        arrive = resolve;
      });
    };
    await caller.calls.publish('settings', 'once', { waitFor: 'replicated' });
    expect(areFirst).toEqual([true, true]);
    expect(relay.events()).toHaveLength(1);
    await vi.waitFor(() => expect(notes(app)).toEqual([]));
  });

  test('removes notes that an earlier run of the app has left', async () => {
    const { app } = setUp();
    app.store.set('tauri/request/earlier-1', '{}');
    await app.window('main').calls.getStatus();
    await vi.waitFor(() => expect(notes(app)).toEqual([]));
  });

  test('repeats a write that was not saved, and does not undo what was answered after it', async () => {
    const { app, relay } = setUp();
    relay.misbehave({ dropOk: true });
    const [main, second] = [app.window('main'), app.window('second')];
    const older = second.calls.publish('settings', 'older');
    await second.calls.publish('settings', 'newer', { waitFor: 'saved' });
    main.kill();
    relay.behave();
    await older;
    expect(await second.calls.fetch('settings')).toMatchObject({ payload: 'newer' });
  });

  test('carries out calls that came while no window hosted', async () => {
    const { app } = setUp();
    const caller = app.window('caller', { mayHost: false });
    const publishing = caller.calls.publish('settings', 1);
    await new Promise(setImmediate);
    const main = app.window('main');
    await publishing;
    main.kill();
    const fetching = caller.calls.fetch('settings');
    app.window('main again');
    expect(await fetching).toMatchObject({ payload: 1 });
    expect(hosts(app).filter((label) => label === 'caller')).toHaveLength(1);
  });

  test('gives the device nothing that it wrote before as news', async () => {
    const { app, phone } = setUp();
    const main = app.window('main');
    await main.calls.publish('settings', 'mine', { waitFor: 'replicated' });
    main.kill();
    const { calls } = app.window('main');
    await calls.subscribe(['settings'], () => undefined);
    expect(await calls.fetch('settings')).toMatchObject({ payload: 'mine', source: 'relay' });
    expect(await calls.poll(['settings'])).toEqual([]);
    await phone.publish('settings', 'theirs', { waitFor: 'replicated' });
    await vi.waitFor(() => {
      const updated = app.heard.filter(({ event }) => event === 'updated');
      expect(updated).toMatchObject([{ payload: { payload: 'theirs' } }]);
    });
    expect(await calls.poll(['settings'])).toMatchObject([{ payload: 'theirs' }]);
  });

  test('to a window that attached without the lock stops the former engine, until that is gone', async () => {
    const { app, relay } = setUp();
    const main = app.window('main');
    await main.calls.getStatus();
    await vi.waitFor(() => expect(relay.connections()).toBe(2));
    // As a window of another storage partition would, whose locks are others.
    const stranger = app.ipc('stranger');
    const grant = await stranger.invoke('engine_attach', { channel: stranger.channel(() => undefined) });
    expect(grant).toMatchObject({ generation: 2 });
    await vi.waitFor(() => expect(relay.connections()).toBe(1));
  });
});

describe('permissions', () => {
  test('a window without any is refused, and does not keep the others from hosting', async () => {
    const { app } = setUp();
    const guest = app.window('guest', { mayHost: false, mayCall: false });
    await expect(guest.calls.fetch('settings')).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
    const main = app.window('main');
    expect(await main.calls.fetch('settings')).toBeNull();
  });

  /** The store is in use by another process for the first `times` that it is opened; a second passes as soon as it can. */
  function holdStore(app: PluginStandIn, times: number): () => number {
    let tries = 0;
    app.onInvoke = (_, command) => {
      if (command !== 'store_list') return;
      tries += 1;
      setImmediate(() => void vi.advanceTimersByTimeAsync(1_000));
      // eslint-disable-next-line typescript/only-throw-error -- as Rust's errors come
      if (tries <= times) throw { code: 'STORE_FAILED', message: 'in use by another process' };
    };
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    return () => tries;
  }

  test('a store that another process still holds for a moment fails no call', async () => {
    const { app } = setUp();
    const tries = holdStore(app, 3);
    try {
      expect(await app.window('main').calls.getStatus()).toMatchObject({ relayCount: 1 });
      expect(tries()).toBeGreaterThan(3);
      expect(hosts(app)).toEqual(['main']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a store that another process goes on to hold fails the calls, and is tried again', async () => {
    const { app } = setUp();
    const tries = holdStore(app, 10);
    try {
      const { calls } = app.window('main');
      await expect(calls.getStatus()).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(tries()).toBeGreaterThan(3);
      await expect(calls.publish('a', 1)).rejects.toMatchObject({ code: 'STORE_FAILED' });
      while (tries() < 11) await new Promise(setImmediate);
      expect(await calls.getStatus()).toMatchObject({ relayCount: 1 });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('events', () => {
  test('of the engine go to all windows and to Rust', async () => {
    const { app, phone } = setUp();
    const main = app.window('main');
    await main.calls.subscribe(['settings'], () => undefined);
    await main.calls.publish('settings', 'mine');
    await phone.publish('settings', 'theirs');
    const heard = (event: string): any[] =>
      app.heard.filter((one) => one.event === event).map(({ payload }) => payload);
    await vi.waitFor(() => expect(heard('updated')).toMatchObject([{ payload: 'theirs' }]));
    expect(heard('relay-status')).toContainEqual(expect.objectContaining({ url: URL, connected: true }));
    expect(heard('delivery')).toContainEqual(expect.objectContaining({ stage: 'replicated' }));
    expect(heard('error')).toEqual([]);
  });
});

/** What Rust holds, for a page that has just been loaded in the window `main`. */
async function loadPage(app: PluginStandIn): Promise<{ ipc: Ipc; generation: number }> {
  const ipc = app.ipc('main');
  const { generation } = (await ipc.invoke('engine_attach', {
    channel: ipc.channel(() => undefined),
  })) as Grant;
  return { ipc, generation };
}

describe('the store in Rust', () => {
  for (const check of storeConformance) {
    test(check.name, () => {
      const app = pluginStandIn({ relays: [], openSocket: connectTo({}) });
      const open = async () => {
        const { ipc, generation } = await loadPage(app);
        return rustStore(ipc, generation);
      };
      return check.run({ open, reopen: open });
    });
  }

  test('carries out nothing more of a page that was reloaded', async () => {
    const app = pluginStandIn({ relays: [], openSocket: connectTo({}) });
    const old = await loadPage(app);
    const store = rustStore(old.ipc, old.generation);
    await store.update([], () => new Map([['a', 'in time']]));
    const late = expect(store.update([], () => new Map([['a', 'late']]))).rejects.toMatchObject({
      code: 'STORE_FAILED',
      cause: { code: 'ENGINE_GONE' },
    });
    const next = await loadPage(app);
    expect(await rustStore(next.ipc, next.generation).get('a')).toBe('in time');
    await late;
    await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('the signer in Rust', () => {
  for (const { name, run } of signerConformance) {
    test(name, async () => {
      const { app, phone } = setUp();
      const { ipc, generation } = await loadPage(app);
      const pubkey = (await phone.getPubkey())!;
      await run(rustSigner(ipc, generation, { pubkey, isLocal: true }));
    });
  }
});
