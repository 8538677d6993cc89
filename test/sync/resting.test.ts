/** On a relay without NIP-77, what a live subscription shows is not asked for again, as long as the line is proven alive. */

import { describe, expect, test } from 'vitest';
import type { Relay } from '../../src/testing/relay.ts';
import { received, stored, world, written, type Device, type World } from './devices.ts';

const CATEGORIES = Array.from({ length: 20 }, (_, i) => `category-${i}`);
const valueOf = (n: number): unknown => ({ n, filler: 'x'.repeat(2_000) });

interface Setup {
  readonly it: World;
  readonly relay: Relay;
  readonly laptop: Device;
  write(category: string, n: number): void;
  /** Questions since the last call. */
  asked(): number;
}

async function setup(isWatched = true): Promise<Setup> {
  const it = world({ negentropy: 'notice', frameLogSize: 100_000 });
  const [relay] = it.relays as [Relay];
  const start = Math.floor(it.clock.now() / 1000);
  const write = (category: string, n: number): void =>
    relay.inject(written({ category, payload: valueOf(n), created_at: start + n }));
  CATEGORIES.forEach((category) => write(category, 0));
  const laptop = it.device();
  if (isWatched) laptop.subscribe(CATEGORIES, () => undefined);
  await it.settle(laptop.syncAll(CATEGORIES));
  await it.clock.advance(10_000);
  let seen = received(relay, 'REQ').length;
  const asked = (): number => {
    const since = received(relay, 'REQ').length - seen;
    seen += since;
    return since;
  };
  return { it, relay, laptop, write, asked };
}

describe('what is watched over a line that is proven alive', () => {
  test('is not asked for again, and counts as of a relay', async () => {
    const { it, laptop, asked, write } = await setup();
    write('category-3', 3);
    await it.clock.advance(100);
    const all = await it.settle(laptop.syncAll(CATEGORIES));
    expect(all).toHaveLength(CATEGORIES.length);
    expect(all.every(({ source }) => source === 'relay')).toBe(true);
    expect(await it.settle(laptop.fetch('category-3'))).toMatchObject({ payload: { n: 3 }, source: 'relay' });
    await it.settle(laptop.poll(CATEGORIES));
    expect(asked()).toBe(0);
  });

  test('is asked for if it is not watched, or if nothing of it is known', async () => {
    const { it, laptop, asked } = await setup();
    expect(await it.settle(laptop.fetch('other'))).toBeNull();
    expect(asked()).toBe(1);
    const one = await setup(false);
    await one.it.settle(one.laptop.fetch('category-3'));
    expect(one.asked()).toBe(1);
  });

  test('is asked for after 15 minutes: the relay may have been wiped', async () => {
    const { it, laptop, relay, asked } = await setup();
    relay.wipe();
    await it.settle(laptop.poll(CATEGORIES));
    expect(asked()).toBe(0);
    await it.clock.advance(900_000);
    asked();
    await it.settle(laptop.poll(CATEGORIES));
    await it.clock.advance(60_000);
    for (const category of CATEGORIES) expect(stored(relay, category)).toHaveLength(1);
  });

  test('is asked for if the line was silent for over 30 s: what was written meanwhile may not have come', async () => {
    const { it, laptop, relay, asked, write } = await setup();
    // Past the ping of the first 30 s, so that the next one is still without its answer.
    await it.clock.advance(25_000);
    relay.misbehave({ silent: true });
    write('category-3', 3);
    await it.clock.advance(31_000);
    relay.behave();
    expect(await it.settle(laptop.fetch('category-3'))).toMatchObject({ payload: { n: 3 }, source: 'relay' });
    expect(asked()).toBe(1);
    // It has answered, and rests again.
    await it.settle(laptop.fetch('category-3'));
    expect(asked()).toBe(0);
  });

  test('is asked for if the relay has closed the subscription', async () => {
    const { it, laptop, relay, asked } = await setup();
    relay.misbehave({
      rewrite: (frame) => (frame[0] === 'EVENT' ? [['CLOSED', frame[1], 'error: no']] : [frame]),
    });
    relay.inject(written({ category: 'category-1', payload: valueOf(1), created_at: 1_900_000_000 }));
    await it.clock.advance(100);
    asked();
    relay.behave();
    const found = await it.settle(laptop.fetch('category-1'));
    expect([asked(), found?.source]).toEqual([1, 'relay']);
  });
});
