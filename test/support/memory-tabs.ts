/** Tabs without a browser: locks, channels and one store in memory, and tabs that can be killed without a word. */

import { memoryStore, systemClock, type Clock, type OpenSocket, type Store } from '../../src/node.ts';
import type { Tabs } from '../../src/tabs/tabs.ts';
import { createTabHub } from './tab-hub.ts';

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
    /** Nothing of it runs until the returned function is called; its locks and sockets stay. */
    freeze(): () => void;
  };
  /** Every message on every channel, in order. */
  readonly messages: readonly { readonly type: string }[];
  /** What the tabs share. */
  readonly store: Store;
}

const never = new Promise<never>(() => undefined);

/** `connect`: how a tab reaches its relays. Locks and messages take a turn of the event loop, as in a browser. */
export function createMemoryTabs(connect: OpenSocket): TabFactory {
  const shared = memoryStore();
  const hub = createTabHub();
  const messages: { readonly type: string }[] = [];

  function open(): ReturnType<TabFactory['open']> {
    let isAlive = true;
    const ends = new Set<() => void>();
    /** What came while it was frozen, in order. */
    let frozen: (() => void)[] | undefined;
    const run = (act: () => void): void => {
      if (frozen !== undefined) frozen.push(act);
      else if (isAlive) act();
    };
    const guard =
      <A extends unknown[]>(callback: (...args: A) => void) =>
      (...args: A): void =>
        run(() => callback(...args));
    const alive = <T>(work: () => Promise<T>): Promise<T> =>
      isAlive
        ? new Promise((resolve) => {
            const end = work();
            const settle = (): void => run(() => resolve(end));
            end.then(settle, settle);
          })
        : never;

    const inATurn = (callback: () => void): void => void setImmediate(guard(callback));
    const { hold, steal, join } = hub.open({
      isAlive: () => isAlive,
      whenGranted: inATurn,
      whenDelivered: inATurn,
      onEnd: (end) => void ends.add(end),
    });
    const tabs: Tabs = {
      hold,
      steal,
      join: (name, onMessage) => {
        const { post, close } = join(name, onMessage);
        const postAndNote = (message: unknown): void => {
          if (isAlive) messages.push(structuredClone(message) as { type: string });
          post(message);
        };
        return { post: postAndNote, close };
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
          bufferedAmount: () => socket.bufferedAmount(),
          close: () => {
            ends.delete(close);
            close();
          },
        };
      },
      clock: { now: systemClock.now, after: (ms, callback) => systemClock.after(ms, guard(callback)) },
      freeze: () => {
        frozen = [];
        return () => {
          const missed = frozen ?? [];
          frozen = undefined;
          // One after the other, as an event loop does: promises run in between.
          const next = (): void => {
            missed.shift()?.();
            if (missed.length > 0) setImmediate(next);
          };
          next();
        };
      },
      kill: () => {
        isAlive = false;
        for (const end of [...ends]) end();
      },
    };
  }

  return { open, messages, store: shared };
}
