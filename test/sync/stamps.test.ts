/** Stamps: order survives fast writers, wrong clocks and bursts, and never runs ahead of the clock for nothing. */

import { describe, expect, test, vi } from 'vitest';
import { memoryStore, secretKeySigner, type NostrEvent, type Receipt, type Store } from '../../src/node.ts';
import { device, health, KEY, received, relay, stored, world, written } from './devices.ts';

const START = 1_767_225_600;

describe('two writes in one second', () => {
  test('of one device keep their order', async () => {
    const { url, relay: on } = await relay();
    const [laptop, phone] = [device([url]), device([url])];
    phone.subscribe(['settings'], () => undefined);
    await laptop.publish('settings', 1);
    await laptop.publish('settings', 2);
    await vi.waitFor(() => expect(phone.updated.at(-1)).toMatchObject({ payload: 2 }));
    expect(stored(on)).toHaveLength(1);
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 2 });
  });

  test('of two devices at once leave all with the same winner', async () => {
    const { url } = await relay();
    const devices = [device([url]), device([url]), device([url])];
    for (const each of devices) each.subscribe(['settings'], () => undefined);
    await Promise.all(devices.map((each, i) => each.publish('settings', i)));
    await Promise.all(devices.map((each) => each.flush()));
    await vi.waitFor(async () => {
      const values = await Promise.all(devices.map((each) => each.fetch('settings')));
      expect(new Set(values.map((value) => value?.eventId)).size).toBe(1);
    });
  });
});

describe('a device with a slow clock', () => {
  test('wins with what it writes after it saw the newer value: one above the head', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.inject(written({ created_at: START + 50 }));
    const slow = make();
    await settle(slow.fetch('settings'));
    await settle(slow.publish('settings', 'mine'));
    expect(stored(relays[0]!)).toMatchObject([{ created_at: START + 51 }]);
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'mine' });
    expect(clock.now()).toBeLessThan((START + 20) * 1_000);
  });

  test('that never read the value asks before its first write', async () => {
    const { relays, device: make, settle } = world({});
    relays[0]!.inject(written({ created_at: START + 50 }));
    await settle(make().publish('settings', 'mine'));
    expect(stored(relays[0]!)).toMatchObject([{ created_at: START + 51 }]);
  });

  test('asks for 3 s at most', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.misbehave({ noEose: true });
    const before = clock.now();
    await settle(make().publish('settings', 'mine'));
    expect(clock.now() - before).toBeLessThanOrEqual(3_100);
  });
});

