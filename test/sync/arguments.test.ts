/** Every bad argument is a typed error at once, and no argument gets past for want of a signer. */

import { describe, expect, test } from 'vitest';
import { createNostrSync, memoryStore, secretKeySigner, type NostrSyncOptions } from '../../src/node.ts';
import { device, KEY } from './devices.ts';

/** What JavaScript may call. */
type Anything = any;

describe('createNostrSync refuses', () => {
  test.each<[string, object]>([
    ['INVALID_NAMESPACE', { namespace: '' }],
    ['INVALID_NAMESPACE', { namespace: 'a/b' }],
    ['INVALID_NAMESPACE', { namespace: 7 }],
    ['INVALID_RELAY_URL', { relays: ['wss://fine.example', 'http://x'] }],
    ['INVALID_RELAY_URL', { relays: [undefined] }],
    ['INVALID_PAYLOAD_LIMIT', { maxPayloadSize: 409_601 }],
    ['INVALID_PAYLOAD_LIMIT', { maxPayloadSize: 0 }],
    ['INVALID_PAYLOAD_LIMIT', { maxPayloadSize: NaN }],
  ])('with %s: %o', (code, options) => {
    expect(() => createNostrSync(options as NostrSyncOptions)).toThrow(expect.objectContaining({ code }));
  });

  test.each<[string, unknown]>([
    ['TypeError', null],
    ['TypeError', { relays: 'wss://x.example' }],
    ['TypeError', { deviceId: '' }],
    ['TypeError', { deviceId: 'a\nb' }],
    ['TypeError', { deviceId: 'x'.repeat(129) }],
    ['TypeError', { signer: {} }],
    ['TypeError', { relay: ['wss://x.example'] }],
    ['RangeError', { pacing: { burst: 0, intervalMs: 1_000 } }],
    ['RangeError', { pacing: { burst: 5, intervalMs: 0 } }],
  ])('with %s: %o', (name, options) => {
    expect(() => createNostrSync(options as NostrSyncOptions)).toThrow(expect.objectContaining({ name }));
  });
});

test('a NIP-46 client that is given as it is: the error says how it fits', async () => {
  const call = async (): Promise<never> => Promise.reject(new Error('not to be called'));
  const client: Anything = { getPublicKey: call, signEvent: call, nip44Encrypt: call, nip44Decrypt: call };
  const told = expect.objectContaining({
    name: 'TypeError',
    message: expect.stringContaining('nip07Signer('),
  });
  expect(() => createNostrSync({ signer: client })).toThrow(told);
  await expect(device([]).setSigner(client)).rejects.toEqual(told);
});

describe('a call is refused', () => {
  const calls: [string, (sync: Anything) => unknown][] = [
    ['INVALID_CATEGORY', (sync) => sync.publish('', 1)],
    ['INVALID_CATEGORY', (sync) => sync.publish('a/b', 1)],
    ['INVALID_CATEGORY', (sync) => sync.publish(undefined, 1)],
    ['INVALID_CATEGORY', (sync) => sync.remove(7)],
    ['INVALID_CATEGORY', (sync) => sync.fetch('x'.repeat(200))],
    ['INVALID_CATEGORY', (sync) => sync.syncAll(['fine', '\0'])],
    ['INVALID_CATEGORY', (sync) => sync.poll([null])],
    ['INVALID_PAYLOAD', (sync) => sync.publish('a', undefined)],
    ['INVALID_PAYLOAD', (sync) => sync.publish('a', () => 1)],
    ['INVALID_PAYLOAD', (sync) => sync.publish('a', { deep: [1n] })],
    ['INVALID_EXPIRATION', (sync) => sync.publish('a', 1, 1_000)],
    ['INVALID_EXPIRATION', (sync) => sync.publish('a', 1, 1.5)],
    ['INVALID_EXPIRATION', (sync) => sync.publish('a', 1, '2040-01-01')],
    ['INVALID_EXPIRATION', (sync) => sync.publish('a', 1, { expiration: Infinity })],
    ['INVALID_EXPIRATION', (sync) => sync.publish('a', 1, { expiration: Date.now() * 1_000_000 })],
    ['INVALID_RELAY_URL', (sync) => sync.addRelay('http://relay.example')],
    ['INVALID_RELAY_URL', (sync) => sync.removeRelay(null)],
  ];

  test.each(calls)('with %s: %s', async (code, call) => {
    await expect(call(device([]))).rejects.toMatchObject({ code });
    // Also before there is a signer: the mistake is the caller's whatever the state.
    const unsigned = createNostrSync();
    await expect(call(unsigned)).rejects.toMatchObject({ code });
    await unsigned.close();
  });

  test.each<[(sync: Anything) => unknown]>([
    [(sync) => sync.publish('a', 1, { waitFor: 'ever' })],
    [(sync) => sync.publish('a', 1, { signal: 'stop' })],
    [(sync) => sync.publish('a', 1, { expires: 4_000_000_000 })],
    [(sync) => sync.syncAll('a')],
    [(sync) => sync.poll({ 0: 'a' })],
    [(sync) => sync.setSigner({ getPublicKey: () => 'x' })],
  ])('with a TypeError: %s', async (call) => {
    await expect(call(device([]))).rejects.toBeInstanceOf(TypeError);
  });

  test('by subscribe and on as an exception', () => {
    const sync: Anything = device([]);
    expect(() => sync.subscribe(['a/b'], () => {})).toThrow(
      expect.objectContaining({ code: 'INVALID_CATEGORY' }),
    );
    expect(() => sync.subscribe(['a'], 'listener')).toThrow(TypeError);
    expect(() => sync.on('unknown', () => {})).toThrow(TypeError);
    expect(() => sync.on('updated')).toThrow(TypeError);
  });
});

test('without a signer nothing is read or written', async () => {
  const sync = createNostrSync({ store: memoryStore() });
  const calls = [
    () => sync.publish('a', 1),
    () => sync.fetch('a'),
    () => sync.syncAll(['a']),
    () => sync.poll(['a']),
    () => sync.remove('a'),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  expect(await sync.getPubkey()).toBeNull();
  expect(await sync.getStatus()).toMatchObject({ ready: false, outboxDepth: 0 });
  await sync.setSigner(secretKeySigner(KEY));
  expect((await sync.publish('a', 1)).stage).toBe('saved');
  await sync.close();
});

test('after close every call is refused, and close itself is not', async () => {
  const sync = device([]);
  await sync.close();
  const calls = [
    () => sync.publish('a', 1),
    () => sync.fetch('a'),
    () => sync.flush(),
    () => sync.getStatus(),
    () => sync.addRelay('wss://relay.example'),
    () => sync.setSigner(secretKeySigner(KEY)),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'CLOSED' });
  await sync.close();
});

test('__proto__ is a category like any other', async () => {
  const sync = device([]);
  await sync.publish('__proto__', { polluted: true });
  await sync.publish('constructor', 1);
  expect((await sync.syncAll(['__proto__', 'constructor'])).map(({ category }) => category)).toEqual([
    '__proto__',
    'constructor',
  ]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test('an engine that is closed at once has no error to tell', async () => {
  const sync = device([]);
  await sync.close();
  expect(sync.errors).toEqual([]);
});
