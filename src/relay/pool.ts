/** All relays of the user: which there are, and one question put to all of them. */

import type { Clock } from '../clock.ts';
import { SETTLE_MS } from '../protocol/limits.ts';
import {
  createConnection,
  type ConnectionPorts,
  type RelayConnection,
  type RequestEnd,
} from './connection.ts';

export interface RelayPool {
  readonly connections: ReadonlyMap<string, RelayConnection>;
  /** Adds a relay by canonical URL; connects it once the pool is started. Idempotent. */
  add(url: string): void;
  remove(url: string): void;
  /**
   * Puts one question to every relay that is connected or connecting. Resolves `true` as soon as all of them have ended, or
   * a settle time after the first complete answer; later answers still take effect. `false`: no relay answered
   * completely. A relay that was too slow once is not waited for again until it is quicker.
   */
  gather(ask: (relay: RelayConnection) => Promise<RequestEnd>): Promise<boolean>;
  /** Connects all. */
  start(): void;
  /** Drops every connection until `start`: who connects then is not linked to who was connected. */
  stop(): void;
  /** Connections may have died without a word: they must prove themselves. */
  wake(): void;
  retryAuth(): void;
  close(): void;
}

export function createPool(
  ports: Omit<ConnectionPorts, 'onChange'> & {
    readonly clock: Clock;
    readonly settleMs?: number;
    readonly onChange: (relay: RelayConnection) => void;
  },
): RelayPool {
  const connections = new Map<string, RelayConnection>();
  const slow = new Set<string>();
  let isStarted = false;
  const settleMs = ports.settleMs ?? SETTLE_MS;

  function gather(ask: (relay: RelayConnection) => Promise<RequestEnd>): Promise<boolean> {
    const asked = [...connections.values()].filter((relay) =>
      ['open', 'connecting'].includes(relay.info().state),
    );
    return new Promise((resolve) => {
      const open = new Set(asked.map((relay) => relay.url));
      const startedAt = ports.clock.now();
      let answered = false;
      let done = false;
      let cancelSettle = (): void => undefined;
      const finish = (): void => {
        done = true;
        cancelSettle();
        resolve(answered);
      };
      const settle = (): void => {
        for (const url of open) slow.add(url);
        finish();
      };
      const ended = (url: string, end: RequestEnd): void => {
        open.delete(url);
        if (end === 'complete' && ports.clock.now() - startedAt < settleMs) slow.delete(url);
        if (done) return;
        if (end === 'complete') {
          if (!answered) cancelSettle = ports.clock.after(settleMs, settle);
          answered = true;
        }
        const waitedFor = answered ? [...open].filter((url) => !slow.has(url)) : [...open];
        if (waitedFor.length === 0) finish();
      };
      if (asked.length === 0) finish();
      for (const relay of asked) void ask(relay).then((end) => ended(relay.url, end));
    });
  }

  const each = (act: (relay: RelayConnection) => void): void => {
    for (const relay of connections.values()) act(relay);
  };

  return {
    connections,
    add: (url) => {
      if (connections.has(url)) return;
      const relay = createConnection(url, ports);
      connections.set(url, relay);
      if (isStarted) relay.wake();
    },
    remove: (url) => {
      const relay = connections.get(url);
      connections.delete(url);
      slow.delete(url);
      relay?.close();
    },
    gather,
    start: () => {
      if (isStarted) return;
      isStarted = true;
      each((relay) => relay.wake());
    },
    stop: () => {
      isStarted = false;
      each((relay) => relay.pause());
    },
    wake: () => {
      if (isStarted) each((relay) => relay.wake());
    },
    retryAuth: () => each((relay) => relay.retryAuth()),
    close: () => each((relay) => relay.close()),
  };
}
