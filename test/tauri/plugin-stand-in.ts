/**
 * A stand-in for the Rust half of the plugin and for Tauri's IPC, in memory: broker with generations, store, signer,
 * events, permissions. The real one is tested in `tauri-plugin/`, and both together in real windows in `test/tauri/app`.
 */

import { randomUUID } from 'node:crypto';
import { hexToBytes } from '@noble/hashes/utils.js';
import { getPublicKey } from 'nostr-tools/pure';
import {
  createNostrSync,
  secretKeySigner,
  type CategoryOptions,
  type OpenSocket,
  type Signer,
} from '../../src/node.ts';
import { createCalls, type Calls } from '../../src/tauri/calls.ts';
import { startHost } from '../../src/tauri/host.ts';
import { createWindowStates, type WindowStates } from '../../src/tauri/window-states.ts';
import { fromWire, type Ipc, type WireError } from '../../src/tauri/ipc.ts';
import type { Grant, HostMessage, Request } from '../../src/tauri/wire.ts';
import { createMemoryTabs } from '../support/memory-tabs.ts';

const HOST_COMMANDS = /^(engine_|store_|sign_event|nip44_)/;

interface Pending {
  readonly request: Request;
  readonly settle: (reply: { readonly ok?: unknown; readonly error?: WireError }) => void;
}

export interface AppWindow {
  readonly label: string;
  readonly ipc: Ipc;
  readonly calls: Calls;
  readonly state: WindowStates['state'];
  /** The page is gone without a word, as in a reload or a crash; Rust sees that. */
  kill(): void;
}

export interface PluginStandIn {
  /** Opens a window. `mayHost` and `mayCall` are its permissions; both by default. */
  window(
    label: string,
    permissions?: {
      readonly mayHost?: boolean;
      readonly mayCall?: boolean;
      readonly categories?: Readonly<Record<string, CategoryOptions>>;
    },
  ): AppWindow;
  /** What a window reaches Rust by, without anything that uses it. */
  ipc(label: string): Ipc;
  /** A call of Rust code. */
  call(method: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  setSigner(secretKey: string | null): void;
  readonly store: Map<string, string>;
  /** What windows and Rust listeners heard, in order. */
  readonly heard: readonly { readonly event: string; readonly payload: any }[];
  /** Commands that windows called. */
  readonly invoked: readonly { readonly label: string; readonly command: string }[];
  /** Called before a command is carried out; what it throws is the answer, and what it returns is waited for. */
  onInvoke: (label: string, command: string, args: any) => Promise<void> | void;
}

const copy = <T>(value: T): T => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T));

