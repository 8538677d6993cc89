/** Tabs without a browser: locks, channels and one store in memory, and tabs that can be killed without a word. */

import { memoryStore, systemClock, type Clock, type OpenSocket, type Store } from '../../src/node.ts';
import type { Tabs } from '../../src/tabs/tabs.ts';

/** What an engine in one tab gets; pass it as options. */
export interface Tab {
  readonly tabs: Tabs;
  readonly store: Store;
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
}

export interface TabFactory {
  /** A new tab on the shared store. */
  open(): Tab & {
    /** Nothing of it runs any more: locks fall back, sockets break, what it awaits never comes, what it said last may be lost. */
    kill(): void;
  };
  /** Every message on every channel, in order. */
  readonly messages: readonly { readonly type: string }[];
  /** What the tabs share. */
  readonly store: Store;
}

interface Waiting {
  readonly onHeld: () => void;
}

const never = new Promise<never>(() => undefined);

/** `connect`: how a tab reaches its relays. Locks and messages take a turn of the event loop, as in a browser. */
export function createMemoryTabs(connect: OpenSocket): TabFactory {
  const shared = memoryStore();
  const locks = new Map<string, Waiting[]>();
  const channels = new Map<string, Set<(message: unknown) => void>>();
  const messages: { readonly type: string }[] = [];

  function grant(name: string): void {
    const first = locks.get(name)?.[0];
    if (first !== undefined) setImmediate(() => locks.get(name)?.[0] === first && first.onHeld());
  }

  function open(): ReturnType<TabFactory['open']> {
    let isAlive = true;
    const ends = new Set<() => void>();
    const guard =
      <A extends unknown[]>(callback: (...args: A) => void) =>
      (...args: A): void => {
        if (isAlive) callback(...args);
      };
    const alive = <T>(work: () => Promise<T>): Promise<T> =>
      isAlive
        ? work().then(
            (value) => (isAlive ? value : never),
            (error: unknown) => (isAlive ? Promise.reject(error as Error) : never),
          )
        : never;

    const tabs: Tabs = {
      hold: (name, onHeld) => {
        if (!isAlive) return () => undefined;
        const request: Waiting = { onHeld: guard(onHeld) };
        const queue = locks.get(name) ?? [];
        locks.set(name, queue);
        if (queue.push(request) === 1) grant(name);
        const release = (): void => {
          ends.delete(release);
          const place = queue.indexOf(request);
          if (place === -1) return;
          queue.splice(place, 1);
          if (place === 0) grant(name);
        };
        ends.add(release);
        return release;
      },
      join: (name, onMessage) => {
        const listeners = channels.get(name) ?? new Set();
        channels.set(name, listeners);
        const listener = guard(onMessage);
        listeners.add(listener);
        const close = (): void => void listeners.delete(listener);
        ends.add(close);
        return {
          post: (message) => {
            if (!isAlive) return;
            messages.push(structuredClone(message) as { type: string });
            for (const other of listeners) {
              if (other === listener) continue;
              const copy = structuredClone(message);
              setImmediate(() => listeners.has(other) && other(copy));
            }
          },
          close,
        };
      },
    };
    return {
      tabs,
      // Closing it closes nothing for the others.
      store: {
        sharedName: 'shared',
        get: (key) => alive(() => shared.get(key)),
        list: (prefix) => alive(() => shared.list(prefix)),
        update: (keys, decide) => alive(() => shared.update(keys, decide)),
        close: async () => undefined,
      },
      openSocket: (url, handlers) => {
        const socket = connect(url, {
          onOpen: guard(handlers.onOpen),
          onMessage: guard(handlers.onMessage),
          onPong: guard(handlers.onPong),
          onClose: guard(handlers.onClose),
        });
        const close = (): void => socket.close();
        ends.add(close);
        return {
          send: guard((text: string) => socket.send(text)),
          ping: guard(() => socket.ping?.()),
          get bufferedAmount() {
            return socket.bufferedAmount;
          },
          close: () => {
            ends.delete(close);
            close();
          },
        };
      },
      clock: { now: systemClock.now, after: (ms, callback) => systemClock.after(ms, guard(callback)) },
      kill: () => {
        isAlive = false;
        for (const end of [...ends]) end();
      },
    };
  }

  return { open, messages, store: shared };
}
