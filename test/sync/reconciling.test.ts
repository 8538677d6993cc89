/** The engine asks relays that have NIP-77 for what is different, in virtual time; and the others, and those that lie, for all. */

import { describe, expect, test } from 'vitest';
import type { RelayFaults, RelayOptions } from '../../src/testing/relay-options.ts';
import type { Relay } from '../../src/testing/relay.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { secretKeySigner } from '../../src/node.ts';
import { KEY, received, stored, world, written, type Device, type World } from './devices.ts';

const COUNT = 40;
const CATEGORIES = Array.from({ length: COUNT }, (_, i) => `category-${i}`);
/** Some KB, so that an event is worth more than a question. */
const valueOf = (n: number): unknown => ({ n, filler: 'x'.repeat(2_000) });

interface Setup {
  readonly it: World;
  readonly relay: Relay;
  /** A device that has all values, and has found out what the relay can do. */
  readonly laptop: Device;
  /** What another device writes, and the relay takes. */
  write(category: string, n: number): void;
  /** Characters both ways since the last call. */
  bytes(): number;
}

async function setup(options: RelayOptions = {}): Promise<Setup> {
  const it = world({ frameLogSize: 1_000_000, ...options });
  const [relay] = it.relays as [Relay];
  const start = Math.floor(it.clock.now() / 1000);
  const write = (category: string, n: number): void =>
    relay.inject(written({ category, payload: valueOf(n), created_at: start + n }));
  CATEGORIES.forEach((category) => write(category, 0));
  const laptop = it.device();
  laptop.subscribe(CATEGORIES, () => undefined);
  await it.settle(laptop.syncAll(CATEGORIES));
  await it.clock.advance(10_000);
  let seen = 0;
  const bytes = (): number => {
    const sum = relay.frames.reduce((all, { frame }) => all + JSON.stringify(frame).length, 0);
    const since = sum - seen;
    seen = sum;
    return since;
  };
  bytes();
  return { it, relay, laptop, write, bytes };
}

const opened = (relay: Relay): number => received(relay, 'NEG-OPEN').length;
const sinceThen = (relay: Relay, type: string, before: number): readonly unknown[][] =>
  received(relay, type).slice(before);

const countOf = (all: readonly string[], wanted: string): number =>
  all.filter((one) => one === wanted).length;

