/** A connection over the life of its relay: lost, half-open, slow, closed, and back. In virtual time, but for the first. */

import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openNodeSocket } from '../../src/relay/node-socket.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { relay as startRelay, written } from '../sync/devices.ts';
import { connection, request, subscribe, URL_OF_RELAY, virtual } from './harness.ts';

const stamp = 1_767_225_600;

test('over a real socket a live subscription survives a relay that went away and came back', async () => {
  const first = await startRelay();
  const made = connection({
    url: first.url,
    clock: systemClock,
    openSocket: openNodeSocket,
    chance: () => 0.02,
  });
  const got = subscribe(made);
  await vi.waitFor(() => expect(got.completions).toBe(1));
  await first.close();
  await vi.waitFor(() => expect(made.info()).toMatchObject({ connected: false }));
  const second = await startRelay({ port: first.port, relay: first.relay });
  await vi.waitFor(() => expect(got.completions).toBe(2), 5_000);
  second.relay.inject(written());
  await vi.waitFor(() => expect(got.events).toHaveLength(1));
});

describe('a connection', () => {
  test('comes back after a clean close, with its subscriptions', async () => {
    const { clock, relay, relayConnection } = virtual();
    const got = subscribe(relayConnection);
    await clock.advance(0);
    relay.disconnectAll('good night');
    await clock.advance(0);
    expect(relayConnection.info()).toMatchObject({
      connected: false,
      state: 'waiting',
      lastError: 'good night',
    });
    await clock.advance(1_000);
    expect(relayConnection.info()).toMatchObject({ connected: true, state: 'open' });
    relay.inject(written({ created_at: stamp }));
    await clock.advance(0);
    expect(got).toMatchObject({ completions: 2, events: [{ created_at: stamp }] });
    expect(relay.subscriptions()).toBe(1);
  });

  test('is tried again when the first connect fails', async () => {
    const clock = createTestClock();
    const relay = createRelay({ clock });
    relay.misbehave({ refuseConnections: true });
    const made = connection({ clock, openSocket: relay.openSocket });
    const got = subscribe(made);
    await clock.advance(10_000);
    expect(made.info()).toMatchObject({ connected: false, lastError: 'connection refused' });
    relay.behave();
    await clock.advance(60_000);
    expect(got.completions).toBe(1);
  });

  test('is tried again however often it fails', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({ refuseConnections: true });
    relay.disconnectAll();
    await clock.advance(6 * 3_600_000);
    expect(relayConnection.info()).toMatchObject({ connected: false });
    relay.behave();
    await clock.advance(61_000);
    expect(relayConnection.info()).toMatchObject({ connected: true });
  });

  test('to a peer that never answers the handshake is given up after 10 s', async () => {
    const clock = createTestClock();
    let closed = 0;
    const made = connection({
      clock,
      openSocket: () => ({ bufferedAmount: () => 0, send: () => {}, close: () => closed++ }),
    });
    await clock.advance(9_999);
    expect(made.info().state).toBe('connecting');
    await clock.advance(1);
    expect([made.info().state, closed]).toEqual(['waiting', 1]);
  });

  test('that is half-open is found out within 40 s', async () => {
    const { clock, relay, relayConnection } = virtual();
    subscribe(relayConnection);
    await clock.advance(20_000);
    relay.misbehave({ silent: true });
    await clock.advance(40_000);
    expect(relayConnection.info().lastError).toBe('no sign of life');
    relay.behave();
    await clock.advance(30_000);
    expect(relayConnection.info().connected).toBe(true);
  });

  test('that is half-open is found out in a browser too, which cannot ping', async () => {
    const clock = createTestClock();
    const relay = createRelay({ clock });
    const made = connection({
      clock,
      openSocket: (url, handlers) => {
        const { ping: _, ...socket } = relay.openSocket(url, handlers);
        return socket;
      },
    });
    await clock.advance(300_000);
    expect(made.info()).toMatchObject({ connected: true, lastError: null });
    relay.misbehave({ silent: true });
    await clock.advance(60_000);
    expect(made.info().lastError).toBe('no sign of life');
  });

  test('that is quiet but alive stays', async () => {
    const { clock, relay, relayConnection } = virtual();
    subscribe(relayConnection);
    await clock.advance(3_600_000);
    expect(relayConnection.info()).toMatchObject({ connected: true, lastError: null });
    expect(relay.connections()).toBe(1);
  });

  test('must prove within 5 s of waking up that it is alive', async () => {
    const { clock, relay, relayConnection } = virtual();
    await clock.advance(0);
    relay.misbehave({ silent: true });
    relayConnection.wake();
    await clock.advance(5_000);
    expect(relayConnection.info()).toMatchObject({ state: 'waiting', lastError: 'no sign of life' });
  });

  test('does not wait out its backoff when it is woken', async () => {
    const { clock, relay, relayConnection } = virtual({ chance: () => 0.99 });
    relay.misbehave({ refuseConnections: true });
    await clock.advance(30_000);
    relay.behave();
    relayConnection.wake();
    await clock.advance(0);
    expect(relayConnection.info().connected).toBe(true);
  });

  test('survives a clock that jumps a year, in either direction', async () => {
    const { clock, relay, relayConnection } = virtual();
    const got = subscribe(relayConnection);
    for (const jump of [31_536_000_000, -63_072_000_000]) {
      await clock.advance(10_000);
      clock.set(clock.now() + jump);
      await clock.advance(60_000);
      expect(relayConnection.info().connected).toBe(true);
      relay.misbehave({ silent: true });
      await clock.advance(60_000);
      expect(relayConnection.info().lastError).toMatch(/no sign of life|no EOSE in time/);
      relay.behave();
      await clock.advance(120_000);
    }
    relay.inject(written({ created_at: stamp }));
    await clock.advance(0);
    expect(got.events).toHaveLength(1);
  });

  test('leaves nothing behind when it is closed', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({ noEose: true });
    subscribe(relayConnection);
    const end = request(relayConnection);
    const answer = relayConnection.publish(written());
    relayConnection.close();
    relayConnection.close();
    expect(await end).toBe('unreached');
    expect((await answer).type).toBe('retry');
    await clock.advance(0);
    expect([clock.pending, relay.connections()]).toEqual([0, 0]);
    expect(relayConnection.info().state).toBe('closed');
    relayConnection.wake();
    await clock.advance(60_000);
    expect(relay.connections()).toBe(0);
  });
});

