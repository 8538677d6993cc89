/** Each value is told to each once: to `updated`, to subscriptions and to `poll`. Without engine, signer or store. */

import { describe, expect, test } from 'vitest';
import { NostrSyncError, type ErrorCode } from '../../src/errors.ts';
import { toDTag } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { createEmitter, type FetchResult } from '../../src/sync/events.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import type { Replica } from '../../src/sync/heads/replica.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createTelling, type Subscription, type Telling } from '../../src/sync/telling.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { OUR_HASH, told } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const OTHER = toDTag('default', 'other');
const STAMP = 1_767_225_600;
const FIRST = told({ stamp: STAMP });
const SECOND = told({ stamp: STAMP + 1 });
const RENEWAL = told({ stamp: STAMP + 2 });

interface Bench {
  readonly clock: TestClock;
  readonly telling: Telling;
  readonly records: Map<string, HeadRecord>;
  /** What was told, in order: to whom, and the id. */
  readonly log: [string, string][];
  /** Ids of events that were to be read, in order. */
  readonly read: string[];
  /** Ids of events that cannot be read, and why. */
  readonly faults: Map<string, ErrorCode>;
  readonly state: { canRead: boolean };
  /** Conflicts are not told before the returned function is called. */
  holdConflicts(): () => void;
  /** `head` is the head now, by this device or another. */
  show(head: VerifiedEvent, more?: { readonly isOwn?: boolean; readonly dTag?: typeof D_TAG }): void;
  subscribe(name: string, ...dTags: (typeof D_TAG)[]): Subscription;
  unsubscribe(subscription: Subscription): void;
  /** The ids that a poll gives. */
  poll(signal?: AbortSignal): Promise<string[]>;
}

function setUp({ listens = true } = {}): Bench {
  const clock = createTestClock();
  const records: Bench['records'] = new Map();
  const log: Bench['log'] = [];
  const read: string[] = [];
  const faults: Bench['faults'] = new Map();
  const state = { canRead: true };
  let conflictsTold = Promise.resolve();
  const subscriptions = new Set<Subscription>();
  const emitter = createEmitter();
  if (listens) emitter.on('updated', ({ eventId }) => log.push(['updated', eventId]));

  const decode = async (
    event: VerifiedEvent,
    dTag: typeof D_TAG,
    source: FetchResult['source'],
  ): Promise<FetchResult> => {
    read.push(event.id);
    await Promise.resolve();
    const code = faults.get(event.id);
    if (code !== undefined) throw new NostrSyncError(code as 'STORE_FAILED', 'cannot be read');
    return { eventId: event.id, category: dTag, source } as unknown as FetchResult;
  };
  const telling = createTelling({
    clock,
    // Nothing else of it is asked for.
    replica: { get: (dTag) => records.get(dTag) } as Pick<Replica, 'get'> as Replica,
    reading: {
      shown: decode,
      isOfHead: (dTag, { eventId }) => records.get(dTag)?.head?.event.id === eventId,
      valueOf: (dTag, source) => {
        const event = records.get(dTag)?.head?.event;
        return event === undefined ? Promise.resolve(null) : decode(event, dTag, source);
      },
    },
    conflictsTold: () => conflictsTold,
    canRead: () => state.canRead,
    emitter,
    subscriptions,
  });
  return {
    ...{ clock, telling, records, log, read, faults, state },
    holdConflicts: () => {
      let tell = (): void => undefined;
      conflictsTold = new Promise((resolve) => (tell = resolve));
      return () => tell();
    },
    show: (head, { isOwn = false, dTag = D_TAG } = {}) => {
      const own = { device: OUR_HASH, id: head.id, stamp: head.created_at, acknowledged: true, lost: false };
      records.set(dTag, { ...EMPTY_RECORD, head: versionOf(head), own: isOwn ? own : undefined });
    },
    subscribe: (name, ...dTags) => {
      const subscription: Subscription = {
        dTags: new Set(dTags),
        listener: ({ eventId }) => log.push([name, eventId]),
        delivered: new Map(),
      };
      subscriptions.add(subscription);
      return subscription;
    },
    unsubscribe: (subscription) => subscriptions.delete(subscription),
    poll: async (signal) =>
      (await telling.poll([D_TAG, OTHER], 'relay', signal)).map(({ eventId }) => eventId),
  };
}

