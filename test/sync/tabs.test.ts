/** Several tabs on one store: one of them has the connections, and every one works as if it had them. */

import { afterEach, expect, test, vi } from 'vitest';
import {
  createNostrSync,
  secretKeySigner,
  type Clock,
  type Conflict,
  type FetchResult,
  type NostrEvent,
  type NostrSync,
  type NostrSyncOptions,
  type RelayInfo,
  type Signer,
  type SyncEvents,
} from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { createMemoryTabs, type TabFactory } from '../support/memory-tabs.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const OTHER_KEY = '4b22aa260e4acb7021e32f38a6cdf4b673c6a277755bfce287e370c924dc936d';
const URL_A = 'wss://a.test';
const URL_B = 'wss://b.test';

interface OpenTab {
  readonly sync: NostrSync;
  readonly events: { readonly [K in keyof SyncEvents]: SyncEvents[K][] };
  kill(): void;
  /** Nothing of it runs until the returned function is called; it keeps its locks. */
  freeze(): () => void;
}

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function setUp(relays: Readonly<Record<string, Relay>>): {
  readonly browser: TabFactory;
  tab(options?: NostrSyncOptions): OpenTab;
  /** Another device of the same user. */
  device(options?: NostrSyncOptions): OpenTab;
} {
  const openSocket = connectTo(relays);
  const browser = createMemoryTabs(openSocket);
  const start = (
    { kill, freeze, ...platform }: NostrSyncOptions & Pick<OpenTab, 'kill' | 'freeze'>,
    options: NostrSyncOptions,
  ): OpenTab => {
    const sync = createNostrSync({
      relays: Object.keys(relays),
      signer: secretKeySigner(KEY),
      ...platform,
      ...options,
    });
    let isKilled = false;
    cleanups.push(async () => (isKilled ? undefined : sync.close()));
    const events: OpenTab['events'] = {
      updated: [],
      'relay-status': [],
      error: [],
      delivery: [],
      conflict: [],
      merged: [],
      status: [],
    };
    for (const type of Object.keys(events) as (keyof SyncEvents)[]) {
      sync.on(type, (event) => (events[type] as unknown[]).push(event));
    }
    return {
      sync,
      events,
      kill: () => {
        isKilled = true;
        kill();
      },
      freeze,
    };
  };
  return {
    browser,
    tab: (options = {}) => start(browser.open(), options),
    device: (options = {}) =>
      start({ openSocket, kill: () => undefined, freeze: () => () => undefined }, options),
  };
}

async function connected({ sync }: OpenTab): Promise<void> {
  await vi.waitFor(async () => expect(await sync.getStatus()).toMatchObject({ ready: true }), {
    timeout: 5_000,
    interval: 5,
  });
}

/** Opens tabs one after the other: the first leads. */
async function tabsInOrder(
  open: (options?: NostrSyncOptions) => OpenTab,
  count: number,
): Promise<[OpenTab, OpenTab, ...OpenTab[]]> {
  const tabs: OpenTab[] = [];
  for (let i = 0; i < count; i++) {
    const tab = open();
    tabs.push(tab);
    await connected(tab);
  }
  return tabs as [OpenTab, OpenTab];
}

/** Every app-data event that a relay was ever sent, each once. */
function written(relay: Relay): NostrEvent[] {
  const events = new Map<string, NostrEvent>();
  for (const { direction, frame } of relay.frames) {
    if (direction !== 'in' || !Array.isArray(frame) || frame[0] !== 'EVENT') continue;
    const event = frame[1] as NostrEvent;
    if (event.kind === 30_078) events.set(event.id, event);
  }
  return [...events.values()];
}

function payloads(results: readonly { readonly payload: unknown }[]): unknown[] {
  return results.map(({ payload }) => payload);
}

function expectStrictOrder(relay: Relay): void {
  const stamps = written(relay).map((event) => `${event.tags[0]![1]!} ${event.created_at}`);
  expect(new Set(stamps).size, 'two events with one stamp').toBe(stamps.length);
}

test('of many tabs exactly one is connected, and every tab says that it is', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 4);
  expect(relay.connections()).toBe(1);
  for (const { sync } of tabs) {
    expect(await sync.getStatus()).toMatchObject({ relayCount: 1, connectedRelayCount: 1, outboxDepth: 0 });
    expect(await sync.getRelays()).toMatchObject([{ url: URL_A, connected: true, state: 'open' }]);
  }
  const ids = await Promise.all(tabs.map(async ({ sync }) => (await sync.getStatus()).deviceId));
  expect(new Set(ids).size).toBe(1);
});

test('every call works in a tab that follows as in the one that leads', async () => {
  const relay = createRelay();
  const { tab, device } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 3);
  const phone = device();
  for (const [i, { sync }] of tabs.entries()) {
    const category = `of-${i}`;
    expect(await sync.fetch(category)).toBeNull();
    const [waitFor, delivery] =
      i === 1 ? (['replicated', 'confirmed'] as const) : (['delivered', 'acknowledged'] as const);
    expect(await sync.publish(category, { i }, { waitFor })).toMatchObject({
      stage: waitFor,
      relays: { [URL_A]: delivery },
    });
    await phone.sync.publish(`from-phone-${i}`, i);
    expect(await sync.fetch(`from-phone-${i}`)).toMatchObject({ payload: i, source: 'relay' });
    expect(payloads(await sync.syncAll([category, `from-phone-${i}`]))).toEqual([{ i }, i]);
    expect(payloads(await sync.poll([category, `from-phone-${i}`]))).toEqual([i]);
    expect(await sync.poll([category, `from-phone-${i}`])).toEqual([]);
    await sync.remove(category);
    expect(await sync.fetch(category)).toBeNull();
    await sync.flush();
    expect((await sync.getRelays())[0]!.lastSeen).not.toBeNull();
  }
  expect(await phone.sync.fetch('of-2')).toBeNull();
  expect(relay.connections()).toBe(2);
  for (const { events } of tabs) expect(events.error).toEqual([]);
});

