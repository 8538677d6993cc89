/** What one write costs until every relay has shown that it has it: on the wire, and in the store. */

import { describe, expect, test } from 'vitest';
import type { RelayOptions } from '../../src/testing/relay-options.ts';
import type { Store } from '../../src/store/store.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { received, world, type Device, type World } from './devices.ts';

const VALUE = { theme: 'dark', note: 'x'.repeat(150) };

interface Setup {
  readonly it: World;
  readonly laptop: Device;
  /** Transactions that changed a record since the last call. */
  saves(): number;
  /** What the store has of deliveries. */
  stored(): Promise<Record<string, string>>;
  readonly inner: Store;
}

async function setup(options: RelayOptions = {}): Promise<Setup> {
  const it = world(...[20, 90, 300].map((latencyMs) => ({ latencyMs, ...options })));
  const inner = memoryStore();
  let count = 0;
  const update: Store['update'] = (keys, decide) =>
    inner.update(keys, (current) => {
      const changes = decide(current);
      if ([...changes.keys()].some((key) => key.startsWith('head/'))) count++;
      return changes;
    });
  const laptop = it.device({ store: { ...inner, update, close: async () => undefined } });
  await it.settle(laptop.publish('settings', 1, { waitFor: 'replicated' }));
  await it.clock.advance(10_000);
  let seen = count;
  return {
    ...{ it, laptop, inner },
    saves: () => {
      const since = count - seen;
      seen = count;
      return since;
    },
    stored: async () => {
      const [text] = (await inner.list('head/')).values();
      return (JSON.parse(text!) as { deliveries: Record<string, string> }).deliveries;
    },
  };
}

const all = (word: string): string[] => [word, word, word];

describe('of one write on three relays', () => {
  test('what all of them say is saved at once', async () => {
    const { it, laptop, saves, stored } = await setup();
    await it.settle(laptop.publish('settings', VALUE, { waitFor: 'replicated' }));
    await it.clock.advance(10_000);
    expect(saves()).toBe(2);
    expect(Object.values(await stored())).toEqual(all('confirmed'));
  });

  test('the wire carries at most 1.5 times the events and the OKs, if they reconcile', async () => {
    const { it, laptop } = await setup();
    const before = it.relays.map((relay) => relay.frames.length);
    await it.settle(laptop.publish('settings', VALUE, { waitFor: 'replicated' }));
    await it.clock.advance(10_000);
    const texts = it.relays.flatMap((relay, i) =>
      relay.frames.slice(before[i]).map(({ frame }) => JSON.stringify(frame)),
    );
    const chars = (some: readonly string[]): number => some.reduce((sum, text) => sum + text.length, 0);
    const floor = chars(texts.filter((text) => /^\["(EVENT|OK)"/.test(text)));
    expect(texts.filter((text) => text.startsWith('["EVENT"'))).toHaveLength(3);
    expect(chars(texts) / floor).toBeLessThan(1.5);
  });

  test('what they have said is saved when the engine is closed', async () => {
    const { it, laptop, stored } = await setup();
    await it.settle(laptop.publish('settings', VALUE, { waitFor: 'delivered' }));
    await it.clock.advance(700);
    expect(Object.values(await stored())).toEqual([]);
    await laptop.close();
    expect(Object.values(await stored())).toEqual(all('acknowledged'));
  });

  test('what they have said and a crash took is asked for again', async () => {
    const { it, laptop, stored, inner } = await setup();
    await it.settle(laptop.publish('settings', VALUE, { waitFor: 'delivered' }));
    const copy = memoryStore();
    const texts = await inner.list('');
    await copy.update([...texts.keys()], () => texts);
    await laptop.close();
    expect(Object.values(await stored())).not.toContain('confirmed');
    const again = it.device({ store: copy });
    await it.settle(again.flush());
    for (const relay of it.relays) expect(received(relay, 'EVENT').length).toBeGreaterThan(1);
    await it.clock.advance(10_000);
    expect((await again.getStatus()).outboxDepth).toBe(0);
    expect(await it.settle(again.fetch('settings'))).toMatchObject({ payload: VALUE });
  });
});
