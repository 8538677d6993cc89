/** Sockets in a browser. */

import type { OpenSocket } from './socket.ts';

const isWithin = (url: string, base: string): boolean => `${url}/`.startsWith(`${base}/`);

export const openBrowserSocket: OpenSocket = (url, handlers) => {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url);
  } catch (error) {
    // An insecure relay from a secure page.
    queueMicrotask(() => handlers.onClose(String(error)));
    return { bufferedAmount: () => 0, send: () => undefined, close: () => undefined };
  }
  const end = (reason: string): void => {
    globalThis.removeEventListener?.('securitypolicyviolation', onViolation);
    socket.onopen = socket.onmessage = socket.onclose = null;
    handlers.onClose(reason);
  };
  /** The page's policy may forbid the connection. The socket does not say so; in Chromium it does not even say that it is closed. */
  const onViolation = (event: SecurityPolicyViolationEvent): void => {
    const { effectiveDirective, disposition, blockedURI } = event;
    // How much of the URL is named depends on the browser.
    const isOurs = isWithin(url, blockedURI) || isWithin(blockedURI, url);
    if (isOurs && effectiveDirective === 'connect-src' && disposition === 'enforce')
      end("the page's Content-Security-Policy forbids it (connect-src)");
  };
  globalThis.addEventListener?.('securitypolicyviolation', onViolation);
  socket.onopen = () => handlers.onOpen();
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') handlers.onMessage(data);
    else socket.close();
  };
  socket.onclose = ({ code, reason }) => end(reason || `closed with code ${code}`);
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    bufferedAmount: () => socket.bufferedAmount,
    close: () => socket.close(),
  };
};
