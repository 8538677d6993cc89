/** Fake ends for the parts of a connection, each of which is tested by itself. */

import type { SignedEvent } from '../../src/protocol/event.ts';
import type { AuthExchange, AuthState } from '../../src/relay/auth.ts';
import type { OpenSocket, Socket, SocketHandlers } from '../../src/relay/socket.ts';

export interface FakeAuth extends AuthExchange {
  /** What `state` and `isOpen` say. */
  now: AuthState;
  isChallenged: boolean;
  /** How often something needed AUTH. */
  required: number;
}

/** An AUTH exchange that says what a test sets. It wants AUTH for `auth-required:` alone. */
export function fakeAuth(): FakeAuth {
  const auth: FakeAuth = {
    now: 'none',
    isChallenged: false,
    required: 0,
    state: () => auth.now,
    isOpen: () => auth.isChallenged && auth.now !== 'accepted',
    isWanted: (reason) => reason.startsWith('auth-required:'),
    require: () => void auth.required++,
    challenged: () => undefined,
    retry: () => undefined,
    answered: () => false,
    reset: () => undefined,
  };
  return auth;
}

export interface FakeSocket {
  readonly url: string;
  /** Plays the other end. */
  readonly peer: SocketHandlers;
  readonly sent: string[];
  pings: number;
  closes: number;
  /** What `bufferedAmount` says. */
  buffered: number;
}

/** Sockets whose other end the test plays, the latest one last. */
export function fakeSockets({ canPing }: { readonly canPing: boolean }): {
  readonly openSocket: OpenSocket;
  readonly sockets: FakeSocket[];
} {
  const sockets: FakeSocket[] = [];
  return {
    sockets,
    openSocket: (url, peer): Socket => {
      const socket: FakeSocket = { url, peer, sent: [], pings: 0, closes: 0, buffered: 0 };
      sockets.push(socket);
      return {
        send: (text) => void socket.sent.push(text),
        bufferedAmount: () => socket.buffered,
        close: () => void socket.closes++,
        ...(canPing && { ping: () => void socket.pings++ }),
      };
    },
  };
}

/** An event of about so many bytes. Nothing here looks at its signature. */
export function eventOf(id: string, bytes = 0): SignedEvent {
  return {
    ...{ id, pubkey: '', created_at: 0, kind: 1, tags: [], sig: '' },
    content: 'x'.repeat(bytes),
  };
}