describe('a first write while a connected relay is silent', () => {
  const kept = (): Store => ({ ...memoryStore(), close: async () => undefined });

  test('is on the medium at once, and on no socket before the question is over', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.misbehave({ noEose: true });
    const store = kept();
    const laptop = make({ store });
    await clock.advance(100);
    const before = clock.now();
    expect(await settle(laptop.publish('settings', 'mine', { waitFor: 'saved' }))).toMatchObject({
      stage: 'saved',
    });
    expect(clock.now()).toBe(before);
    expect([...(await store.list('head/')).keys()]).toHaveLength(1);
    await clock.advance(2_900);
    expect(received(relays[0]!, 'EVENT')).toEqual([]);
    await clock.advance(200);
    expect(received(relays[0]!, 'EVENT')).toHaveLength(1);
  });

  test('outlives a process that is killed right after it, and goes out', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.misbehave({ noEose: true });
    const store = kept();
    const laptop = make({ store });
    await clock.advance(100);
    await settle(laptop.publish('settings', 'mine', { waitFor: 'saved' }));
    // What a kill leaves behind: the bytes that were flushed by now.
    const left = memoryStore();
    const bytes = await store.list('');
    await left.update([], () => bytes);
    await laptop.close();
    const again = make({ store: left });
    expect(await settle(again.fetch('settings'))).toMatchObject({ payload: 'mine' });
    await clock.advance(10_000);
    expect(received(relays[0]!, 'EVENT')).toHaveLength(1);
    expect((await again.getStatus()).outboxDepth).toBe(0);
  });

  test('is stamped anew above what turns up while it is asked, and tells that it beats that', async () => {
    const { clock, relays, device: make, settle } = world({ latencyMs: 200 }, {});
    relays[0]!.inject(written({ created_at: START + 50 }));
    relays[1]!.misbehave({ noEose: true });
    const laptop = make({ store: kept() });
    await clock.advance(2_000);
    const { eventId } = await settle(laptop.publish('settings', 'mine', { waitFor: 'saved' }));
    await settle(laptop.flush());
    const [now] = stored(relays[0]!);
    expect(now).toMatchObject({ created_at: START + 51 });
    expect(now!.id).not.toBe(eventId);
    expect(stored(relays[1]!)).toMatchObject([{ id: now!.id }]);
    expect(laptop.conflicts).toMatchObject([
      { mine: { payload: 'mine' }, theirs: { payload: 'theirs' }, shown: 'mine' },
    ]);
    expect(laptop.updated).toEqual([]);
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'mine' });
  });

  test('of which a receipt is awaited tells of the event that was delivered', async () => {
    const { clock, relays, device: make, settle } = world({ latencyMs: 200 }, {});
    relays[0]!.inject(written({ created_at: START + 50 }));
    relays[1]!.misbehave({ noEose: true });
    const laptop = make();
    await clock.advance(2_000);
    const receipt = await settle(laptop.publish('settings', 'mine'));
    expect(receipt).toMatchObject({ stage: 'delivered', eventId: stored(relays[1]!)[0]!.id });
  });

  test('that nobody can sign again goes out as it is, and its loss is told', async () => {
    const { clock, relays, device: make, settle } = world({ latencyMs: 200 }, {});
    const tags = [
      ['device_id', 'other'],
      ['vv', `00000000:${START + 50}`],
    ];
    relays[0]!.inject(written({ created_at: START + 50, tags }));
    relays[1]!.misbehave({ noEose: true });
    const inner = secretKeySigner(KEY);
    let isAsked = false;
    const laptop = make({
      signer: {
        ...inner,
        signEvent: (template) => {
          if (isAsked && template.kind === 30078) throw new Error('locked');
          isAsked = template.kind === 30078;
          return inner.signEvent(template);
        },
      },
    });
    await clock.advance(2_000);
    await settle(laptop.publish('settings', 'mine', { waitFor: 'saved' }));
    await clock.advance(30_000);
    expect(laptop.conflicts).toMatchObject([
      { mine: { payload: 'mine' }, theirs: { payload: 'theirs' }, shown: 'theirs' },
    ]);
  });
});

describe('a head far in the future', () => {
  test('is accepted and reported, and the next write wins over it', async () => {
    const { relays, device: make, settle } = world({ limits: { createdAtUpperLimit: 100_000 } });
    relays[0]!.inject(written({ created_at: START + 10_000 }));
    const laptop = make();
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'theirs' });
    expect(laptop.errors).toMatchObject([
      { code: 'CLOCK_SKEW', details: { aheadSeconds: expect.closeTo(10_000, -1) } },
    ]);
    await settle(laptop.publish('settings', 'mine'));
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'mine' });
  });

  test('by more than a year is not written over', async () => {
    const { relays, device: make, settle } = world({});
    relays[0]!.inject(written({ created_at: START + 40_000_000 }));
    const laptop = make();
    await settle(laptop.fetch('settings'));
    await expect(settle(laptop.publish('settings', 'mine'))).rejects.toMatchObject({ code: 'CLOCK_SKEW' });
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'theirs' });
    expect(received(relays[0]!, 'EVENT')).toEqual([]);
  });

  test('that relays refuse to follow is delivered once the clock is there', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.inject(written({ created_at: START + 2_000 }));
    const laptop = make();
    expect((await settle(laptop.publish('settings', 'mine'))).stage).toBe('saved');
    expect((await laptop.getStatus()).outboxDepth).toBe(1);
    await vi.waitFor(() =>
      expect(laptop.errors.filter(({ code }) => code === 'CLOCK_SKEW').length).toBeGreaterThanOrEqual(2),
    );
    await settle(laptop.flush(), 3_600_000);
    expect(clock.now() / 1000).toBeLessThan(START + 3_000);
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'mine' });
  });
});

