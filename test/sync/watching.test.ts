/** A live subscription to many categories names none of them, where a relay reconciles; and names them where that is better. */

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RelayOptions } from '../../src/testing/relay-options.ts';
import type { Relay } from '../../src/testing/relay.ts';
import { received, world, written, type Device, type World } from './devices.ts';

const COUNT = 40;
/** Names so long that a few are many. */
const nameOf = (n: number): string => `category-${'x'.repeat(100)}-${n}`;
const CATEGORIES = Array.from({ length: COUNT }, (_, n) => nameOf(n));
const valueOf = (n: number): unknown => ({ n, filler: 'x'.repeat(200) });

interface Setup {
  readonly it: World;
  readonly relay: Relay;
  /** A device that has all values, and has found out what the relay can do. */
  readonly laptop: Device;
  write(category: string, n: number): void;
  /** Loses the connection, and waits for what follows of the next. Returns the characters both ways. */
  reconnect(): Promise<number>;
  /** The live REQs since the last call. */
  live(): readonly Live[];
}

interface Live {
  readonly ids?: unknown;
  readonly limit?: number;
  readonly '#d'?: readonly string[];
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
  let seen = received(relay, 'REQ').length;
  return {
    ...{ it, relay, laptop, write },
    reconnect: async () => {
      const before = relay.frames.length;
      relay.disconnectAll();
      await it.clock.advance(60_000);
      return JSON.stringify(relay.frames.slice(before).map(({ frame }) => frame)).length;
    },
    live: () => {
      const since = received(relay, 'REQ').slice(seen);
      seen += since.length;
      // The others are probes, and ask for ids.
      return since.flatMap(([, , ...filters]) => filters as Live[]).filter(({ ids }) => !ids);
    },
  };
}

const last = (device: Device, category: string): unknown =>
  device.updated.findLast((one) => one.category === category)?.payload;

/** Nobody may look at them, so their signatures are not genuine. */
function stray(i: number, chars: number): ReturnType<typeof written> {
  const event = written({ created_at: 1_767_000_000 + i });
  const id = i.toString(16).padStart(64, '0') as typeof event.id;
  return { ...event, id, tags: [['d', `other/${i}/v1`]], content: 'y'.repeat(chars) };
}

describe('many categories on a relay that reconciles', () => {
  test('are watched without their names: a reconnect costs little, and what comes is shown', async () => {
    const { it, write, laptop, reconnect, live } = await setup();
    expect(live().every((filter) => filter['#d'] !== undefined)).toBe(true);
    expect(await reconnect()).toBeLessThan(2_500);
    expect(live()).toEqual([{ authors: [await laptop.getPubkey()], kinds: [30_078], limit: 0 }]);
    write(nameOf(7), 7);
    await it.clock.advance(1_000);
    expect(last(laptop, nameOf(7))).toMatchObject({ n: 7 });
  });

  test('half of them changed: known after three round trips', async () => {
    const { it, write, relay } = await setup({ latencyMs: 50 });
    relay.misbehave({ refuseConnections: true });
    relay.disconnectAll();
    await it.clock.advance(1_000);
    CATEGORIES.slice(0, COUNT / 2).forEach((category) => write(category, 5));
    relay.behave();
    const before = relay.frames.length;
    await it.clock.advance(60_000);
    const questions = relay.frames
      .slice(before)
      .filter(
        ({ direction, frame }) =>
          direction === 'in' && /^(REQ|NEG-(OPEN|MSG))$/.test(String((frame as unknown[])[0])),
      );
    expect(new Set(questions.map(({ at }) => at)).size).toBe(3);
  });

  test('and little else under the same key: that is ignored, and its signatures are not looked at', async () => {
    const { it, relay, laptop, reconnect, live, write } = await setup();
    await reconnect();
    live();
    for (let i = 0; i < 5; i++) relay.inject(stray(i, 100));
    await it.clock.advance(5_000);
    write(nameOf(9), 9);
    await it.clock.advance(1_000);
    expect(last(laptop, nameOf(9))).toMatchObject({ n: 9 });
    expect((await laptop.getRelays())[0]!.violations).toEqual({});
    expect(live()).toEqual([]);
  });

  test('and more else than the names would take are named from then on', async () => {
    const { it, relay, laptop, reconnect, live, write } = await setup();
    await reconnect();
    live();
    for (let i = 0; i < 5; i++) relay.inject(stray(i, 3_000));
    await it.clock.advance(5_000);
    const named = live();
    expect(named.flatMap((filter) => filter['#d'] ?? [])).toHaveLength(COUNT);
    // The relay is asked for what changed, not for all.
    expect(named.every(({ limit }) => limit === 0)).toBe(true);
    write(nameOf(9), 9);
    await it.clock.advance(1_000);
    expect(last(laptop, nameOf(9))).toMatchObject({ n: 9 });
    await reconnect();
    expect(live().every((filter) => filter['#d'] !== undefined)).toBe(true);
    expect(relay.subscriptions()).toBe(1);
  });

  test('but it refuses a filter without names: it is told them', async () => {
    const { it, relay, laptop, reconnect, live, write } = await setup();
    const isBare = (frame: unknown): boolean =>
      /^\["REQ",.*"limit":0/.test(JSON.stringify(frame)) && !JSON.stringify(frame).includes('"#d"');
    const refused = new Set<unknown>();
    relay.misbehave({
      receive: (frame) => {
        if (isBare(frame)) refused.add(frame[1]);
        return undefined;
      },
      rewrite: (frame) =>
        frame[0] === 'EOSE' && refused.has(frame[1])
          ? [['CLOSED', frame[1], 'restricted: too broad']]
          : [frame],
    });
    await reconnect();
    expect(refused.size).toBe(1);
    expect(live().at(-1)!['#d']).toBeDefined();
    write(nameOf(3), 3);
    await it.clock.advance(1_000);
    expect(last(laptop, nameOf(3))).toMatchObject({ n: 3 });
    await reconnect();
    expect(refused.size).toBe(1);
  });

  test('of which one is in pieces are named: pieces are of the same kind', async () => {
    const { it, laptop, reconnect, live } = await setup();
    await it.settle(laptop.publish(nameOf(1), randomBytes(45_000).toString('base64')));
    await it.clock.advance(60_000);
    await reconnect();
    expect(live().at(-1)!['#d']).toBeDefined();
  });
});

test('many categories on a relay that does not reconcile are named', async () => {
  const { reconnect, live } = await setup({ negentropy: 'notice' });
  await reconnect();
  expect(live().flatMap((filter) => filter['#d'] ?? [])).toHaveLength(COUNT);
});
