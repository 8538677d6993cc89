/** What only the transport in memory does: no network, no time of its own, several relays by URL. */

import { expect, test } from 'vitest';

import type { SocketHandlers } from '../../src/relay/socket.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { connect } from './client.ts';
import { sign, START } from './events.ts';

function recorder(clock: { now(): number }): { readonly log: string[]; readonly handlers: SocketHandlers } {
  const log: string[] = [];
  const note = (what: string): void => void log.push(`${what}@${clock.now()}`);
  const handlers: SocketHandlers = {
    onOpen: () => note('open'),
    onMessage: (text) => note((JSON.parse(text) as string[])[0] ?? ''),
    onPong: () => note('pong'),
    onClose: (reason) => note(`close: ${reason}`),
  };
  return { log, handlers };
}

test('takes the latency in each direction from the clock and nothing else', async () => {
  const clock = createTestClock(0);
  const { log, handlers } = recorder(clock);
  const relay = createRelay({
    clock,
    latencyMs: 50,
    auth: 'read',
    randomBytes: (length) => new Uint8Array(length),
  });
  const socket = relay.openSocket('wss://relay.test', handlers);
  await clock.advance(150);
  socket.send(JSON.stringify(['REQ', 's', {}]));
  socket.ping?.();
  await clock.advance(100);
  socket.close();
  socket.close();
  socket.send('too late');
  await clock.advance(100);
  expect(log).toEqual(['open@100', 'AUTH@150', 'CLOSED@250', 'pong@250', 'close: closed by this side@300']);
  expect(relay.connections()).toBe(0);
  expect(clock.pending).toBe(0);
});

test('never calls back before openSocket returned, also when it fails', async () => {
  const clock = createTestClock(0);
  const relay = createRelay({ clock });
  relay.misbehave({ refuseConnections: true });
  const { log, handlers } = recorder(clock);
  relay.openSocket('wss://relay.test', handlers);
  connectTo({})('wss://nowhere.test', handlers);
  expect(log).toEqual([]);
  await clock.advance(0);
  expect(log).toEqual(['close: unknown host@0', 'close: connection refused@0']);
});

test('a socket closed while it connects never opens', async () => {
  const clock = createTestClock(0);
  const { log, handlers } = recorder(clock);
  const relay = createRelay({ clock });
  relay.openSocket('wss://relay.test', handlers).close();
  await clock.advance(0);
  expect(log).toEqual(['close: closed by this side@0']);
  expect(relay.connections()).toBe(0);
});

test('delivers nothing after the relay disconnected', async () => {
  const clock = createTestClock(0);
  const { log, handlers } = recorder(clock);
  const relay = createRelay({ clock });
  const socket = relay.openSocket('wss://relay.test', handlers);
  await clock.advance(0);
  relay.disconnectAll('bye');
  socket.send('["REQ","s",{}]');
  relay.sendAll(['NOTICE', 'late']);
  await clock.advance(0);
  expect(log).toEqual(['open@0', 'close: bye@0']);
});

test('delivers nothing after this side closed, not even what was under way', async () => {
  const clock = createTestClock(0);
  const { log, handlers } = recorder(clock);
  const relay = createRelay({ clock });
  const socket = relay.openSocket('wss://relay.test', handlers);
  await clock.advance(0);
  relay.sendAll(['NOTICE', 'under way']);
  socket.close();
  await clock.advance(0);
  expect(log).toEqual(['open@0', 'close: closed by this side@0']);
});

test('connects to several relays, each by any spelling of its URL', async () => {
  const clock = createTestClock(START * 1_000);
  const [a, b] = [createRelay({ clock }), createRelay({ clock })];
  const openSocket = connectTo({ 'wss://a.test': a, 'wss://b.test/path': b });
  const event = sign();
  await (await connect(openSocket, 'wss://A.test/')).ask('EVENT', event);
  expect([a.events(), b.events()]).toEqual([[event], []]);
  await connect(openSocket, 'wss://b.test/path');
  expect([a.connections(), b.connections()]).toEqual([1, 1]);
});
