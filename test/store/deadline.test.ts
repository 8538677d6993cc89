/** Stores that do not answer: behind the deadline at the port, and what an engine makes of them. */

import 'fake-indexeddb/auto';
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { STORE_DEADLINE_MS } from '../../src/protocol/limits.ts';
import { withDeadline } from '../../src/store/deadline.ts';
import { indexedDbStore } from '../../src/store/indexeddb.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { storeConformance } from '../../src/testing/store-conformance.ts';
import { createNostrSync, secretKeySigner } from '../../src/node.ts';
import { KEY, received, world, written } from '../sync/devices.ts';

afterEach(() => vi.restoreAllMocks());

/** A store that stops at points of its work, until it is released. */
function hangingStore(): Store & { hangs: 'never' | 'before' | 'after'; release(): void } {
  const inner = memoryStore();
  const waiting: (() => void)[] = [];
  const point = (where: 'before' | 'after'): Promise<void> =>
    store.hangs === where ? new Promise((resolve) => void waiting.push(resolve)) : Promise.resolve();
  const work = async <T>(act: () => Promise<T>): Promise<T> => {
    await point('before');
    const result = await act();
    await point('after');
    return result;
  };
  const store: ReturnType<typeof hangingStore> = {
    hangs: 'never',
    release: () => {
      store.hangs = 'never';
      for (const resume of waiting.splice(0)) resume();
    },
    get: (key) => work(() => inner.get(key)),
    list: (prefix) => work(() => inner.list(prefix)),
    update: (keys, decide) => work(() => inner.update(keys, decide)),
    close: () => work(async () => undefined),
  };
  return store;
}

const FAILED = expect.objectContaining({ code: 'STORE_FAILED' });

describe('a deadline', () => {
  for (const check of storeConformance)
    test(`does not change that ${check.name}`, () =>
      check.run({ open: async () => withDeadline(memoryStore(), createTestClock()) }));

  test('is not over where the process slept over it: the answer may come with the awakening', async () => {
    const clock = createTestClock();
    // As timers are after a sleep: all at once, and late.
    let sleptMs = 0;
    const inner = hangingStore();
    const store = withDeadline(inner, { ...clock, now: () => clock.now() + sleptMs });
    inner.hangs = 'before';
    const call = store.get('a');
    sleptMs = 40_000;
    await clock.advance(STORE_DEADLINE_MS);
    inner.release();
    expect(await call).toBeUndefined();
    inner.hangs = 'before';
    const never = expect(store.get('a')).rejects.toEqual(FAILED);
    await clock.advance(STORE_DEADLINE_MS);
    await never;
  });

  test('is not over if the process slept until just its end', async () => {
    const clock = createTestClock();
    const missed: (() => void)[] = [];
    let isAsleep = true;
    const after = (ms: number, act: () => void): (() => void) =>
      clock.after(ms, () => (isAsleep ? void missed.push(act) : act()));
    const inner = hangingStore();
    const store = withDeadline(inner, { now: clock.now, after });
    inner.hangs = 'before';
    const call = store.get('a');
    await clock.advance(STORE_DEADLINE_MS);
    isAsleep = false;
    for (const act of missed) act();
    inner.release();
    expect(await call).toBeUndefined();
  });

  test('answers every call, also close', async () => {
    const clock = createTestClock();
    const inner = hangingStore();
    const store = withDeadline(inner, clock);
    inner.hangs = 'before';
    const calls = [store.get('a'), store.list(''), store.update([], () => new Map()), store.close()];
    const outcomes = Promise.allSettled(calls);
    await clock.advance(STORE_DEADLINE_MS);
    for (const outcome of await outcomes) expect(outcome).toEqual({ status: 'rejected', reason: FAILED });
    expect(clock.pending).toBe(0);
  });

  test('leaves no timer behind, and no update that is decided later', async () => {
    const clock = createTestClock();
    const inner = hangingStore();
    const store = withDeadline(inner, clock);
    await store.update([], () => new Map([['a', '1']]));
    expect(clock.pending).toBe(0);
    inner.hangs = 'before';
    const update = store.update(['a'], () => new Map([['a', '2']]));
    update.catch(() => undefined);
    await clock.advance(STORE_DEADLINE_MS);
    await expect(update).rejects.toEqual(FAILED);
    inner.release();
    await clock.advance(1_000);
    expect(await store.get('a')).toBe('1');
  });
});

