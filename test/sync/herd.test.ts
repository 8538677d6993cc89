/** Two hundred engines whose one relay is gone for a minute: they all come back, and not all at once. */

import { expect, test } from 'vitest';
import { createNostrSync, secretKeySigner } from '../../src/node.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { createRandom } from '../support/random.ts';
import { KEY } from './devices.ts';

const ENGINES = 200;
const OUTAGE_MS = 60_000;
const TENTH_MS = 100;

test.each([1, 2, 3, 4, 5])(
  'all are connected within 90 s, and no tenth of a second sees more than 12 of them try (seed %d)',
  { timeout: 60_000 },
  async (seed) => {
    const random = createRandom(seed);
    const clock = createTestClock();
    const relay = createRelay({ clock });
    const attempts: number[] = [];
    const engines = Array.from({ length: ENGINES }, () =>
      createNostrSync({
        clock,
        relays: ['wss://relay.example'],
        signer: secretKeySigner(KEY),
        randomBytes: random.bytes,
        openSocket: (url, handlers) => {
          attempts.push(clock.now());
          return relay.openSocket(url, handlers);
        },
      }),
    );
    for (const engine of engines) engine.subscribe(['settings'], () => undefined);
    await clock.advance(60_000);
    expect(relay.connections()).toBe(ENGINES);

    relay.misbehave({ refuseConnections: true });
    relay.disconnectAll();
    const goneAt = clock.now();
    await clock.advance(OUTAGE_MS);
    expect(relay.connections()).toBe(0);
    relay.behave();
    const backAt = clock.now();
    await clock.advance(90_000);
    expect(relay.connections()).toBe(ENGINES);

    const byTenth = new Map<number, number>();
    for (const at of attempts.filter((time) => time >= backAt))
      byTenth.set(
        Math.floor((at - backAt) / TENTH_MS),
        (byTenth.get(Math.floor((at - backAt) / TENTH_MS)) ?? 0) + 1,
      );
    expect(Math.max(...byTenth.values())).toBeLessThanOrEqual(12);
    // Nor does the outage begin with a storm: the first second has each of them once, spread over it.
    const first = attempts.filter((time) => time >= goneAt && time < goneAt + 1_000);
    const firstTenths = Array.from(
      { length: 10 },
      (_, n) => first.filter((time) => Math.floor((time - goneAt) / TENTH_MS) === n).length,
    );
    expect(Math.max(...firstTenths)).toBeLessThan(ENGINES / 4);
    await Promise.all(engines.map((engine) => engine.close()));
  },
);
