/** Handles for tests, over real engines in virtual time. */

import {
  memoryStore,
  secretKeySigner,
  type NostrSyncOptions,
  type State,
  type Store,
} from '../../src/node.ts';
import type { NostrEvent } from '../../src/protocol/event.ts';
import { wayTo, type Way } from '../sync/apart.ts';
import { KEY, received, type Device, type World } from '../sync/devices.ts';

/** A store that outlives its engine. */
export const lastingStore = (): Store => ({ ...memoryStore(), close: async () => Promise.resolve() });

/** Different events that the first relay was sent. */
export function eventsSent(at: World): readonly NostrEvent[] {
  const events = received(at.relays[0]!, 'EVENT').map(([, event]) => event as NostrEvent);
  return [...new Map(events.map((event) => [event.id, event])).values()];
}

/** What a handle shows, in turn. */
export function shownBy<T, Input>(state: State<T, Input>): T[] {
  const shown: T[] = [];
  state.subscribe((value) => shown.push(value));
  return shown;
}

/** A device that can be cut off, and started again on what its store has. */
export interface Restartable {
  readonly device: Device;
  readonly way: Way;
  /** As after a kill: nothing but the store is left. */
  restart(options?: NostrSyncOptions): Restartable;
}

export function startDevice(
  at: World,
  options: NostrSyncOptions = {},
  store: Store = lastingStore(),
): Restartable {
  const way = wayTo(at);
  return {
    way,
    device: at.device({ store, openSocket: way.openSocket, ...options }),
    restart: (next): Restartable => startDevice(at, next, store),
  };
}

export const unlocked = (): NonNullable<NostrSyncOptions['signer']> => secretKeySigner(KEY);

/** Options of a device that has no signer yet. */
export const LOCKED: NostrSyncOptions = { signer: undefined as never };