describe('a new head', () => {
  test('is told once to `updated`, and once to each subscription that is for it', async () => {
    const { telling, log, show, subscribe } = setUp();
    subscribe('a', D_TAG);
    subscribe('b', D_TAG, OTHER);
    subscribe('c', OTHER);
    show(FIRST);
    await telling.announce(D_TAG);
    await telling.announce(D_TAG);
    const of = ['updated', 'a', 'b'];
    expect(log).toEqual(of.map((name) => [name, FIRST.id]));
    show(SECOND);
    await telling.announce(D_TAG);
    expect(log.slice(of.length)).toEqual(of.map((name) => [name, SECOND.id]));
  });

  test('is told to a subscription if nobody listens to `updated`', async () => {
    const { telling, log, show, subscribe } = setUp({ listens: false });
    subscribe('a', D_TAG);
    show(FIRST);
    await telling.announce(D_TAG);
    expect(log).toEqual([['a', FIRST.id]]);
  });

  test('is neither read nor told without a signer, also if that is gone once it is read', async () => {
    const { telling, log, read, state, show } = setUp();
    state.canRead = false;
    show(FIRST);
    await telling.announce(D_TAG);
    expect(read).toEqual([]);
    state.canRead = true;
    const announced = telling.announce(D_TAG);
    state.canRead = false;
    await announced;
    expect([read, log]).toEqual([[FIRST.id], []]);
  });

  test('is not told if it has ended by its expiration (NIP-40)', async () => {
    const { clock, telling, log, show, poll } = setUp();
    const ended = (at: number): VerifiedEvent => told({ stamp: STAMP, tags: [['expiration', String(at)]] });
    show(ended(clock.now() / 1000 - 1));
    await telling.announce(D_TAG);
    expect([log, await poll()]).toEqual([[], []]);
    show(ended(clock.now() / 1000 + 9));
    await telling.announce(D_TAG);
    expect(log).toHaveLength(1);
  });

  test('is not told if it is not the head any more once it is read', async () => {
    const { telling, log, show } = setUp();
    show(FIRST);
    const announced = telling.announce(D_TAG);
    show(SECOND);
    await announced;
    expect(log).toEqual([]);
  });

  test('is not told if it cannot be read, and is once it can', async () => {
    const { telling, log, faults, show } = setUp();
    faults.set(FIRST.id, 'UNDECODABLE');
    show(FIRST);
    await telling.announce(D_TAG);
    expect(log).toEqual([]);
    faults.clear();
    await telling.announce(D_TAG);
    expect(log).toEqual([['updated', FIRST.id]]);
  });

  test('is told after the conflict that it brings', async () => {
    const { clock, telling, log, show, holdConflicts } = setUp();
    const tellConflicts = holdConflicts();
    show(FIRST);
    void telling.announce(D_TAG);
    await clock.advance(0);
    expect(log).toEqual([]);
    tellConflicts();
    await clock.advance(0);
    expect(log).toEqual([['updated', FIRST.id]]);
  });

  test('is not told to a subscription that has ended meanwhile', async () => {
    const { telling, log, show, subscribe, unsubscribe } = setUp();
    const subscription = subscribe('a', D_TAG);
    show(FIRST);
    const announced = telling.announce(D_TAG);
    unsubscribe(subscription);
    await announced;
    expect(log).toEqual([['updated', FIRST.id]]);
  });
});

test('what this process wrote is no news to itself', async () => {
  const { telling, log, show, subscribe, poll } = setUp();
  const [here, elsewhere] = [subscribe('a', D_TAG), subscribe('b', OTHER)];
  show(FIRST, { isOwn: true });
  telling.wrote(D_TAG, FIRST.id);
  await telling.announce(D_TAG);
  expect([log, await poll()]).toEqual([[], []]);
  expect([here.delivered.size, elsewhere.delivered.size]).toEqual([1, 0]);
});

describe('a subscription', () => {
  test('is given at its start what it has not had', async () => {
    const { clock, telling, log, show, subscribe } = setUp();
    show(FIRST);
    const subscription = subscribe('a', D_TAG, OTHER);
    for (let times = 0; times < 2; times++) {
      telling.present(subscription);
      await clock.advance(0);
    }
    expect(log).toEqual([['a', FIRST.id]]);
  });

  test('is given at its start what this process has written before that', async () => {
    const { clock, telling, log, show, subscribe } = setUp();
    show(FIRST, { isOwn: true });
    telling.wrote(D_TAG, FIRST.id);
    telling.present(subscribe('a', D_TAG));
    await clock.advance(0);
    expect(log).toEqual([['a', FIRST.id]]);
  });

  test('is given a value after the conflict that it brings', async () => {
    const { clock, telling, log, show, subscribe, holdConflicts } = setUp();
    const tellConflicts = holdConflicts();
    show(FIRST);
    telling.present(subscribe('a', D_TAG));
    await clock.advance(0);
    expect(log).toEqual([]);
    tellConflicts();
    await clock.advance(0);
    expect(log).toEqual([['a', FIRST.id]]);
  });

  test.each<[string, (bench: Bench, subscription: Subscription) => void]>([
    ['if it has ended', ({ unsubscribe }, subscription) => unsubscribe(subscription)],
    ['if nothing can be read any more', ({ state }) => (state.canRead = false)],
    ['of what is not the head any more', ({ show }) => show(SECOND)],
  ])('is given nothing %s', async (_, meanwhile) => {
    const bench = setUp();
    bench.show(FIRST);
    const subscription = bench.subscribe('a', D_TAG);
    bench.telling.present(subscription);
    meanwhile(bench, subscription);
    await bench.clock.advance(0);
    expect(bench.log).toEqual([]);
  });
});

