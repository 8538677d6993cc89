/** An event that a relay shows, and that may take the place of the head. */

import { newestOf, seenBy } from '../../protocol/causality.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { vectorOf, voidsOf } from '../../protocol/header.ts';
import { DAY_SECONDS } from '../../protocol/limits.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isRenewalOf } from '../../protocol/renewal.ts';
import { isVoid, joinVoids } from '../../protocol/voids.ts';
import { isLostTo, isOverlooked, isPartOf } from './conflict.ts';
import { orphansOf, withDelivery } from './deliveries.ts';
import type { Effect, Input, Outcome } from './input.ts';
import { undoneBy } from './own-stamps.ts';
import { heldAgainst } from './own-write.ts';
import {
  EMPTY_RECORD,
  floorOf,
  isHeadShown,
  isHeld,
  isInPieces,
  isOwnHead,
  isWhole,
  type Delivery,
  type HeadRecord,
} from './record.ts';
import { formerOf, isKnownReadable } from './former.ts';

export function assembled(
  record: HeadRecord | undefined,
  { id, made, lacking }: Extract<Input, { readonly type: 'assembled' }>,
): Outcome {
  if (record?.event?.id !== id || isWhole(record)) return { record, effects: [] };
  const holders = [...record.deliveries].filter(([, delivery]) => delivery === 'confirmed');
  const pieces = [...made].map(([name, event]) => ({
    name,
    stamp: event.created_at,
    deliveries: new Map(
      holders.filter(([relay]) => lacking.get(relay)?.has(name) !== true) as [string, 'confirmed'][],
    ),
  }));
  const proven = new Map([...record.proven, ...holders.map(([relay]) => [relay, id] as const)]);
  return {
    record: { ...record, pieces, proven, orphans: orphansOf(record, pieces) },
    effects: [{ type: 'advanced', event: record.event }],
  };
}

export function shown(
  record: HeadRecord | undefined,
  relay: string,
  event: VerifiedEvent,
  relays: readonly string[],
): Outcome {
  const head = record?.event;
  if (record !== undefined && isVoid(record.voids, event)) return { record, effects: [] };
  const voids = joinVoids(record?.voids ?? EMPTY_RECORD.voids, voidsOf(event));
  if (record !== undefined && voids !== record.voids)
    return isVoid(voids, head ?? event)
      ? reset({ ...record, voids }, event, relay, relays)
      : shown({ ...record, voids }, relay, event, relays);
  const order = head === undefined ? 1 : compareEvents(event, head);
  if (order !== 0 && isHeld(record)) return { record: heldAgainst(record!, event), effects: [] };
  if (order < 0) return overlooked(record!, event);
  if (order === 0) return { record: withDelivery(record!, relay, 'confirmed'), effects: [] };
  // Its writer sends it to all relays: each is asked for it before this device sends it.
  return advance(record, event, shownBy(relay, relays));
}

function shownBy(relay: string, relays: readonly string[]): ReadonlyMap<string, Delivery> {
  return new Map(relays.map((url) => [url, url === relay ? 'confirmed' : 'unseen']));
}

/** The head does not count any more: what does takes its place. */
function reset(record: HeadRecord, event: VerifiedEvent, relay: string, relays: readonly string[]): Outcome {
  const { own } = record;
  const before = formerTo(record, event);
  const isBack = before !== undefined && compareEvents(before, event) > 0;
  const next = isBack ? before : event;
  const from = { ...record, before: isBack ? undefined : before, fallback: undefined, unreadable: true };
  const outcome = advance(from, next, isBack ? new Map() : shownBy(relay, relays));
  const stamp = next.created_at;
  // The next write of this device goes by what counts.
  if (own === undefined || floorOf(record) <= stamp) return outcome;
  const floor = Math.max(stamp, ...(own.past ?? []).filter((one) => one <= event.created_at + DAY_SECONDS));
  const lowered = { stamp: Math.min(own.stamp, stamp), floor, undone: undoneBy(own, stamp) };
  return { ...outcome, record: { ...outcome.record!, own: { ...outcome.record!.own!, ...lowered } } };
}

/**
 * What was before a void head, if it counts: it may be above the reset, and no other device may have it.
 * What the void head was written upon is part of that, and so of the reset, or from the future as well.
 */
function formerTo({ event, before, voids }: HeadRecord, reset: VerifiedEvent): VerifiedEvent | undefined {
  if (before === undefined || isVoid(voids, before)) return undefined;
  if (compareEvents(before, reset) < 0) return before;
  const isFuture = before.created_at > reset.created_at + DAY_SECONDS;
  return isFuture || isPartOf(seenBy(event), before) ? undefined : before;
}

/** A greater event, which is no write of the app here, takes the place of the head. */
export function advance(
  record: HeadRecord | undefined,
  event: VerifiedEvent,
  deliveries: ReadonlyMap<string, Delivery>,
): Outcome {
  const head = record?.event;
  const own = record?.own;
  if (head !== undefined && isRenewalOf(event, head)) {
    // Still this device's write: its stamp stays that of the write, so that its loss is told by what had not seen that.
    const renewed = isOwnHead(record!) ? { ...own!, id: event.id } : own;
    return {
      record: { ...record!, event, deliveries, own: renewed, contradictions: 0 },
      effects: [{ type: 'advanced', event, renews: head.id }],
    };
  }
  // If an event that had seen our write replaces it, the write lives on in that event. Who overwrites that one is in conflict with its writer.
  const overwritten = isLostTo(head, own, event);
  const advanced: HeadRecord = {
    ...EMPTY_RECORD,
    event,
    deliveries,
    ...formerOf(record, isHeadShown(record) && !isOverPieces(record)),
    own: overwritten ? { ...own!, lost: true } : own,
    // Also if no relay had our own write: the next write here has seen it, and says so by its own entry.
    deemed:
      vectorOf(event) === undefined
        ? newestOf(seenBy(head, record?.deemed))
        : (record?.deemed ?? EMPTY_RECORD.deemed),
    proven: record?.proven ?? EMPTY_RECORD.proven,
    // Which pieces a head in pieces shares with the former is known once it is whole.
    orphans: isInPieces(event) ? (record?.orphans ?? []) : orphansOf(record),
    voids: joinVoids(record?.voids ?? EMPTY_RECORD.voids, voidsOf(event)),
  };
  const effects: Effect[] = [{ type: 'advanced', event }];
  if (overwritten && head !== undefined) effects.push({ type: 'conflict', mine: head, theirs: event });
  return { record: advanced, effects };
}

/**
 * Whether a head that has not been read yet hides a value in pieces. There is room for the pieces of one value: those of one that was
 * read stay, until the next one was.
 */
function isOverPieces(record: HeadRecord | undefined): boolean {
  return record?.before !== undefined && isInPieces(record.before) && !isKnownReadable(record);
}

/** A blind write beats what it had not seen: that is told, once. */
function overlooked(record: HeadRecord, event: VerifiedEvent): Outcome {
  if (!isOverlooked(record, event)) return { record, effects: [] };
  return {
    record: { ...record, own: { ...record.own!, isBlind: false } },
    effects: [{ type: 'conflict', mine: record.event!, theirs: event }],
  };
}
