/** The calls that add, remove and list relays. */

import type { NostrSync } from '../nostr-sync.ts';
import type { RelayPool } from '../relay/pool.ts';
import { canonicalRelayUrl } from '../relay/url.ts';
import type { Session } from '../sync/session.ts';
import type { Standing } from './standing.ts';

export function createRelayCalls(ports: {
  readonly pool: RelayPool;
  readonly session: () => Session | undefined;
  /** Resolves once the store is open. */
  readonly opened: () => Promise<void>;
  readonly standing: Pick<Standing, 'relays'>;
  readonly allowInsecure: boolean | undefined;
}): Pick<NostrSync, 'addRelay' | 'removeRelay' | 'getRelays'> {
  const { pool, session, opened } = ports;
  return {
    addRelay: async (url) => {
      const canonical = canonicalRelayUrl(url, ports.allowInsecure);
      await opened();
      const isKnown = pool.connections.has(canonical);
      pool.add(canonical, url.trim());
      if (isKnown) return;
      session()?.relayChanged(pool.connections.get(canonical)!);
      session()?.relayListChanged(canonical, true);
    },
    removeRelay: async (url) => {
      const canonical = canonicalRelayUrl(url, ports.allowInsecure);
      await opened();
      if (!pool.connections.has(canonical)) return;
      pool.remove(canonical);
      session()?.relayListChanged(canonical, false);
      await session()?.relayRemoved(canonical);
    },
    getRelays: async () => {
      await opened();
      await session()?.told();
      return ports.standing.relays();
    },
  };
}
