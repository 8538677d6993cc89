/** Sockets in a browser. */

import type { OpenSocket } from './socket.ts';

export const openBrowserSocket: OpenSocket = (url, handlers) => {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url);
  } catch (error) {
    // An insecure relay from a secure page.
    queueMicrotask(() => handlers.onClose(String(error)));
    return { bufferedAmount: () => 0, send: () => undefined, close: () => undefined };
  }
  socket.onopen = () => handlers.onOpen();
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') handlers.onMessage(data);
    else socket.close();
  };
  socket.onclose = ({ code, reason }) => handlers.onClose(reason || `closed with code ${code}`);
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    bufferedAmount: () => socket.bufferedAmount,
    close: () => socket.close(),
  };
};
