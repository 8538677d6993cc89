/** Frames that no honest relay sends: they are counted, and change nothing else. */

import { describe, expect, test } from 'vitest';
import type { SocketHandlers } from '../../src/relay/socket.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { written } from '../sync/devices.ts';
import { authSigner, connection, request, subscribe, virtual } from './harness.ts';

const event = written({ created_at: 1_767_225_600 });

describe('an OK', () => {
  /** Publishes to a relay that answers with these frames. */
  async function answered(
    frames: (id: string) => readonly (readonly unknown[])[],
  ): Promise<{ type: string; violations: object }> {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({ rewrite: (frame) => (frame[0] === 'OK' ? frames(String(frame[1])) : [frame]) });
    await clock.advance(0);
    const answer = relayConnection.publish(event);
    await clock.advance(15_000);
    return { type: (await answer).type, violations: relayConnection.info().violations };
  }

  test('for another id answers nothing', async () => {
    expect(
      await answered((id) => [['OK', id.replace(/^./, (c) => (c === '0' ? '1' : '0')), true, '']]),
    ).toEqual({
      type: 'retry',
      violations: { answer: 1 },
    });
  });

  test.each([['true'], [1], [null], [undefined], [{}]])('with %j for true answers nothing', async (yes) => {
    expect(await answered((id) => [['OK', id, yes, '']])).toEqual({
      type: 'retry',
      violations: { frame: 1 },
    });
  });

  test('that comes twice counts once: the first', async () => {
    expect(
      await answered((id) => [
        ['OK', id, false, 'blocked: no'],
        ['OK', id, true, ''],
      ]),
    ).toEqual({
      type: 'refused',
      violations: { answer: 1 },
    });
  });

  test('that is not waited for is a violation', async () => {
    const { clock, relay, relayConnection } = virtual();
    await clock.advance(0);
    relay.sendAll(['OK', event.id, true, '']);
    await clock.advance(0);
    expect(relayConnection.info().violations).toEqual({ answer: 1 });
  });

  test('from an older connection does not answer for the new one', async () => {
    const clock = createTestClock();
    const sockets: SocketHandlers[] = [];
    const made = connection({
      clock,
      openSocket: (_url, handlers) => {
        sockets.push(handlers);
        return { bufferedAmount: () => 0, send: () => undefined, close: () => undefined };
      },
    });
    sockets[0]!.onOpen();
    made.pause();
    made.wake();
    sockets[1]!.onOpen();
    const answer = made.publish(event);
    sockets[0]!.onMessage(JSON.stringify(['OK', event.id, false, 'blocked: no']));
    sockets[1]!.onMessage(JSON.stringify(['OK', event.id, true, '']));
    expect((await answer).type).toBe('acknowledged');
  });

  test('that never comes is a reason to try again', async () => {
    expect((await answered(() => [])).type).toBe('retry');
  });

  test('is waited for once: the same event is not sent a second time meanwhile', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({ dropOk: true });
    await clock.advance(0);
    void relayConnection.publish(event);
    expect((await relayConnection.publish(event)).type).toBe('retry');
    await clock.advance(0);
    expect(relay.frames.filter(({ direction }) => direction === 'in')).toHaveLength(1);
  });
});