test('the very first publish of a tab asks the relays before it stamps, and waits for them', async () => {
  const relay = createRelay();
  const { tab, device } = setUp({ [URL_A]: relay });
  const clock = { now: () => Date.now() + 30_000, after: afterRealMs };
  const phone = device({ clock });
  const ahead = await phone.sync.publish('settings', 'phone, whose clock is ahead');
  for (const value of ['leader', 'follower']) {
    const { sync, events } = tab();
    const receipt = await sync.publish('settings', value);
    expect(receipt.stage).toBe('delivered');
    expect(Date.parse(receipt.updatedAt)).toBeGreaterThan(Date.parse(ahead.updatedAt));
    expect(events.conflict).toEqual([]);
  }
  await vi.waitFor(async () =>
    expect(await phone.sync.fetch('settings')).toMatchObject({ payload: 'follower' }),
  );
});

function afterRealMs(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms);
  return () => clearTimeout(timer);
}

test('what another device writes reaches every tab, by event and by subscription, once', async () => {
  const relay = createRelay();
  const { tab, device } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 3);
  const phone = device();
  await connected(phone);
  const got: FetchResult[][] = tabs.map(() => []);
  tabs.forEach(({ sync }, i) => sync.subscribe([`s-${i}`, 'all'], (result) => got[i]!.push(result)));
  await vi.waitFor(() => expect(lastWatch(relay)).toHaveLength(4));
  for (const i of tabs.keys()) await phone.sync.publish(`s-${i}`, i);
  await phone.sync.publish('all', 'everybody');
  await vi.waitFor(() => {
    got.forEach((results, i) => expect(payloads(results)).toEqual([i, 'everybody']));
    for (const { events } of tabs) expect(payloads(events.updated)).toEqual([0, 1, 2, 'everybody']);
  });
});

/** The d-tags of the latest REQ of more than one. */
function lastWatch(relay: Relay): string[] {
  const requests = relay.frames
    .filter(({ direction, frame }) => direction === 'in' && Array.isArray(frame) && frame[0] === 'REQ')
    .map(({ frame }) => (frame as [string, string, { '#d'?: string[] }])[2]['#d'] ?? []);
  return requests.findLast((dTags) => dTags.length > 1) ?? [];
}

test('a write in one tab is news in the others, and delivery is reported in all', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 3);
  const got: unknown[][] = tabs.map(() => []);
  tabs.forEach(({ sync }, i) => sync.subscribe(['x'], ({ payload }) => got[i]!.push(payload)));
  await tabs[1].sync.publish('x', 'from a follower', { waitFor: 'replicated' });
  await tabs[0].sync.publish('x', 'from the leader', { waitFor: 'replicated' });
  await vi.waitFor(() => {
    expect(got).toEqual([['from a follower'], ['from the leader'], ['from a follower', 'from the leader']]);
    for (const { events } of tabs) {
      const replicated = events.delivery.filter(({ stage }) => stage === 'replicated');
      expect(new Set(replicated.map(({ eventId }) => eventId)).size).toBe(2);
    }
  });
  expect(tabs.map(({ events }) => payloads(events.updated))).toEqual(got);
});

test('a write in one tab that no relay has is news in the others, and says that it is pending', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 2);
  const got: FetchResult[][] = tabs.map(() => []);
  tabs.forEach(({ sync }, i) => sync.subscribe(['x'], (result) => got[i]!.push(result)));
  relay.misbehave({ dropOk: true, forget: true });
  await tabs[1].sync.publish('x', 'from a follower', { waitFor: 'saved' });
  await vi.waitFor(() => expect(got[0]).toHaveLength(1));
  await tabs[0].sync.publish('y', 'from the leader', { waitFor: 'saved' });
  await vi.waitFor(() => expect(tabs[1].events.updated).toHaveLength(1));
  const told = [...got.flat(), ...tabs.flatMap(({ events }) => events.updated)];
  expect(told).toMatchObject([
    { payload: 'from a follower', pending: true },
    { payload: 'from a follower', pending: true },
    { payload: 'from the leader', pending: true },
  ]);
  expect((await tabs[0].sync.poll(['x', 'y'])).map(({ pending }) => pending)).toEqual([true]);
});

test('a conflict is reported in every tab, with mine and theirs', async () => {
  const relay = createRelay();
  const { tab, device } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 2);
  for (const { sync } of tabs) sync.subscribe(['x'], () => undefined);
  await tabs[1].sync.publish('x', 'mine', { waitFor: 'replicated' });
  relay.wipe();
  const ahead = { now: () => Date.now() + 60_000, after: afterRealMs };
  await device({ clock: ahead }).sync.publish('x', 'theirs');
  await vi.waitFor(() => {
    for (const { events } of tabs) {
      const seen = events.conflict.map(({ mine, theirs }: Conflict) => [mine.payload, theirs.payload]);
      expect(seen).toEqual([['mine', 'theirs']]);
    }
  });
});

