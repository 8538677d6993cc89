/** Which relays reconcile sets (NIP-77), kept in the store: one that does not is not tried at each start. */

import type { Clock } from '../../clock.ts';
import type { RelayUrl } from '../../protocol/address.ts';
import { NEG_MEMORY_MS } from '../../protocol/limits.ts';
import type { KnownReconciling } from '../../relay/reconciling.ts';
import type { Store } from '../../store/store.ts';

interface Found {
  readonly reconciles: boolean;
  /** In ms. */
  readonly at: number;
}

const PREFIX = 'relay-nip77/';

function parse(text: string): Found | undefined {
  try {
    const { reconciles, at } = JSON.parse(text) as Record<string, unknown>;
    return typeof reconciles === 'boolean' && typeof at === 'number' ? { reconciles, at } : undefined;
  } catch {
    return undefined;
  }
}

export function createKnownReconciling({ store, clock }: { readonly store: Store; readonly clock: Clock }): {
  /** Reads what is kept. Without it, or if it fails, everything is learned again. */
  load(): Promise<void>;
  of(url: RelayUrl): KnownReconciling;
} {
  // By URL, as the keys of the store say it.
  const known = new Map<string, Found>();
  return {
    load: async () => {
      for (const [key, text] of await store.list(PREFIX)) {
        const found = parse(text);
        const url = key.slice(PREFIX.length);
        if (found !== undefined && !known.has(url)) known.set(url, found);
      }
    },
    of: (url) => ({
      get: () => {
        const found = known.get(url);
        // Its operator may have switched it on since.
        const isOld = found?.reconciles === false && Math.abs(clock.now() - found.at) >= NEG_MEMORY_MS;
        return isOld ? undefined : found?.reconciles;
      },
      set: (reconciles) => {
        const found = { reconciles, at: clock.now() };
        const isNew = known.get(url)?.reconciles !== reconciles || !reconciles;
        known.set(url, found);
        const key = PREFIX + url;
        // A store that fails is reported by what matters more.
        if (isNew) store.update([key], () => new Map([[key, JSON.stringify(found)]])).catch(() => undefined);
      },
    }),
  };
}
