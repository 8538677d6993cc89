/** Real sockets in bad weather, and servers that are not the relay: what was saved gets there when it can, and to nobody else. */

import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { startRelay, type RunningRelay } from '../../src/testing/relay-server.ts';
import { filler } from '../support/random.ts';
import { fastClock } from '../support/fast-clock.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { device, health, relay, stored } from '../sync/devices.ts';

/** A minute of the engine is a second and a half here. */
const SPEED = 40;
const WAIT = { timeout: 20_000, interval: 20 };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A relay behind a proxy, and the URL by which it is reached through it. */
async function remoteRelay(): Promise<{ running: RunningRelay; proxy: TcpProxy; url: string }> {
  // A fast clock runs ahead of the relay's.
  const running = await relay({ limits: { createdAtUpperLimit: 100_000 } });
  const proxy = await startTcpProxy(running.port);
  cleanups.push(() => proxy.close());
  return { running, proxy, url: `ws://127.0.0.1:${proxy.port}` };
}

const isConnected = async (of: ReturnType<typeof device>, url: string): Promise<boolean> =>
  (await health(of, url)).connected;

/** Not by the receipt: its five seconds are an eighth of one here, which a busy machine may need for a round trip. */
const stageOf = async (of: ReturnType<typeof device>): Promise<string | undefined> =>
  (await of.inspect())[0]?.stage;

test('a half-open connection is found out by silence, and a new one delivers', async () => {
  const { running, proxy, url } = await remoteRelay();
  const laptop = device([url], { clock: fastClock(SPEED) });
  await laptop.publish('settings', 1, { waitFor: 'replicated' });
  // Of the attempts to connect again each soon has an error of its own.
  const errors: unknown[] = [];
  laptop.on('relay-status', ({ lastError }) => void errors.push(lastError));
  proxy.change({ type: 'silent' });
  expect(await laptop.publish('settings', 2, { waitFor: 'delivered' })).toMatchObject({ stage: 'saved' });
  await expect.poll(() => errors, WAIT).toContainEqual(expect.stringMatching(/sign of life/));
  expect(await isConnected(laptop, url)).toBe(false);
  proxy.change({ type: 'clear' });
  await laptop.flush({ signal: AbortSignal.timeout(20_000) });
  await laptop.publish('settings', 3);
  await expect.poll(() => stageOf(laptop), WAIT).toBe('replicated');
  expect(stored(running)).toHaveLength(1);
});

test('a black hole that takes connections and never answers is given up each time, and no publish waits for it', async () => {
  const { proxy, url } = await remoteRelay();
  const honest = await relay({ limits: { createdAtUpperLimit: 100_000 } });
  proxy.change({ type: 'silent' });
  const laptop = device([url, honest.url], { clock: fastClock(SPEED) });
  expect((await laptop.publish('settings', 1)).stage).toBe('delivered');
  await expect.poll(() => proxy.accepted, WAIT).toBeGreaterThan(1);
  expect((await health(laptop, url)).lastError).toMatch(/timed out/i);
  expect((await laptop.getStatus()).outboxDepth).toBe(1);
  proxy.change({ type: 'clear' });
  await laptop.flush({ signal: AbortSignal.timeout(20_000) });
});

test('connections that are reset again and again in mid-publish lose nothing', async () => {
  const { running, proxy, url } = await remoteRelay();
  const laptop = device([url], { clock: fastClock(SPEED) });
  for (let value = 1; value <= 40; value++) {
    const receipt = laptop.publish('settings', { value, text: filler(5_000) }, { waitFor: 'saved' });
    if (value % 4 === 0) proxy.reset();
    await receipt;
  }
  await laptop.flush({ signal: AbortSignal.timeout(60_000) });
  const phone = device([running.url]);
  expect(await phone.fetch('settings')).toMatchObject({ payload: { value: 40 } });
});

test.each([1, 3, 17])(
  'frames that come in pieces of %d bytes are the frames that they were',
  async (bytes) => {
    const { running, proxy, url } = await remoteRelay();
    proxy.change({ type: 'sliced', bytes });
    const [laptop, phone] = [device([url]), device([url])];
    phone.subscribe(['settings'], () => undefined);
    const payload = { text: 'é🦩'.repeat(500) };
    expect(await laptop.publish('settings', payload, { waitFor: 'replicated' })).toMatchObject({
      stage: 'replicated',
    });
    await expect.poll(() => phone.updated.map((result) => result.payload), WAIT).toEqual([payload]);
    expect((await health(laptop, url)).violations).toEqual({});
    expect(stored(running)).toHaveLength(1);
  },
);

