/** How one relay behaves: what it answered last, what it did wrong, and how much work it makes. */

import { toIso, type Clock } from '../clock.ts';
import type { Ms } from '../protocol/address.ts';
import type { EventFault } from '../protocol/event.ts';
import { MAX_STRAIN_PER_MINUTE } from '../protocol/limits.ts';

/** What a relay did wrong: an event that failed a check, or a frame that was not asked for. */
export type Violation = EventFault | 'frame' | 'subscription' | 'flood' | 'answer';

export interface HealthReport {
  /** When this relay last sent something valid, ISO 8601; `null` before that. */
  readonly lastSeen: string | null;
  /** Round trip of the last answered request in ms. */
  readonly latencyMs: number | null;
  /** The last complaint of the relay or the network. For people. */
  readonly lastError: string | null;
  /** Frames of this relay that failed a check, by kind of fault. */
  readonly violations: Readonly<Partial<Record<Violation, number>>>;
}

export interface Health {
  /** It sent something valid. `sentAt`: in answer to what was sent then, in ms. */
  seen(sentAt?: Ms): void;
  /** The relay, or the network, said what went wrong. */
  complained(reason: string): void;
  violation(kind: Violation): void;
  /** Whether it has shown what was never signed like that. */
  hasForged(): boolean;
  /** Counts work that was not asked for. Returns whether it is too much for a minute; then the count starts again. */
  burden(work: number): boolean;
  report(): HealthReport;
}

export function createHealth(clock: Clock): Health {
  let lastSeen: Ms | undefined;
  let latencyMs: Ms | null = null;
  let lastError: string | null = null;
  const violations: Partial<Record<Violation, number>> = {};
  /** What the relay has made us do in this minute, beyond what it was asked for. */
  let strain = { since: 0, sum: 0 };

  return {
    seen: (sentAt) => {
      lastSeen = clock.now();
      if (sentAt !== undefined) latencyMs = Math.max(0, lastSeen - sentAt);
    },
    complained: (reason) => {
      lastError = reason;
    },
    violation: (kind) => {
      violations[kind] = (violations[kind] ?? 0) + 1;
    },
    hasForged: () => (violations.id ?? 0) + (violations.signature ?? 0) > 0,
    burden: (work) => {
      const now = clock.now();
      if (Math.abs(now - strain.since) > 60_000) strain = { since: now, sum: 0 };
      strain.sum += work;
      if (strain.sum <= MAX_STRAIN_PER_MINUTE) return false;
      strain.sum = 0;
      return true;
    },
    report: () => ({
      lastSeen: lastSeen === undefined ? null : toIso(lastSeen),
      latencyMs,
      lastError,
      violations: { ...violations },
    }),
  };
}