test('a relay that comes and goes is told of in every tab', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 3);
  for (const { events } of tabs) events['relay-status'].length = 0;
  relay.disconnectAll();
  const states = (events: readonly RelayInfo[]): string[] => events.map(({ state }) => state);
  await vi.waitFor(
    () => {
      for (const { events } of tabs) expect(states(events['relay-status']).at(-1)).toBe('open');
      for (const { events } of tabs) expect(states(events['relay-status'])).toContain('waiting');
    },
    { timeout: 5_000 },
  );
});

test('a relay added or removed in one tab is added or removed in all, and holds up no flush', async () => {
  const [a, b] = [createRelay(), createRelay()];
  const { tab } = setUp({ [URL_A]: a, [URL_B]: b });
  const open = (): OpenTab => tab({ relays: [URL_A] });
  const tabs = await tabsInOrder(open, 3);
  await tabs[0].sync.publish('x', 1);
  await tabs[1].sync.addRelay(URL_B);
  await vi.waitFor(async () => {
    for (const { sync } of tabs) {
      const relays = await sync.getRelays();
      expect(relays.map(({ url, connected: is }) => [url, is])).toEqual([
        [URL_A, true],
        [URL_B, true],
      ]);
    }
  });
  await vi.waitFor(() => expect(b.events()).toHaveLength(1));
  b.misbehave({ silent: true });
  await tabs[2]!.sync.publish('x', 2);
  // From here on nothing changes by itself.
  await vi.waitFor(
    () => {
      for (const { events } of tabs) expect(events.delivery.at(-1)!.relays[URL_A]).toBe('confirmed');
    },
    { timeout: 5_000 },
  );
  const flushed = Promise.all(tabs.map(({ sync }) => sync.flush()));
  await vi.waitFor(async () => {
    for (const { sync } of tabs) expect((await sync.getStatus()).outboxDepth).toBe(1);
  });
  await tabs[1].sync.removeRelay(URL_B);
  await flushed;
  await vi.waitFor(async () => {
    for (const { sync } of tabs) {
      expect((await sync.getRelays()).map(({ url }) => url)).toEqual([URL_A]);
      expect((await sync.getStatus()).outboxDepth).toBe(0);
    }
  });
  await vi.waitFor(() => expect(b.connections()).toBe(0));
});

test('writes of several tabs to one category get stamps in strict order, and all devices agree on the last', async () => {
  const relay = createRelay();
  const { tab, device } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 3);
  const phone = device();
  const rounds = 4;
  const receipts = await Promise.all(
    Array.from({ length: rounds }, (_, round) =>
      tabs.map(({ sync }, i) => sync.publish('x', { i, round }, { waitFor: 'saved' })),
    ).flat(),
  );
  const saved = new Map(receipts.map(({ eventId, updatedAt }) => [eventId, updatedAt]));
  expect(new Set(saved.values()).size, 'two saved writes with one stamp').toBe(saved.size);
  await Promise.all(tabs.map(({ sync }) => sync.flush()));
  const last = [...saved].toSorted(([, a], [, b]) => (a < b ? 1 : -1))[0]!;
  for (const { sync } of [...tabs, phone]) {
    expect(await sync.fetch('x')).toMatchObject({ eventId: last[0], updatedAt: last[1] });
  }
  expectStrictOrder(relay);
});

test('no stamp is used twice when a follower writes while the leader sends (R3)', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const pacing = { burst: 60, intervalMs: 100 };
  const leader = tab({ pacing });
  await connected(leader);
  const follower = tab({ pacing });
  await connected(follower);
  // A first write is held until relays have answered.
  await leader.sync.publish('x', 'first');
  for (let round = 0; round < 10; round++) {
    await Promise.all([
      leader.sync.publish('x', `leader ${round}`, { waitFor: 'saved' }),
      follower.sync.publish('x', `follower ${round}`, { waitFor: 'saved' }),
      leader.sync.publish('x', `leader again ${round}`, { waitFor: 'saved' }),
    ]);
  }
  await leader.sync.flush();
  expect(written(relay).length).toBeGreaterThan(10);
  expectStrictOrder(relay);
  const [a, b] = await Promise.all([leader.sync.fetch('x'), follower.sync.fetch('x')]);
  expect(a).toEqual(b);
});

test('without leadership a stamp is never used twice either: any tab may have sent it', async () => {
  const relay = createRelay();
  relay.misbehave({ refuseConnections: true });
  const { browser, device } = setUp({ [URL_A]: relay });
  const { tabs: _, kill: __, freeze: ___, ...one } = browser.open();
  const { store, clock, openSocket } = browser.open();
  const two = { store, clock, openSocket };
  const first = device(one);
  await first.sync.publish('x', 'first', { waitFor: 'saved' });
  relay.behave();
  const second = device(two);
  await second.sync.flush();
  await first.sync.publish('x', 'second', { waitFor: 'saved' });
  await first.sync.flush();
  expect(written(relay)).toHaveLength(2);
  expectStrictOrder(relay);
});

