/** A device: an engine with a disk, a clock and a way to the relays of its own, each of which can fail. */

import {
  createNostrSync,
  memoryStore,
  secretKeySigner,
  systemClock,
  type NostrSync,
  type NostrSyncOptions,
  type Store,
} from 'nostr-sync';
import { connectTo } from 'nostr-sync/testing';
import type { PlayRelay } from './network.ts';

const AHEAD_MS = 10 * 60_000;

export type DeviceFault = 'offline' | 'killed' | 'locked' | 'ahead';

export interface Device {
  readonly name: string;
  /** `undefined` while it is killed. */
  sync(): NostrSync | undefined;
  /** Signs with another key from now on. `'missing'`: with what it has under the one before. */
  useKey(key: Uint8Array, carryOver: 'none' | 'missing'): Promise<void>;
  key(): Uint8Array;
  readonly openSocket: NonNullable<NostrSyncOptions['openSocket']>;
  has(fault: DeviceFault): boolean;
  fault(fault: DeviceFault, isOn: boolean): void;
  /** Calls `started` with each engine: one now, and another one after each kill. `stopped`: the device was killed. */
  onRun(started: (sync: NostrSync) => void, stopped: () => void): void;
}

/** All devices of a user have the same key. */
export function createDevice(name: string, relays: readonly PlayRelay[], first: Uint8Array): Device {
  let key = first;
  const disk = memoryStore();
  const reach = connectTo(Object.fromEntries(relays.map(({ url, relay }) => [url, relay])));
  const faults = new Set<DeviceFault>();
  const sockets = new Set<{ close(): void }>();
  const listeners = new Set<() => void>();
  const watchers: { started(sync: NostrSync): void; stopped(): void }[] = [];
  let sync: NostrSync | undefined;
  /** The run that is alive. */
  let current: object | undefined;

  function start(): NostrSync {
    // After a kill nothing of this run goes on: no timer, no disk, no network. What it had saved is on the disk.
    const run = (current = {});
    const isAlive = (): boolean => run === current;
    const alive = async <T>(work: () => Promise<T>): Promise<T> =>
      isAlive() ? work() : new Promise<T>(() => undefined);
    const store: Store = {
      get: (at) => alive(() => disk.get(at)),
      list: (prefix) => alive(() => disk.list(prefix)),
      update: (keys, decide) => alive(() => disk.update(keys, decide)),
      close: async () => Promise.resolve(),
    };
    return createNostrSync({
      ...{ namespace: 'playground', deviceId: name, relays: relays.map(({ url }) => url), store },
      ...(faults.has('locked') ? {} : { signer: secretKeySigner(key) }),
      clock: {
        now: () => Date.now() + (faults.has('ahead') ? AHEAD_MS : 0),
        after: (ms, then) => systemClock.after(ms, () => isAlive() && then()),
      },
      connectivity: {
        isOnline: () => !faults.has('offline'),
        onChange: (listener) => {
          listeners.add(listener);
          return () => void listeners.delete(listener);
        },
      },
      openSocket,
    });
  }

  const openSocket: Device['openSocket'] = (url, handlers) => {
    if (faults.has('offline')) {
      queueMicrotask(() => handlers.onClose('no network'));
      return { bufferedAmount: () => 0, send: () => undefined, close: () => undefined };
    }
    const socket = reach(url, handlers);
    sockets.add(socket);
    return socket;
  };

  function cut(): void {
    for (const socket of sockets) socket.close();
    sockets.clear();
  }

  const change: Readonly<Record<DeviceFault, (isOn: boolean) => void>> = {
    offline: (isOn) => {
      if (isOn) cut();
      for (const listener of listeners) listener();
    },
    killed: (isOn) => {
      cut();
      listeners.clear();
      current = undefined;
      sync = isOn ? undefined : start();
      for (const { started, stopped } of watchers) {
        if (sync === undefined) stopped();
        else started(sync);
      }
    },
    locked: (isOn) => void (isOn ? sync?.clearSigner() : sync?.setSigner(secretKeySigner(key))),
    ahead: () => undefined,
  };

  sync = start();
  return {
    name,
    sync: () => sync,
    openSocket,
    key: () => key,
    useKey: async (next, carryOver) => {
      await sync?.setSigner(secretKeySigner(next), { carryOver });
      key = next;
    },
    has: (fault) => faults.has(fault),
    fault: (fault, isOn) => {
      if (isOn) faults.add(fault);
      else faults.delete(fault);
      change[fault](isOn);
    },
    onRun: (started, stopped) => {
      watchers.push({ started, stopped });
      if (sync !== undefined) started(sync);
    },
  };
}
