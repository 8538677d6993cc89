/** The socket of a relay that is nothing but what a fuzzer says: it hears the client, and says whatever it is told to. */

import type { Filter } from '../../src/protocol/message.ts';
import type { SignedEvent } from '../../src/protocol/event.ts';
import type { OpenSocket, SocketHandlers } from '../../src/relay/socket.ts';

export interface HostileRelay {
  readonly openSocket: OpenSocket;
  readonly isOpen: boolean;
  /** Open subscriptions by id, those that a CLOSE ended left out. */
  readonly subscriptions: ReadonlyMap<string, readonly Filter[]>;
  /** Open reconciliations by id, with the latest message of each. */
  readonly reconciliations: ReadonlyMap<string, string>;
  /** Everything that the client has said. */
  readonly heard: readonly unknown[];
  /** The latest events that it sent. */
  readonly events: readonly SignedEvent[];
  say(text: string): void;
  pong(): void;
  hangUp(): void;
}

export function createHostileRelay(): HostileRelay {
  let handlers: SocketHandlers | undefined;
  const subscriptions = new Map<string, readonly Filter[]>();
  const reconciliations = new Map<string, string>();
  const heard: unknown[] = [];
  const events: SignedEvent[] = [];

  function hear(text: string): void {
    const frame = JSON.parse(text) as [string, ...unknown[]];
    heard.push(frame);
    if (frame[0] === 'REQ') subscriptions.set(frame[1] as string, frame.slice(2) as Filter[]);
    if (frame[0] === 'CLOSE') subscriptions.delete(frame[1] as string);
    if (frame[0] === 'NEG-OPEN' || frame[0] === 'NEG-MSG')
      reconciliations.set(frame[1] as string, frame.at(-1) as string);
    if (frame[0] === 'NEG-CLOSE') reconciliations.delete(frame[1] as string);
    if (frame[0] === 'EVENT' || frame[0] === 'AUTH') events.push(frame[1] as SignedEvent);
    if (events.length > 16) events.shift();
  }

  return {
    openSocket: (_url, given) => {
      let state: 'connecting' | 'open' | 'closed' = 'connecting';
      const finish = (reason: string): void => {
        if (state === 'closed') return;
        state = 'closed';
        if (handlers === given) handlers = undefined;
        given.onClose(reason);
      };
      queueMicrotask(() => {
        if (state !== 'connecting') return;
        state = 'open';
        handlers = given;
        subscriptions.clear();
        reconciliations.clear();
        given.onOpen();
      });
      return {
        bufferedAmount: () => 0,
        send: (text) => state === 'open' && hear(text),
        ping: () => undefined,
        close: () => queueMicrotask(() => finish('closed by this side')),
      };
    },
    get isOpen() {
      return handlers !== undefined;
    },
    subscriptions,
    reconciliations,
    heard,
    events,
    say: (text) => handlers?.onMessage(text),
    pong: () => handlers?.onPong(),
    hangUp: () => {
      const given = handlers;
      handlers = undefined;
      given?.onClose('hung up');
    },
  };
}