test.each(['with', 'without'])(
  'what a tab has saved is what another reads from then on, offline and %s leadership',
  async (how) => {
    const { browser, device } = setUp({});
    const open = (): NostrSync => {
      const { kill: _, freeze: __, tabs, ...platform } = browser.open();
      return device(how === 'with' ? { tabs, ...platform } : platform).sync;
    };
    const reader = open();
    const writer = open();
    for (const value of ['first', 'second', 'third']) {
      await writer.publish('x', value, { waitFor: 'saved' });
      expect(await reader.fetch('x')).toMatchObject({ payload: value, source: 'local' });
      await writer.publish('x', `${value} again`, { waitFor: 'saved' });
      expect(payloads(await reader.poll(['x']))).toEqual([`${value} again`]);
      expect(payloads(await reader.syncAll(['x']))).toEqual([`${value} again`]);
    }
  },
);

test('a store that is emptied or fails takes nothing from a tab that reads', async () => {
  const { browser, device } = setUp({});
  const { kill: _, freeze: __, store, ...platform } = browser.open();
  let isBroken = false;
  const { sync } = device({
    ...platform,
    store: { ...store, get: (key) => (isBroken ? Promise.reject(new Error('disk')) : store.get(key)) },
  });
  await sync.publish('x', 'known', { waitFor: 'saved' });
  // What was held for the relays' answers is not any more.
  await vi.waitFor(async () =>
    expect([...(await browser.store.list('head/')).values()].join()).not.toContain('heldUntil'),
  );
  const keys = [...(await browser.store.list('head/')).keys()];
  await browser.store.update([], () => new Map(keys.map((key) => [key, null])));
  expect(await sync.fetch('x')).toMatchObject({ payload: 'known' });
  isBroken = true;
  expect(await sync.fetch('x')).toMatchObject({ payload: 'known' });
});

test('when the leader is closed, a follower takes over and delivers what is pending', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const [leader, follower, third] = await tabsInOrder(tab, 3);
  relay.misbehave({ dropOk: true, forget: true });
  await follower.sync.publish('x', 'pending', { waitFor: 'saved' });
  await leader.sync.close();
  relay.behave();
  await follower.sync.flush();
  await third!.sync.flush();
  expect(relay.connections()).toBe(1);
  expect(relay.events()).toHaveLength(1);
  expect(await third!.sync.fetch('x')).toMatchObject({ payload: 'pending', source: 'relay' });
});

test('when the leader dies in the midst of its publish, a follower delivers what was saved', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const [leader, follower] = await tabsInOrder(tab, 2);
  relay.misbehave({ receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined) });
  await leader.sync.publish('x', 'mine', { waitFor: 'saved' });
  void leader.sync.publish('x', 'never saved, perhaps');
  leader.kill();
  relay.behave();
  await vi.waitFor(() => expect(relay.events()).toHaveLength(1), { timeout: 5_000 });
  await follower.sync.flush();
  expect(relay.connections()).toBe(1);
  expect(await follower.sync.fetch('x')).toMatchObject({ source: 'relay' });
});

test('what a follower had asked of a leader that died is answered by the next', async () => {
  const relay = createRelay();
  const { tab, device } = setUp({ [URL_A]: relay });
  await device().sync.publish('x', 'there');
  const [leader, ...others] = await tabsInOrder(tab, 3);
  relay.misbehave({ noEose: true });
  const before = requestsFor(relay, 'default/x/v1');
  const asked = others.map(({ sync }) => sync.fetch('x'));
  await vi.waitFor(() => expect(requestsFor(relay, 'default/x/v1')).toBe(before + 2));
  leader.kill();
  relay.behave();
  for (const answer of asked) expect(await answer).toMatchObject({ payload: 'there', source: 'relay' });
});

function requestsFor(relay: Relay, dTag: string): number {
  return relay.frames.filter(({ direction, frame }) => {
    const text = direction === 'in' ? JSON.stringify(frame) : '';
    return text.startsWith('["REQ"') && text.includes(dTag);
  }).length;
}

/** A tab that dies with the save of a category: after the store has it, before anybody else is told. */
function dyingTab(browser: TabFactory): NostrSync {
  const { kill, freeze: _, store, ...platform } = browser.open();
  return createNostrSync({
    ...{ relays: [URL_A], signer: secretKeySigner(KEY), ...platform },
    store: {
      ...store,
      update: async (keys, decide) => {
        await store.update(keys, decide);
        if (keys.some((key) => key.endsWith('/x/v1'))) kill();
      },
    },
  });
}

test('what a follower saved and could not tell before it died is delivered', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const leader = tab();
  await connected(leader);
  const { eventId } = await leader.sync.publish('x', 'first');
  const dying = dyingTab(browser);
  await vi.waitFor(async () => expect((await dying.getStatus()).ready).toBe(true));
  void dying.publish('x', 'last words');
  await vi.waitFor(() => expect(relay.events()).not.toMatchObject([{ id: eventId }]));
});

test('what a leader saved and could not tell before it died is delivered by the next', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const dying = dyingTab(browser);
  await vi.waitFor(async () => expect((await dying.getStatus()).ready).toBe(true));
  await connected(tab());
  void dying.publish('x', 'last words');
  await vi.waitFor(() => expect(relay.events()).toHaveLength(1), { timeout: 5_000 });
  expect(relay.connections()).toBe(1);
});

