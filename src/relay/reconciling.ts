/**
 * Reconciliation with one relay (NIP-77): what it has and this device lacks, and the other way round, without either being sent. Many
 * relays do not have it, and say so in many ways or not at all. What fails here is asked by a REQ, so every fault costs no more than that.
 */

import type { Clock } from '../clock.ts';
import { EOSE_TIMEOUT_MS, MAX_RECONCILIATIONS, NEG_SILENCE_MS } from '../protocol/limits.ts';
import type { ClientMessage, Filter } from '../protocol/message.ts';
import { createReconciliation, type Reconciliation } from '../protocol/negentropy.ts';
import type { Place } from '../protocol/order.ts';
import type { AuthExchange } from './auth.ts';
import type { Health } from './health.ts';

/** Ids that only one side has; those of the relay by its word. */
export type Difference = Pick<Reconciliation, 'have' | 'need'>;

/** Whether a relay reconciles, as far as that is known. */
export interface KnownReconciling {
  get(): boolean | undefined;
  set(reconciles: boolean): void;
}

export interface Reconciler {
  /**
   * Whether it is known to reconcile, did not fail on this connection, and never forged an event: the word of such a relay proves nothing.
   */
  isKnown(): boolean;
  /** Whether it is known not to. */
  isMissing(): boolean;
  /** Finds out whether it does, unless that is known: by a question about what no relay has. */
  probe(nothing: Filter): void;
  /** `undefined`: there is no answer that counts. Always settles. */
  reconcile(filter: Filter, events: Iterable<Place>): Promise<Difference | undefined>;
  /** It served what it said to have, or it did not. */
  judge(isTrue: boolean): void;
  /** These return whether the relay was asked for that. */
  message(id: string, text: string): boolean;
  refused(id: string, reason: string): boolean;
  /** Whether an id is one of a reconciliation. */
  isOurs(id: string): boolean;
  /** Some relays refuse by a NOTICE, which names nothing. */
  noticed(reason: string): void;
  /** The socket is gone. */
  dropped(): void;
}

/** `no`: the relay does not reconcile. `not now`: that says nothing of the next time. */
type Outcome = Difference | 'no' | 'not now';

interface Run {
  readonly reconciliation: Reconciliation;
  /** In ms. */
  readonly startedAt: number;
  sentAt: number;
  isAnswered: boolean;
  /** `isOver`: the relay has ended it. */
  readonly end: (outcome: Outcome, isOver?: boolean) => void;
  cancelTimer: () => void;
}

/** What relays say that do not know the message, or have it switched off. */
const REFUSAL = /neg|unknown|unrecogni|unsupported|invalid|bad|parse|command|not (supported|implemented)/i;

/** One closure: how each exchange ends says whether the relay reconciles, and that says whether the next one begins. */
export function createReconciler(ports: {
  readonly clock: Clock;
  readonly health: Health;
  readonly auth: AuthExchange;
  readonly known: KnownReconciling;
  readonly isOpen: () => boolean;
  /** Returns whether it could be sent. */
  readonly write: (message: ClientMessage) => boolean;
}): Reconciler {
  const { clock, health, auth, known } = ports;
  const runs = new Map<string, Run>();
  let nextId = 0;
  /** In a row. */
  let failures = 0;
  /** It has failed on this connection. */
  let isOff = false;
  let isProbing = false;
  /** Those that wait for their turn. */
  const waiting: (() => void)[] = [];
  const next = (): void => waiting.shift()?.();

  // A relay may show less to a stranger.
  const mayAsk = (): boolean => ports.isOpen() && !auth.isOpen() && !isOff;

  function start(filter: Filter, events: Iterable<Place>): Promise<Outcome> {
    const reconciliation = createReconciliation(events);
    const id = `n${nextId++}`;
    return new Promise((resolve) => {
      const now = clock.now();
      const run: Run = {
        reconciliation,
        startedAt: now,
        sentAt: now,
        isAnswered: false,
        end: (outcome, isOver = false) => {
          run.cancelTimer();
          runs.delete(id);
          if (!isOver) ports.write(['NEG-CLOSE', id]);
          resolve(outcome);
          next();
        },
        cancelTimer: () => undefined,
      };
      runs.set(id, run);
      if (!ports.write(['NEG-OPEN', id, filter, reconciliation.open()])) return run.end('not now');
      wait(run);
    });
  }

  function wait(run: Run): void {
    run.cancelTimer();
    run.sentAt = clock.now();
    const leftMs = run.startedAt + EOSE_TIMEOUT_MS - run.sentAt;
    run.cancelTimer = clock.after(Math.max(0, Math.min(NEG_SILENCE_MS, leftMs)), () => run.end('no'));
  }

  /** One connection on which it fails may be by chance. The second in a row is an answer. */
  function failed(): void {
    if (isOff) return;
    isOff = true;
    if (++failures > 1) known.set(false);
  }

  async function probe(nothing: Filter): Promise<void> {
    isProbing = true;
    const outcome = await start(nothing, []);
    isProbing = false;
    if (outcome !== 'not now') known.set(outcome !== 'no');
  }

  function refuse(run: Run, reason: string): void {
    health.complained(reason);
    // AUTH is for the REQ that follows to ask for, if that needs it as well.
    run.end(auth.isWanted(reason) ? 'not now' : 'no', true);
  }

  return {
    isKnown: () => known.get() === true && !isOff && !health.hasForged(),
    isMissing: () => known.get() === false,
    probe: (nothing) => {
      if (known.get() === undefined && !isProbing && mayAsk()) void probe(nothing);
    },
    reconcile: async (filter, events) => {
      while (runs.size >= MAX_RECONCILIATIONS) await new Promise<void>((resolve) => waiting.push(resolve));
      if (!mayAsk()) {
        next();
        return undefined;
      }
      const outcome = await start(filter, events);
      if (outcome === 'no') failed();
      // What came while the relay wanted AUTH may be less than there is.
      return typeof outcome === 'string' || auth.isOpen() ? undefined : outcome;
    },
    judge: (isTrue) => {
      if (isTrue) failures = 0;
      else failed();
    },
    isOurs: (id) => /^n\d{1,15}$/.test(id) && Number(id.slice(1)) < nextId,
    message: (id, text) => {
      const run = runs.get(id);
      if (run === undefined) return false;
      const step = run.reconciliation.take(text);
      if (step.type === 'malformed') {
        health.violation('frame');
        health.complained(`NEG-MSG: expected ${step.expected}`);
        run.end('no');
        return true;
      }
      health.seen(run.sentAt);
      run.isAnswered = true;
      if (step.type === 'done') run.end(run.reconciliation);
      else if (ports.write(['NEG-MSG', id, step.message])) wait(run);
      else run.end('not now');
      return true;
    },
    refused: (id, reason) => {
      const run = runs.get(id);
      if (run === undefined) return false;
      refuse(run, reason);
      return true;
    },
    noticed: (reason) => {
      if (!REFUSAL.test(reason) && !auth.isWanted(reason)) return;
      for (const run of [...runs.values()]) if (!run.isAnswered) refuse(run, reason);
    },
    dropped: () => {
      // A relay may hang up on what it does not know, or on an answer that is too large for us.
      if (runs.size > 0) failed();
      isOff = false;
      for (const run of [...runs.values()]) run.end('not now', true);
    },
  };
}
