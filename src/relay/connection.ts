/**
 * One relay: a socket that is kept open, and what goes over it. What is asked is in `requests.ts`, what is sent in
 * `publishing.ts`, AUTH in `auth.ts`.
 *
 *     waiting ──timer, wake──▶ connecting ──open──▶ open
 *        ▲                        │ closed            │ closed, silent, timed out
 *        └───────── backoff ──────┴───────────────────┘          any ──close──▶ closed
 *
 * Nothing that a relay sends can throw out of here, and nothing it sends changes anything but its own record,
 * unless a handler that verified it says so.
 */

import type { Clock } from '../clock.ts';
import type { Answer } from '../protocol/answer.ts';
import type { NostrEvent } from '../protocol/event.ts';
import {
  CONNECT_TIMEOUT_MS,
  LONG_BACKOFF,
  MAX_FRAME_BYTES,
  MAX_QUEUED_BYTES,
  OFFLINE_RETRY_MS,
  STABLE_CONNECTION_MS,
  STRAIN,
} from '../protocol/limits.ts';
import {
  forPeople,
  parseRelayMessage,
  type ClientMessage,
  type Filter,
  type RelayMessage,
} from '../protocol/message.ts';
import { createAuthExchange, type AuthState, type SignAuth } from './auth.ts';
import { backoffMs, type RandomBytes } from './backoff.ts';
import { createLimitsLearner, type EventLimits, type KnownLimits } from './event-limits.ts';
import { createHealth, type HealthReport } from './health.ts';
import { createLiveness } from './liveness.ts';
import { createPublishing } from './publishing.ts';
import { createRequests, type RequestEnd, type RequestHandlers } from './requests.ts';
import type { OpenSocket, Socket } from './socket.ts';

/** The `RelayInfo` of the original plugin (0.1.0-alpha.3), with the relay's health added. */
export interface RelayInfo extends EventLimits, HealthReport {
  /** Canonical URL. */
  readonly url: string;
  readonly connected: boolean;
  /** `'waiting'`: not connected, the next attempt is scheduled. */
  readonly state: 'waiting' | 'connecting' | 'open' | 'closed';
  /** Whether the relay asked for AUTH (NIP-42), and whether it accepted ours on this connection. */
  readonly auth: AuthState;
}

export interface RelayConnection {
  readonly url: string;
  info(): RelayInfo;
  /** One REQ until EOSE. Waits for a connection that is being made, not for a later one. Always calls `onEnd`, once. */
  request(
    filters: readonly Filter[],
    size: number,
    handlers: RequestHandlers,
    onEnd: (end: RequestEnd) => void,
  ): () => void;
  /** A REQ that stays, over all reconnects. `onComplete` at every EOSE. Returns the function that ends it. */
  subscribe(
    filters: readonly Filter[],
    size: number,
    handlers: RequestHandlers,
    onComplete: () => void,
  ): () => void;
  /** Sends an event on the open connection. Always settles; no answer is `retry`. */
  publish(event: NostrEvent): Promise<Answer>;
  /** Connects at once if waiting; if open, the relay must prove within 5 s that it is there. */
  wake(): void;
  /** The network is gone: drops the socket. */
  lose(): void;
  /** A signer was set: asks again for what waited for AUTH. */
  retryAuth(): void;
  /** Drops the socket, until `wake`: what connects then is a stranger to the relay. */
  pause(): void;
  /** Idempotent. Every request ends, not `'complete'`. */
  close(): void;
}

export interface ConnectionPorts {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly openSocket: OpenSocket;
  readonly isOnline: () => boolean;
  readonly signAuth: SignAuth;
  /** What the relay is known to take; learned here. */
  readonly limits: KnownLimits;
  /** `connected`, `auth` or the kind of trouble changed. */
  readonly onChange: (relay: RelayConnection) => void;
  /** It refuses AUTH for the time that this clock tells. */
  readonly onWrongTime: (relay: RelayConnection, reason: string) => void;
}