test('a leader that closes while it saves leaves nothing behind that the next does not know', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const { kill: _, freeze: __, store, ...platform } = browser.open();
  let begun = (): void => undefined;
  let finish = (): void => undefined;
  const isBegun = new Promise<void>((resolve) => (begun = resolve));
  const isFinished = new Promise<void>((resolve) => (finish = resolve));
  const closing = createNostrSync({
    ...{ relays: [URL_A], signer: secretKeySigner(KEY), ...platform },
    store: {
      ...store,
      update: async (keys, decide) => {
        if (keys.some((key) => key.endsWith('/x/v1'))) {
          begun();
          await isFinished;
        }
        return store.update(keys, decide);
      },
    },
  });
  await vi.waitFor(async () => expect((await closing.getStatus()).ready).toBe(true));
  await connected(tab());
  const published = closing.publish('x', 'last words');
  await isBegun;
  const closed = closing.close();
  await quiet(browser);
  finish();
  expect((await published).stage).toBe('saved');
  await closed;
  await vi.waitFor(() => expect(relay.events()).toHaveLength(1));
});

test('news is not lost when a tab learns of it only from the store, in the midst of its own save', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const { store, kill: _, freeze: __, ...platform } = browser.open();
  const other = browser.open();
  let before = async (): Promise<void> => undefined;
  const slow = tab({
    ...platform,
    store: {
      ...store,
      update: async (keys, decide) => {
        const act = before;
        before = async () => undefined;
        await act();
        return store.update(keys, decide);
      },
    },
  });
  await slow.sync.publish('x', 'mine', { waitFor: 'replicated' });
  slow.events.updated.length = 0;
  // Another tab on the same store that cannot say a word.
  const silent = createNostrSync({
    ...{ signer: secretKeySigner(KEY), relays: [], store: other.store, clock: other.clock },
  });
  cleanups.push(() => silent.close());
  before = async () => void (await silent.publish('x', 'theirs', { waitFor: 'saved' }));
  await slow.sync.publish('x', 'mine again', { waitFor: 'saved' });
  await vi.waitFor(async () => expect(payloads(await slow.sync.syncAll(['x']))).toEqual(['mine again']));
  expect((await slow.sync.getStatus()).deviceId).toBe((await silent.getStatus()).deviceId);
  await slow.sync.flush();
  expectStrictOrder(relay);
  before = async () => void (await silent.publish('x', 'theirs at last', { waitFor: 'saved' }));
  relay.wipe();
  await slow.sync.fetch('x');
  await vi.waitFor(() => expect(payloads(slow.events.updated)).toContain('theirs at last'));
});

test('what the leader could not save at first is told to the others once it is saved', async () => {
  const relay = createRelay();
  const { tab, browser, device } = setUp({ [URL_A]: relay });
  const { kill: _, freeze: __, store, ...platform } = browser.open();
  let isBroken = false;
  const leader = tab({
    ...platform,
    clock: quickClock(),
    store: {
      ...store,
      update: (keys, decide) => (isBroken ? Promise.reject(new Error('disk')) : store.update(keys, decide)),
    },
  });
  await connected(leader);
  const follower = tab();
  await connected(follower);
  for (const { sync } of [leader, follower]) sync.subscribe(['x'], () => undefined);
  isBroken = true;
  await device().sync.publish('x', 'theirs');
  await vi.waitFor(() => expect(payloads(leader.events.updated)).toEqual(['theirs']));
  await quiet(browser);
  expect(follower.events.updated).toEqual([]);
  isBroken = false;
  await vi.waitFor(() => expect(payloads(follower.events.updated)).toEqual(['theirs']), { timeout: 5_000 });
});

test('AUTH is signed by the signer of a follower while the leader has none', async () => {
  const relay = createRelay({ auth: 'both' });
  const { tab } = setUp({ [URL_A]: relay });
  const clock = quickClock();
  const leader = tab({ clock });
  await leader.sync.publish('x', 1);
  const calls = [0, 0];
  const counting = (i: number): Signer => {
    const signer = secretKeySigner(KEY);
    return {
      ...signer,
      signEvent: async (template) => {
        if (template.kind === 22_242) calls[i]!++;
        return signer.signEvent(template);
      },
    };
  };
  const first = tab({ clock, signer: counting(0) });
  const second = tab({ clock, signer: counting(1) });
  await Promise.all([connected(first), connected(second)]);
  await leader.sync.clearSigner();
  relay.disconnectAll();
  await second.sync.publish('x', 2, { waitFor: 'saved' });
  await second.sync.flush();
  expect(relay.connections()).toBe(1);
  expect(calls).toEqual([1, 0]);
  first.kill();
  relay.disconnectAll();
  await vi.waitFor(() => expect(calls).toEqual([1, 1]), { timeout: 8_000 });
  expect(await second.sync.fetch('x')).toMatchObject({ payload: 2, source: 'relay' });
});

/** So many times as fast: two signatures of AUTH are 5 s apart. */
function quickClock(speed = 20): Clock {
  const start = Date.now();
  return {
    now: () => start + (Date.now() - start) * speed,
    after: (ms, callback) => afterRealMs(ms / speed, callback),
  };
}

