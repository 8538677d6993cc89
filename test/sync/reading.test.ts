/** Reading truthfully: what is known, what is unknown, what is news, and what cannot be read. */

import { describe, expect, test, vi } from 'vitest';
import { memoryStore, secretKeySigner, type FetchResult, type NostrEvent } from '../../src/node.ts';
import { device, KEY, received, relay, world, written, type Device } from './devices.ts';
import { valueOf } from './values.ts';

const now = (): number => Math.floor(Date.now() / 1000);

describe('fetch', () => {
  test('tells absent from unknown, and falls back on the local copy', async () => {
    const one = await relay();
    const store = memoryStore();
    const laptop = device([one.url], { store });
    expect(await laptop.fetch('settings')).toBeNull();
    await laptop.publish('settings', 1);
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 1, source: 'relay' });
    await one.close();
    await vi.waitFor(async () => expect((await laptop.getStatus()).connectedRelayCount).toBe(0));
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 1, source: 'local' });
    await expect(laptop.fetch('other')).rejects.toMatchObject({ code: 'NO_RELAYS_REACHABLE' });
  });

  test('takes no EOSE for no answer, and not for an absence', async () => {
    const { relays, device: make, settle } = world({});
    relays[0]!.misbehave({ noEose: true });
    await expect(settle(make().fetch('settings'))).rejects.toMatchObject({ code: 'NO_RELAYS_REACHABLE' });
  });

  test('says "absent" only if all have said so: what a connection lost on the way is unknown', async () => {
    const { clock, relays, device: make, settle } = world({}, { latencyMs: 100 }, {});
    const laptop = make();
    await clock.advance(1_000);
    const lost = laptop.fetch('settings');
    lost.catch(() => undefined);
    await clock.advance(50);
    relays[1]!.disconnectAll();
    await expect(settle(lost)).rejects.toMatchObject({ details: { silent: ['wss://relay-1.example'] } });
    relays[1]!.misbehave({ refuseConnections: true });
    relays[1]!.disconnectAll();
    await clock.advance(10_000);
    expect(await settle(laptop.fetch('settings'))).toBeNull();
    relays[2]!.misbehave({ noEose: true });
    relays[2]!.inject(written({ payload: 'only here' }));
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'only here' });
  });

  test('takes a CLOSED for no answer', async () => {
    const { relays, device: make, settle } = world({});
    relays[0]!.misbehave({
      rewrite: (frame) => [frame[0] === 'EOSE' ? ['CLOSED', frame[1], 'error: no'] : frame],
    });
    await expect(settle(make().fetch('settings'))).rejects.toMatchObject({ code: 'NO_RELAYS_REACHABLE' });
  });

  test.each(['auth-required', 'silent', 'restricted'] as const)(
    'believes no relay that is %s to strangers before AUTH: a device that is new finds what there is',
    async (strangers) => {
      const { clock, relays, device: make, settle } = world({ auth: 'both', strangers });
      relays[0]!.inject(written({ payload: 'dear', created_at: Math.floor(clock.now() / 1000) - 60 }));
      expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'dear', source: 'relay' });
      // Whoever says no to AUTH is told that it is unknown, and never that there is nothing.
      const inner = secretKeySigner(KEY);
      const signEvent: typeof inner.signEvent = async (template) => {
        if (template.kind === 22_242) throw new Error('The user said no');
        return inner.signEvent(template);
      };
      const refusing = make({ signer: { ...inner, signEvent } });
      await expect(settle(refusing.fetch('settings'))).rejects.toMatchObject({ code: 'NO_RELAYS_REACHABLE' });
    },
  );

  test('has every field of the result', async () => {
    const { url, relay: on } = await relay();
    const event = written({ created_at: 1_700_000_000, payload: { a: [null] } });
    on.inject(event);
    expect(await device([url]).fetch('settings')).toEqual({
      category: 'settings',
      payload: { a: [null] },
      updatedAt: '2023-11-14T22:13:20.000Z',
      deviceId: 'reference',
      eventId: event.id,
      source: 'relay',
    });
  });

  test('does not show what has expired, and keeps its stamp as the floor', async () => {
    const { clock, relays, device: make, settle } = world({});
    const [laptop, phone] = [make(), make()];
    const start = Math.floor(clock.now() / 1000);
    // Of a device whose clock is ahead: what is written over it is stamped ahead of the clock as well.
    relays[0]!.inject(written({ created_at: start + 600 }));
    await settle(laptop.publish('settings', 'short-lived', start + 60));
    expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'short-lived' });
    await clock.advance(61_000);
    for (const each of [laptop, phone]) {
      expect(await settle(each.fetch('settings'))).toBeNull();
      expect(await settle(each.syncAll(['settings']))).toEqual([]);
      // As of a removal: what has ended is told once.
      expect(await settle(each.poll(['settings']))).toMatchObject([{ payload: null, deleted: true }]);
      expect(await settle(each.poll(['settings']))).toEqual([]);
    }
    await settle(phone.publish('settings', 'next'));
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'next' });
    expect(relays[0]!.events()).toMatchObject([{ created_at: start + 603 }]);
  });

  test('keeps the stamp of what has expired as the floor, before anything has taken its place', async () => {
    const { clock, relays, device: make, settle } = world({});
    const [laptop, phone] = [make(), make()];
    const start = Math.floor(clock.now() / 1000);
    relays[0]!.inject(written({ created_at: start + 600 }));
    await settle(laptop.publish('settings', 'short-lived', start + 60));
    await settle(phone.fetch('settings'));
    // Its writer would write a tombstone at once, others after half a minute at least.
    await settle(laptop.close());
    await clock.advance(61_000);
    await settle(phone.publish('settings', 'next'));
    expect(relays[0]!.events()).toMatchObject([{ created_at: start + 602 }]);
  });
});

