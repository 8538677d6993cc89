/** Relays on loopback, and raw sockets to them. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { WebSocket } from 'ws';

/** `latencyMs`: one way. */
export async function startRelays({ count = 1, latencyMs = 0, events = [] } = {}) {
  const worker = new Worker(new URL('relay-worker.mjs', import.meta.url), {
    workerData: { count, latencyMs },
  });
  const [{ urls, echoUrl }] = await once(worker, 'message');
  worker.postMessage(events);
  await once(worker, 'message');
  return { urls, echoUrl, close: () => worker.terminate() };
}

export async function openRaw(url) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  let nextId = 0;
  return {
    /** One REQ; resolves at EOSE with the frames before it, as text. */
    request: (filter) =>
      new Promise((resolve) => {
        const id = `raw${nextId++}`;
        const frames = [];
        const onMessage = (data) => {
          const text = data.toString();
          if (!text.startsWith('["EOSE"')) return frames.push(text);
          socket.off('message', onMessage);
          socket.send(JSON.stringify(['CLOSE', id]));
          resolve(frames);
        };
        socket.on('message', onMessage);
        socket.send(JSON.stringify(['REQ', id, filter]));
      }),
    echo: (text) =>
      new Promise((resolve) => {
        socket.once('message', (data) => resolve(data.toString()));
        socket.send(text);
      }),
    close: () => socket.terminate(),
  };
}
