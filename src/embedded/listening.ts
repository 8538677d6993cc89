/** The subscriptions of the program's parts: each hears what other devices write, and what other parts of the program do. */

import type { NostrSync } from '../nostr-sync.ts';
import type { FetchResult } from '../sync/events.ts';
import { native } from './native.ts';

export interface Listening {
  /** `id` is the program's. Replaces nothing: each subscription has an id of its own. */
  subscribe(id: number, origin: string, categories: readonly string[]): void;
  unsubscribe(id: number): void;
  /** A part of the program has written this; `null`: it is news to that part as well. */
  written(origin: string | null, result: FetchResult): void;
}

interface Subscription {
  readonly id: number;
  readonly origin: string;
  /** By category, the id of the newest value that it knows. */
  readonly known: Map<string, string>;
  readonly categories: ReadonlySet<string>;
  readonly stop: () => void;
}

export function createListening(engine: Pick<NostrSync, 'subscribe'>): Listening {
  const subscriptions = new Map<number, Subscription>();

  function tell({ id, known }: Pick<Subscription, 'id' | 'known'>, result: FetchResult): void {
    const { category, eventId } = result;
    if (known.get(category) === eventId) return;
    known.set(category, eventId);
    native.value(id, category, JSON.stringify(result));
  }

  return {
    subscribe: (id, origin, categories) => {
      const known = new Map<string, string>();
      // It checks them, and tells nothing before it has returned.
      const stop = engine.subscribe(categories, (result) => tell({ id, known }, result));
      subscriptions.set(id, { id, origin, known, categories: new Set(categories), stop });
    },
    unsubscribe: (id) => {
      subscriptions.get(id)?.stop();
      subscriptions.delete(id);
    },
    written: (origin, result) => {
      for (const subscription of subscriptions.values()) {
        if (!subscription.categories.has(result.category)) continue;
        if (subscription.origin === origin) subscription.known.set(result.category, result.eventId);
        else tell(subscription, result);
      }
    },
  };
}