test(
  'a relay that never answers completely is disconnected for a repair, also by a leader that cannot sign it',
  { timeout: 60_000 },
  async () => {
    const clock = quickClock(50);
    const [a, b] = [createRelay({ clock }), createRelay({ clock })];
    const { tab } = setUp({ [URL_A]: a, [URL_B]: b });
    const [leader, follower] = await tabsInOrder(() => tab({ clock }), 2);
    await leader.sync.clearSigner();
    const expiration = Math.floor(clock.now() / 1_000) + 20;
    await follower.sync.publish('x', 'short-lived', { expiration, waitFor: 'replicated' });
    b.misbehave({ noEose: true });
    const isBuried = ({ tags }: NostrEvent): boolean => tags.some(([name]) => name === 'deleted');
    await vi.waitFor(() => expect(a.events().some(isBuried)).toBe(true), { timeout: 25_000 });
    expect((await follower.sync.getRelays())[1]!.lastError).toBe('does not answer completely');
    await vi.waitFor(() => expect(b.events().some(isBuried)).toBe(true), { timeout: 25_000 });
  },
);

test('what waits for AUTH goes out as soon as any tab gets a signer', async () => {
  const relay = createRelay({ auth: 'both' });
  const { tab, browser } = setUp({ [URL_A]: relay });
  const clock = quickClock();
  const [leader, follower] = await tabsInOrder(() => tab({ clock }), 2);
  await leader.sync.clearSigner();
  relay.disconnectAll();
  await follower.sync.publish('x', 1, { waitFor: 'saved' });
  await follower.sync.clearSigner();
  await vi.waitFor(async () => expect((await follower.sync.getRelays())[0]!.auth).toBe('required'), {
    timeout: 5_000,
  });
  await quiet(browser);
  expect(relay.events()).toEqual([]);
  await follower.sync.setSigner(secretKeySigner(KEY));
  await vi.waitFor(() => expect(relay.events()).toHaveLength(1), { timeout: 5_000 });
});

test('a signer that is asked for AUTH and takes its time holds up nothing else in its tab', async () => {
  const relay = createRelay({ auth: 'write' });
  const { tab } = setUp({ [URL_A]: relay });
  const leader = tab();
  await connected(leader);
  let asked = (): void => undefined;
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const signer = secretKeySigner(KEY);
  const follower = tab({
    signer: {
      ...signer,
      signEvent: (template) => {
        if (template.kind !== 22_242) return signer.signEvent(template);
        asked();
        return new Promise(() => undefined);
      },
    },
  });
  await connected(follower);
  await leader.sync.clearSigner();
  await follower.sync.publish('x', 1, { waitFor: 'saved' });
  await isAsked;
  expect(await follower.sync.getStatus()).toMatchObject({ connectedRelayCount: 1, pendingChanges: 1 });
  // What the relay says before it has accepted our AUTH counts for nothing: it may be silent to strangers.
  expect(await follower.sync.fetch('x')).toMatchObject({ payload: 1, source: 'local' });
});

test('a follower whose write every relay refuses learns why, and the write is gone in every tab', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 3);
  await tabs[0].sync.publish('x', 'good', { waitFor: 'replicated' });
  relay.misbehave({ refuse: 'blocked: not you' });
  await expect(tabs[1].sync.publish('x', 'bad')).rejects.toMatchObject({
    code: 'NO_RELAYS_ACCEPTED',
    details: { reasons: { [URL_A]: 'blocked: not you' } },
  });
  for (const { sync } of tabs) {
    await vi.waitFor(async () => expect(await sync.fetch('x')).toMatchObject({ payload: 'good' }));
  }
  for (const { events } of tabs) expect(events.conflict).toEqual([]);
});

test('another identity in another tab keeps its own connection, records and leader', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const [one, two] = await tabsInOrder(tab, 2);
  const stranger = tab({ signer: secretKeySigner(OTHER_KEY) });
  await connected(stranger);
  await vi.waitFor(() => expect(relay.connections()).toBe(2));
  await one.sync.publish('x', 'ours');
  await stranger.sync.publish('x', 'theirs');
  expect(await two.sync.fetch('x')).toMatchObject({ payload: 'ours' });
  expect(await stranger.sync.fetch('x')).toMatchObject({ payload: 'theirs' });
  await two.sync.setSigner(secretKeySigner(OTHER_KEY));
  expect(await two.sync.fetch('x')).toMatchObject({ payload: 'theirs' });
  expect(relay.connections()).toBe(2);
});

test('a leader whose store fails to list still leads, and reads it again later', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const leader = tab();
  await connected(leader);
  const { kill: _, freeze: __, store, ...platform } = browser.open();
  let isBroken = false;
  const follower = tab({
    ...platform,
    store: {
      ...store,
      list: (prefix) => (isBroken ? Promise.reject(new Error('disk')) : store.list(prefix)),
    },
  });
  await connected(follower);
  isBroken = true;
  leader.kill();
  await vi.waitFor(async () => expect(await follower.sync.getStatus()).toMatchObject({ ready: true }));
  expect((await follower.sync.publish('x', 1)).stage).toBe('delivered');
});

