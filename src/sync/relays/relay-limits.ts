/** What relays are known to take, kept in the store: a relay is not asked again what it has refused for its size. */

import type { Clock } from '../../clock.ts';
import type { Ms } from '../../protocol/address.ts';
import { LARGE_EVENT_BYTES, RELAY_LIMITS_MS } from '../../protocol/limits.ts';
import { UNKNOWN_LIMITS, type EventLimits, type KnownLimits } from '../../relay/event-limits.ts';
import type { Store } from '../../store/store.ts';

export interface RelayLimits extends KnownLimits {
  /** Reads what is kept. Without it, or if it fails, everything is learned again. */
  load(): Promise<void>;
}

const PREFIX = 'relay-limits/';

function parse(text: string, now: Ms): EventLimits | undefined {
  try {
    const { acceptedBytes, refusedBytes, at } = JSON.parse(text) as Record<string, unknown>;
    const isSize = (size: unknown): boolean => size === null || Number.isSafeInteger(size);
    // The operator may have changed them since.
    const isFresh = typeof at === 'number' && Math.abs(now - at) < RELAY_LIMITS_MS;
    if (!isFresh || !isSize(acceptedBytes) || !isSize(refusedBytes)) return undefined;
    return { acceptedBytes, refusedBytes } as EventLimits;
  } catch {
    return undefined;
  }
}

export function createRelayLimits({
  store,
  clock,
}: {
  readonly store: Store;
  readonly clock: Clock;
}): RelayLimits {
  // By URL, as the keys of the store say it.
  const known = new Map<string, EventLimits>();
  const saved = new Map<string, EventLimits>();
  return {
    load: async () => {
      for (const [key, text] of await store.list(PREFIX)) {
        const limits = parse(text, clock.now());
        const url = key.slice(PREFIX.length);
        if (limits === undefined || known.has(url)) continue;
        known.set(url, limits);
        saved.set(url, limits);
      }
    },
    get: (url) => known.get(url) ?? UNKNOWN_LIMITS,
    set: (url, limits) => {
      known.set(url, limits);
      const before = saved.get(url) ?? UNKNOWN_LIMITS;
      const grown =
        (limits.acceptedBytes ?? 0) > Math.max(LARGE_EVENT_BYTES, (before.acceptedBytes ?? 0) * 1.1);
      if (!grown && limits.refusedBytes === before.refusedBytes) return;
      saved.set(url, limits);
      const key = PREFIX + url;
      const text = JSON.stringify({ ...limits, at: clock.now() });
      // A store that fails is reported by what matters more.
      store.update([key], () => new Map([[key, text]])).catch(() => undefined);
    },
  };
}
