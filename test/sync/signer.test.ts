/** Signers come, go and change: no call after clearing, no mixing of identities, nothing believed. */

import { describe, expect, test, vi } from 'vitest';
import { memoryStore, secretKeySigner, type Signer } from '../../src/node.ts';
import { device, KEY, OTHER_KEY, received, relay, stored, world, written } from './devices.ts';

/** Holds back results, which a signer that is wiped meanwhile still gives. `at`: of this call, or of every one. */
interface Hang {
  until?: Promise<void>;
  at?: string;
}

/** A signer that counts its calls, and can be made to misbehave. */
function watched(key = KEY): { signer: Signer; calls: string[]; hang: Hang } {
  const inner = secretKeySigner(key);
  const calls: string[] = [];
  const hang: Hang = {};
  const log = <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      calls.push(name);
      const result = await call(...args);
      if (hang.at === undefined || hang.at === name) await hang.until;
      return result;
    };
  };
  const signer: Signer = {
    isLocal: true,
    getPublicKey: inner.getPublicKey,
    signEvent: log('sign', inner.signEvent),
    nip44: { encrypt: log('encrypt', inner.nip44.encrypt), decrypt: log('decrypt', inner.nip44.decrypt) },
    wipe: () => {
      calls.push('wipe');
      inner.wipe?.();
    },
  };
  return { signer, calls, hang };
}

describe('poll', () => {
  test('gives no value that this process has replaced while the signer took its time', async () => {
    const { url, relay: on } = await relay();
    const { signer, calls, hang } = watched();
    const laptop = device([url], { signer });
    on.inject(written());
    let open = (): void => undefined;
    Object.assign(hang, { at: 'decrypt', until: new Promise<void>((resolve) => (open = resolve)) });
    const first = laptop.poll(['settings']);
    await vi.waitFor(() => expect(calls).toContain('decrypt'));
    await laptop.publish('settings', 'mine');
    open();
    expect(await first).toEqual([]);
    expect(await laptop.poll(['settings'])).toEqual([]);
  });
});

describe('after clearSigner', () => {
  test('no call is made to it, whatever comes in, and its buffers are wiped', async () => {
    const { url, relay: on } = await relay();
    const { signer, calls } = watched();
    const laptop = device([url], { signer });
    laptop.subscribe(['settings'], () => undefined);
    await laptop.publish('settings', 1);
    await laptop.clearSigner();
    expect(calls.at(-1)).toBe('wipe');
    const before = calls.length;
    on.inject(written({ created_at: Math.floor(Date.now() / 1000) + 5 }));
    on.disconnectAll();
    await vi.waitFor(async () => expect((await laptop.getStatus()).connectedRelayCount).toBe(1), 5_000);
    await expect(laptop.publish('settings', 2)).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    await expect(laptop.fetch('settings')).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    expect(calls.length).toBe(before);
    expect(laptop.updated).toEqual([]);
  });

  const CALLS = ['encrypt', 'sign'];
  test.each(CALLS)('a call that was under way is dropped, and publishes nothing: %s', async (call) => {
    const { url, relay: on } = await relay();
    const { signer, calls, hang } = watched();
    const laptop = device([url], { signer });
    await laptop.fetch('settings');
    let release = (): void => undefined;
    hang.until = new Promise((resolve) => (release = resolve));
    hang.at = call;
    const publishing = laptop.publish('settings', 1);
    publishing.catch(() => undefined);
    await vi.waitFor(() => expect(calls).toContain(call));
    await laptop.clearSigner();
    release();
    await expect(publishing).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    expect(received({ relay: on }, 'EVENT')).toEqual([]);
  });

  test('the outbox goes on, also in the next process', async () => {
    const one = await relay();
    await one.close();
    const store = memoryStore();
    const laptop = device([one.url], { store });
    await laptop.publish('settings', 1);
    await laptop.clearSigner();
    const again = await relay({ port: one.port });
    await laptop.flush();
    expect(stored(again)).toHaveLength(1);
  });

  test('the values are there again for the next signer of the same key', async () => {
    const laptop = device([]);
    await laptop.publish('settings', 1);
    await laptop.clearSigner();
    await laptop.setSigner(secretKeySigner(KEY));
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 1 });
  });
});

describe('a change of signer', () => {
  test('mixes nothing: values, outbox and connections are those of the new key', async () => {
    const { url, relay: on } = await relay();
    const laptop = device([url]);
    laptop.subscribe(['settings'], () => undefined);
    await laptop.publish('settings', 'of the first');
    const connectionsBefore = new Set(on.frames.map(({ connection }) => connection));
    await laptop.setSigner(secretKeySigner(OTHER_KEY));
    expect(await laptop.fetch('settings')).toBeNull();
    await laptop.publish('settings', 'of the second');
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 'of the second' });
    const authors = new Map<number, Set<string>>();
    for (const { connection, direction, frame } of on.frames) {
      if (direction !== 'in') continue;
      const found = [...JSON.stringify(frame).matchAll(/"(?:pubkey":|authors":\[)"([0-9a-f]{64})"/g)].map(
        ([, key]) => key!,
      );
      authors.set(connection, new Set([...(authors.get(connection) ?? []), ...found]));
    }
    for (const [connection, keys] of authors)
      expect(keys.size, `connection ${connection}`).toBeLessThanOrEqual(1);
    expect([...authors.keys()].some((connection) => !connectionsBefore.has(connection))).toBe(true);
    await laptop.setSigner(secretKeySigner(KEY));
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 'of the first' });
  });

  test('while calls are under way settles all of them', async () => {
    const { url } = await relay();
    const laptop = device([url]);
    await laptop.getPubkey();
    const calls = [
      laptop.publish('settings', 1),
      laptop.fetch('settings'),
      laptop.setSigner(secretKeySigner(OTHER_KEY)),
      laptop.clearSigner(),
      laptop.setSigner(secretKeySigner(KEY)),
      laptop.publish('settings', 2),
    ];
    const ends = await Promise.allSettled(calls);
    expect(ends.at(-1)!.status).toBe('fulfilled');
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 2 });
  });
});

