/** The Socket port on the program's sockets. */

import type { OpenSocket, SocketHandlers } from '../relay/socket.ts';
import { native, wellFormed } from './native.ts';

export interface Sockets {
  readonly open: OpenSocket;
  opened(id: number): void;
  message(id: number, text: string): void;
  pong(id: number): void;
  closed(id: number, reason: string): void;
}

export function createSockets(): Sockets {
  const handlersById = new Map<number, SocketHandlers>();
  let last = 0;

  return {
    open: (url, handlers) => {
      last += 1;
      const id = last;
      handlersById.set(id, handlers);
      native.openSocket(id, url);
      return {
        send: (text) => native.send(id, wellFormed(text)),
        ping: () => native.ping(id),
        bufferedAmount: () => native.bufferedAmount(id),
        close: () => native.closeSocket(id),
      };
    },
    opened: (id) => handlersById.get(id)?.onOpen(),
    message: (id, text) => handlersById.get(id)?.onMessage(text),
    pong: (id) => handlersById.get(id)?.onPong(),
    closed: (id, reason) => {
      const handlers = handlersById.get(id);
      handlersById.delete(id);
      handlers?.onClose(reason);
    },
  };
}