test('messages between tabs are few, and none answers another without end', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const tabs = await tabsInOrder(tab, 4);
  for (const { sync } of tabs) sync.subscribe(['x'], () => undefined);
  await quiet(browser);
  const opening = browser.messages.length;
  expect(opening).toBeLessThan(60);
  const requests = relay.frames.length;
  await tabs[1].sync.publish('x', 1, { waitFor: 'replicated' });
  await quiet(browser);
  // Saved, acknowledged, confirmed: each a change and the state of the relays, and the relay's answer.
  expect(browser.messages.length - opening).toBeLessThan(12);
  expect(relay.frames.length - requests).toBeLessThan(16);
  const before = relay.frames.length;
  const another = tab();
  await connected(another);
  another.sync.subscribe(['x'], () => undefined);
  await quiet(browser);
  expect(relay.frames.length, 'a tab that watches what is watched costs the relay nothing').toBe(before);
  expect(browser.messages.length).toBeLessThan(opening + 30);
});

test('forty changes are told in a few messages', async () => {
  const relay = createRelay();
  const { tab, browser, device } = setUp({ [URL_A]: relay });
  const categories = Array.from({ length: 40 }, (_, i) => `c${i}`);
  const phone = device();
  await Promise.all(
    categories.map((category) => phone.sync.publish(category, category, { waitFor: 'saved' })),
  );
  await phone.sync.flush();
  const [, follower] = await tabsInOrder(tab, 2);
  const before = browser.messages.length;
  expect(await follower.sync.syncAll(categories)).toHaveLength(categories.length);
  expect(browser.messages.length - before).toBeLessThan(10);
});

/** Resolves when the tabs have said nothing for some turns of the event loop. */
async function quiet(browser: TabFactory): Promise<void> {
  for (let turns = 0, seen = -1; turns < 20; turns++) {
    if (browser.messages.length !== seen) turns = 0;
    seen = browser.messages.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a tab that was closed is forgotten: the leader no longer watches for it', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const [leader, follower] = await tabsInOrder(tab, 2);
  leader.sync.subscribe(['a', 'b'], () => undefined);
  follower.sync.subscribe(['c'], () => undefined);
  await vi.waitFor(() => expect(lastWatch(relay)).toEqual(['default/a/v1', 'default/b/v1', 'default/c/v1']));
  follower.kill();
  await vi.waitFor(() => expect(lastWatch(relay)).toEqual(['default/a/v1', 'default/b/v1']));
});

// A leader that the system suspends keeps its lock.

test('a follower takes over from a leader that is suspended, and every call works in it', async () => {
  const relay = createRelay();
  const { tab, device } = setUp({ [URL_A]: relay });
  const clock = quickClock();
  const [leader, follower, third] = await tabsInOrder(() => tab({ clock }), 3);
  const got: unknown[] = [];
  follower.sync.subscribe(['pushed'], ({ payload }) => got.push(payload));
  const thaw = leader.freeze();
  relay.disconnectAll();
  const asked = follower.sync.fetch('x');
  const written = third!.sync.publish('y', 'delivered all the same', { waitFor: 'saved' });
  expect(await asked).toBeNull();
  await written;
  await third!.sync.flush();
  await device().sync.publish('pushed', 'there');
  await vi.waitFor(() => expect(got).toEqual(['there']), { timeout: 5_000 });
  thaw();
  await leader.sync.flush();
  await vi.waitFor(
    async () =>
      expect(await leader.sync.fetch('y')).toMatchObject({
        ...{ payload: 'delivered all the same', source: 'relay' },
      }),
    { timeout: 5_000 },
  );
  expect((await leader.sync.publish('x', 'awake')).stage).toBe('delivered');
  await vi.waitFor(() => expect(relay.connections()).toBe(2), { timeout: 5_000 });
  expect(await leader.sync.getStatus()).toMatchObject({ connectedRelayCount: 1 });
});

test('a tab that opens while the leader is suspended leads', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const clock = quickClock();
  const leader = tab({ clock });
  await connected(leader);
  const thaw = leader.freeze();
  const late = tab({ clock });
  await connected(late);
  expect((await late.sync.publish('x', 1)).stage).toBe('delivered');
  thaw();
});

test('what a tab had changed before it led is old once it has led', async () => {
  const [a, b] = [createRelay(), createRelay()];
  const { tab } = setUp({ [URL_A]: a, [URL_B]: b });
  const clock = quickClock();
  const listed = async ({ sync }: OpenTab): Promise<string[]> =>
    (await sync.getRelays()).map(({ url }) => url);
  const [first, second] = await tabsInOrder(() => tab({ clock }), 2);
  // The one that leads cannot confirm it.
  const thawFirst = first.freeze();
  await second.sync.removeRelay(URL_B);
  expect(await second.sync.fetch('x')).toBeNull();
  const third = tab({ clock, relays: [URL_A] });
  await connected(third);
  await third.sync.addRelay(URL_B);
  await vi.waitFor(async () => expect(await listed(second)).toEqual([URL_A, URL_B]), { timeout: 5_000 });
  const thawSecond = second.freeze();
  expect(await third.sync.fetch('x')).toBeNull();
  thawSecond();
  // It has let go of its connections, and says what it is there for before it asks.
  await vi.waitFor(() => expect(a.connections()).toBe(2), { timeout: 5_000 });
  expect(await second.sync.fetch('x')).toBeNull();
  for (const one of [second, third]) expect(await listed(one)).toEqual([URL_A, URL_B]);
  thawFirst();
});

