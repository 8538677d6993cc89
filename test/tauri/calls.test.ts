/** Windows of one app, one engine: calls, subscriptions, events; against a stand-in for the Rust half. */

import { afterEach, describe, expect, test, vi } from 'vitest';
import { createNostrSync, secretKeySigner, type NostrSync } from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { written } from '../sync/devices.ts';
import { closeApps, pluginStandIn, type PluginStandIn } from './plugin-stand-in.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const URL = 'wss://relay.test';

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

function setUp({ isUnlocked = true } = {}): World {
  const relay = createRelay({});
  const openSocket = connectTo({ [URL]: relay });
  const app = pluginStandIn({ relays: [URL], openSocket });
  if (isUnlocked) app.setSigner(KEY);
  const phone = createNostrSync({ relays: [URL], signer: secretKeySigner(KEY), openSocket });
  cleanups.push(() => phone.close());
  return { app, relay, phone };
}

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
  });

  test('carry values larger than one event', async () => {
    const { app, phone } = setUp();
    const large = 'x'.repeat(65_500);
    await app.window('main').calls.publish('a', large, { waitFor: 'replicated' });
    expect((await phone.fetch('a'))?.payload === large).toBe(true);
  });

  test('hear a signal at once, in every window and whatever hangs; a write that has begun goes on', async () => {
    const { app } = setUp();
    const window = app.window('calls');
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
      abort.abort(new Error('the person has left'));
      await expect(asked).rejects.toThrow('the person has left');
    }
    const before = app.invoked.length;
    for (const ask of asks) await expect(ask({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
    expect(app.invoked).toHaveLength(before);
    // @ts-expect-error -- what JavaScript may pass
    await expect(window.calls.fetch('settings', { signal: 'stop' })).rejects.toThrow(TypeError);
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

  test('tells of the last of several writes at once', async () => {
    const { app } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const inSecond: unknown[] = [];
    await second.calls.subscribe(['settings'], ({ payload }) => inSecond.push(payload));
    await Promise.all([1, 2, 3].map((value) => main.calls.publish('settings', value)));
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

  test('goes on in a page that was almost left, and not in one that is gone', async () => {
    const { app, phone } = setUp();
    const [main, second] = [app.window('main'), app.window('second')];
    const [inMain, inSecond] = [[] as unknown[], [] as unknown[]];
    await main.calls.subscribe(['settings'], ({ payload }) => inMain.push(payload));
    const stop = await second.calls.subscribe(['settings'], ({ payload }) => inSecond.push(payload));
    main.kill();
    second.almostLeave();
    await phone.publish('settings', 'still heard');
    await vi.waitFor(() => expect(inSecond).toEqual(['still heard']));
    expect(inMain).toEqual([]);
    stop();
    await phone.publish('settings', 'unheard', { waitFor: 'replicated' });
    await second.calls.flush();
    expect(inSecond).toEqual(['still heard']);
  });

  test('refuses what is no list, and no listener', async () => {
    const { calls } = setUp().app.window('main');
    for (const [categories, listener] of [
      ['settings', () => undefined],
      [['settings'], 7],
    ])
      await expect(calls.subscribe(categories as never, listener as never)).rejects.toThrow(TypeError);
    await expect(calls.subscribe(['a/b'], () => undefined)).rejects.toMatchObject({
      code: 'INVALID_CATEGORY',
    });
  });
});

describe('on', () => {
  test('tells this window of the events of the engine until it is stopped, errors as errors', async () => {
    const { app, phone, relay } = setUp();
    const { calls } = app.window('main');
    const [deliveries, updated, errors] = [[] as unknown[], [] as unknown[], [] as unknown[]];
    const stop = await calls.on('delivery', (receipt) => deliveries.push(receipt));
    await calls.on('updated', ({ payload }) => updated.push(payload));
    await calls.on('error', (error) => errors.push(error));
    await calls.subscribe(['settings'], () => undefined);
    await calls.publish('settings', 'mine', { waitFor: 'replicated' });
    await phone.publish('settings', 'theirs');
    await vi.waitFor(() => expect(updated).toEqual(['theirs']));
    expect(deliveries).toContainEqual(expect.objectContaining({ stage: 'replicated' }));
    relay.inject(written({ created_at: Math.floor(Date.now() / 1000) + 100_000, key: KEY }));
    await vi.waitFor(() => expect(errors).toMatchObject([{ name: 'NostrSyncError', code: 'CLOCK_SKEW' }]));
    stop();
    const before = deliveries.length;
    await calls.publish('settings', 'more', { waitFor: 'replicated' });
    expect(deliveries).toHaveLength(before);
    await expect(calls.on('nonsense' as never, () => undefined)).rejects.toThrow(TypeError);
    await expect(calls.on('status', 7 as never)).rejects.toThrow(TypeError);
  });
});

describe('a page that is loaded again, under the same label', () => {
  test('is given no value of this device by poll and updated, and by poll none twice', async () => {
    const { app, phone } = setUp();
    const before = app.window('main');
    await before.calls.publish('settings', 'mine', { waitFor: 'replicated' });
    await phone.publish('wallet', 'theirs', { waitFor: 'replicated' });
    const both = ['settings', 'wallet'];
    expect(await before.calls.poll(both)).toMatchObject([{ category: 'wallet', payload: 'theirs' }]);
    before.kill();

    const after = app.window('main');
    const updated: unknown[] = [];
    await after.calls.on('updated', ({ payload }) => updated.push(payload));
    expect(await after.calls.poll(both)).toEqual([]);
    // Its page needs the value to show it: a subscription begins with it.
    const shown: unknown[] = [];
    await after.calls.subscribe(both, ({ payload }) => shown.push(payload));
    await vi.waitFor(() => expect(shown.toSorted()).toEqual(['mine', 'theirs']));
    await phone.fetch('settings');
    await phone.publish('settings', 'theirs now', { waitFor: 'replicated' });
    await vi.waitFor(() => expect(updated).toEqual(['theirs now']));
    expect(await after.calls.poll(both)).toMatchObject([{ category: 'settings', payload: 'theirs now' }]);
    const told = app.heard.filter(({ event }) => event === 'updated').map(({ payload }) => payload.payload);
    expect(told).toEqual(['theirs', 'theirs now']);
  });
});

describe('permissions', () => {
  test('a window without any is refused, and the others go on', async () => {
    const { app } = setUp();
    const guest = app.window('guest', { mayCall: false });
    await expect(guest.calls.fetch('settings')).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
    await expect(guest.calls.subscribe(['settings'], () => undefined)).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    });
    expect(await app.window('main').calls.fetch('settings')).toBeNull();
  });
});
