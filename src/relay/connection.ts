/**
 * One relay: what is asked of it (`requests.ts`, `reconciling.ts`), what is sent to it (`publishing.ts`) and AUTH (`auth.ts`), over a
 * socket that is kept open (`link.ts`).
 *
 * Nothing that a relay sends can throw out of here, and nothing it sends changes anything but its own record,
 * unless a handler that verified it says so.
 */

import type { Clock } from '../clock.ts';
import type { RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import type { SignedEvent } from '../protocol/event.ts';
import { LONG_BACKOFF } from '../protocol/limits.ts';
import type { Filter } from '../protocol/message.ts';
import { createAuthExchange, type AuthState, type SignAuth } from './auth.ts';
import type { RandomBytes } from './backoff.ts';
import { createLimitsLearner, type EventLimits, type KnownLimits } from './event-limits.ts';
import { createHealth, type HealthReport } from './health.ts';
import { createIncoming } from './incoming.ts';
import { createLink, type LinkState } from './link.ts';
import type { Beat } from './liveness.ts';
import { createPublishing } from './publishing.ts';
import { createReconciler, type KnownReconciling, type Reconciler } from './reconciling.ts';
import { createRequests, type Ask, type RequestEnd, type RequestHandlers } from './requests.ts';
import type { OpenSocket } from './socket.ts';

/** The `RelayInfo` of the original plugin (0.1.0-alpha.3), with the relay's health added. */
export interface RelayInfo extends EventLimits, HealthReport {
  /** Canonical URL. */
  readonly url: string;
  readonly connected: boolean;
  readonly state: LinkState;
  /** Whether the relay asked for AUTH (NIP-42), and whether it accepted ours on this connection. */
  readonly auth: AuthState;
}

/** As the engine knows it. */
export interface RelayState extends RelayInfo {
  readonly url: RelayUrl;
}

export interface RelayConnection {
  readonly url: RelayUrl;
  info(): RelayState;
  /** One REQ until EOSE. Waits for a connection that is being made, not for a later one. Always calls `onEnd`, once. */
  request(
    filters: readonly Filter[],
    size: number,
    handlers: RequestHandlers,
    onEnd: (end: RequestEnd) => void,
  ): () => void;
  /** A REQ that stays, over all reconnects. `filters`: see `Ask`. `onComplete` at every EOSE. Returns the function that ends it. */
  subscribe(
    filters: Ask['filters'],
    size: number,
    handlers: RequestHandlers,
    onComplete: () => void,
  ): () => void;
  /** It is connected, and was heard of late. */
  isProven(): boolean;
  /** NIP-77; absent if the caller has no use for it. */
  readonly reconciler: Reconciler | undefined;
  /** Sends an event on the open connection. Always settles; no answer is `retry`. */
  publish(event: SignedEvent): Promise<Answer>;
  /** Connects at once if waiting; if open, the relay must prove within 5 s that it is there. */
  wake(): void;
  /** The network is gone: drops the socket. */
  lose(): void;
  /** A signer was set: asks again for what waited for AUTH. */
  retryAuth(): void;
  /** It does not do what it is there for: drops the socket, and connects again after a while. */
  hangUp(reason: string): void;
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
  readonly beat: Beat;
  readonly signAuth: SignAuth;
  /** What the relay is known to take; learned here. */
  readonly limits: KnownLimits;
  /** What is known of relays and NIP-77; learned here. Without it nothing is reconciled. */
  readonly reconciling?: (url: RelayUrl) => KnownReconciling;
  /** `connected`, `auth` or the kind of trouble changed. */
  readonly onChange: (relay: RelayConnection) => void;
  /** It refuses AUTH for the time that this clock tells. */
  readonly onWrongTime: (relay: RelayConnection, reason: string) => void;
}

/** Asks for an id that no event has: any answer is a sign of life, even a CLOSED. */
const ANY_ANSWER: Ask = {
  filters: [{ ids: ['0'.repeat(64)], limit: 1 }],
  size: 0,
  handlers: { onEvent: () => 'useless' },
  onEnd: () => undefined,
};

/** `url` is canonical, `spelling` the user's. */
export function createConnection(
  url: RelayUrl,
  ports: ConnectionPorts,
  spelling: string = url,
): RelayConnection {
  const { clock, randomBytes } = ports;
  const onChange = (): void => ports.onChange(connection);
  const isOpen = (): boolean => link.state() === 'open';
  const health = createHealth(clock);
  const link = createLink(url, {
    ...ports,
    health,
    onOpen: () => requests.opened(),
    onText: (text) => receive(text),
    onDoubt: () => requests.add(ANY_ANSWER),
    onHungUp: () => publishing.hungUp(),
    onDropped: (reason) => {
      auth.reset();
      publishing.dropped(reason);
      requests.dropped();
      reconciler?.dropped();
    },
    onChange,
  });
  const auth = createAuthExchange({
    clock,
    url: spelling,
    signAuth: ports.signAuth,
    send: (event) => link.send(JSON.stringify(['AUTH', event])),
    onRequired: onChange,
    onAccepted: () => {
      requests.authAccepted();
      publishing.authAccepted();
      onChange();
    },
    onRefused: () => {
      publishing.authRefused();
      requests.authRefused();
    },
    onWrongTime: (reason) => ports.onWrongTime(connection, reason),
  });
  const requests = createRequests({
    ...{ clock, randomBytes, health, auth, isOpen, onBurden },
    isConnecting: () => link.state() === 'connecting',
    write: (message) => link.send(JSON.stringify(message)),
  });
  const known = ports.reconciling?.(url);
  const reconciler =
    known &&
    createReconciler({
      ...{ clock, health, auth, known, isOpen },
      write: (message) => link.send(JSON.stringify(message)),
    });
  const limits = createLimitsLearner(url, ports.limits);
  const publishing = createPublishing({ clock, limits, health, auth, isOpen, write: link.send });
  const receive = createIncoming({
    ...{ health, auth, requests, publishing, reconciler, onBurden },
    fail: link.fail,
  });

  /** Work that was not asked for. Too much of it in a minute, and the relay is left alone for long. */
  function onBurden(work: number): void {
    if (!health.burden(work) || !isOpen()) return;
    health.violation('flood');
    link.fail('too many violations', LONG_BACKOFF);
  }

  const connection: RelayConnection = {
    url,
    info: () => ({
      ...{ url, connected: isOpen(), state: link.state(), auth: auth.state() },
      ...health.report(),
      ...ports.limits.get(url),
    }),
    request: (filters, size, handlers, onEnd) => requests.add({ filters, size, handlers, onEnd }),
    subscribe: (filters, size, handlers, onComplete) => requests.add({ filters, size, handlers, onComplete }),
    isProven: link.isProven,
    reconciler,
    publish: publishing.publish,
    wake: link.wake,
    lose: link.lose,
    retryAuth: auth.retry,
    hangUp: (reason) => {
      if (isOpen()) link.fail(reason, LONG_BACKOFF);
    },
    pause: link.pause,
    close: () => {
      if (link.state() === 'closed') return;
      link.close();
      requests.close();
      onChange();
    },
  };
  return connection;
}
