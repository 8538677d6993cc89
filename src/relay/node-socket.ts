/** Sockets on Node, by `ws`: Node 20's own WebSocket does not tell that a connection attempt failed. */

import { WebSocket, type ClientOptions } from 'ws';
import { systemClock } from '../clock.ts';
import { CONNECT_TIMEOUT_MS, MAX_FRAME_BYTES } from '../protocol/limits.ts';
import type { OpenSocket, Socket, SocketHandlers } from './socket.ts';

export const openNodeSocket: OpenSocket = (url, handlers) => open(url, handlers, {});

/** Sockets that alone do not keep a process alive. */
export const openIdleNodeSocket: OpenSocket = (url, handlers) =>
  open(url, handlers, {
    finishRequest: (request) => {
      request.once('socket', (socket) => socket.unref());
      request.end();
    },
  });

function open(url: string, handlers: SocketHandlers, options: ClientOptions): Socket {
  const socket = new WebSocket(url, {
    ...options,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
  });
  let reason = '';
  socket.on('open', handlers.onOpen);
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) socket.close(1003);
    else handlers.onMessage(data.toString());
  });
  socket.on('pong', handlers.onPong);
  // `close` always follows; without a listener an error would be thrown.
  socket.on('error', (error: Error) => {
    reason = error.message;
  });
  socket.on('close', (code, closeReason) =>
    handlers.onClose(reason || closeReason.toString() || `closed with code ${code}`),
  );
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
    bufferedAmount: () => socket.bufferedAmount,
    // The engine closes a socket that it is done with, or that does not answer: there is nothing to wait for.
    close: () => {
      socket.removeAllListeners('message');
      if (socket.readyState === WebSocket.OPEN) socket.close();
      socket.once(
        'close',
        systemClock.after(1_000, () => socket.terminate()),
      );
      if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
    },
  };
}