describe('a relay that reconciles', () => {
  test('is asked for all once; after that, nothing new costs less than 1 KB', async () => {
    const { it, laptop, bytes } = await setup();
    for (const ask of [() => laptop.syncAll(CATEGORIES), () => laptop.poll(CATEGORIES)]) {
      const results = await it.settle(ask());
      expect(results.every(({ source }) => source === 'relay')).toBe(true);
      expect(bytes()).toBeLessThan(1_100);
    }
  });

  test('shows one changed value for its own size and a little', async () => {
    const { it, laptop, write, relay, bytes } = await setup();
    relay.misbehave({ rewrite: (frame) => (frame[0] === 'EVENT' && frame[1] === '0' ? [] : [frame]) });
    write('category-7', 1);
    bytes();
    const [changed] = (await it.settle(laptop.syncAll(CATEGORIES))).filter(
      ({ payload }) => (payload as { n: number }).n === 1,
    );
    expect(changed).toMatchObject({ category: 'category-7', source: 'relay' });
    expect(bytes()).toBeLessThan(4_000 + 1.5 * JSON.stringify(stored(relay, 'category-7')[0]).length);
  });

  test('costs at most 4 KB at a reconnect if nothing has changed, of which most are the names of what is watched', async () => {
    const { it, relay, bytes } = await setup();
    relay.disconnectAll();
    await it.clock.advance(60_000);
    expect(bytes()).toBeLessThan(4_000);
    expect(relay.subscriptions()).toBe(1);
  });

  test('that was wiped is given everything back', async () => {
    const { it, laptop, relay } = await setup();
    relay.wipe();
    await it.settle(laptop.poll(CATEGORIES));
    await it.clock.advance(60_000);
    for (const category of CATEGORIES) expect(stored(relay, category)).toHaveLength(1);
  });

  test('that was rolled back is given the newer value', async () => {
    const { it, laptop, relay, write } = await setup();
    const before = relay.events();
    write('category-5', 9);
    await it.settle(laptop.fetch('category-5'));
    await it.clock.advance(60_000);
    const [head] = stored(relay, 'category-5');
    relay.restore(before);
    relay.disconnectAll();
    await it.clock.advance(60_000);
    expect(stored(relay, 'category-5')).toEqual([head]);
  });

  test('that reconciles a part of what it has is found out, and is not sent the rest again', async () => {
    const { it, laptop, relay } = await setup();
    const before = received(relay, 'EVENT').length;
    // As if the set had nothing in it.
    relay.misbehave({
      rewrite: (frame) => [frame[0] === 'NEG-MSG' ? ['NEG-MSG', frame[1], '6100000200'] : frame],
    });
    for (let i = 0; i < 3; i++) {
      relay.disconnectAll();
      await it.clock.advance(60_000);
      await it.settle(laptop.poll(CATEGORIES));
    }
    expect(received(relay, 'EVENT')).toHaveLength(before);
    const asked = opened(relay);
    relay.disconnectAll();
    await it.clock.advance(60_000);
    await it.settle(laptop.poll(CATEGORIES));
    expect(opened(relay)).toBe(asked);
    expect((await laptop.getStatus()).outboxDepth).toBe(0);
  });

  test('proves writes of this device, without showing them', async () => {
    const { it, laptop, relay } = await setup();
    const before = relay.frames.length;
    const receipts = CATEGORIES.map((category) =>
      laptop.publish(category, valueOf(5), { waitFor: 'replicated' }),
    );
    await it.settle(Promise.all(receipts));
    const shown = relay.frames
      .slice(before)
      .filter(({ direction, frame }) => direction === 'out' && Array.isArray(frame) && frame[0] === 'EVENT');
    // Each comes back once, over the live subscription.
    expect(shown).toHaveLength(COUNT);
  });

  test('proves a hundred writes at once, of categories that are not watched, by one question', async () => {
    const { it, laptop, relay } = await setup();
    const before = relay.frames.length;
    const many = Array.from({ length: 100 }, (_, n) => `many-${n}`);
    await it.settle(
      Promise.all(many.map((category) => laptop.publish(category, 'small', { waitFor: 'replicated' }))),
    );
    const frames = relay.frames.slice(before).map(({ direction, frame }) => {
      return `${direction} ${String((frame as unknown[])[0])}`;
    });
    // The REQ is the question before a first write. No event comes back.
    expect(Object.fromEntries([...new Set(frames)].map((one) => [one, countOf(frames, one)]))).toEqual({
      ...{ 'in REQ': 1, 'out EOSE': 1, 'in CLOSE': 1 },
      ...{ 'in EVENT': 100, 'out OK': 100 },
      ...{ 'in NEG-OPEN': 1, 'out NEG-MSG': 1, 'in NEG-CLOSE': 1 },
    });
  });

  test('that has forged an event is not taken at its word: it has to show what it has', async () => {
    const { it, laptop, relay } = await setup();
    relay.misbehave({
      rewrite: (frame) => {
        if (frame[0] !== 'EVENT') return [frame];
        const event = frame[2] as { readonly content: string };
        return [['EVENT', frame[1], { ...event, content: `${event.content}A` }]];
      },
    });
    const opens = opened(relay);
    const receipt = await it.settle(laptop.publish('category-3', valueOf(1), { waitFor: 'delivered' }));
    await it.clock.advance(60_000);
    const [row] = (await laptop.inspect()).filter(({ category }) => category === receipt.category);
    expect(['acknowledged', 'pending']).toContain(row!.relays[it.urls[0]!]);
    expect(opened(relay)).toBe(opens);
    relay.behave();
    await it.settle(laptop.flush());
  });

  test('is not taken at its word for a write that it never was sent', async () => {
    const { it, laptop, relay } = await setup();
    relay.misbehave({
      receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined),
      rewrite: (frame) => [frame[0] === 'NEG-MSG' ? ['NEG-MSG', frame[1], '61'] : frame],
    });
    const publishing = laptop.publish('category-1', valueOf(1), { waitFor: 'saved' });
    const { eventId } = await it.settle(publishing);
    await it.settle(laptop.syncAll(CATEGORIES));
    expect((await laptop.getStatus()).pendingChanges).toBe(1);
    relay.behave();
    await it.clock.advance(60_000);
    expect(stored(relay, 'category-1')[0]!.id).toBe(eventId);
  });

  test('nor for one that it has refused', async () => {
    const { it, laptop, relay } = await setup();
    relay.misbehave({
      refuse: 'pow: 30 bits needed',
      rewrite: (frame) => [frame[0] === 'NEG-MSG' ? ['NEG-MSG', frame[1], '61'] : frame],
    });
    await it.settle(laptop.publish('category-1', valueOf(1), { waitFor: 'saved' }));
    await it.clock.advance(10_000);
    const opens = opened(relay);
    await it.settle(laptop.syncAll(CATEGORIES));
    expect(opened(relay)).toBeGreaterThan(opens);
    const [row] = (await laptop.inspect()).filter(({ category }) => category === 'category-1');
    expect(row!.relays[it.urls[0]!]).toBe('refused');
  });

  test('is asked in this way at once after a restart', async () => {
    const store = { ...memoryStore(), close: async () => undefined };
    const it = world({ frameLogSize: 100_000, latencyMs: 20 });
    const [relay] = it.relays as [Relay];
    for (const category of CATEGORIES)
      relay.inject(written({ category, payload: valueOf(0), created_at: 1_767_000_000 }));
    for (let run = 0; run < 2; run++) {
      const device = it.device({ store, signer: secretKeySigner(KEY) });
      const before = relay.frames.length;
      expect(await it.settle(device.syncAll(CATEGORIES))).toHaveLength(COUNT);
      await it.clock.advance(1_000);
      const size = JSON.stringify(relay.frames.slice(before)).length;
      if (run === 0) expect(size).toBeGreaterThan(100_000);
      else expect(size).toBeLessThan(4_000);
      await device.close();
    }
  });

  test('with other things under the same key: these are asked for once', async () => {
    const { it, laptop, relay, bytes } = await setup();
    for (let i = 0; i < 10; i++)
      relay.inject(
        written({ dTags: [['d', `other/${i}/v1`]], payload: valueOf(i), created_at: 1_767_000_000 + i }),
      );
    await it.settle(laptop.poll(CATEGORIES));
    expect(bytes()).toBeGreaterThan(20_000);
    await it.settle(laptop.poll(CATEGORIES));
    expect(bytes()).toBeLessThan(1_500);
    expect((await laptop.getRelays())[0]!.violations).toEqual({});
  });

  test('with far more of other things under the same key is asked by the names', async () => {
    const { it, laptop, relay, bytes } = await setup();
    // Nobody looks at them, so one signature does for all.
    const other = written({ created_at: 1_767_000_000 });
    for (let i = 0; i < 300; i++)
      relay.inject({ ...other, id: i.toString(16).padStart(64, '0'), tags: [['d', `other/${i}/v1`]] });
    await it.settle(laptop.poll(CATEGORIES));
    bytes();
    expect((await it.settle(laptop.syncAll(CATEGORIES))).length).toBe(COUNT);
    expect(bytes()).toBeLessThan(4_000);
  });

  test('of a value that was asked for only now, after it had come by as another thing', async () => {
    const { it, laptop, relay, bytes } = await setup();
    relay.inject(written({ category: 'late', payload: valueOf(7), created_at: 1_767_000_000 }));
    await it.settle(laptop.poll(CATEGORIES));
    bytes();
    const found = await it.settle(laptop.syncAll([...CATEGORIES, 'late']));
    expect(found.find(({ category }) => category === 'late')?.payload).toMatchObject({ n: 7 });
    expect(bytes()).toBeLessThan(6_000);
  });
});

