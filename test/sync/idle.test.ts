/**
 * What a device does while nothing happens: an hour of virtual time, three relays, a hundred categories that are subscribed to and in sync.
 * Nothing is left but the looks whether the relays are still there.
 */

import { expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import type { Connectivity, OpenSocket, Store } from '../../src/node.ts';
import { memoryStore } from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import type { RelayOptions } from '../../src/testing/relay-options.ts';
import { world } from './devices.ts';

const HOUR_MS = 3_600_000;
const RELAYS = 3;
const CATEGORIES = Array.from({ length: 100 }, (_, i) => `category-${i}`);
/** An hour's looks at one relay: two a minute. */
const MOST_LOOKS = 120;

interface Counts {
  pings: number;
  framesOut: number;
  framesIn: number;
  timers: number;
  /** Different moments of these. */
  readonly wakeUps: Set<number>;
  storeCalls: number;
}

const newCounts = (): Counts => ({
  ...{ pings: 0, framesOut: 0, framesIn: 0, timers: 0, storeCalls: 0 },
  wakeUps: new Set(),
});

function countedClock(clock: Clock, counts: () => Counts): Clock {
  return {
    now: clock.now,
    after: (ms, act) =>
      clock.after(ms, () => {
        counts().timers++;
        counts().wakeUps.add(clock.now());
        act();
      }),
  };
}

function countedSockets(openSocket: OpenSocket, canPing: boolean, counts: () => Counts): OpenSocket {
  return (url, handlers) => {
    const socket = openSocket(url, {
      ...handlers,
      onMessage: (text) => {
        counts().framesIn++;
        handlers.onMessage(text);
      },
    });
    return {
      send: (text) => {
        counts().framesOut++;
        socket.send(text);
      },
      ...(canPing && {
        ping: () => {
          counts().pings++;
          socket.ping!();
        },
      }),
      bufferedAmount: socket.bufferedAmount,
      close: socket.close,
    };
  };
}

function countedStore(store: Store, counts: () => Counts): Store {
  const counted =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      counts().storeCalls++;
      return call(...args);
    };
  return {
    get: counted((key) => store.get(key)),
    list: counted((prefix) => store.list(prefix)),
    update: counted((keys, decide) => store.update(keys, decide)),
    close: () => store.close(),
  };
}

async function idleHour(options: RelayOptions, canPing: boolean, isHidden: boolean): Promise<Counts> {
  const it = world(...Array.from({ length: RELAYS }, () => ({ latencyMs: 40, ...options })));
  let counts = newCounts();
  const relays = connectTo(Object.fromEntries(it.relays.map((relay, i) => [it.urls[i], relay])));
  const connectivity: Connectivity = {
    isOnline: () => true,
    isHidden: () => isHidden,
    onChange: () => () => undefined,
  };
  const device = it.device({
    clock: countedClock(it.clock, () => counts),
    openSocket: countedSockets(relays, canPing, () => counts),
    store: countedStore(memoryStore(), () => counts),
    connectivity,
  });
  device.subscribe(CATEGORIES, () => undefined);
  await it.settle(Promise.all(CATEGORIES.map((category) => device.publish(category, { category }))));
  await it.settle(device.flush());
  await it.clock.advance(HOUR_MS);
  expect(await device.getStatus()).toMatchObject({ outboxDepth: 0, connectedRelayCount: RELAYS });
  counts = newCounts();
  await it.clock.advance(HOUR_MS);
  return counts;
}

const RECONCILES: RelayOptions = { negentropy: 'answers' };
const DOES_NOT: RelayOptions = { negentropy: 'silent' };

test.each([
  ['Node', 'with NIP-77', RECONCILES, true, false, MOST_LOOKS],
  ['Node', 'without NIP-77', DOES_NOT, true, false, MOST_LOOKS],
  ['a page', 'with NIP-77', RECONCILES, false, false, MOST_LOOKS],
  ['a page', 'without NIP-77', DOES_NOT, false, false, MOST_LOOKS],
  ['a hidden page', 'with NIP-77', RECONCILES, false, true, (MOST_LOOKS * 6) / 11],
  ['a hidden page', 'without NIP-77', DOES_NOT, false, true, (MOST_LOOKS * 6) / 11],
])('an idle hour of %s, relays %s', async (where, which, options, canPing, isHidden, mostLooks) => {
  const { wakeUps, ...counts } = await idleHour(options, canPing, isHidden);
  const numbers = { ...counts, wakeUps: wakeUps.size };
  console.info(`an idle hour of ${where}, ${RELAYS} relays ${which}: ${JSON.stringify(numbers)}`);
  const looks = canPing ? counts.pings : counts.framesIn;
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThanOrEqual(RELAYS * mostLooks);
  // A look at a relay from a page is a REQ, its EOSE, and a CLOSE.
  expect(counts.framesOut).toBe(canPing ? 0 : 2 * looks);
  expect(counts.framesIn).toBe(canPing ? 0 : looks);
  expect(counts.timers).toBeLessThanOrEqual(looks);
  expect(numbers.wakeUps).toBeLessThanOrEqual(mostLooks);
  expect(counts.storeCalls).toBe(0);
});