describe('poll', () => {
  test('gives each value once, and tells it to the others as well', async () => {
    const { clock, log, show, subscribe, poll } = setUp();
    subscribe('a', D_TAG);
    show(FIRST);
    show(SECOND, { dTag: OTHER });
    expect(await poll()).toEqual([FIRST.id, SECOND.id]);
    await clock.advance(0);
    expect(log.toSorted()).toEqual(
      [
        ['updated', FIRST.id],
        ['a', FIRST.id],
        ['updated', SECOND.id],
      ].toSorted(),
    );
    expect(await poll()).toEqual([]);
  });

  test('gives a value to one of two that wait at a time', async () => {
    const { show, poll } = setUp();
    show(FIRST);
    expect(await Promise.all([poll(), poll()])).toEqual([[FIRST.id], []]);
  });

  test('gives nothing that this process has overwritten meanwhile', async () => {
    const { telling, show, poll } = setUp();
    show(FIRST);
    const polled = poll();
    telling.wrote(D_TAG, SECOND.id);
    expect(await polled).toEqual([]);
  });

  test('gives the rest if one category cannot be read, and that one once it can', async () => {
    const { faults, show, poll } = setUp();
    faults.set(FIRST.id, 'INCOMPLETE');
    show(FIRST);
    show(SECOND, { dTag: OTHER });
    expect(await poll()).toEqual([SECOND.id]);
    faults.clear();
    expect(await poll()).toEqual([FIRST.id]);
  });

  test('rejects if the store fails, and has given nothing', async () => {
    const { faults, show, poll } = setUp();
    show(FIRST);
    show(SECOND, { dTag: OTHER });
    faults.set(SECOND.id, 'STORE_FAILED');
    await expect(poll()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    faults.clear();
    expect(await poll()).toEqual([FIRST.id, SECOND.id]);
  });

  test('has given nothing to a call that was aborted', async () => {
    const { show, poll } = setUp();
    show(FIRST);
    const abort = new AbortController();
    const polled = poll(abort.signal);
    abort.abort('over');
    await expect(polled).rejects.toBe('over');
    expect(await poll()).toEqual([FIRST.id]);
  });
});

describe('what says the same as what was told', () => {
  const renew = (telling: Telling, isOwn = false): void =>
    telling.advanced(D_TAG, { type: 'advanced', event: RENEWAL, renews: FIRST.id }, isOwn);

  test('is no news to any that was told', async () => {
    const { telling, log, show, subscribe, poll } = setUp();
    subscribe('a', D_TAG);
    show(FIRST);
    await poll();
    await telling.announce(D_TAG);
    log.length = 0;
    show(RENEWAL);
    renew(telling);
    await telling.announce(D_TAG);
    expect([log, await poll()]).toEqual([[], []]);
  });

  test('is news to those that were not told', async () => {
    const { telling, log, show, poll } = setUp();
    show(RENEWAL);
    renew(telling);
    await telling.announce(D_TAG);
    expect([log, await poll()]).toEqual([[['updated', RENEWAL.id]], [RENEWAL.id]]);
  });

  test('is no news if this process wrote it, and none if an earlier process of this device did', async () => {
    const { telling, log, show } = setUp();
    telling.wrote(D_TAG, FIRST.id);
    show(RENEWAL);
    renew(telling);
    await telling.announce(D_TAG);
    const later = setUp();
    later.show(RENEWAL, { isOwn: true });
    renew(later.telling, true);
    await later.telling.announce(D_TAG);
    expect([log, later.log]).toEqual([[], []]);
  });

  test('is news if it comes while what another tab wrote is still read', async () => {
    const { telling, log, show, subscribe } = setUp();
    telling.wrote(D_TAG, SECOND.id);
    subscribe('a', D_TAG);
    show(FIRST, { isOwn: true });
    const announced = telling.announce(D_TAG);
    show(RENEWAL, { isOwn: true });
    renew(telling, true);
    await Promise.all([announced, telling.announce(D_TAG)]);
    expect(log).toEqual([
      ['updated', RENEWAL.id],
      ['a', RENEWAL.id],
    ]);
  });

  test('is what `renews` says: another event of this device is news', async () => {
    const { telling, log, show } = setUp();
    show(SECOND, { isOwn: true });
    telling.advanced(D_TAG, { type: 'advanced', event: SECOND }, true);
    await telling.announce(D_TAG);
    expect(log).toEqual([['updated', SECOND.id]]);
  });
});