test('a status is not what a leader said that has been suspended since', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  let isThrottled = false;
  const { now, after } = quickClock();
  let aheadMs = 0;
  // As in a hidden page: no timer comes.
  const clock = {
    now: () => now() + aheadMs,
    after: (ms: number, act: () => void) => after(ms, () => !isThrottled && act()),
  };
  const leader = tab({ clock: { now, after } });
  await connected(leader);
  const follower = tab({ clock });
  await connected(follower);
  relay.misbehave({ refuseConnections: true });
  const thaw = leader.freeze();
  isThrottled = true;
  relay.disconnectAll();
  aheadMs = 60_000;
  const status = follower.sync.getStatus();
  const relays = follower.sync.getRelays();
  thaw();
  expect(await status).toMatchObject({ ready: false, connectedRelayCount: 0 });
  expect(await relays).toMatchObject([{ connected: false }]);
});

test('a leader that wakes up sends nothing that the new one has written, and uses no stamp again', async () => {
  const relay = createRelay();
  const { tab } = setUp({ [URL_A]: relay });
  const clock = quickClock();
  const [former, next] = await tabsInOrder(() => tab({ clock, pacing: { burst: 1, intervalMs: 20_000 } }), 2);
  await former.sync.publish('x', 'first');
  // The burst is spent: what comes now is saved and not sent, and the next may take its stamp.
  await former.sync.publish('x', 'second', { waitFor: 'saved' });
  const thaw = former.freeze();
  await vi.waitFor(async () => expect(relay.connections()).toBe(2), { timeout: 5_000 });
  await next.sync.flush();
  // Called before it knows.
  const late = former.sync.publish('x', 'third', { waitFor: 'saved' });
  thaw();
  await late;
  await Promise.all([former.sync.flush(), next.sync.flush()]);
  expectStrictOrder(relay);
  expect(await next.sync.fetch('x')).toMatchObject({ payload: 'third' });
  await vi.waitFor(() => expect(relay.connections()).toBe(1), { timeout: 5_000 });
});

test('a leader that finds in the store that another leads sends nothing more, and uses no stamp again', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const pacing = { burst: 1, intervalMs: 60_000 };
  const { kill: _, freeze: __, ...one } = browser.open();
  // Nobody tells it that it has lost the lock.
  const untold = { ...one.tabs, hold: (name: string, onHeld: () => void) => one.tabs.hold(name, onHeld) };
  const former = tab({ ...one, pacing, tabs: untold });
  await former.sync.publish('x', 'first');
  // The burst is spent: saved, not sent, and the next write may take its stamp.
  await former.sync.publish('x', 'second', { waitFor: 'saved' });
  const two = browser.open();
  // It hears no word of the other's.
  const deaf = (onMessage: (message: unknown) => void) => (message: unknown) =>
    (message as { readonly type: string }).type === 'relays' ? undefined : onMessage(message);
  const next = tab({
    ...{ store: two.store, clock: quickClock(), openSocket: two.openSocket },
    tabs: { ...two.tabs, join: (name, onMessage) => two.tabs.join(name, deaf(onMessage)) },
  });
  await vi.waitFor(() => expect(written(relay)).toHaveLength(2), { timeout: 5_000 });
  await next.sync.publish('y', 1, { waitFor: 'replicated' });
  const ofY = relay.frames.filter(
    ({ direction, frame }) => direction === 'in' && /"EVENT".*\/y\/v1/.test(JSON.stringify(frame)),
  );
  expect(ofY).toHaveLength(1);
  await former.sync.publish('x', 'third', { waitFor: 'saved' });
  await vi.waitFor(() => expect(written(relay)).toHaveLength(4), { timeout: 5_000 });
  expectStrictOrder(relay);
  await vi.waitFor(() => expect(relay.connections()).toBe(1), { timeout: 5_000 });
});

test('a leader that finds in the store that another leads sends nothing of what that one writes offline', async () => {
  const relay = createRelay();
  const { tab, browser } = setUp({ [URL_A]: relay });
  const { kill: _, freeze: __, ...one } = browser.open();
  // Nobody tells it that it has lost the lock.
  const untold = { ...one.tabs, hold: (name: string, onHeld: () => void) => one.tabs.hold(name, onHeld) };
  const former = tab({ ...one, tabs: untold });
  await former.sync.publish('y', 0, { waitFor: 'replicated' });
  const two = browser.open();
  const deaf = (onMessage: (message: unknown) => void) => (message: unknown) =>
    (message as { readonly type: string }).type === 'relays' ? undefined : onMessage(message);
  let isOffline = true;
  const next = tab({
    ...{ store: two.store, clock: quickClock() },
    openSocket: (url, handlers) => {
      const socket = two.openSocket(url, handlers);
      if (isOffline) socket.close();
      return socket;
    },
    tabs: { ...two.tabs, join: (name, onMessage) => two.tabs.join(name, deaf(onMessage)) },
  });
  const leads = (): number => browser.messages.filter(({ type }) => type === 'lead').length;
  await vi.waitFor(() => expect(leads()).toBe(2), { timeout: 5_000 });
  // No socket of its own has carried the first: the second may take its stamp.
  await next.sync.publish('y', 1, { waitFor: 'saved' });
  await next.sync.publish('y', 2, { waitFor: 'saved' });
  await vi.waitFor(() => expect(relay.connections()).toBe(0), { timeout: 5_000 });
  expect(written(relay)).toHaveLength(1);
  isOffline = false;
  await next.sync.flush();
  expect(written(relay)).toHaveLength(2);
  expect(await next.sync.fetch('y')).toMatchObject({ payload: 2, source: 'relay' });
});
