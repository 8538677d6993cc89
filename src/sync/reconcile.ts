/**
 * The one place that decides. `reconcile(record, input)` is pure: it runs inside the store's transaction, may run twice,
 * and its effects are carried out only after the record is on the medium.
 *
 * Invariants (numbers of docs/RELIABILITY.md):
 *  I3  A head is only ever replaced by a greater one: in (created_at, lower id). Two exceptions, both by this device
 *      alone and for a write that no relay has taken: a withdrawn write, and a write replaced before any socket
 *      carried it (which may then reuse its stamp).
 *  I9  Every input again is a no-op: it returns the same record object and no effects.
 *  I11 `own.stamp` never decreases, and a write below it, or equal to one that was carried, is `stale`.
 *  I12 A relay's delivery leaves `pending` only by that relay's own word about this very head.
 */

import { covers, vectorOf } from '../protocol/causality.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { compareEvents } from '../protocol/order.ts';
import { deliveryOf, isOwnHead, type Delivery, type HeadRecord } from './record.ts';

export type Input =
  /** A write of this device. */
  | { readonly type: 'write'; readonly event: VerifiedEvent; readonly device: string }
  /** Nobody will hear of the write again: every relay refused it while its writer still waited. */
  | { readonly type: 'withdraw'; readonly id: string }
  /** A relay showed this event. `relays`: all that are configured. */
  | {
      readonly type: 'shown';
      readonly relay: string;
      readonly event: VerifiedEvent;
      readonly relays: readonly string[];
    }
  /** A relay's complete answer did not contain the head `id`. */
  | { readonly type: 'lacking'; readonly relay: string; readonly id: string }
  /** A relay answered to the head `id`. `superseded`: it has something newer, and did not take this. */
  | {
      readonly type: 'answered';
      readonly relay: string;
      readonly id: string;
      readonly delivery: 'acknowledged' | 'refused';
      readonly superseded?: boolean;
    }
  /** The relay was removed or its settings changed: what it said does not count any more. */
  | { readonly type: 'forget-relay'; readonly relay: string }
  /** The head `id` could not be decrypted or parsed. */
  | { readonly type: 'unreadable'; readonly id: string }
  /** Nothing new: the store failed to take the record and is asked again. */
  | { readonly type: 'resave' };

export type Effect =
  /** The write came too late: the head, or an own write, is not below it. Stamp again. */
  | { readonly type: 'stale' }
  /** The head changed by another's write. */
  | { readonly type: 'advanced'; readonly event: VerifiedEvent }
  /** A write of this device (held in `mine`) was replaced by one that had not seen it. */
  | { readonly type: 'conflict'; readonly mine: VerifiedEvent; readonly theirs: VerifiedEvent };

export interface Outcome {
  /** The same object where nothing changed. */
  readonly record: HeadRecord | undefined;
  readonly effects: readonly Effect[];
}

/** `uncarried`: the id of an own write that no socket has carried yet; a newer one may take its stamp (R3). */
export function reconcile(
  record: HeadRecord | undefined,
  input: Input,
  uncarried: string | undefined,
): Outcome {
  switch (input.type) {
    case 'write':
      return write(record, input.event, input.device, uncarried);
    case 'shown':
      return shown(record, input.relay, input.event, input.relays);
    case 'withdraw':
      return change(record, input.id, (head) =>
        isOwnHead(head)
          ? // Its stamp stays the floor, but nobody will ever have seen it: what comes next is no conflict with it.
            {
              ...head,
              event: head.before,
              before: undefined,
              deliveries: new Map(),
              own: { ...head.own!, lost: true },
              unreadable: false,
            }
          : head,
      );
    case 'lacking':
      return change(record, input.id, (head) =>
        deliveryOf(head, input.relay) === 'refused' ? head : withDelivery(head, input.relay, 'pending'),
      );
    case 'answered':
      return change(record, input.id, (head) =>
        // A read-back says more than an OK that comes after it.
        deliveryOf(head, input.relay) === 'confirmed'
          ? head
          : withDelivery(head, input.relay, input.delivery, input.superseded),
      );
    case 'resave':
      return { record, effects: [] };
    case 'unreadable':
      return change(record, input.id, (head) => (head.unreadable ? head : { ...head, unreadable: true }));
    case 'forget-relay': {
      if (record === undefined || !record.deliveries.has(input.relay)) return { record, effects: [] };
      const deliveries = new Map(record.deliveries);
      deliveries.delete(input.relay);
      return { record: { ...record, deliveries }, effects: [] };
    }
  }
}

