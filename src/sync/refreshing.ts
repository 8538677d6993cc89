/** What is known of categories is brought up to date before it is given: by the relays, and by what other tabs have saved. */

import type { Address } from '../protocol/address.ts';
import { NostrSyncError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { FetchResult } from './events.ts';
import type { Replica } from './heads/replica.ts';
import { isFromAll, type Network } from './relays/network.ts';

export interface Refreshing {
  /** What another tab has saved by now counts, told yet or not. If the store fails, only what is known here counts. */
  lookInStore(dTags: readonly Address[]): Promise<void>;
  /**
   * Resolves with what the answers are worth. Rejects if nothing at all is known of any of the categories: a relay that has
   * not answered completely may have what no other has.
   */
  refresh(dTags: readonly Address[]): Promise<FetchResult['source']>;
}

export function createRefreshing(ports: {
  readonly store: Store;
  readonly replica: Replica;
  readonly network: () => Network;
  /** See `createReading`. */
  readonly carried: (dTag: Address) => unknown;
}): Refreshing {
  const { replica } = ports;
  const isHere = (dTag: Address): boolean =>
    replica.get(dTag)?.head !== undefined || ports.carried(dTag) !== undefined;

  async function lookInStore(dTags: readonly Address[]): Promise<void> {
    if (ports.store.sharedName !== undefined) await replica.reload(dTags).catch(() => undefined);
  }

  return {
    lookInStore,
    refresh: async (dTags) => {
      if (dTags.length === 0) return 'local';
      const [answers] = await Promise.all([ports.network().ask(dTags, 'known'), lookInStore(dTags)]);
      const { complete: answered, incomplete: silent } = answers;
      if (isFromAll(answers) || dTags.some(isHere)) return answered.length > 0 ? 'relay' : 'local';
      const who = answered.length === 0 ? 'no relay answered' : `no answer from ${silent.join(', ')}`;
      throw new NostrSyncError('NO_RELAYS_REACHABLE', `Cannot read: ${who}, and this device holds no copy`, {
        details: { answered, silent },
      });
    },
  };
}
