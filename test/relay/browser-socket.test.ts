/** The socket of browsers, where the platform refuses to make one. */

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
