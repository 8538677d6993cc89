/** The socket to one relay, by itself: the other end is the test. */

import { describe, expect, test } from 'vitest';
import { createHealth } from '../../src/relay/health.ts';
import { createLink, type Link } from '../../src/relay/link.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { fakeSockets, type FakeSocket } from './parts.ts';

interface World {
  readonly clock: TestClock;
  readonly link: Link;
  readonly sockets: FakeSocket[];
  /** What the link called, in order. */
  readonly calls: string[];
  readonly lastError: () => string | null;
}

/** Every random number is a half: the first pause is 500 ms. */
function linked({ canPing = true, isOnline = true } = {}): World {
  const clock = createTestClock(0);
  const calls: string[] = [];
  const health = createHealth(clock);
  const { openSocket, sockets } = fakeSockets({ canPing });
  const link = createLink('wss://relay.example', {
    ...{ clock, openSocket, health },
    isOnline: () => isOnline,
    beat: () => 30_000,
    randomBytes: (length) => new Uint8Array(length).map((_, index) => (index === length - 1 ? 128 : 0)),
    onOpen: () => calls.push('open'),
    onText: (text) => calls.push(`text ${text}`),
    onDoubt: () => calls.push('doubt'),
    onHungUp: () => calls.push('hung up'),
    onDropped: (reason) => calls.push(`dropped: ${reason}`),
    onChange: () => calls.push(`is ${link.state()}`),
  });
  return { clock, link, sockets, calls, lastError: () => health.report().lastError };
}

function opened(options: Parameters<typeof linked>[0] = {}): World & { readonly socket: FakeSocket } {
  const world = linked(options);
  world.link.wake();
  world.sockets[0]!.peer.onOpen();
  world.calls.length = 0;
  return { ...world, socket: world.sockets[0]! };
}

