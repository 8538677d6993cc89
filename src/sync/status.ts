/** The status of an engine, and who is told when it has changed. */

import { callListener } from './events.ts';

/** How an engine stands: what the event `status` tells, and `getStatus` gives. */
export interface SyncStatus {
  /** The public key of the signer that is set, in hex; `null`: none is, and values cannot be read. */
  readonly pubkey: string | null;
  /** A signer is set and at least one relay is connected. */
  readonly ready: boolean;
  /** `false`: the platform says that there is no network. `true` proves nothing. */
  readonly online: boolean;
  readonly relayCount: number;
  readonly connectedRelayCount: number;
  readonly deviceId: string;
  /** (category, relay) pairs for which the relay has not yet got, nor refused, what this device has. */
  readonly outboxDepth: number;
  /** Writes of this device that no relay has, each counted once: what would be lost with the device. */
  readonly pendingChanges: number;
  /** When a relay last answered while no change was pending, ISO 8601; `null` before that, in this run of the engine. */
  readonly lastSyncedAt: string | null;
}

export interface StatusTeller {
  /** Tells once what has changed at the same time, and only if it is a change. */
  changed(): void;
  /** For one that begins to listen now: what tells it the present status, news to the others or not, unless it has heard it by then. */
  greeting(listener: (status: SyncStatus) => void): () => void;
}

/** `current`: `undefined` if there is nothing to tell, or no listener. */
export function createStatusTeller(
  current: () => SyncStatus | undefined,
  tell: (status: SyncStatus) => void,
): StatusTeller {
  let isDue = false;
  let told: string | undefined;
  let times = 0;
  // An answer that tells nothing new is no change.
  const textOf = (status: SyncStatus): string => JSON.stringify({ ...status, lastSyncedAt: null });

  function changed(): void {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      const status = current();
      const text = status && textOf(status);
      if (status === undefined || text === told) return;
      told = text;
      times++;
      tell(status);
    });
  }

  return {
    changed,
    greeting: (listener) => {
      const before = times;
      return () => {
        const status = current();
        if (times !== before) return;
        if (status !== undefined && textOf(status) === told) callListener(listener, status);
        else changed();
      };
    },
  };
}
