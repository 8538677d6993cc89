/** How things stand: the relays as the leading tab sees them, and the status of the engine. */

import { toIso, type Clock } from '../clock.ts';
import type { RelayInfo } from '../relay/connection.ts';
import type { RelayPool } from '../relay/pool.ts';
import type { Session } from '../sync/session.ts';
import type { SyncStatus } from '../sync/status.ts';

export interface Standing {
  relays(): RelayInfo[];
  /** `deviceId`: once it is known. */
  status(deviceId: string): SyncStatus;
  /** What relays said before this was said to another identity. */
  identityChanged(): void;
}

export function createStanding(ports: {
  readonly clock: Clock;
  readonly pool: RelayPool;
  readonly session: () => Session | undefined;
  readonly isOnline: () => boolean;
}): Standing {
  let identityAt = '';
  let lastSyncedAt: string | null = null;

  function relayInfos(): RelayInfo[] {
    const led = new Map(
      ports
        .session()
        ?.network.relays()
        .map((info) => [info.url, info]),
    );
    return [...ports.pool.connections.values()].map((relay) => led.get(relay.url) ?? relay.info());
  }

  return {
    relays: relayInfos,
    status: (deviceId) => {
      const session = ports.session();
      const relays = relayInfos();
      const connectedRelayCount = relays.filter((relay) => relay.connected).length;
      const pendingChanges = session?.pendingChanges() ?? 0;
      if (pendingChanges === 0)
        for (const { lastSeen } of relays)
          if (lastSeen !== null && lastSeen >= identityAt && lastSeen > (lastSyncedAt ?? ''))
            lastSyncedAt = lastSeen;
      const pubkey = session?.signer() === undefined ? null : session.pubkey;
      return {
        pubkey,
        ready: pubkey !== null && connectedRelayCount > 0,
        online: ports.isOnline(),
        relayCount: relays.length,
        connectedRelayCount,
        deviceId,
        outboxDepth: session?.depth() ?? 0,
        pendingChanges,
        lastSyncedAt,
      };
    },
    identityChanged: () => {
      identityAt = toIso(ports.clock.now());
      lastSyncedAt = null;
    },
  };
}
