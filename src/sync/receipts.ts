/** Who waits for a write that is saved, how long, and what the answer is: a stage that it has come to, or that every relay refused it. */

import type { Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import type { Address, EventId, RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import type { NostrEvent, VerifiedEvent } from '../protocol/event.ts';
import { PUBLISH_TIMEOUT_MS } from '../protocol/limits.ts';
import { receiptOf } from './delivery-report.ts';
import { callListener, type Receipt } from './events.ts';
import type { Effect } from './heads/input.ts';
import { deliveryOf, isOwnHead, stageOf, type HeadRecord, type Stage } from './heads/record.ts';
import type { Change, Replica } from './heads/replica.ts';
import type { Write } from './write.ts';

export interface Receipts {
  /** Resolves once the saved write has come to the stage that its call waits for, or with what is known when the time is over. */
  wait(dTag: Address, event: VerifiedEvent, write: Write): Promise<Receipt>;
  /** A record changed. */
  changed(change: Pick<Change, 'dTag' | 'effects'>): void;
  /** A relay's answer to an own head: what it refuses for good, and why. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): void;
  /** Relays came or went: what can no longer be delivered is not waited for. */
  relaysChanged(): void;
  close(): void;
}

interface Waiter {
  readonly dTag: Address;
  /** Another one if the write got another stamp. */
  event: VerifiedEvent;
  readonly write: Write;
  /** Relays that were configured at any time since: one that was removed may have it. */
  readonly asked: Set<RelayUrl>;
  /** The time is over, or the call was aborted: what is known then is the answer. */
  isDue: boolean;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: NostrSyncError) => void;
}

const STAGES: readonly Stage[] = ['saved', 'delivered', 'replicated'];

/** By d-tag, why relays refused the head. */
function createRefusals(replica: Pick<Replica, 'get'>): Pick<Receipts, 'answered'> & {
  reasonsOf(dTag: Address, relays: readonly RelayUrl[]): Record<string, string>;
} {
  const refusals = new Map<Address, { readonly id: EventId; readonly reasons: Map<RelayUrl, string> }>();
  return {
    answered: (dTag, relay, event, answer) => {
      if (answer.type !== 'refused' && answer.type !== 'too-large') return;
      // A slow relay answers to an older one after another has refused this.
      if (replica.get(dTag)?.head?.event.id !== event.id) return;
      const known = refusals.get(dTag);
      const reasons = known?.id === event.id ? known.reasons : new Map<RelayUrl, string>();
      refusals.set(dTag, { id: event.id, reasons: reasons.set(relay, answer.reason) });
    },
    reasonsOf: (dTag, relays) => {
      const reasons = refusals.get(dTag)?.reasons;
      return Object.fromEntries(relays.map((relay) => [relay, reasons?.get(relay) ?? 'refused']));
    },
  };
}

/** Whether a write that is the head was refused for good by each of these relays, and no relay has it. */
function isRefused(record: HeadRecord, asked: Iterable<RelayUrl>): boolean {
  if (!isOwnHead(record) || record.own!.acknowledged) return false;
  return [...asked].every((relay) => deliveryOf(record, relay) === 'refused');
}

/** One closure: who waits, and what was told, is one state that every news of a record may settle. */
export function createReceipts(ports: {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get' | 'apply'>;
  /** Configured relays, and whether there is a hope that one of them answers soon. */
  readonly relays: () => readonly RelayUrl[];
  readonly isReachable: () => boolean;
}): Receipts {
  const { clock, replica } = ports;
  /** By category: of thousands of writes, a change concerns few. */
  const waiters = new Map<Address, Set<Waiter>>();
  const waitersOf = (dTag: Address): Set<Waiter> => waiters.get(dTag) ?? new Set();
  const add = (waiter: Waiter): unknown => waiters.set(waiter.dTag, waitersOf(waiter.dTag).add(waiter));
  function remove(waiter: Waiter): boolean {
    const those = waitersOf(waiter.dTag);
    const wasThere = those.delete(waiter);
    if (those.size === 0) waiters.delete(waiter.dTag);
    return wasThere;
  }
  const each = (act: (waiter: Waiter) => void): void => {
    for (const those of waiters.values()) those.forEach(act);
  };
  const refusals = createRefusals(replica);
  /**
   * By d-tag: writes whose `publish` has resolved. They are never withdrawn, even if another caller still waits when every relay refuses
   * one.
   */
  const told = new Map<Address, ReadonlySet<EventId>>();
  let closed = false;

  const wasTold = (dTag: Address, id: EventId): boolean => told.get(dTag)?.has(id) === true;

  /** Of those before it, the ones stay that could still be withdrawn: a call for an older write may have its answer last. */
  function tell(dTag: Address, id: EventId): void {
    const head = replica.get(dTag)?.head?.event.id;
    const mayEnd = (one: EventId): boolean =>
      one === head || [...waitersOf(dTag)].some(({ event }) => event.id === one);
    told.set(dTag, new Set([...(told.get(dTag) ?? [])].filter(mayEnd)).add(id));
  }

  const receiptFor = ({ dTag, event }: Waiter): Receipt =>
    receiptOf(dTag, event, replica.get(dTag)!, ports.relays());

  function check(waiter: Waiter): void {
    const record = replica.get(waiter.dTag);
    if (record?.head === undefined) return reject(waiter, {});
    const relays = ports.relays();
    const stage = stageOf(record, relays);
    if (STAGES.indexOf(stage) >= STAGES.indexOf(waiter.write.waitFor)) return resolve(waiter);
    for (const relay of relays) waiter.asked.add(relay);
    // An earlier write that it had replaced is the head again then, and goes on.
    const { event } = record.head;
    if (event.id === waiter.event.id && relays.length > 0 && isRefused(record, waiter.asked))
      return wasTold(waiter.dTag, event.id) ? resolve(waiter) : void withdraw(waiter.dTag, event);
    if (stage === 'saved' && !ports.isReachable()) resolve(waiter);
  }

  /** The same write goes on under another stamp. */
  function stampedAnew(
    dTag: Address,
    { event, renews }: Extract<Effect, { readonly type: 'advanced' }>,
  ): void {
    if (renews === undefined) return;
    if (wasTold(dTag, renews)) tell(dTag, event.id);
    for (const waiter of waitersOf(dTag)) if (waiter.event.id === renews) waiter.event = event;
  }

  function resolve(waiter: Waiter): void {
    if (!remove(waiter)) return;
    tell(waiter.dTag, waiter.event.id);
    waiter.resolve(receiptFor(waiter));
  }

  function reject(waiter: Waiter, reasons: Record<string, string>): void {
    if (!remove(waiter)) return;
    waiter.reject(
      new NostrSyncError('NO_RELAYS_ACCEPTED', 'Cannot publish: every relay refused it for good', {
        details: { reasons },
      }),
    );
  }

  /** With the notes of all who wait for it, and for all of them. */
  async function withdraw(dTag: Address, { id }: VerifiedEvent): Promise<void> {
    const reasons = refusals.reasonsOf(dTag, ports.relays());
    const those = [...waitersOf(dTag)].filter(({ event }) => event.id === id);
    those.forEach(remove);
    const notes = those.flatMap((waiter) => waiter.write.note?.(receiptFor(waiter)) ?? []);
    const along = notes.map(([key]) => [key, null] as const);
    // What could not be taken back stays saved, and goes to whatever relay is added.
    const effects = await replica
      .apply(dTag, { type: 'withdraw', id, along: () => along })
      .catch(() => undefined);
    for (const waiter of those) {
      add(waiter);
      if (effects?.some(({ type }) => type === 'withdrawn') === true) reject(waiter, reasons);
      // A newer write was saved before that, and would bring this one back if it is withdrawn itself.
      else if (effects === undefined || waiter.isDue || closed) resolve(waiter);
      else check(waiter);
    }
  }

  return {
    wait: (dTag, event, write) =>
      new Promise((resolveReceipt, rejectReceipt) => {
        const settling =
          <T>(settle: (outcome: T) => void) =>
          (outcome: T): void => {
            cancel();
            write.signal?.removeEventListener('abort', stop);
            settle(outcome);
          };
        const waiter: Waiter = {
          ...{ dTag, event, write, asked: new Set(), isDue: false },
          resolve: settling(resolveReceipt),
          reject: settling(rejectReceipt),
        };
        const stop = (): void => {
          waiter.isDue = true;
          resolve(waiter);
        };
        const cancel = clock.after(PUBLISH_TIMEOUT_MS, stop);
        write.signal?.addEventListener('abort', stop);
        add(waiter);
        if (write.onSaved !== undefined) callListener(write.onSaved, receiptFor(waiter));
        check(waiter);
        if (write.signal?.aborted === true || closed) stop();
      }),
    changed: ({ dTag, effects }) => {
      for (const effect of effects) if (effect.type === 'advanced') stampedAnew(dTag, effect);
      waitersOf(dTag).forEach(check);
    },
    answered: refusals.answered,
    relaysChanged: () => each(check),
    close: () => {
      closed = true;
      each(resolve);
    },
  };
}