describe('syncAll', () => {
  test('of 100 categories is one REQ to each relay', async () => {
    const relays = [await relay(), await relay()];
    const laptop = device(relays.map(({ url }) => url));
    const categories = Array.from({ length: 100 }, (_, i) => `category-${i}`);
    relays[0]!.relay.inject(written({ category: 'category-7' }));
    relays[1]!.relay.inject(written({ category: 'category-8' }));
    const results = await laptop.syncAll(categories);
    expect(results.map(({ category }) => category)).toEqual(['category-7', 'category-8']);
    for (const each of relays) expect(received(each, 'REQ')).toHaveLength(1);
    expect(await laptop.syncAll([])).toEqual([]);
  });

  test.each([
    ['no ciphertext', { content: 'hello' }],
    ['empty', { content: '' }],
    [
      'another key’s',
      {
        content: written({ key: '4b22aa260e4acb7021e32f38a6cdf4b673c6a277755bfce287e370c924dc936d' }).content,
      },
    ],
    ['of an unknown format', { tags: [['format', 'chunked/1']] }],
    ['too deep', { payload: JSON.parse(`${'['.repeat(65)}${']'.repeat(65)}`) as unknown }],
  ])(
    'shows the rest where one value is %s: the last good one stays, and it is reported once',
    async (_, bad) => {
      const { url, relay: on } = await relay();
      const laptop = device([url]);
      on.inject(written({ category: 'good', payload: 'good' }));
      on.inject(written({ payload: 'last good', created_at: now() - 100 }));
      await laptop.syncAll(['settings', 'good']);
      on.inject(written({ ...bad, created_at: now() - 50 }));
      for (let i = 0; i < 3; i++) {
        const results = await laptop.syncAll(['settings', 'good']);
        expect(results.map(({ payload }) => payload)).toEqual(['last good', 'good']);
      }
      expect(laptop.errors).toMatchObject([{ code: 'UNDECODABLE', details: { category: 'settings' } }]);
      const fresh = device([url]);
      await expect(fresh.fetch('settings')).rejects.toMatchObject({ code: 'UNDECODABLE' });
      expect(await fresh.syncAll(['settings', 'good'])).toMatchObject([{ payload: 'good' }]);
      await fresh.publish('settings', 'repaired');
      expect(await laptop.fetch('settings')).toMatchObject({ payload: 'repaired' });
    },
  );
});

