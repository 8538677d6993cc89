/** What only the relay on a loopback port does: NIP-11 over HTTP, restarts, ports, latency. */

import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';

import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { systemClock } from '../../src/clock.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { startRelay, type RunningRelay, type StartRelayOptions } from '../../src/testing/relay-server.ts';
import { connect, openWebSocket } from './client.ts';
import { sign, START } from './events.ts';

const running: RunningRelay[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function start(options: StartRelayOptions = {}): Promise<RunningRelay> {
  const server = await startRelay({ clock: { ...systemClock, now: () => START * 1_000 }, ...options });
  running.push(server);
  return server;
}

test('serves its NIP-11 document over HTTP to those who ask for it', async () => {
  const { url } = await start({ name: 'mine', auth: 'both', limits: { maxSubscriptions: 7 } });
  const address = url.replace('ws:', 'http:');
  const response = await fetch(address, { headers: { accept: 'application/nostr+json' } });
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(await response.json()).toMatchObject({
    name: 'mine',
    supported_nips: expect.arrayContaining([1, 9, 11, 40, 42]),
    limitation: { max_subscriptions: 7, max_message_length: 131_072, auth_required: true },
  });
  expect((await fetch(address)).status).toBe(426);
});

test('is a relay to a client that is not ours', async () => {
  useWebSocketImplementation(WebSocket);
  const { url } = await start();
  const pool = new SimplePool();
  const event = sign({ content: 'from nostr-tools' });
  await Promise.all(pool.publish([url], event));
  expect(await pool.get([url], { ids: [event.id] })).toMatchObject(event);
  pool.close([url]);
});

test('comes back on its port with what it stored, in the middle of a publish', async () => {
  const { relay, port, url, close } = await start();
  const client = await connect(openWebSocket, url);
  relay.misbehave({ dropOk: true });
  const event = sign();
  client.send('EVENT', event);
  await client.drain();
  await close();
  await client.closed;
  await expect(connect(openWebSocket, url)).rejects.toThrow('Cannot connect');
  relay.behave();
  const again = await start({ relay, port });
  expect(again.url).toBe(url);
  const second = await connect(openWebSocket, url);
  expect((await second.ask('EVENT', event))[3]).toMatch(/^duplicate: /);
  expect(relay.connections()).toBe(1);
});

test('rejects if the port is taken, and closes more than once', async () => {
  const { port, close } = await start();
  await expect(start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await Promise.all([close(), close()]);
  await close();
});

test('closes on a binary frame and survives a client that breaks the protocol', async () => {
  const { port, url } = await start();
  const binary = new WebSocket(url);
  await once(binary, 'open');
  binary.send(Buffer.from('[]'));
  expect((await once(binary, 'close'))[0]).toBe(1003);

  const raw = connectTcp(port, '127.0.0.1');
  const key = Buffer.alloc(16).toString('base64');
  raw.write(`GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n`);
  raw.write(`sec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`);
  await once(raw, 'data');
  raw.write('not a WebSocket frame');
  await once(raw, 'close');
  expect(await (await connect(openWebSocket, url)).ask('REQ', 's', {})).toEqual(['EOSE', 's']);
});

test('delays connecting by a round trip and frames by each direction', async () => {
  const clock = createTestClock(START * 1_000);
  const { relay, url } = await start({ clock, latencyMs: 50 });
  const connecting = connect(openWebSocket, url);
  await armed(clock);
  await clock.advance(100);
  const client = await connecting;
  const event = sign();
  const answered = client.ask('EVENT', event);
  await armed(clock);
  await clock.advance(49);
  expect(relay.events()).toEqual([]);
  await clock.advance(1);
  expect(relay.events()).toEqual([event]);
  expect(clock.pending).toBe(1);
  await clock.advance(50);
  expect(await answered).toEqual(['OK', event.id, true, '']);
});

test('lets no client in that was still connecting when it closed', async () => {
  const clock = createTestClock(START * 1_000);
  const { relay, url, close } = await start({ clock, latencyMs: 50 });
  const refusal = connect(openWebSocket, url).then(() => 'let in', String);
  await armed(clock);
  const closing = close();
  await clock.advance(100);
  expect(await refusal).toMatch(/^Error: Cannot connect/);
  await closing;
  expect(relay.connections()).toBe(0);
});

test('does not answer a ping while it is silent', async () => {
  const { relay, url } = await start();
  const client = await connect(openWebSocket, url);
  let pongs = 0;
  relay.misbehave({ silent: true });
  void client.ping().then(() => (pongs += 1));
  // Takes longer than the ping, which is on its way already.
  await fetch(url.replace('ws:', 'http:'));
  relay.behave();
  await client.drain();
  expect(pongs).toBe(0);
  void client.ping();
  await client.drain();
  expect(pongs).toBe(1);
});

/** Waits until what came over a real socket has armed a timer. */
async function armed(clock: TestClock): Promise<void> {
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
}
