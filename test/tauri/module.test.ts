/** `nostr-sync/tauri` as an app imports it: outside of Tauri, configured, and over Tauri's own API. */

import { mockIPC, mockWindows, clearMocks } from '@tauri-apps/api/mocks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { defineCategory, memoryStore, secretKeySigner } from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import type * as Tauri from '../../src/tauri.ts';
import { createRelay } from '../../src/testing/relay.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const URL = 'wss://relay.test';

let tauri: typeof Tauri;

beforeEach(async () => {
  vi.resetModules();
  tauri = await import('../../src/tauri.ts');
});
afterEach(() => vi.unstubAllGlobals());

test('outside of Tauri says what to do', async () => {
  await expect(tauri.getStatus()).rejects.toThrow(/configure/);
});

test('configured, works on an engine of this page, key and all', async () => {
  const relay = createRelay({});
  const sync = tauri.configure({
    namespace: 'app',
    relays: [URL],
    signer: secretKeySigner(KEY),
    store: memoryStore(),
    openSocket: connectTo({ [URL]: relay }),
  });
  try {
    const got: unknown[] = [];
    const stop = await tauri.subscribe(['settings'], ({ payload }) => got.push(payload));
    expect(await tauri.publish('settings', 1)).toMatchObject({
      stage: expect.stringMatching(/delivered|replicated/),
    });
    expect(await tauri.fetch<number>('settings')).toMatchObject({ payload: 1 });
    expect(await tauri.syncAll(['settings'])).toHaveLength(1);
    expect(await tauri.poll(['settings'])).toEqual([]);
    expect(await tauri.getPubkey()).toBe(await sync.getPubkey());
    await tauri.addRelay('wss://other.test');
    await tauri.removeRelay('wss://other.test');
    expect(await tauri.getRelays()).toHaveLength(1);
    expect(await tauri.getStatus()).toMatchObject({ ready: true });
    const stopListening = await tauri.on('delivery', () => undefined);
    stopListening();
    await tauri.flush();
    await tauri.update<number>('settings', (now = 0) => now + 1);
    const versions = await tauri.history('settings');
    expect(versions).toMatchObject([{ isCurrent: true }, { isCurrent: false }]);
    expect(await tauri.readVersion('settings', versions[1]!.eventId)).toMatchObject({ payload: 1 });
    await tauri.restore('settings', versions[1]!.eventId);
    expect(await tauri.fetch('settings')).toMatchObject({ payload: 1 });
    expect(await tauri.inspect()).toMatchObject([{ category: 'settings', kept: 2 }]);
    const handle = tauri.state(defineCategory({ name: 'ui', default: { theme: 'light' }, debounceMs: 0 }));
    await handle.update({ theme: 'dark' });
    expect(await tauri.fetch('ui')).toMatchObject({ payload: { theme: 'dark' } });
    await tauri.remove('ui');
    await tauri.remove('settings');
    expect(await tauri.fetch('settings')).toBeNull();
    expect(got).toEqual([]);
    stop();
    expect(() => tauri.configure({})).toThrow(TypeError);
  } finally {
    await sync.close();
  }
});

test('in Tauri calls the commands of the plugin by their names, and listens by a channel', async () => {
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('isTauri', true);
  mockWindows('main');
  const invoked: [string, any][] = [];
  mockIPC((command, args) => {
    invoked.push([command, args]);
    if (command.endsWith('|fetch')) return null;
    if (command.endsWith('|subscribe')) return 7;
    if (command.endsWith('|unsubscribe')) return null;
    // eslint-disable-next-line typescript/only-throw-error -- as Rust's errors come
    throw { code: 'PAYLOAD_TOO_LARGE', message: 'too large', details: { size: 2, limit: 1 } };
  });
  try {
    expect(await tauri.fetch('settings')).toBeNull();
    const error: unknown = await tauri.publish('settings', 1, 5).catch((thrown: unknown) => thrown);
    expect(tauri.isNostrSyncError(error, 'PAYLOAD_TOO_LARGE') && error.details).toEqual({
      size: 2,
      limit: 1,
    });
    const stop = await tauri.subscribe(['settings'], () => undefined);
    stop();
    expect(invoked.map(([command]) => command)).toEqual(
      ['fetch', 'publish', 'subscribe', 'unsubscribe'].map((name) => `plugin:nostr-sync|${name}`),
    );
    const callId = expect.stringMatching(/^\d+\.\d+\.\d+-2$/);
    expect(invoked[1]![1]).toEqual({ category: 'settings', payload: 1, options: { expiration: 5 }, callId });
    expect(JSON.stringify(invoked[2]![1].channel)).toMatch(/__CHANNEL__/);
    expect(invoked[3]![1]).toMatchObject({ number: 7 });
  } finally {
    clearMocks();
  }
});