describe('the last good value', () => {
  // Each its own: the same text again would be a renewal.
  const bad = (created_at: number): NostrEvent => written({ content: `junk ${created_at}`, created_at });

  /** What is shown after all these came to a device at once. */
  async function shownAfter(...events: readonly NostrEvent[]): Promise<FetchResult | null> {
    const { clock, relays, device: make, settle } = world({});
    const laptop = make();
    laptop.subscribe(['settings'], () => undefined);
    await clock.advance(1_000);
    for (const event of events) relays[0]!.inject(event);
    await clock.advance(1_000);
    return settle(laptop.fetch('settings'));
  }

  test('stays where several that cannot be read come at once', async () => {
    const good = written({ payload: 'last good', created_at: 1 });
    expect(await shownAfter(good, bad(2), bad(3), bad(4))).toMatchObject({ payload: 'last good' });
  });

  test('stays though it is in pieces, and several that cannot be read come at once', async () => {
    const { clock, relays, device: make, settle } = world({});
    const large = { maxPayloadSize: 409_600 };
    const value = valueOf(120_000, 1, true);
    await settle(make(large).publish('settings', value, { waitFor: 'replicated' }));
    const laptop = make(large);
    laptop.subscribe(['settings'], () => undefined);
    await clock.advance(2_000);
    const stamp = Math.floor(clock.now() / 1000);
    for (const seconds of [1, 2, 3]) relays[0]!.inject(bad(stamp + seconds));
    await clock.advance(1_000);
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: value });
  });

  test('is none after a removal', async () => {
    const [good, removal] = [written({ created_at: 1 }), written({ tags: [['deleted', '']], created_at: 2 })];
    await expect(shownAfter(good, removal, bad(3), bad(4))).rejects.toMatchObject({ code: 'UNDECODABLE' });
  });

  test('is the newest that was shown, also after a restart', async () => {
    const { relays, device: make, settle } = world({});
    const store = { ...memoryStore(), close: async () => undefined };
    for (const [i, payload] of ['older', 'last good'].entries()) {
      relays[0]!.inject(written({ payload, created_at: 1 + i }));
      const laptop = make({ store });
      expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload });
      await settle(laptop.close());
    }
    // Both at once: nothing is read in between.
    relays[0]!.misbehave({
      rewrite: (frame) =>
        frame[0] === 'EVENT' ? [bad(3), bad(4)].map((event) => ['EVENT', frame[1], event]) : [frame],
    });
    for (let start = 0; start < 2; start++) {
      const laptop = make({ store });
      expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'last good' });
      await settle(laptop.close());
    }
  });

  /** A device whose signer reads nothing while it is `failing`. */
  async function forgetful(): Promise<{
    laptop: Device;
    state: { isFailing: boolean };
    show(event: NostrEvent): Promise<unknown>;
  }> {
    const { url, relay: on } = await relay();
    const inner = secretKeySigner(KEY);
    const state = { isFailing: false };
    const decrypt: typeof inner.nip44.decrypt = async (...args) => {
      if (state.isFailing) throw new Error('not now');
      return inner.nip44.decrypt(...args);
    };
    const laptop = device([url], { signer: { ...inner, nip44: { ...inner.nip44, decrypt } } });
    const show = async (event: NostrEvent): Promise<unknown> => {
      on.inject(event);
      return (await laptop.fetch('settings'))!.payload;
    };
    return { laptop, state, show };
  }

  test('was read once, is built upon whatever the signer says of it later', async () => {
    const { laptop, state, show } = await forgetful();
    await laptop.publish('settings', 'mine');
    state.isFailing = true;
    await expect(laptop.fetch('settings')).rejects.toMatchObject({ code: 'UNDECODABLE' });
    state.isFailing = false;
    expect(await show(bad(now() + 50))).toBe('mine');
  });

  test('is one that a signer could not read at first', async () => {
    const { laptop, state, show } = await forgetful();
    expect(await show(written({ payload: 'older', created_at: now() - 100 }))).toBe('older');
    state.isFailing = true;
    expect(await show(written({ payload: 'newer', created_at: now() - 50 }))).toBe('older');
    state.isFailing = false;
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 'newer' });
    expect(await show(bad(now() - 40))).toBe('newer');
  });
});

