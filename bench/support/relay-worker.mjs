/** Embedded relays and an echo server in a thread of their own, so that they take no time from what is measured. */

import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { WebSocketServer } from 'ws';
import { startRelay } from '../../dist/testing/index.js';

const relays = await Promise.all(
  Array.from({ length: workerData.count }, () =>
    startRelay({ latencyMs: workerData.latencyMs, frameLogSize: 0 }),
  ),
);
const echo = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString())));

await once(echo, 'listening');

parentPort.on('message', (events) => {
  for (const event of events) for (const { relay } of relays) relay.inject(event);
  parentPort.postMessage('injected');
});
parentPort.postMessage({
  urls: relays.map(({ url }) => url),
  echoUrl: `ws://127.0.0.1:${echo.address().port}`,
});
