/** All relays of the user: which there are, and one question put to all of them. */

import type { Clock } from '../clock.ts';
import type { Ms, RelayUrl } from '../protocol/address.ts';
import { EOSE_TIMEOUT_MS, SETTLE_MS } from '../protocol/limits.ts';
import { createConnection, type ConnectionPorts, type RelayConnection } from './connection.ts';
import type { RequestEnd } from './requests.ts';

/** Which relays answered a question, by URL. A relay that could not be reached was not asked, and is in neither list. */
export interface Answers {
  /** They answered completely: they do not have what they did not show. */
  readonly complete: readonly RelayUrl[];
  /** They did not answer completely: nothing follows from what they did not show. */
  readonly incomplete: readonly RelayUrl[];
}

export interface RelayPool {
  readonly connections: ReadonlyMap<RelayUrl, RelayConnection>;
  /**
   * Adds a relay by canonical URL, `spelling` as the user wrote it; connects it once the pool is started. One that is there
   * already may ask the signer for AUTH again.
   */
  add(url: RelayUrl, spelling?: string): void;
  remove(url: RelayUrl): void;
  /**
   * Puts one question to every relay that is connected or connecting, and resolves once all have ended, after the EOSE
   * deadline at the latest. While `isEnough` holds, it resolves a settle time after the first complete answer. Later
   * answers still take effect. A relay that was slower than the settle time is not waited for again until it is quicker. A
   * relay that gave no complete answer in time is then given the settle time alone.
   */
  gather(ask: (relay: RelayConnection) => Promise<RequestEnd>, isEnough: () => boolean): Promise<Answers>;
  /** Connects all. */
  start(): void;
  /** Drops every connection until `start`: a relay cannot tell that the next identity is of the same user. */
  stop(): void;
  /** Connections may have died unnoticed: each must show that it is alive. */
  wake(): void;
  /** The network is gone: drops every connection, and tries them again slowly, in case that is not true. */
  lose(): void;
  retryAuth(): void;
  close(): void;
}

export function createPool(
  ports: Omit<ConnectionPorts, 'onChange'> & {
    readonly clock: Clock;
    readonly onChange: (relay: RelayConnection) => void;
  },
): RelayPool {
  const connections = new Map<RelayUrl, RelayConnection>();
  /** Relays whose complete answers take longer than the settle time. */
  const slow = new Set<RelayUrl>();
  /** Relays that were waited for longer than the settle time, and then gave no complete answer. */
  const mute = new Set<RelayUrl>();
  let isStarted = false;

  function gather(
    ask: (relay: RelayConnection) => Promise<RequestEnd>,
    isEnough: () => boolean,
  ): Promise<Answers> {
    const asked = [...connections.values()].filter((relay) =>
      ['open', 'connecting'].includes(relay.info().state),
    );
    return new Promise((resolve) => {
      const open = new Set(asked.map((relay) => relay.url));
      const complete: RelayUrl[] = [];
      const incomplete: RelayUrl[] = [];
      const startedAt = ports.clock.now();
      /** Whether the settle time is over, since the question and since the first complete answer. */
      let isLate = false;
      let isSettled = false;
      let isDone = false;
      const timers: (() => void)[] = [];
      const after = (ms: Ms, act: () => void): number => timers.push(ports.clock.after(ms, act));
      const finish = (): void => {
        isDone = true;
        for (const cancel of timers) cancel();
        resolve({ complete, incomplete: [...incomplete, ...open] });
      };
      const isWaitedFor = (url: RelayUrl): boolean =>
        complete.length > 0 && isEnough() ? !isSettled && !slow.has(url) : !isLate || !mute.has(url);
      const check = (): void => {
        if (!isDone && ![...open].some(isWaitedFor)) finish();
      };
      const ended = (url: RelayUrl, end: RequestEnd): void => {
        open.delete(url);
        const isQuick = ports.clock.now() - startedAt < SETTLE_MS;
        if (end === 'complete') mute.delete(url);
        if (end === 'complete' && isQuick) slow.delete(url);
        if (end !== 'complete' && !isQuick) mute.add(url);
        if (isDone) return;
        if (end === 'incomplete') incomplete.push(url);
        if (end === 'complete' && complete.push(url) === 1)
          after(SETTLE_MS, () => {
            isSettled = true;
            for (const url of open) slow.add(url);
            check();
          });
        check();
      };
      after(SETTLE_MS, () => {
        isLate = true;
        check();
      });
      after(EOSE_TIMEOUT_MS, () => {
        for (const url of open) mute.add(url);
        finish();
      });
      check();
      for (const relay of asked) void ask(relay).then((end) => ended(relay.url, end));
    });
  }

  const each = (act: (relay: RelayConnection) => void): void => {
    for (const relay of connections.values()) act(relay);
  };

  return {
    connections,
    add: (url, spelling) => {
      const known = connections.get(url);
      if (known !== undefined) return known.retryAuth();
      const relay = createConnection(url, ports, spelling);
      connections.set(url, relay);
      if (isStarted) relay.wake();
    },
    remove: (url) => {
      const relay = connections.get(url);
      connections.delete(url);
      slow.delete(url);
      mute.delete(url);
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
    lose: () => {
      if (isStarted) each((relay) => relay.lose());
    },
    retryAuth: () => each((relay) => relay.retryAuth()),
    close: () => each((relay) => relay.close()),
  };
}