describe('poll', () => {
  test('gives the current values first, then only news, never what this device wrote', async () => {
    const { url } = await relay();
    const [laptop, phone] = [device([url]), device([url])];
    await laptop.publish('a', 1);
    await laptop.publish('b', 1);
    expect(await laptop.poll(['a', 'b'])).toEqual([]);
    expect((await phone.poll(['a', 'b', 'c'])).map(({ category }) => category)).toEqual(['a', 'b']);
    expect(await phone.poll(['a', 'b', 'c'])).toEqual([]);
    await laptop.publish('b', 2);
    expect(await phone.poll(['a', 'b', 'c'])).toMatchObject([{ category: 'b', payload: 2 }]);
    await phone.publish('b', 3);
    expect(await phone.poll(['a', 'b', 'c'])).toEqual([]);
    expect(await laptop.poll(['a', 'b'])).toMatchObject([{ category: 'b', payload: 3 }]);
  });

  test('is not moved by fetch, and starts anew with the process', async () => {
    const { url, relay: on } = await relay();
    const store = memoryStore();
    const undying = { ...store, close: async () => undefined };
    on.inject(written());
    const first = device([url], { store: undying });
    await first.fetch('settings');
    expect(await first.poll(['settings'])).toHaveLength(1);
    await first.close();
    expect(await device([url], { store: undying }).poll(['settings'])).toHaveLength(1);
  });

  test('tells `updated` of what others wrote, not of what this device did, in an earlier process either', async () => {
    const { url } = await relay();
    const store = memoryStore();
    const first = device([url], { store: { ...store, close: async () => undefined } });
    await first.publish('mine', 1);
    await device([url]).publish('theirs', 2);
    await first.fetch('theirs');
    await first.close();
    const next = device([url], { store });
    const updated: string[] = [];
    next.on('updated', ({ category }) => updated.push(category));
    expect(await next.poll(['mine', 'theirs'])).toHaveLength(2);
    await vi.waitFor(() => expect(updated).toEqual(['theirs']));
    await next.flush();
    expect(updated).toEqual(['theirs']);
  });
});

describe('subscribe', () => {
  test('to what is watched already asks the relays for nothing more', async () => {
    const one = await relay();
    const laptop = device([one.url]);
    laptop.subscribe(['settings'], () => undefined);
    await laptop.publish('settings', 1);
    await laptop.flush();
    const asked = received(one, 'REQ').length;
    const got: unknown[] = [];
    const stop = laptop.subscribe(['settings'], (result) => got.push(result.payload));
    await vi.waitFor(() => expect(got).toEqual([1]));
    stop();
    // What follows on the same connection shows that nothing was sent before it.
    await laptop.fetch('settings');
    expect(received(one, 'REQ')).toHaveLength(asked + 1);
  });

  test('gives the current value at once, then each newer one, once', async () => {
    const { url } = await relay();
    const [laptop, phone] = [device([url]), device([url])];
    await laptop.publish('settings', 1);
    await phone.fetch('settings');
    const got: FetchResult[] = [];
    const stop = phone.subscribe(['settings'], (result) => got.push(result));
    await vi.waitFor(() => expect(got).toMatchObject([{ payload: 1 }]));
    await laptop.publish('settings', 2);
    await vi.waitFor(() => expect(got).toHaveLength(2));
    await phone.fetch('settings');
    await phone.poll(['settings']);
    await phone.publish('settings', 3);
    stop();
    await laptop.fetch('settings');
    await laptop.publish('settings', 4);
    expect(await phone.fetch('settings')).toMatchObject({ payload: 4 });
    expect(got.map(({ payload }) => payload)).toEqual([1, 2]);
    expect(phone.updated.map(({ payload }) => payload)).toEqual([1, 2, 4]);
  });

  test('outlives a listener that throws', async () => {
    const { url } = await relay();
    const [laptop, phone] = [device([url]), device([url])];
    const got: unknown[] = [];
    const thrown: unknown[] = [];
    const onThrown = (error: unknown): void => void thrown.push(error);
    const former = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', onThrown);
    try {
      phone.subscribe(['settings'], () => {
        throw new Error('of the app');
      });
      phone.subscribe(['settings'], (result) => got.push(result.payload));
      await laptop.publish('settings', 1);
      await laptop.publish('settings', 2);
      await vi.waitFor(() => expect(got).toEqual([1, 2]));
      expect(thrown.length).toBe(2);
    } finally {
      process.off('uncaughtException', onThrown);
      for (const listener of former) process.on('uncaughtException', listener);
    }
  });

  test('is one REQ for all subscriptions, and none when they end', async () => {
    const { url, relay: on } = await relay();
    const laptop = device([url]);
    const stops = ['a', 'b', 'c'].map((category) => laptop.subscribe([category, 'a'], () => undefined));
    await vi.waitFor(() => expect(on.subscriptions()).toBe(1));
    for (const stop of stops) stop();
    await vi.waitFor(() => expect(on.subscriptions()).toBe(0));
  });
});

test('the device id is made once and kept in the store', async () => {
  const store = memoryStore();
  const undying = { ...store, close: async () => undefined };
  const first = device([], { store: undying });
  const { deviceId } = await first.getStatus();
  expect(deviceId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  await first.close();
  expect((await device([], { store: undying }).getStatus()).deviceId).toBe(deviceId);
  expect((await device([]).getStatus()).deviceId).not.toBe(deviceId);
});
