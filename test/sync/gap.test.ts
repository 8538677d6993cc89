/** Nothing falls between what a device had, what it asks for at a reconnect, and what its live subscription shows. In virtual time. */

import { expect, test } from 'vitest';
import type { Relay } from '../../src/testing/relay.ts';
import { received, world, written, type World } from './devices.ts';

const COUNT = 40;
/** Each way, and until a relay answers. Between two steps of a reconnect is at least one of them. */
const LATENCY_MS = 50;
const STEP_MS = 20;
const valueOf = (n: number): unknown => ({ n, filler: 'x'.repeat(2_000) });

interface Way {
  readonly name: string;
  readonly categories: readonly string[];
  /** Whether the live subscription names its categories. */
  readonly isNamed: boolean;
}

const namesWith = (padding: string): readonly string[] =>
  Array.from({ length: COUNT }, (_, n) => `category-${padding}${n}`);
const WAYS: readonly Way[] = [
  { name: 'named', categories: namesWith(''), isNamed: true },
  { name: 'not named, as that takes too much', categories: namesWith('x'.repeat(100)), isNamed: false },
];

/** Some relays show what is new from the EOSE on, and not from the REQ on. This one keeps to what is certain. */
function isLiveFromEose(relay: Relay): void {
  const sent = (): readonly unknown[][] =>
    relay.frames.filter(({ direction }) => direction === 'out').map(({ frame }) => frame as unknown[]);
  const hasEnded = (id: unknown): boolean => sent().some(([type, one]) => type === 'EOSE' && one === id);
  const isLiveOnly = (id: unknown): boolean =>
    received(relay, 'REQ').some(
      ([, one, filter]) => one === id && (filter as { limit?: number }).limit === 0,
    );
  relay.misbehave({
    delayMs: LATENCY_MS,
    rewrite: (frame) => (frame[0] === 'EVENT' && isLiveOnly(frame[1]) && !hasEnded(frame[1]) ? [] : [frame]),
  });
}

/** Until the device is connected again. */
async function untilOpen({ clock }: World, relay: Relay): Promise<void> {
  for (let passed = 0; relay.connections() === 0 && passed < 60_000; passed += 10) await clock.advance(10);
}

test.each(WAYS)(
  'what is written in any step of a reconnect is known after it, for its own size and a little ($name)',
  async ({ categories, isNamed }) => {
    const it = world({ latencyMs: LATENCY_MS, frameLogSize: 1_000_000 });
    const [relay] = it.relays as [Relay];
    const start = Math.floor(it.clock.now() / 1_000);
    /** When each category was written again. */
    const writtenAt = new Map<string, number>();
    let size = 0;
    const write = (n: number): void => {
      const event = written({ category: categories[n]!, payload: valueOf(n), created_at: start + n });
      relay.inject(event);
      writtenAt.set(categories[n]!, it.clock.now());
      size += JSON.stringify(event).length;
    };
    for (const category of categories)
      relay.inject(written({ category, payload: valueOf(-1), created_at: start - 1_000 }));
    const laptop = it.device();
    laptop.subscribe(categories, () => undefined);
    await it.settle(laptop.syncAll(categories));
    await it.clock.advance(10_000);

    relay.misbehave({ refuseConnections: true });
    relay.disconnectAll();
    await it.clock.advance(1_000);
    const before = relay.frames.length;
    let next = 0;
    write(next++);
    relay.behave();
    isLiveFromEose(relay);
    await untilOpen(it, relay);
    for (; next < 26; next++) {
      write(next);
      await it.clock.advance(STEP_MS);
    }
    await it.clock.advance(60_000);

    for (let n = 0; n < next; n++)
      expect(laptop.updated.findLast(({ category }) => category === categories[n])?.payload).toMatchObject({
        n,
      });

    const frames = relay.frames.slice(before) as { at: number; direction: string; frame: unknown[] }[];
    const at = (direction: string, type: string, nth = 0): number =>
      frames.filter((one) => one.direction === direction && one.frame[0] === type)[nth]!.at;
    const steps = [
      ...[-Infinity, at('in', 'REQ'), at('out', 'EOSE'), at('in', 'NEG-OPEN'), at('out', 'NEG-MSG')],
      ...[at('in', 'REQ', 1), at('out', 'EOSE', 1), Infinity],
    ];
    const inStep = (i: number): number =>
      [...writtenAt.values()].filter((time) => time > steps[i]! && time < steps[i + 1]!).length;
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    for (let i = 0; i + 1 < steps.length; i++) expect(inStep(i), `writes in step ${i}`).toBeGreaterThan(0);
    const [live] = frames.filter(({ frame }) => frame[0] === 'REQ').map(({ frame }) => frame[2]);
    expect(live).toMatchObject({ limit: 0 });
    expect('#d' in (live as object)).toBe(isNamed);

    // What is written while the question is on its way comes twice: it is live, and among what the relay has.
    const shown = frames.filter(({ direction, frame }) => direction === 'out' && frame[0] === 'EVENT');
    expect(shown.length).toBeLessThanOrEqual(next + inStep(2));
    const bytes = frames.reduce((sum, { frame }) => sum + JSON.stringify(frame).length, 0);
    expect(bytes).toBeLessThan(4_000 + 1.5 * size);
  },
);