test('a line that carries little is slow, and neither a stalled relay nor a reason to send twice', async () => {
  const { running, proxy, url } = await remoteRelay();
  proxy.change({ type: 'slow', bytesPerSecond: 40_000 });
  const laptop = device([url]);
  const payload = filler(30_000);
  for (const category of ['a', 'b', 'c']) await laptop.publish(category, payload, { waitFor: 'saved' });
  await laptop.flush({ signal: AbortSignal.timeout(30_000) });
  const sent = running.relay.frames.filter(
    ({ direction, frame }) => direction === 'in' && Array.isArray(frame) && frame[0] === 'EVENT',
  );
  expect(sent).toHaveLength(3);
  expect(proxy.accepted).toBe(1);
});

/** Frees its port at the end of the test. */
function listen(server: Server | TcpServer, port: number): Promise<void> {
  const sockets = new Set<{ destroy(): unknown }>();
  server.on('connection', (socket) => sockets.add(socket));
  cleanups.push(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
}

/** Another server that has the relay's port; what it hears. */
type Impostor = (heard: string[], elsewhere: string) => Server | TcpServer;
const impostors: [string, Impostor][] = [
  ['a web server', () => createHttpServer((_request, response) => void response.end('<h1>Hello</h1>'))],
  [
    'a web server that sends everybody elsewhere',
    (_heard, elsewhere) =>
      createHttpServer().on('upgrade', (_request, socket) => {
        socket.on('error', () => undefined);
        socket.end(`HTTP/1.1 302 Found\r\nlocation: ${elsewhere}\r\nconnection: close\r\n\r\n`);
      }),
  ],
  [
    'a WebSocket server that echoes',
    (heard) => {
      const server = createHttpServer();
      new WebSocketServer({ server }).on('connection', (socket) => {
        socket.on('message', (data) => {
          heard.push((data as Buffer).toString());
          socket.send((data as Buffer).toString());
        });
      });
      return server;
    },
  ],
  [
    'a WebSocket server that sends bytes',
    () => {
      const server = createHttpServer();
      new WebSocketServer({ server }).on('connection', (socket) => {
        socket.on('message', () => socket.send(Buffer.from([1, 2, 3])));
      });
      return server;
    },
  ],
  [
    'something that speaks no HTTP',
    () =>
      createTcpServer((socket) => {
        socket.on('error', () => undefined);
        socket.write(Buffer.alloc(100_000, 'SSH-2.0 '));
        socket.resume();
      }),
  ],
];

test.each(impostors)(
  '%s in the place of the relay gets ciphertext at most, and the relay gets all when it is back',
  async (_, make) => {
    const first = await startRelay({ limits: { createdAtUpperLimit: 100_000 } });
    const elsewhere = await relay();
    const laptop = device([first.url], { clock: fastClock(SPEED) });
    await laptop.publish('settings', 'before', { waitFor: 'replicated' });
    await first.close();
    const heard: string[] = [];
    const impostor = make(heard, elsewhere.url);
    await listen(impostor, first.port);
    const attempts = new Promise<void>((resolve) => {
      let count = 0;
      impostor.on('connection', () => ++count === 2 && resolve());
    });
    expect((await laptop.publish('settings', 'a secret while it is away')).stage).toBe('saved');
    // A server that is no relay is left and tried again, or is heard and believed nothing.
    if (!_.startsWith('a WebSocket server that echoes')) await attempts;
    expect((await laptop.getStatus()).outboxDepth).toBe(1);
    expect(elsewhere.relay.frames).toEqual([]);
    expect(heard.join('')).not.toContain('a secret');
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
    const again = await startRelay({ port: first.port, relay: first.relay });
    cleanups.push(() => again.close());
    await laptop.flush({ signal: AbortSignal.timeout(20_000) });
    expect(await device([again.url]).fetch('settings')).toMatchObject({
      payload: 'a secret while it is away',
    });
  },
);