describe('a link', () => {
  test('waits until it is woken, pauses once, and tells when it is open', () => {
    const { link, sockets, calls } = linked();
    expect([link.state(), sockets.length]).toEqual(['waiting', 0]);
    link.wake();
    link.wake();
    expect(sockets.map(({ url }) => url)).toEqual(['wss://relay.example']);
    sockets[0]!.peer.onOpen();
    sockets[0]!.peer.onMessage('hello');
    expect(calls).toEqual(['is connecting', 'open', 'is open', 'text hello']);
  });

  test('sends while it is open and not congested', () => {
    const { link, sockets } = linked();
    expect(link.send('early')).toBe(false);
    link.wake();
    expect(link.send('early')).toBe(false);
    const socket = sockets[0]!;
    socket.peer.onOpen();
    expect(link.send('now')).toBe(true);
    socket.buffered = 1e9;
    expect(link.send('too much')).toBe(false);
    expect(socket.sent).toEqual(['now']);
  });

  test('gives up a handshake after 10 s', async () => {
    const { clock, link, sockets, lastError } = linked();
    link.wake();
    await clock.advance(9_999);
    expect(link.state()).toBe('connecting');
    await clock.advance(1);
    expect([link.state(), sockets[0]!.closes, lastError()]).toEqual(['waiting', 1, 'connect timed out']);
  });

  test('that is open is not given up for the time its handshake took', async () => {
    const { clock, link } = opened();
    await clock.advance(10_000);
    expect(link.state()).toBe('open');
  });

  test('tells a hang-up before it drops the socket, and pauses again after its pause', async () => {
    const { clock, link, sockets, socket, calls, lastError } = opened();
    socket.peer.onClose('good night');
    expect(calls).toEqual(['hung up', 'dropped: good night', 'is waiting']);
    expect(lastError()).toBe('good night');
    await clock.advance(499);
    expect([sockets.length, link.state()]).toEqual([1, 'waiting']);
    await clock.advance(1);
    expect([sockets.length, link.state()]).toEqual([2, 'connecting']);
  });

  test('ignores all that comes from an older socket', () => {
    const { link, sockets, socket, calls } = opened();
    const late = (): void => {
      calls.length = 0;
      socket.peer.onOpen();
      socket.peer.onMessage('late');
      socket.peer.onPong();
      socket.peer.onClose('late');
    };
    link.lose();
    late();
    expect([calls, link.state()]).toEqual([[], 'waiting']);
    link.wake();
    late();
    expect([calls, link.state(), sockets.length]).toEqual([[], 'connecting', 2]);
  });

  test('pauses for longer with each failure, and starts again after 30 s of a stable connection', async () => {
    const { clock, link, sockets } = linked();
    const pauses: number[] = [];
    link.wake();
    for (const upMs of [0, 0, 29_999, 30_000, 0]) {
      const { peer } = sockets.at(-1)!;
      peer.onOpen();
      for (let n = 0; n < upMs; n += 10_000) {
        peer.onMessage('alive');
        await clock.advance(Math.min(10_000, upMs - n));
      }
      peer.onClose('x');
      const since = clock.now();
      await clock.advance(10);
      while (link.state() === 'waiting') await clock.advance(10);
      pauses.push(clock.now() - since);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 500, 1_000]);
  });

  test('that is left alone waits as after so many failures', async () => {
    const { clock, link, sockets } = opened();
    link.fail('too much', 6);
    // Half of a minute, which is the cap.
    await clock.advance(29_999);
    expect(sockets).toHaveLength(1);
    await clock.advance(1);
    expect(sockets).toHaveLength(2);
  });

  test('without a network is tried slowly', async () => {
    const { clock, link, sockets } = opened({ isOnline: false });
    link.lose();
    await clock.advance(59_999);
    expect(sockets).toHaveLength(1);
    await clock.advance(600_000);
    expect(sockets.length).toBeGreaterThan(1);
    expect(sockets.length).toBeLessThan(12);
  });

  test('has nothing to lose while it waits', () => {
    const { link, calls } = linked();
    link.lose();
    expect([calls, link.state()]).toEqual([[], 'waiting']);
  });

  test('is pinged after 30 s of silence', async () => {
    const { clock, socket } = opened();
    await clock.advance(30_000);
    expect(socket.pings).toBe(1);
  });

  test('is pinged when it is suspected, and dropped if no pong comes', async () => {
    const { clock, link, socket, calls, lastError } = opened();
    link.wake();
    expect(socket.pings).toBe(1);
    socket.peer.onPong();
    await clock.advance(5_000);
    expect(link.state()).toBe('open');
    link.wake();
    await clock.advance(5_000);
    expect([link.state(), socket.pings, calls.includes('doubt')]).toEqual(['waiting', 2, false]);
    expect(lastError()).toBe('no sign of life');
  });

  test('that cannot ping has the relay asked something, and any frame is a sign of life', async () => {
    const { clock, link, socket, calls } = opened({ canPing: false });
    link.wake();
    expect(calls).toEqual(['doubt']);
    socket.peer.onMessage('x');
    await clock.advance(5_000);
    expect(link.state()).toBe('open');
  });

  test('that is paused pauses when it is woken, and not before, and has forgotten its failures', async () => {
    const { clock, link, sockets, calls } = opened();
    link.fail('x', 6);
    calls.length = 0;
    link.pause();
    expect(calls).toEqual(['dropped: paused', 'is waiting']);
    await clock.advance(600_000);
    expect(sockets).toHaveLength(1);
    link.wake();
    sockets[1]!.peer.onClose('x');
    await clock.advance(1_000);
    expect(sockets).toHaveLength(3);
  });

  test('that is closed stays so', async () => {
    const { clock, link, socket, sockets, calls } = opened();
    link.close();
    expect([calls, socket.closes, link.state()]).toEqual([['dropped: closed'], 1, 'closed']);
    link.wake();
    link.lose();
    link.pause();
    await clock.advance(600_000);
    expect([link.state(), sockets.length, clock.pending]).toEqual(['closed', 1, 0]);
  });
});
