/**
 * A stand-in for the Rust half of the plugin and for Tauri's IPC, in memory: what the engine is called by is that of the crate, the engine that of
 * Node. The real one is tested in `tauri-plugin/`, and both together in real windows in `test/tauri/app`.
 */

import { randomBytes } from 'node:crypto';
import {
  createNostrSync,
  secretKeySigner,
  systemClock,
  type Category,
  type CategoryOptions,
  type NostrSync,
  type OpenSocket,
  type Store,
} from '../../src/node.ts';
import type { Native } from '../../src/embedded/native.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { EVENT_TYPES } from '../../src/sync/events.ts';
import { toWire } from '../../src/wire.ts';
import { createCalls, type Calls } from '../../src/tauri/calls.ts';
import { createWindowStates, type WindowStates } from '../../src/tauri/window-states.ts';
import { fromRefusal, type Ipc } from '../../src/tauri/ipc.ts';

/** By number, who waits for the answer to a call, and who listens. */
const answers = new Map<number, (error: string | null, value: string | null) => void>();
const listeners = new Map<number, (json: string) => void>();
let last = 0;

const keptListeners = new Set<(json: string) => void>();
const native: Pick<Native, 'answer' | 'value' | 'event'> = {
  answer: (id, error, value) => {
    answers.get(id)?.(error, value);
    answers.delete(id);
  },
  value: (id, _, json) => listeners.get(id)?.(json),
  event: (_, json) => {
    for (const listener of keptListeners) listener(json);
  },
};
Object.assign(globalThis, { native });
const { createCallee } = await import('../../src/embedded/callee.ts');
const { createListening } = await import('../../src/embedded/listening.ts');

export interface AppWindow {
  readonly label: string;
  readonly ipc: Ipc;
  readonly calls: Calls;
  readonly state: WindowStates['state'];
  readonly flush: WindowStates['flush'];
  /** The page is gone without a word, as in a reload or a crash; Rust sees that. */
  kill(): void;
  /** The window is gone, as when a person closes it. */
  close(): Promise<void>;
  /** The page was about to be left, and stays, as before a download. */
  almostLeave(): void;
}

export interface PluginStandIn {
  /** Opens a window. `mayCall`: whether it has permissions; by default it has. */
  window(label: string, permissions?: { readonly mayCall?: boolean }): AppWindow;
  /** A call of Rust code. */
  call(method: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  setSigner(secretKey: string | null): void;
  /** Events of the engine, in order. */
  readonly heard: readonly { readonly event: string; readonly payload: any }[];
  /** Commands that windows called. */
  readonly invoked: readonly { readonly label: string; readonly command: string }[];
}

const copy = <T>(value: T): T => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T));

export function pluginStandIn({
  definitions = [],
  ...options
}: {
  readonly relays: readonly string[];
  readonly openSocket: OpenSocket;
  readonly categories?: Readonly<Record<string, CategoryOptions>>;
  readonly definitions?: readonly Category<any, any>[];
  /** By default one that ends with the app. */
  readonly store?: Store;
}): PluginStandIn {
  const heard: { event: string; payload: unknown }[] = [];
  const invoked: { label: string; command: string }[] = [];
  const engine: NostrSync = createNostrSync(options);
  for (const definition of definitions) engine.state(definition);
  const listening = createListening(engine);
  const callee = createCallee({
    ...{ engine, listening, namespace: 'default', clock: systemClock },
    boxes: { primitives: nodePrimitives, randomBytes: (length) => new Uint8Array(randomBytes(length)) },
    definitions: new Map(definitions.map((definition) => [definition.name, definition])),
  });
  for (const type of EVENT_TYPES)
    engine.on(type, (event) => {
      heard.push({ event: type, payload: copy(type === 'error' ? toWire(event) : event) });
    });

  /** Rejects with errors as they cross: an adapter of a window makes them errors again. */
  function call(origin: string, method: string, args: object): Promise<unknown> {
    const id = ++last;
    return new Promise((resolve, reject) => {
      answers.set(id, (error, value) => {
        // eslint-disable-next-line typescript/prefer-promise-reject-errors -- as Rust's errors come
        if (error !== null) reject(JSON.parse(error));
        else resolve(JSON.parse(value!));
      });
      callee.call(id, origin, method, JSON.stringify(args));
    });
  }

  closers.push(async () => void (await call('', 'close', {})));

  async function listen(
    label: string,
    command: string,
    args: any,
    send: (json: string) => void,
  ): Promise<() => void> {
    if (args.event === 'kept') {
      keptListeners.add(send);
      return () => keptListeners.delete(send);
    }
    if (command === 'listen')
      return engine.on(args.event, (event) =>
        send(JSON.stringify(args.event === 'error' ? toWire(event) : event)),
      );
    const subscription = ++last;
    listeners.set(subscription, send);
    await call(label, 'subscribe', { categories: args.categories, subscription });
    return () => {
      listeners.delete(subscription);
      void call(label, 'unsubscribe', { subscription });
    };
  }

  function openWindow(label: string, mayCall: boolean): AppWindow {
    let isAlive = true;
    const own = new Map<number, { readonly stop: () => void; readonly tell: (message: unknown) => void }>();
    const never = new Promise<never>(() => undefined);

    async function carryOut(command: string, args: any): Promise<unknown> {
      // eslint-disable-next-line typescript/only-throw-error -- as Tauri's refusals come
      if (!mayCall) throw `nostr-sync.${command} not allowed by ACL`;
      if (command === 'unsubscribe') {
        own.get(args.number)?.stop();
        own.delete(args.number);
        return null;
      }
      if (command !== 'subscribe' && command !== 'listen') return call(label, command, args);
      const number = ++last;
      const tell = (message: unknown): void => void setImmediate(() => args.channel(message));
      own.set(number, { stop: await listen(label, command, args, tell), tell });
      return number;
    }

    const ipc: Ipc = {
      page: `${label}-${++last}`,
      invoke: async (command, args = {}) => {
        if (!isAlive) return never;
        const passed = 'channel' in args ? args : copy(args);
        await new Promise(setImmediate);
        // What was sent is carried out, also when the window dies right after it.
        invoked.push({ label, command });
        try {
          const result = await carryOut(command, passed);
          return isAlive ? copy(result) : await never;
        } catch (error) {
          if (!isAlive) return never;
          throw fromRefusal(error);
        }
      },
      channel: (onMessage) => (message: unknown) => (isAlive ? onMessage(message) : undefined),
    };
    const calls = createCalls(ipc);
    const endPage = (): void => {
      for (const { stop, tell } of own.values()) {
        stop();
        tell(null);
      }
      own.clear();
    };
    return {
      ...{ label, ipc, calls },
      ...createWindowStates(calls, ipc, systemClock),
      kill: () => {
        isAlive = false;
        endPage();
      },
      close: async () => {
        isAlive = false;
        endPage();
        await call(label, 'gone', {});
      },
      almostLeave: endPage,
    };
  }

  return {
    ...{ heard, invoked },
    call: (method, args = {}) => call('', method, args),
    setSigner: (secretKey) => {
      if (secretKey === null) void engine.clearSigner();
      else engine.setSigner(secretKeySigner(secretKey)).catch(() => undefined);
    },
    window: (label, { mayCall = true } = {}) => openWindow(label, mayCall),
  };
}

/** How to stop what the tests have started. */
const closers: (() => Promise<void>)[] = [];

export async function closeApps(): Promise<void> {
  await Promise.all(closers.splice(0).map((close) => close()));
}