describe('an engine over a store that hangs', () => {
  test('answers every call, and goes on when the store does', async () => {
    const { clock, relays, urls, settle } = world({});
    const store = hangingStore();
    const laptop = createNostrSync({
      ...{ clock, store, relays: urls, signer: secretKeySigner(KEY) },
      openSocket: relays[0]!.openSocket,
    });
    await settle(laptop.publish('settings', 1));
    store.hangs = 'before';
    await expect(settle(laptop.publish('settings', 2))).rejects.toEqual(FAILED);
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 1 });
    store.release();
    await settle(laptop.publish('settings', 3));
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 3 });
    store.hangs = 'before';
    const last = laptop.publish('settings', 4).catch((error: unknown) => error);
    await clock.advance(100);
    const closed = laptop.close().catch((error: unknown) => error);
    await clock.advance(2 * STORE_DEADLINE_MS);
    expect(await last).toEqual(FAILED);
    expect(await closed).toEqual(FAILED);
    expect(clock.pending).toBe(0);
  });

  test('that does not even open answers every call, and what it subscribed to comes when the store opens', async () => {
    const { clock, relays, urls, settle } = world({});
    relays[0]!.inject(written({ payload: 'good', created_at: Math.floor(clock.now() / 1000) - 60 }));
    const store = hangingStore();
    store.hangs = 'before';
    const laptop = createNostrSync({
      ...{ clock, store, relays: urls, signer: secretKeySigner(KEY) },
      openSocket: relays[0]!.openSocket,
    });
    const errors: unknown[] = [];
    laptop.on('error', (error) => errors.push(error));
    const seen: unknown[] = [];
    const stop = laptop.subscribe(['settings'], ({ payload }) => seen.push(payload));
    const calls = {
      getStatus: () => laptop.getStatus(),
      getRelays: () => laptop.getRelays(),
      addRelay: () => laptop.addRelay('wss://other.example'),
      removeRelay: () => laptop.removeRelay('wss://other.example'),
      publish: () => laptop.publish('other', 1),
      fetch: () => laptop.fetch('settings'),
      inspect: () => laptop.inspect(),
    };
    const outcomes = new Map<string, unknown>();
    for (const [name, call] of Object.entries(calls))
      call().then(
        () => outcomes.set(name, 'resolved'),
        (error: unknown) => outcomes.set(name, error),
      );
    // The opening, one more try of the signer, and one of the calls.
    await clock.advance(3 * STORE_DEADLINE_MS);
    expect(Object.fromEntries(outcomes)).toEqual(
      Object.fromEntries(Object.keys(calls).map((name) => [name, FAILED])),
    );
    expect(seen).toEqual([]);
    store.release();
    await clock.advance(60_000);
    expect(seen).toEqual(['good']);
    await settle(laptop.addRelay('wss://other.example'));
    expect(await settle(laptop.getRelays())).toHaveLength(2);
    expect(await settle(laptop.getStatus())).toMatchObject({ relayCount: 2 });
    stop();
    await laptop.close();
  });

  test('that does not even open can be closed', async () => {
    const { clock, relays, urls } = world({});
    const store = hangingStore();
    store.hangs = 'before';
    const laptop = createNostrSync({
      ...{ clock, store, relays: urls, signer: secretKeySigner(KEY) },
      openSocket: relays[0]!.openSocket,
    });
    const waiting = [laptop.getStatus(), laptop.publish('settings', 1)].map((call) =>
      call.catch((error: unknown) => error),
    );
    await clock.advance(1_000);
    const closed = laptop.close().catch((error: unknown) => error);
    // The opening, one more try for the calls, and the closing.
    await clock.advance(3 * STORE_DEADLINE_MS);
    expect(await closed).toEqual(FAILED);
    for (const error of await Promise.all(waiting))
      expect(error).toMatchObject({ code: expect.stringMatching(/^(CLOSED|STORE_FAILED)$/) as string });
    expect(clock.pending).toBe(0);
  });

  test('takes back what was saved after its publish was refused, also from the next process', async () => {
    const { clock, relays, urls, device: make, settle } = world({});
    const store = hangingStore();
    const laptop = make({ relays: urls, store });
    await settle(laptop.publish('settings', 'first', { waitFor: 'replicated' }));
    store.hangs = 'after';
    await expect(settle(laptop.publish('settings', 'refused'))).rejects.toEqual(FAILED);
    const [, stored] = [...(await memoryOf(store, 'head/'))][0]!;
    const sent = received(relays[0]!, 'EVENT').length;
    store.release();
    await clock.advance(30_000);
    // Something else was the head on the medium, and the first is again.
    expect([...(await memoryOf(store, 'head/'))][0]![1]).not.toBe(stored);
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'first' });
    const next = make({ relays: urls, store: { ...store, close: async () => undefined } });
    await settle(next.flush());
    expect(await settle(next.fetch('settings'))).toMatchObject({ payload: 'first' });
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'first' });
    const ids = new Set(received(relays[0]!, 'EVENT').map(([, event]) => (event as { id: string }).id));
    expect(ids.size).toBe(1);
    expect(received(relays[0]!, 'EVENT').length).toBeGreaterThanOrEqual(sent);
    await settle(laptop.publish('settings', 'second', { waitFor: 'replicated' }));
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'second' });
  });
});