describe('the backoff', () => {
  /** When the relay was tried, in ms, with every random number the same. */
  async function attempts(chance: number): Promise<number[]> {
    const clock = createTestClock(0);
    const at: number[] = [];
    const relay = createRelay({ clock });
    relay.misbehave({ refuseConnections: true });
    connection({
      clock,
      chance: () => chance,
      openSocket: (url, on) => (at.push(clock.now()), relay.openSocket(url, on)),
    });
    await clock.advance(300_000);
    return at;
  }

  test('doubles up to a minute, and is jittered in full', async () => {
    const [early, late] = [await attempts(0.25), await attempts(0.75)];
    const gaps = (at: number[]): number[] => at.slice(1).map((t, i) => Math.round((t - at[i]!) / 10) * 10);
    // 0.25 of 1, 2, 4, … s, plus the same once more in the next byte.
    expect(gaps(early).slice(0, 6)).toEqual([250, 500, 1_000, 2_010, 4_020, 8_030]);
    expect(Math.max(...gaps(late))).toBeLessThanOrEqual(60_000);
    expect(gaps(late).at(-1)! / gaps(early).at(-1)!).toBeCloseTo(3, 1);
  });

  test('starts again from its first pause only after 30 s of a stable connection', async () => {
    const { clock, relay, relayConnection } = virtual({ chance: () => 0.99 });
    const downtimes: number[] = [];
    for (const upMs of [29_000, 29_000, 29_000, 31_000]) {
      await clock.advance(upMs);
      expect(relayConnection.info().connected).toBe(true);
      relay.disconnectAll();
      await clock.advance(0);
      const since = clock.now();
      while (!relayConnection.info().connected) await clock.advance(100);
      downtimes.push(Math.round((clock.now() - since) / 1_000));
    }
    expect(downtimes).toEqual([1, 2, 4, 1]);
  });
});