test('a hundred writes offline are one event, and its stamp is not ahead of the clock', async () => {
  const { clock, relays, device: make, settle } = world({});
  relays[0]!.misbehave({ refuseConnections: true });
  const laptop = make();
  await clock.advance(100);
  for (let i = 0; i < 100; i++) await settle(laptop.publish('settings', i));
  relays[0]!.behave();
  await settle(laptop.flush());
  const sent = received(relays[0]!, 'EVENT').map(([, event]) => event as NostrEvent);
  expect(sent).toHaveLength(1);
  expect(sent[0]!.created_at).toBeLessThanOrEqual(START + 1);
  expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 99 });
});

test('nothing goes out while a newer write is being saved, which may have taken its stamp', async () => {
  const { clock, relays, urls, device: make, settle } = world({});
  const inner = memoryStore();
  let saving = Promise.resolve();
  let release = (): void => undefined;
  const store: Store = {
    ...inner,
    update: async (keys, decide) => {
      await inner.update(keys, decide);
      await saving;
    },
  };
  relays[0]!.misbehave({ refuseConnections: true });
  const laptop = make({ store });
  await clock.advance(100);
  await settle(laptop.publish('settings', 'older'));
  saving = new Promise((resolve) => (release = resolve));
  const publishing = laptop.publish('settings', 'newer');
  relays[0]!.behave();
  // Less than a store may take.
  await clock.advance(15_000);
  expect(await health(laptop, urls[0]!)).toMatchObject({ connected: true });
  const sentMeanwhile = received(relays[0]!, 'EVENT');
  release();
  const { eventId } = await settle(publishing);
  await settle(laptop.flush());
  expect(sentMeanwhile).toEqual([]);
  expect(received(relays[0]!, 'EVENT')).toMatchObject([['EVENT', { id: eventId }]]);
});

test('a slider of 60 values in 3 s is sent at its pace, and every receipt leads to a value that was delivered', async () => {
  const { clock, relays, device: make, settle } = world({});
  const laptop = make();
  await settle(laptop.fetch('settings'));
  const publishing: Promise<Receipt>[] = [];
  for (let i = 0; i < 60; i++) {
    publishing.push(laptop.publish('settings', i));
    await clock.advance(50);
  }
  const receipts = await settle(Promise.all(publishing));
  await settle(laptop.flush());
  const sent = new Set(received(relays[0]!, 'EVENT').map(([, event]) => (event as NostrEvent).id));
  expect(sent.size).toBeGreaterThanOrEqual(6);
  expect(sent.size).toBeLessThanOrEqual(5 + 4);
  for (const { eventId, supersededBy, stage } of receipts) {
    expect(stage).toBe('delivered');
    expect(sent.has(supersededBy ?? eventId)).toBe(true);
  }
  expect(receipts.some(({ supersededBy }) => supersededBy !== undefined)).toBe(true);
  const [last] = stored(relays[0]!);
  expect(last!.created_at * 1_000).toBeLessThanOrEqual(clock.now() + 10_000);
  expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 59 });
});

test('stamps of a device strictly increase over restarts, though its clock is set back', async () => {
  const {
    clock,
    relays,
    urls,
    device: make,
    settle,
  } = world({ limits: { createdAtUpperLimit: 10_000_000 } });
  const store = memoryStore();
  const undying = { ...store, close: async () => undefined };
  const stamps: number[] = [];
  for (let i = 0; i < 4; i++) {
    const laptop = make({ relays: urls, store: undying });
    await settle(laptop.publish('settings', i));
    await settle(laptop.flush());
    await laptop.close();
    stamps.push(stored(relays[0]!)[0]!.created_at);
    clock.set(clock.now() - 400_000);
  }
  expect(stamps).toEqual([...new Set(stamps)].toSorted((a, b) => a - b));
  expect(stamps).toHaveLength(4);
});

test('sending goes on when the clock is set back by a day', async () => {
  const { clock, relays, device: make, settle } = world({ limits: { createdAtUpperLimit: 100_000 } });
  const laptop = make();
  await settle(laptop.publish('a', 1));
  await settle(laptop.flush());
  clock.set(clock.now() - 86_400_000);
  expect((await settle(laptop.publish('b', 1))).stage).toBe('delivered');
  expect((await settle(laptop.publish('c', 1, { waitFor: 'replicated' }))).stage).toBe('replicated');
  await settle(laptop.flush(), 60_000);
  expect(stored(relays[0]!, 'b')).toHaveLength(1);
});