export function pluginStandIn(options: {
  readonly relays: readonly string[];
  readonly openSocket: OpenSocket;
  readonly namespace?: string;
}): PluginStandIn {
  const browser = createMemoryTabs(options.openSocket);
  const store = new Map<string, string>();
  const listeners = new Set<{ readonly event: string; readonly onEvent: (payload: unknown) => void }>();
  const heard: { event: string; payload: unknown }[] = [];
  const invoked: { label: string; command: string }[] = [];
  const run = randomUUID();
  const pending = new Map<string, Pending>();
  const subscriptions = new Set<string>();
  let signer: { readonly pubkey: string; readonly of: Signer } | undefined;
  let generation = 0;
  let host: { readonly label: string; readonly send: (message: HostMessage) => void } | undefined;

  function detach(): void {
    host?.send({ type: 'detached' });
    host = undefined;
    generation += 1;
  }

  function request(
    from: string | null,
    method: string,
    args: Readonly<Record<string, unknown>>,
  ): Promise<unknown> {
    const message: Request = {
      type: 'request',
      id: `${run}-${randomUUID()}`,
      method,
      args: JSON.stringify(from === null ? args : { ...args, from }),
    };
    if (method === 'subscribe') {
      for (const category of args.categories as string[]) subscriptions.add(category);
      if (host === undefined) return Promise.resolve(null);
    }
    return new Promise((resolve, reject) => {
      pending.set(message.id, {
        request: message,
        settle: ({ ok, error }) => {
          // Errors are values of the wire until a window's own adapter makes them errors again.
          if (error === undefined) resolve(copy(ok));
          // eslint-disable-next-line typescript/prefer-promise-reject-errors -- as Rust's errors come
          else reject(error);
        },
      });
      host?.send(message);
    });
  }

  /** A page that was reloaded has the label of its predecessor: the generation tells them apart. */
  function hosts(label: string, { generation: of }: { readonly generation: number }): boolean {
    return host?.label === label && of === generation;
  }

  /** What Rust does for the page that hosts, and refuses to every other. */
  const forHost =
    (carryOut: (args: any) => unknown) =>
    (label: string, args: any): unknown => {
      if (hosts(label, args)) return carryOut(args);
      // eslint-disable-next-line typescript/only-throw-error -- as Rust's errors come
      throw { code: 'ENGINE_GONE', message: 'This page does not host the engine, or no longer' };
    };

  const commands: Record<string, (label: string, args: any) => unknown> = {
    engine_attach: (label, { channel }) => {
      detach();
      const send = (message: HostMessage): void => void setImmediate(() => channel(copy(message)));
      host = { label, send };
      for (const { request } of pending.values()) send(request);
      return {
        generation,
        run,
        namespace: options.namespace ?? 'default',
        relays: options.relays,
        deviceId: null,
        maxPayloadSize: 65_536,
        pubkey: signer?.pubkey ?? null,
        isLocal: signer !== undefined,
        subscriptions: [...subscriptions],
      } satisfies Grant;
    },
    engine_reply: (label, args) => {
      if (!hosts(label, args)) return null;
      const { id, ok, error } = args;
      const waiting = pending.get(id);
      pending.delete(id);
      waiting?.settle({ ok, error });
      return null;
    },
    engine_emit: (label, args) => {
      if (!hosts(label, args)) return null;
      const { event, payload } = args;
      heard.push({ event, payload });
      for (const listener of listeners)
        if (listener.event === `nostr-sync://${event}`)
          setImmediate(() => listeners.has(listener) && listener.onEvent(copy(payload)));
      return null;
    },
    store_get: forHost(({ key }) => store.get(key) ?? null),
    store_read: forHost(({ keys }) =>
      Object.fromEntries(
        keys.filter((key: string) => store.has(key)).map((key: string) => [key, store.get(key)]),
      ),
    ),
    store_list: forHost(({ prefix }) =>
      Object.fromEntries([...store].filter(([key]) => key.startsWith(prefix))),
    ),
    store_update: forHost(({ expected, changes }) => {
      for (const [key, value] of Object.entries(expected))
        if ((store.get(key) ?? null) !== value) return false;
      for (const [key, value] of Object.entries(changes))
        if (value === null) store.delete(key);
        else store.set(key, value as string);
      return true;
    }),
    sign_event: forHost(({ template }) => signerOrRefuse().signEvent(template)),
    nip44_encrypt: forHost(({ peer, plaintext }) => signerOrRefuse().nip44.encrypt(peer, plaintext)),
    nip44_decrypt: forHost(({ peer, ciphertext }) => signerOrRefuse().nip44.decrypt(peer, ciphertext)),
  };

  function signerOrRefuse(): Signer {
    // eslint-disable-next-line typescript/only-throw-error -- as Rust's errors come
    if (signer === undefined) throw { code: 'SIGNER_NOT_SET', message: 'No signer is set' };
    return signer.of;
  }

  function connect(
    label: string,
    { mayHost, mayCall }: { readonly mayHost: boolean; readonly mayCall: boolean },
  ): { readonly ipc: Ipc; readonly cut: () => void } {
    let isAlive = true;
    const own = new Set<{ readonly event: string; readonly onEvent: (payload: unknown) => void }>();
    const never = new Promise<never>(() => undefined);
    const ipc: Ipc = {
      label,
      invoke: async (command, args = {}) => {
        if (!isAlive) return never;
        const passed = 'channel' in args ? args : copy(args);
        await new Promise(setImmediate);
        // What was sent is carried out, also when the window dies right after it.
        invoked.push({ label, command });
        try {
          const delay = standIn.onInvoke(label, command, passed);
          if (delay !== undefined) await delay;
          const isHostCommand = HOST_COMMANDS.test(command);
          // eslint-disable-next-line typescript/only-throw-error -- as Tauri's refusals come
          if (!(isHostCommand ? mayHost : mayCall)) throw `nostr-sync.${command} not allowed by ACL`;
          const carryOut = commands[command];
          const result = await (isHostCommand ? carryOut!(label, passed) : request(label, command, passed));
          return isAlive ? copy(result) : await never;
        } catch (error) {
          if (!isAlive) return never;
          throw fromWire(error);
        }
      },
      listen: async (event, onEvent) => {
        const listener = { event, onEvent: (payload: unknown) => (isAlive ? onEvent(payload) : undefined) };
        listeners.add(listener);
        own.add(listener);
        return () => void listeners.delete(listener);
      },
      channel: (onMessage) => (message: unknown) => (isAlive ? onMessage(message) : undefined),
    };
    const cut = (): void => {
      isAlive = false;
      for (const listener of own) listeners.delete(listener);
    };
    return { ipc, cut };
  }

  const standIn: PluginStandIn = {
    store,
    heard,
    invoked,
    onInvoke: () => undefined,
    ipc: (label) => connect(label, { mayHost: true, mayCall: true }).ipc,
    call: (method, args = {}) => request(null, method, args),
    setSigner: (secretKey) => {
      signer =
        secretKey === null
          ? undefined
          : { pubkey: getPublicKey(hexToBytes(secretKey)), of: secretKeySigner(secretKey) };
      host?.send({ type: 'signer', pubkey: signer?.pubkey ?? null, isLocal: signer !== undefined });
    },
    window: (label, { mayHost = true, mayCall = true, categories = {} } = {}) => {
      const tab = browser.open();
      const { ipc, cut } = connect(label, { mayHost, mayCall });
      const calls = createCalls(ipc);
      const { state, hosted } = createWindowStates({ ipc, calls, clock: tab.clock });
      let isAlive = true;
      const stop = startHost({
        ipc,
        clock: tab.clock,
        tabs: tab.tabs,
        categories,
        createEngine: (engineOptions) => {
          const engine = createNostrSync({ ...engineOptions, openSocket: tab.openSocket, clock: tab.clock });
          hosted(engine);
          return engine;
        },
      });
      stops.push(async () => (isAlive ? stop() : undefined));
      return {
        label,
        ipc,
        calls,
        state,
        kill: () => {
          isAlive = false;
          cut();
          if (host?.label === label) detach();
          tab.kill();
        },
      };
    },
  };
  return standIn;
}

/** How to stop what the windows of a test have started. */
const stops: (() => Promise<void>)[] = [];

export async function closeWindows(): Promise<void> {
  await Promise.all(stops.splice(0).map((stop) => stop()));
}