async function memoryOf(
  store: ReturnType<typeof hangingStore>,
  prefix: string,
): Promise<Map<string, string>> {
  const { hangs } = store;
  store.hangs = 'never';
  const found = await store.list(prefix);
  store.hangs = hangs;
  return found;
}

describe('IndexedDB', () => {
  test('a handle that fails without a word is dropped, and the next call opens another', async () => {
    const store = indexedDbStore(randomUUID());
    await store.update([], () => new Map([['a', '1']]));
    const open = vi.spyOn(indexedDB, 'open');
    vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementationOnce(() => {
      throw new DOMException('Internal error', 'UnknownError');
    });
    await expect(store.get('a')).rejects.toEqual(FAILED);
    expect(await store.get('a')).toBe('1');
    expect(open).toHaveBeenCalledTimes(1);
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => {
      throw new DOMException('Internal error', 'UnknownError');
    });
    expect(await store.get('a')).toBe('1');
    expect(open).toHaveBeenCalledTimes(2);
    await store.close();
  });

  test('an open that never answers is given up, and the next call opens again', async () => {
    const clock = createTestClock();
    const store = withDeadline(indexedDbStore(randomUUID()), clock);
    vi.spyOn(indexedDB, 'open').mockImplementationOnce(() => Object.assign(new EventTarget()));
    const hung = store.get('a').catch((error: unknown) => error);
    await clock.advance(STORE_DEADLINE_MS);
    expect(await hung).toEqual(FAILED);
    await store.update([], () => new Map([['a', '1']]));
    expect(await store.get('a')).toBe('1');
  });

  test('a transaction that never answers is aborted, and what it was to change is as it was', async () => {
    const clock = createTestClock();
    const store = withDeadline(indexedDbStore(randomUUID()), clock);
    await store.update([], () => new Map([['a', '1']]));
    vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementationOnce(function (this: IDBObjectStore) {
      // Requests without end keep the transaction open, as one that the browser has forgotten.
      const again = (): void => void (this.count().onsuccess = again);
      again();
      return Object.assign(new EventTarget());
    });
    const hung = store.update(['a'], () => new Map([['a', '2']])).catch((error: unknown) => error);
    const behind = store.get('a').catch((error: unknown) => error);
    await clock.advance(STORE_DEADLINE_MS);
    expect(await hung).toEqual(FAILED);
    await behind;
    expect(await store.get('a')).toBe('1');
    await store.close();
  });
});