const FAILURES: [name: string, faults: RelayFaults][] = [
  ['says nothing', { rewrite: (frame) => (frame[0] === 'NEG-MSG' ? [] : [frame]) }],
  [
    'says NEG-ERR',
    { rewrite: (frame) => [frame[0] === 'NEG-MSG' ? ['NEG-ERR', frame[1], 'blocked: no'] : frame] },
  ],
  [
    'says CLOSED',
    { rewrite: (frame) => [frame[0] === 'NEG-MSG' ? ['CLOSED', frame[1], 'error: what'] : frame] },
  ],
  [
    'says NOTICE',
    {
      rewrite: (frame) => [
        frame[0] === 'NEG-MSG' ? ['NOTICE', 'ERROR: bad msg: negentropy disabled'] : frame,
      ],
    },
  ],
  ['says no message', { rewrite: (frame) => [frame[0] === 'NEG-MSG' ? ['NEG-MSG', frame[1], 'zz'] : frame] }],
  [
    'claims what it does not serve',
    {
      rewrite: (frame) => [
        frame[0] === 'NEG-MSG' ? ['NEG-MSG', frame[1], `6100000201${'ab'.repeat(32)}`] : frame,
      ],
    },
  ],
];

describe('a relay that no longer reconciles and', () => {
  test.each(FAILURES)('%s costs a full question, and no value', async (_, faults) => {
    const { it, laptop, relay, write } = await setup();
    relay.misbehave({
      ...faults,
      rewrite: (frame, client) =>
        frame[0] === 'EVENT' && frame[1] === '0' ? [] : faults.rewrite!(frame, client),
    });
    write('category-9', 3);
    const found = await it.settle(laptop.syncAll(CATEGORIES));
    expect(found.find(({ category }) => category === 'category-9')).toMatchObject({
      payload: { n: 3 },
      source: 'relay',
    });
    // Not again on this connection, and the second time on the next one is the last for a day.
    const before = opened(relay);
    await it.settle(laptop.poll(CATEGORIES));
    expect(opened(relay)).toBe(before);
    for (let i = 0; i < 3; i++) {
      relay.disconnectAll();
      await it.clock.advance(60_000);
    }
    expect(opened(relay) - before).toBe(1);
    relay.behave();
    await it.clock.advance(86_400_000);
    await it.settle(laptop.poll(CATEGORIES));
    await it.settle(laptop.poll(CATEGORIES));
    expect(opened(relay) - before).toBeGreaterThan(1);
  });
});