describe('a request', () => {
  test('ends complete with EOSE, and its subscription is closed on the relay', async () => {
    const { clock, relay, relayConnection } = virtual({ latencyMs: 20 });
    const end = request(relayConnection);
    await clock.advance(200);
    expect(await end).toBe('complete');
    expect(relayConnection.info()).toMatchObject({ latencyMs: 40 });
    expect(relay.subscriptions()).toBe(0);
  });

  test('without EOSE ends by its deadline', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({ noEose: true });
    const end = request(relayConnection);
    await clock.advance(10_000);
    expect(await end).toBe('incomplete');
    expect(relay.subscriptions()).toBe(0);
  });

  test('ends incomplete with the connection, and unreached if there is none', async () => {
    const { clock, relay, relayConnection } = virtual();
    await clock.advance(0);
    relay.misbehave({ noEose: true, refuseConnections: true });
    const lost = request(relayConnection);
    await clock.advance(0);
    relay.disconnectAll();
    await clock.advance(0);
    expect(await lost).toBe('incomplete');
    expect(await request(relayConnection)).toBe('unreached');
    const hoped = request(relayConnection);
    await clock.advance(2_000);
    expect(await hoped).toBe('unreached');
  });

  test('that the relay closes ends incomplete', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({
      rewrite: (frame) => [frame[0] === 'EOSE' ? ['CLOSED', frame[1], 'error: shutting down'] : frame],
    });
    const end = request(relayConnection);
    await clock.advance(0);
    expect(await end).toBe('incomplete');
    expect(relayConnection.info().lastError).toBe('error: shutting down');
  });
});

describe('a live subscription', () => {
  test('that the relay closes is asked for again, ever more seldom', async () => {
    const { clock, relay, relayConnection } = virtual({ limits: { maxSubscriptions: 1_000 } });
    relay.misbehave({
      rewrite: (frame) => [frame[0] === 'EOSE' ? ['CLOSED', frame[1], 'error: overloaded'] : frame],
    });
    const got = subscribe(relayConnection);
    await clock.advance(600_000);
    const asked = relay.frames.filter(
      ({ direction, frame }) => direction === 'in' && (frame as unknown[])[0] === 'REQ',
    ).length;
    expect(asked).toBeGreaterThan(10);
    expect(asked).toBeLessThan(40);
    relay.behave();
    await clock.advance(61_000);
    expect(got.completions).toBe(1);
    relay.inject(written({ created_at: stamp }));
    await clock.advance(0);
    expect(got.events).toHaveLength(1);
  });

  test('that never gets its EOSE, as one too many on nostream, is asked for again', async () => {
    const { clock, relay, relayConnection } = virtual({
      flavour: 'nostream',
      limits: { maxSubscriptions: 1 },
    });
    const [first, second] = [subscribe(relayConnection), subscribe(relayConnection)];
    await clock.advance(60_000);
    expect([first.completions, second.completions]).toEqual([1, 0]);
    first.stop();
    await clock.advance(120_000);
    expect(second.completions).toBe(1);
    relay.inject(written({ created_at: stamp }));
    await clock.advance(0);
    expect([first.events, second.events.length]).toEqual([[], 1]);
  });

  test('that is stopped leaves neither a subscription nor a timer', async () => {
    const { clock, relay, relayConnection } = virtual();
    await clock.advance(0);
    const before = clock.pending;
    const got = subscribe(relayConnection);
    await clock.advance(0);
    expect(relay.subscriptions()).toBe(1);
    got.stop();
    got.stop();
    await clock.advance(0);
    expect([relay.subscriptions(), clock.pending]).toEqual([0, before]);
  });
});

test('one URL is one relay: the name is what was configured', () => {
  const { relayConnection } = virtual();
  expect(relayConnection.info().url).toBe(URL_OF_RELAY);
});