/** A change that is about the head with this id, and nothing where that is not the head any more. */
function change(
  record: HeadRecord | undefined,
  id: string,
  apply: (head: HeadRecord) => HeadRecord,
): Outcome {
  return { record: record?.event?.id === id ? apply(record) : record, effects: [] };
}

function withDelivery(record: HeadRecord, relay: string, delivery: Delivery, superseded = false): HeadRecord {
  if (record.deliveries.get(relay) === delivery) return record;
  const next = { ...record, deliveries: new Map([...record.deliveries, [relay, delivery]]) };
  const taken = !superseded && (delivery === 'acknowledged' || delivery === 'confirmed');
  // A write of ours that a relay has taken can neither be withdrawn nor prove unreadable: nothing needs its `before`.
  return taken && isOwnHead(record)
    ? { ...next, before: undefined, own: { ...record.own!, acknowledged: true } }
    : next;
}

/** The newest value that can be read once `record`'s head is replaced. */
function readableOf(record: HeadRecord | undefined): VerifiedEvent | undefined {
  return record?.unreadable === true ? record.before : record?.event;
}

function write(
  record: HeadRecord | undefined,
  event: VerifiedEvent,
  device: string,
  uncarried: string | undefined,
): Outcome {
  const head = record?.event;
  const replaces = head !== undefined && head.id === uncarried && isOwnHead(record!);
  const floor = Math.max(record?.own?.stamp ?? -1, head?.created_at ?? -1);
  if (event.created_at < floor || (event.created_at === floor && !replaces))
    return { record, effects: [{ type: 'stale' }] };
  return {
    record: {
      event,
      deliveries: new Map(),
      before: readableOf(record),
      own: { device, id: event.id, stamp: event.created_at, acknowledged: false, lost: false },
      unreadable: false,
    },
    effects: [],
  };
}

function shown(
  record: HeadRecord | undefined,
  relay: string,
  event: VerifiedEvent,
  relays: readonly string[],
): Outcome {
  const head = record?.event;
  const order = head === undefined ? 1 : compareEvents(event, head);
  if (order < 0) return { record, effects: [] };
  if (order === 0) return { record: withDelivery(record!, relay, 'confirmed'), effects: [] };

  const own = record?.own;
  const overwritten = own !== undefined && !own.lost && overwrites(event, own);
  const advanced: HeadRecord = {
    event,
    // Its writer sends it to all of them: they are asked before they are sent it.
    deliveries: new Map(relays.map((url) => [url, url === relay ? 'confirmed' : 'unseen'])),
    before: readableOf(record),
    own: overwritten ? { ...own, lost: true } : own,
    unreadable: false,
  };
  const effects: Effect[] = [{ type: 'advanced', event }];
  if (overwritten && head !== undefined) effects.push({ type: 'conflict', mine: head, theirs: event });
  return { record: advanced, effects };
}

/** Whether `event` was written without having seen our write. */
function overwrites(event: VerifiedEvent, own: NonNullable<HeadRecord['own']>): boolean {
  if (event.id === own.id) return false;
  const vector = vectorOf(event);
  // A writer without vectors (the reference) may well have seen what a relay had taken.
  return vector === undefined ? !own.acknowledged : !covers(vector, own.device, own.stamp);
}