test('a relay that says it has what it does not serve is asked for everything: its word for the rest does not count either', async () => {
  const { it, laptop, relay, write } = await setup();
  const ids = relay.events().map(({ id }) => id);
  // All that this device has, and one more.
  const claim = `6100000229${ids.join('')}${'ab'.repeat(32)}`;
  relay.misbehave({
    rewrite: (frame) => {
      if (frame[0] === 'NEG-MSG') return [['NEG-MSG', frame[1], claim]];
      return frame[0] === 'EVENT' && frame[1] === '0' ? [] : [frame];
    },
  });
  write('category-9', 3);
  const found = await it.settle(laptop.syncAll(CATEGORIES));
  expect(found.find(({ category }) => category === 'category-9')?.payload).toMatchObject({ n: 3 });
});

test.each(['notice', 'silent'] as const)(
  'a relay without NIP-77 (%s) is tried once a day',
  async (negentropy) => {
    const { it, laptop, relay } = await setup({ negentropy });
    expect(opened(relay)).toBe(1);
    for (let i = 0; i < 3; i++) {
      relay.disconnectAll();
      await it.clock.advance(60_000);
      expect(await it.settle(laptop.syncAll(CATEGORIES))).toHaveLength(COUNT);
    }
    expect(opened(relay)).toBe(1);
  },
);

test('a relay that takes limit 0 for none is subscribed to in full', async () => {
  const { it, relay, laptop, write } = await setup();
  relay.misbehave({
    rewrite: (frame) =>
      frame[0] === 'EOSE'
        ? [
            ...relay
              .events()
              .slice(0, 3)
              .map((event) => ['EVENT', frame[1], event]),
            frame,
          ]
        : [frame],
  });
  relay.disconnectAll();
  const before = received(relay, 'REQ').length;
  await it.clock.advance(60_000);
  const filters = sinceThen(relay, 'REQ', before).map(
    ([, , filter]) => filter as { limit?: number; '#d'?: unknown },
  );
  expect(filters.some(({ limit, '#d': names }) => limit === undefined && names !== undefined)).toBe(true);
  write('category-2', 4);
  await it.clock.advance(1_000);
  expect(laptop.updated.at(-1)?.payload).toMatchObject({ n: 4 });
});

test('a relay that closes a subscription of limit 0 is subscribed to in full', async () => {
  const { it, relay, laptop, write } = await setup();
  relay.misbehave({
    receive: (frame) => {
      const filter = frame[2] as { limit?: number } | undefined;
      if (frame[0] !== 'REQ' || filter?.limit !== 0) return undefined;
      relay.sendAll(['CLOSED', frame[1], 'invalid: limit']);
      return 'ignore';
    },
  });
  relay.disconnectAll();
  await it.clock.advance(60_000);
  write('category-2', 4);
  await it.clock.advance(1_000);
  expect(laptop.updated.at(-1)?.payload).toMatchObject({ n: 4 });
});

test('small values are asked for by a REQ: a relay that reconciles is not even tried', async () => {
  const it = world({});
  const [relay] = it.relays as [Relay];
  relay.inject(written({ created_at: 1_767_000_000 }));
  const laptop = it.device();
  for (let i = 0; i < 3; i++) await it.settle(laptop.fetch('settings'));
  expect(opened(relay)).toBe(0);
});
