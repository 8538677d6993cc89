/** When a relay is sent the same version of an item once more: by how often it was sent, and what the relay answered. */

import type { Clock } from '../../clock.ts';
import type { Ms } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { RETRY_CAP_MS } from '../../protocol/limits.ts';
import { retryMs, type RandomBytes } from '../../relay/backoff.ts';
import type { Item } from './item.ts';

/** The answer to one event, and how often its version was sent by then. */
export interface Sent {
  readonly answer: Answer;
  readonly count: number;
}

export interface Resending {
  /** Whether this version was sent, and is not forgotten. */
  wasSent(item: Item, version: string): boolean;
  /** It goes out now: how often, with this time. */
  count(item: Item, version: string): number;
  /** It got through, or is not wanted any more: how often it was sent does not count any more. */
  forget(item: Item): void;
  /** When to send again what was sent and is still owed, in ms: the relay has lost it, or the connection. */
  lostMs(item: Item): Ms;
  /** When to send again what was neither taken nor refused for good, in ms. */
  againMs(event: NostrEvent, sent: Sent): Ms;
}

export function createResending(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
}): Resending {
  const { clock, randomBytes } = ports;
  const attempts = new Map<string, { readonly version: string; readonly count: number }>();
  const countOf = ({ key }: Item): number => attempts.get(key)?.count ?? 0;
  const wasSent = ({ key }: Item, version: string): boolean => attempts.get(key)?.version === version;
  return {
    wasSent,
    count: (item, version) => {
      const count = wasSent(item, version) ? countOf(item) + 1 : 1;
      attempts.set(item.key, { version, count });
      return count;
    },
    forget: ({ key }) => void attempts.delete(key),
    // Twice that may happen, then it looks like a habit.
    lostMs: (item) => (countOf(item) < 3 ? 0 : retryMs(countOf(item) - 3, randomBytes)),
    againMs: (event, { answer, count }) => {
      switch (answer.type) {
        case 'clock':
          return Math.max(retryMs(count + 2, randomBytes), event.created_at * 1000 - clock.now());
        case 'auth-required':
          return RETRY_CAP_MS;
        case 'retry':
          return retryMs(count - 1, randomBytes);
        default:
          return 0;
      }
    },
  };
}