describe('a flood', () => {
  test.each([
    ['NOTICE', [['NOTICE', 'buy now']], {}],
    ['AUTH', [['AUTH', 'x']], {}],
    ['CLOSED for nothing', [['CLOSED', 'none', 'x']], { subscription: 5_000 }],
    ['EOSE for nothing', [['EOSE', 'none']], { subscription: 5_000 }],
    ['EVENT for nothing', [['EVENT', 'none', event]], { subscription: 5_000 }],
    ['junk', ['}{'], { frame: 5_000 }],
    ['OK', [['OK', 'x', true, '']], { answer: 5_000 }],
  ])('of %s is counted, and the relay still of use', async (_, frames, violations) => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ signAuth });
    const got = subscribe(relayConnection);
    await clock.advance(0);
    for (let i = 0; i < 5_000; i++) for (const frame of frames) relay.sendAll(frame);
    await clock.advance(0);
    relay.inject(event);
    await clock.advance(0);
    expect(got.events).toEqual([event]);
    expect(relayConnection.info()).toMatchObject({ connected: true, violations });
    expect(Object.keys(relayConnection.info().violations)).toEqual(Object.keys(violations));
    expect(signed).toEqual([]);
  });

  test('without end makes us hang up, and each time for longer', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({ flood: { everyMs: 100, frames: () => Array.from({ length: 1_000 }, () => 'junk') } });
    let connects = 0;
    for (let i = 0; i < 600; i++) {
      const was = relayConnection.info().connected;
      await clock.advance(500);
      if (!was && relayConnection.info().connected) connects++;
    }
    expect(connects).toBeGreaterThan(2);
    expect(connects).toBeLessThan(25);
    expect(relayConnection.info().lastError).toBe('too many violations');
  });

  test('of useless events is cut at 2n + 32 before EOSE', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({
      rewrite: (frame) =>
        frame[0] === 'EOSE' ? Array.from({ length: 500 }, () => ['EVENT', frame[1], event]) : [frame],
    });
    let seen = 0;
    const end = new Promise((resolve) =>
      relayConnection.request([{}], 3, { onEvent: () => (seen++, 'useless') }, resolve),
    );
    await clock.advance(0);
    expect(await end).toBe('incomplete');
    expect(seen).toBe(2 * 3 + 32 + 1);
    expect(relayConnection.info().violations).toEqual({ flood: 1 });
    expect(relay.subscriptions()).toBe(0);
  });

  test('of useless events is cut at the same number though an EOSE comes in between', async () => {
    const { clock, relay, relayConnection } = virtual();
    let seen = 0;
    relayConnection.subscribe([{}], 3, { onEvent: () => (seen++, 'useless') }, () => undefined);
    const useless = (id: unknown, count: number): unknown[][] =>
      Array.from({ length: count }, () => ['EVENT', id, event]);
    relay.misbehave({
      rewrite: (frame) =>
        frame[0] === 'EOSE' ? [...useless(frame[1], 30), frame, ...useless(frame[1], 30)] : [frame],
    });
    await clock.advance(0);
    expect(seen).toBe(2 * 3 + 32 + 1);
    expect(relayConnection.info().violations).toMatchObject({ flood: 1 });
  });

  test('of genuine news that was not asked for makes us hang up; as many events as were asked for do not', async () => {
    const { clock, relay, relayConnection } = virtual({ chance: () => 0.99 });
    relay.misbehave({
      rewrite: (frame) =>
        frame[0] === 'EOSE'
          ? [...Array.from({ length: 5_000 }, () => ['EVENT', frame[1], event]), frame]
          : [frame],
    });
    await clock.advance(0);
    const end = new Promise((resolve) =>
      relayConnection.request([{}], 5_000, { onEvent: () => 'useful' }, resolve),
    );
    await clock.advance(0);
    expect(await end).toBe('complete');
    expect(relayConnection.info()).toMatchObject({ connected: true, violations: {} });
    subscribe(relayConnection);
    await clock.advance(0);
    expect(relayConnection.info()).toMatchObject({
      connected: false,
      violations: { flood: 1 },
      lastError: 'too many violations',
    });
    relay.behave();
    await clock.advance(59_000);
    expect(relayConnection.info().connected).toBe(false);
    await clock.advance(1_000);
    expect(relayConnection.info().connected).toBe(true);
  });

  test('of false events is cut as well', async () => {
    const { clock, relay, relayConnection } = virtual();
    relay.misbehave({
      rewrite: (frame) =>
        frame[0] === 'EOSE' ? Array.from({ length: 500 }, () => ['EVENT', frame[1], event]) : [frame],
    });
    const end = request(relayConnection, 'signature');
    await clock.advance(0);
    expect(await end).toBe('incomplete');
    expect(relayConnection.info().violations).toEqual({ flood: 1, signature: 35 });
  });
});

test('a frame over 262,144 bytes ends the connection, one below does not', async () => {
  const { clock, relay, relayConnection } = virtual();
  await clock.advance(0);
  relay.sendAll(`["NOTICE","${'x'.repeat(262_144 - 13)}"]`);
  await clock.advance(0);
  expect(relayConnection.info()).toMatchObject({ connected: true, violations: {} });
  relay.sendAll(`["NOTICE","${'x'.repeat(262_144)}"]`);
  await clock.advance(0);
  expect(relayConnection.info()).toMatchObject({
    connected: false,
    violations: { frame: 1 },
    lastError: 'frame too large',
  });
});
