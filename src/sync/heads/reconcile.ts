/**
 * The one place that decides. `reconcile(record, input)` is pure: it runs inside the store's transaction, may run twice,
 * and its effects are carried out only after the record is on the medium.
 *
 * Invariants (numbers of docs/RELIABILITY.md):
 *  I3  A head is only ever replaced by a greater one: in (created_at, lower id). Three exceptions, all by this device
 *      alone and for a write that no relay has taken: a withdrawn write, a write replaced before any socket
 *      carried it (which may then reuse its stamp), and one that every relay finds too late, which gets a lower stamp.
 *  I9  Every input again is a no-op: it returns the same record object and no effects.
 *  I11 `floorOf` a record decreases only if a write gets a lower stamp, or is reset. A write below it, or equal to one that was carried, is
 * `stale`.
 *  I12 A relay's delivery leaves `pending` only by that relay's own word about this very head.
 *
 *  I21 is kept by heads/frontier.ts.
 *
 * Of values in pieces (docs/PROTOCOL.md section 6):
 *  P1  A relay that has a head has all pieces of it: pieces are sent before the head, and collected only when no relay's
 *      head refers to them. So a relay that shows a head in pieces is taken to have these.
 *  P2  A head whose pieces are not all in the store is not shown, not sent, and not built upon.
 */

import type { EventId } from '../../protocol/address.ts';
import { advance, assembled, shown } from './arrival.ts';
import { carried } from './carried.ts';
import { beatenUnseen } from './conflict.ts';
import {
  buried,
  lacking,
  remade,
  withDelivery,
  withPiece,
  withoutBefore,
  withoutPieces,
} from './deliveries.ts';
import { isKnownReadable } from './former.ts';
import { gathered, remembered, settled, withFrontier } from './frontier.ts';
import type { Input, Outcome } from './input.ts';
import { explored, exported, restamp, taken, withdraw, write } from './own-write.ts';
import { KEEP_ALL, type Keeping } from './past.ts';
import { deliveryOf, isHeld, type HeadRecord } from './record.ts';
import { isInPieces, isWhole, type Version } from './version.ts';

/** `uncarried`: the id of an own write that no socket has carried yet; a newer one may take its stamp. */
export function reconcile(
  record: HeadRecord | undefined,
  input: Input,
  uncarried: EventId | undefined,
  keeping: Keeping = KEEP_ALL,
): Outcome {
  const outcome = letGo(record, decided(record, input, uncarried));
  return withFrontier(record, outcome, input, uncarried, keeping);
}

/** A write that is held no more meets nothing more: what it beats unseen is told. */
function letGo(before: HeadRecord | undefined, { record, effects }: Outcome): Outcome {
  if (record?.own?.met === undefined || isHeld(record)) return { record, effects };
  const { met: _, ...own } = record.own;
  return { record: { ...record, own }, effects: [...effects, ...beatenUnseen(before, record)] };
}

function decided(record: HeadRecord | undefined, input: Input, uncarried: EventId | undefined): Outcome {
  switch (input.type) {
    case 'write':
      return write(record, input, uncarried);
    case 'shown':
      return shown(record, input.relay, input.event, input.relays);
    case 'assembled':
      return assembled(record, input);
    case 'explored':
      return explored(record, input);
    case 'exported':
      return change(record, input.id, exported);
    case 'withdraw':
      return withdraw(record, input.id);
    case 'lacking':
      return change(record, input.id, (current) => lacking(current, input.relay, input.instead));
    case 'doubted':
      return change(record, input.id, (current) =>
        deliveryOf(current, input.relay) === 'confirmed'
          ? withDelivery(current, input.relay, 'acknowledged', true)
          : current,
      );
    case 'renew':
      return record?.head?.event.id === input.id
        ? advance(record, input.event, new Map())
        : { record, effects: [] };
    case 'restamp':
      return restamp(record, input);
    case 'remembered':
      return { record: record && remembered(record, input), effects: [] };
    case 'gathered':
      return { record: record && gathered(record, input), effects: [] };
    case 'carried':
      return carried(record, input);
    case 'settled':
      return change(record, input.id, (current) => settled(current, input.ids, input.seen));
    case 'answered': {
      const isOfHead = record?.head?.event.id === input.id;
      if (!isOfHead && input.event !== undefined && !input.superseded)
        return { record: record && taken(record, input.event), effects: [] };
      return change(record, input.id, (current) =>
        // A read-back says more than an OK that comes after it.
        current.deliveries.get(input.relay) === 'confirmed' && input.delivery === 'acknowledged'
          ? current
          : withDelivery(current, input.relay, input.delivery, input.superseded),
      );
    }
    case 'piece':
      return { record: record && withPiece(record, input.relay, input.name, input.delivery), effects: [] };
    case 'torn':
      return change(record, input.id, (current) =>
        isInPieces(current.head!.event) && isWhole(current.head)
          ? { ...current, head: { ...current.head!, pieces: undefined } }
          : current,
      );
    case 'forget-pieces':
      return change(record, input.id, (current) => withoutPieces(current, input.relay));
    case 'buried':
      return change(record, input.id, (current) => buried(current, input));
    case 'remade':
      return change(record, input.id, (current) => remade(current, input));
    case 'replicated':
      return change(record, input.id, (current) =>
        current.orphans.every((orphan) => orphan.since !== undefined)
          ? current
          : { ...current, orphans: current.orphans.map(({ name, since = input.at }) => ({ name, since })) },
      );
    case 'collected': {
      if (record === undefined || !record.orphans.some(({ name }) => input.names.has(name)))
        return { record, effects: [] };
      const orphans = record.orphans.filter(({ name }) => !input.names.has(name));
      return { record: { ...record, orphans }, effects: [] };
    }
    case 'resave':
      return { record, effects: [] };
    case 'read':
      // If nothing was before the current, nothing depends on this. A signer may have failed, and work again.
      return change(nowRead(record, input.id), input.id, (current) =>
        current.head!.reading !== 'unreadable' && (current.former.length === 0 || isKnownReadable(current))
          ? current
          : withoutBefore({ ...current, head: { ...current.head!, reading: 'read' } }),
      );
    case 'unreadable':
      // What was read once, or made by a key that is here: it is the signer that fails, and what comes next is built upon it.
      return change(record, input.id, (current) =>
        current.head!.reading === 'unread'
          ? { ...current, head: { ...current.head!, reading: 'unreadable' } }
          : current,
      );
    case 'forget-relay': {
      if (record === undefined || !record.deliveries.has(input.relay)) return { record, effects: [] };
      const deliveries = new Map(record.deliveries);
      deliveries.delete(input.relay);
      return { record: withoutPieces({ ...record, deliveries }, input.relay), effects: [] };
    }
  }
}

/** A signer has read at last what was before the head. */
function nowRead(record: HeadRecord | undefined, id: EventId): HeadRecord | undefined {
  const isIt = ({ event, reading }: Version): boolean => event.id === id && reading === 'unreadable';
  if (record?.former.some(isIt) !== true) return record;
  return { ...record, former: record.former.map((one) => (isIt(one) ? { ...one, reading: 'read' } : one)) };
}

/** A change of the head with this id: none if another event is the head by now. */
function change(
  record: HeadRecord | undefined,
  id: EventId,
  apply: (current: HeadRecord) => HeadRecord,
): Outcome {
  return { record: record?.head?.event.id === id ? apply(record) : record, effects: [] };
}
