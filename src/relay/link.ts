/**
 * The socket to one relay, kept open: connects, waits before the next attempt, and looks whether the relay is still there.
 *
 *     waiting ──timer, wake──▶ connecting ──open──▶ open
 *        ▲                        │ closed            │ closed, silent, timed out
 *        └───────── backoff ──────┴───────────────────┘          any ──close──▶ closed
 */

import type { Clock } from '../clock.ts';
import {
  CONNECT_TIMEOUT_MS,
  MAX_QUEUED_BYTES,
  OFFLINE_RETRY_MS,
  STABLE_CONNECTION_MS,
} from '../protocol/limits.ts';
import { forPeople } from '../protocol/message.ts';
import { backoffMs, type RandomBytes } from './backoff.ts';
import type { Health } from './health.ts';
import { createLiveness, type Beat } from './liveness.ts';
import type { OpenSocket, Socket } from './socket.ts';

/** `'waiting'`: not connected, the next attempt is scheduled. */
export type LinkState = 'waiting' | 'connecting' | 'open' | 'closed';

export interface Link {
  state(): LinkState;
  /** It is open, and the relay was heard of late. */
  isProven(): boolean;
  /** Returns whether it could be sent. */
  send(text: string): boolean;
  /** Connects at once if waiting; if open, the relay must prove within 5 s that it is there. */
  wake(): void;
  /** Drops the socket and connects again later: not sooner than after so many failures in a row. */
  fail(reason: string, failures?: number): void;
  /** The network is gone: drops the socket. */
  lose(): void;
  /** Drops the socket, until `wake`. */
  pause(): void;
  /** Drops the socket for good. */
  close(): void;
}

interface LinkPorts {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly openSocket: OpenSocket;
  readonly isOnline: () => boolean;
  readonly beat: Beat;
  readonly health: Health;
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  /** The relay must send something if it is there, and the socket has no ping. */
  readonly onDoubt: () => void;
  /** The relay or the network ended the socket. `onDropped` follows. */
  readonly onHungUp: () => void;
  /** The socket is gone, by us or by the relay. */
  readonly onDropped: (reason: string) => void;
  /** `state` has changed, other than by `close`. */
  readonly onChange: () => void;
}

export function createLink(url: string, ports: LinkPorts): Link {
  const { clock, randomBytes, onChange } = ports;
  let state: LinkState = 'waiting';
  let socket: Socket | undefined;
  /** Grows with each socket: a handler of an older one finds another value than its own, and does nothing. */
  let generation = 0;
  let failures = 0;
  let cancelTimer = (): void => undefined;
  let cancelStable = (): void => undefined;
  const liveness = createLiveness(clock, ports.beat, ask, () => fail('no sign of life'));

  function connect(): void {
    cancelTimer();
    state = 'connecting';
    const mine = ++generation;
    const current = (): boolean => mine === generation;
    cancelTimer = clock.after(CONNECT_TIMEOUT_MS, () => fail('connect timed out'));
    socket = ports.openSocket(url, {
      onOpen: () => current() && opened(),
      onMessage: (text) => current() && received(text),
      onPong: () => current() && liveness.heard(),
      onClose: (reason) => {
        if (!current()) return;
        ports.onHungUp();
        fail(reason);
      },
    });
    onChange();
  }

  function opened(): void {
    cancelTimer();
    state = 'open';
    cancelStable = clock.after(STABLE_CONNECTION_MS, () => {
      failures = 0;
    });
    liveness.start();
    ports.onOpen();
    onChange();
  }

  function ask(): void {
    if (socket?.ping === undefined) ports.onDoubt();
    else socket.ping();
  }

  function received(text: string): void {
    liveness.heard();
    ports.onText(text);
  }

  function drop(reason: string): void {
    generation++;
    socket?.close();
    socket = undefined;
    cancelTimer();
    cancelStable();
    liveness.stop();
    ports.onDropped(reason);
  }

  function fail(reason: string, atLeast = 0): void {
    ports.health.complained(forPeople(reason));
    failures = Math.max(failures, atLeast);
    state = 'waiting';
    drop(reason);
    const delayMs = backoffMs(failures++, randomBytes);
    cancelTimer = clock.after(ports.isOnline() ? delayMs : OFFLINE_RETRY_MS, connect);
    onChange();
  }

  return {
    state: () => state,
    isProven: () => state === 'open' && liveness.isProven(),
    send: (text) => {
      if (state !== 'open' || socket === undefined || socket.bufferedAmount() > MAX_QUEUED_BYTES)
        return false;
      socket.send(text);
      return true;
    },
    wake: () => {
      if (state === 'waiting') connect();
      else if (state === 'open') liveness.suspect();
    },
    fail,
    lose: () => {
      if (socket !== undefined) fail('offline');
    },
    pause: () => {
      if (state === 'closed') return;
      drop('paused');
      failures = 0;
      state = 'waiting';
      onChange();
    },
    close: () => {
      drop('closed');
      cancelTimer();
      state = 'closed';
    },
  };
}
