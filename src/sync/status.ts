/** The status of an engine, and who is told when it has changed. */

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

/** Calls `tell` once for all that changes at the same time, and only if it is a change. */
export function createStatusTeller(
  current: () => SyncStatus | undefined,
  tell: (status: SyncStatus) => void,
): () => void {
  let isDue = false;
  let told: string | undefined;
  return () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      const status = current();
      // An answer that tells nothing new is no change.
      const text = status && JSON.stringify({ ...status, lastSyncedAt: null });
      if (status === undefined || text === told) return;
      told = text;
      tell(status);
    });
  };
}
