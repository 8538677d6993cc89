/** The socket of browsers, where the platform or the page refuses one. */

import { afterEach, expect, test, vi } from 'vitest';
import { openBrowserSocket } from '../../src/relay/browser-socket.ts';

afterEach(() => void vi.unstubAllGlobals());

test('a WebSocket that the platform refuses to make is one that closed, and nothing throws', async () => {
  vi.stubGlobal('WebSocket', function refuse() {
    throw new DOMException('insecure from a secure page', 'SecurityError');
  });
  let isOpening = true;
  const reason = await new Promise<string>((onClose) => {
    const socket = openBrowserSocket('ws://relay.test', {
      onOpen: () => expect.fail('open'),
      onMessage: () => expect.fail('message'),
      onPong: () => expect.fail('pong'),
      onClose: (text) => {
        expect(isOpening, 'before the call returned').toBe(false);
        onClose(text);
      },
    });
    isOpening = false;
    socket.send('x');
    socket.close();
  });
  expect(reason).toContain('SecurityError');
});

test('a connection that the policy of the page forbids is told as such, once, and not for what else it forbids', () => {
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const sockets: { onclose?: ((event: object) => void) | null }[] = [];
  vi.stubGlobal('WebSocket', function make(this: (typeof sockets)[number]) {
    sockets.push(this);
  });
  const closed: string[] = [];
  const open = (url: string): unknown =>
    openBrowserSocket(url, {
      onOpen: () => expect.fail('open'),
      onMessage: () => expect.fail('message'),
      onPong: () => expect.fail('pong'),
      onClose: (reason) => closed.push(`${url}: ${reason}`),
    });
  const forbid = (blockedURI: string, effectiveDirective = 'connect-src', disposition = 'enforce'): void => {
    page.dispatchEvent(
      Object.assign(new Event('securitypolicyviolation'), { blockedURI, effectiveDirective, disposition }),
    );
  };
  open('wss://relay.test/path');
  open('wss://relay.test.example');
  forbid('wss://relay.test', 'img-src');
  forbid('wss://relay.test', 'connect-src', 'report');
  forbid('wss://other.test');
  expect(closed).toEqual([]);
  // Some browsers name the origin alone.
  forbid('wss://relay.test');
  forbid('wss://relay.test');
  for (const { onclose } of sockets) onclose?.({ code: 1006, reason: '' });
  expect(closed).toEqual([
    "wss://relay.test/path: the page's Content-Security-Policy forbids it (connect-src)",
    'wss://relay.test.example: closed with code 1006',
  ]);
});