describe('a signer that', () => {
  const lies: [string, string, (honest: Signer) => Partial<Signer>][] = [
    ['signs as another', 'SIGNER_CHANGED', () => ({ signEvent: secretKeySigner(OTHER_KEY).signEvent })],
    [
      'signs something else',
      'SIGNING_FAILED',
      (on) => ({ signEvent: (t) => on.signEvent({ ...t, content: 'else' }) }),
    ],
    [
      'changes the stamp',
      'SIGNING_FAILED',
      (on) => ({ signEvent: (t) => on.signEvent({ ...t, created_at: 1 }) }),
    ],
    [
      'adds a tag',
      'SIGNING_FAILED',
      (on) => ({ signEvent: (t) => on.signEvent({ ...t, tags: [...t.tags, ['client', 'x']] }) }),
    ],
    [
      'gives a bad signature',
      'SIGNING_FAILED',
      (on) => ({ signEvent: async (t) => ({ ...(await on.signEvent(t)), sig: '0'.repeat(128) }) }),
    ],
    [
      'throws',
      'SIGNING_FAILED',
      () => ({
        signEvent: () => {
          throw new Error('no');
        },
      }),
    ],
    ['returns nothing', 'SIGNING_FAILED', () => ({ signEvent: async () => undefined as never })],
    [
      'does not encrypt',
      'ENCRYPTION_FAILED',
      (on) => ({ nip44: { ...on.nip44, encrypt: async (_, text) => text } }),
    ],
    [
      'encrypts something else',
      'ENCRYPTION_FAILED',
      (on) => ({ nip44: { ...on.nip44, encrypt: (peer) => on.nip44.encrypt(peer, 'x'.repeat(99)) } }),
    ],
    [
      'refuses to encrypt',
      'ENCRYPTION_FAILED',
      (on) => ({
        nip44: {
          ...on.nip44,
          encrypt: async () => {
            throw new Error('no');
          },
        },
      }),
    ],
  ];
  test.each(lies)('%s fails with %s, and nothing is saved or sent', async (_, code, lie) => {
    const { url, relay: on } = await relay();
    const honest = secretKeySigner(KEY);
    const laptop = device([url], { signer: { ...honest, ...lie(honest) } });
    await expect(laptop.publish('settings', 1)).rejects.toMatchObject({ code });
    expect(received({ relay: on }, 'EVENT')).toEqual([]);
    expect(await laptop.fetch('settings')).toBeNull();
  });

  test('gives no public key is reported, and the engine stays without one', async () => {
    const laptop = device([], { signer: { ...secretKeySigner(KEY), getPublicKey: async () => 'npub' } });
    await vi.waitFor(() => expect(laptop.errors).toMatchObject([{ code: 'SIGNING_FAILED' }]));
    expect(await laptop.getPubkey()).toBeNull();
    await expect(
      laptop.setSigner({ ...secretKeySigner(KEY), getPublicKey: () => Promise.reject(new Error('no')) }),
    ).rejects.toMatchObject({
      code: 'SIGNING_FAILED',
    });
  });

  test('hangs is not waited for for ever', async () => {
    const { device: make, settle } = world({});
    const honest = secretKeySigner(KEY);
    const laptop = make({ signer: { ...honest, signEvent: () => new Promise(() => undefined) } });
    await expect(settle(laptop.publish('settings', 1))).rejects.toMatchObject({ code: 'SIGNING_FAILED' });
  });

  test('hangs and is cleared is not waited for at all, and leaves no timer behind', async () => {
    const { clock, device: make } = world({});
    const hanging = () => new Promise<never>(() => undefined);
    const laptop = make({ signer: { ...secretKeySigner(KEY), signEvent: hanging } });
    await clock.advance(0);
    const publishing = laptop.publish('settings', 1);
    await clock.advance(5_000);
    await laptop.clearSigner();
    await expect(publishing).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    // Nor is it said to have failed.
    const setting = expect(
      laptop.setSigner({ ...secretKeySigner(KEY), getPublicKey: hanging }),
    ).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    await clock.advance(0);
    await laptop.setSigner(secretKeySigner(KEY));
    await setting;
    await laptop.close();
    expect(clock.pending).toBe(0);
  });

  test('is slow is asked once for many writes, and the last value is the one', async () => {
    const { url, relay: on } = await relay();
    const { signer, calls, hang } = watched();
    const laptop = device([url], { signer });
    await laptop.fetch('settings');
    let release = (): void => undefined;
    hang.until = new Promise((resolve) => (release = resolve));
    const publishing = Array.from({ length: 20 }, (_, i) => laptop.publish('settings', i));
    await vi.waitFor(() => expect(calls).toContain('encrypt'));
    release();
    const receipts = await Promise.all(publishing);
    expect(calls.filter((call) => call === 'sign').length).toBeLessThanOrEqual(2);
    expect(new Set(receipts.map(({ supersededBy, eventId }) => supersededBy ?? eventId))).toEqual(
      new Set([stored(on)[0]!.id]),
    );
    expect(await device([url]).fetch('settings')).toMatchObject({ payload: 19 });
  });
});