/** `url` is canonical, `spelling` the user's. */
export function createConnection(
  url: string,
  ports: ConnectionPorts,
  spelling: string = url,
): RelayConnection {
  const { clock, randomBytes } = ports;
  let state: RelayInfo['state'] = 'waiting';
  let socket: Socket | undefined;
  /** Grows with each socket: a handler of an older one finds another value than its own, and does nothing. */
  let generation = 0;
  let failures = 0;
  let cancelTimer = (): void => undefined;
  let cancelStable = (): void => undefined;

  const isOpen = (): boolean => state === 'open';
  const health = createHealth(clock);
  const liveness = createLiveness(clock, ask, () => fail('no sign of life'));
  const auth = createAuthExchange({
    clock,
    url: spelling,
    signAuth: ports.signAuth,
    send: (event) => write(['AUTH', event]),
    onRequired: () => ports.onChange(connection),
    onAccepted: () => {
      requests.authAccepted();
      publishing.authAccepted();
      ports.onChange(connection);
    },
    onRefused: () => {
      publishing.authRefused();
      requests.authRefused();
    },
    onWrongTime: (reason) => ports.onWrongTime(connection, reason),
  });
  const requests = createRequests({
    ...{ clock, randomBytes, health, auth, isOpen, write },
    isConnecting: () => state === 'connecting',
    onBurden: burden,
  });
  const limits = createLimitsLearner(url, ports.limits);
  const publishing = createPublishing({ clock, limits, health, auth, isOpen, write: writeText });

  const connection: RelayConnection = {
    url,
    info: () => ({
      ...{ url, connected: isOpen(), state, auth: auth.state() },
      ...health.report(),
      ...ports.limits.get(url),
    }),
    request: (filters, size, handlers, onEnd) => requests.add({ filters, size, handlers, onEnd }),
    subscribe: (filters, size, handlers, onComplete) => requests.add({ filters, size, handlers, onComplete }),
    publish: publishing.publish,
    wake: () => {
      if (state === 'waiting') connect();
      else if (isOpen()) liveness.suspect();
    },
    lose: () => {
      if (socket !== undefined) fail('offline');
    },
    retryAuth: auth.retry,
    pause: () => {
      if (state === 'closed') return;
      disconnect('paused');
      failures = 0;
      state = 'waiting';
      ports.onChange(connection);
    },
    close: () => {
      if (state === 'closed') return;
      disconnect('closed');
      cancelTimer();
      state = 'closed';
      requests.close();
      ports.onChange(connection);
    },
  };

  // Connecting

  function connect(): void {
    cancelTimer();
    state = 'connecting';
    const mine = ++generation;
    const current = (): boolean => mine === generation;
    cancelTimer = clock.after(CONNECT_TIMEOUT_MS, () => fail('connect timed out'));
    socket = ports.openSocket(url, {
      onOpen: () => current() && opened(),
      onMessage: (text) => current() && receive(text),
      onPong: () => current() && liveness.heard(),
      onClose: (reason) => {
        if (!current()) return;
        publishing.hungUp();
        fail(reason);
      },
    });
    ports.onChange(connection);
  }

  function opened(): void {
    cancelTimer();
    state = 'open';
    cancelStable = clock.after(STABLE_CONNECTION_MS, () => {
      failures = 0;
    });
    liveness.start();
    requests.opened();
    ports.onChange(connection);
  }

  /** Everything that belonged to the socket goes with it. */
  function disconnect(reason: string): void {
    generation++;
    socket?.close();
    socket = undefined;
    cancelTimer();
    cancelStable();
    liveness.stop();
    auth.reset();
    publishing.dropped(reason);
    requests.dropped();
  }

  function fail(reason: string): void {
    health.complained(forPeople(reason));
    state = 'waiting';
    disconnect(reason);
    const delayMs = backoffMs(failures++, randomBytes);
    cancelTimer = clock.after(ports.isOnline() ? delayMs : OFFLINE_RETRY_MS, connect);
    ports.onChange(connection);
  }

  function ask(): void {
    if (socket?.ping !== undefined) socket.ping();
    // Asks for an id that no event has: any answer will do, even a CLOSED.
    else
      connection.request(
        [{ ids: ['0'.repeat(64)], limit: 1 }],
        0,
        { onEvent: () => 'useless' },
        () => undefined,
      );
  }

  // Sending

  function write(message: ClientMessage): boolean {
    return writeText(JSON.stringify(message));
  }

  function writeText(text: string): boolean {
    if (!isOpen() || socket === undefined || socket.bufferedAmount() > MAX_QUEUED_BYTES) return false;
    socket.send(text);
    return true;
  }

  // Receiving

  /** Work that was not asked for. Too much of it in a minute, and the relay is left alone for long. */
  function burden(work: number): void {
    if (!health.burden(work) || !isOpen()) return;
    health.violation('flood');
    failures = Math.max(failures, LONG_BACKOFF);
    fail('too many violations');
  }

  function receive(text: string): void {
    liveness.heard();
    if (text.length > MAX_FRAME_BYTES) {
      health.violation('frame');
      return fail('frame too large');
    }
    const message = parseRelayMessage(text);
    if (message === undefined) health.violation('frame');
    if (message === undefined || !take(message)) burden(1 + text.length / STRAIN.chars);
  }

  /** Whether the event was asked for. */
  function take(message: RelayMessage): boolean {
    switch (message.type) {
      case 'EVENT':
        return requests.event(message.subscription, message.event);
      case 'EOSE':
        return requests.complete(message.subscription);
      case 'CLOSED':
        return requests.closed(message.subscription, message.reason);
      case 'OK':
        return answered(message.id, message.accepted, message.reason);
      case 'AUTH':
        auth.challenged(message.challenge);
        return false;
      case 'NOTICE':
        if (auth.isWanted(message.reason) && auth.state() !== 'accepted') noticed(message.reason);
        return false;
    }
  }

  function answered(id: string, accepted: boolean, reason: string): boolean {
    if (!auth.answered(id, accepted, reason)) return publishing.answered(id, accepted, reason);
    if (!accepted) health.complained(reason);
    return true;
  }

  /** AUTH is wanted, for what is not said: all that is under way goes out again. */
  function noticed(reason: string): void {
    health.complained(reason);
    requests.awaitAuth();
    publishing.awaitAuth();
    auth.require();
  }

  return connection;
}
