/** What a device keeps of the ids and stamps of its own writes: it tells them from what a twin has written. */

import type { EventId, Seconds } from '../../protocol/address.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { vectorOf } from '../../protocol/header.ts';
import { MAX_ABOVE, MAX_WITHDRAWN } from '../../protocol/limits.ts';
import { isOwnHead, versionsOf, type HeadRecord, type OwnWrite } from './record.ts';

/** Stands in the place of a stamp, before those of own writes: the first of these was above nothing. */
export const NOTHING: Seconds = -1;

/** A relay may have kept it. */
export function withIdOf(ids: readonly EventId[] | undefined, id: EventId): readonly EventId[] {
  return [...(ids ?? []), id].slice(-MAX_WITHDRAWN);
}

/** Of the heads down to one that a relay has, what somebody may have. The first stays: that one is no write of ours alone. */
export function stampsBelow(
  record: HeadRecord | undefined,
  uncarried: EventId | undefined,
): readonly Seconds[] {
  if (record?.head === undefined) return [];
  const { id, created_at } = record.head.event;
  if (!isOwnHead(record) || record.own!.acknowledged) return [created_at];
  const { above } = record.own!;
  const before = above?.length === 0 ? [NOTHING] : (above ?? []);
  const [first, ...others] = [...before, ...(id === uncarried ? [] : [created_at])];
  return first === undefined ? [] : [first, ...others.slice(1 - MAX_ABOVE)];
}

/** Of the last write, and of what came before it here. */
export const stampsIn = (own: OwnWrite | undefined): readonly Seconds[] =>
  own === undefined ? [] : [...(own.past ?? []), own.stamp, own.floor ?? own.stamp];

/**
 * Of too many those go that are nearest to their neighbours: the first and the last stay, and what stands on both sides of a leap of the
 * clock.
 */
export function stampsBefore(record: HeadRecord | undefined): readonly Seconds[] {
  const known = versionsOf(record).map(({ event }) => event.created_at);
  const [stamp = -1] = known;
  // Since the last own write the head may have changed more than once.
  const stamps = [...new Set([...known, ...stampsIn(record?.own)])]
    .filter((one) => one <= stamp)
    .sort((a, b) => a - b);
  while (stamps.length > MAX_ABOVE) {
    const gaps = stamps.map((_, i) => (stamps[i + 1] ?? Infinity) - (stamps[i - 1] ?? -Infinity));
    stamps.splice(gaps.indexOf(Math.min(...gaps)), 1);
  }
  return stamps;
}

/** A signer that says its own time has made the event a little later than its writer says. */
export function stampsOf(
  event: VerifiedEvent,
  device: string,
): Pick<OwnWrite, 'device' | 'id' | 'stamp' | 'floor'> {
  const stamp = vectorOf(event)?.get(device) ?? event.created_at;
  return { device, id: event.id, stamp, ...(stamp === event.created_at ? {} : { floor: event.created_at }) };
}

/** Stamps of own writes that are above what is to come. */
export function undoneBy(own: OwnWrite | undefined, stamp: Seconds): readonly Seconds[] | undefined {
  const more = stampsIn(own).filter((one) => one > stamp);
  if (more.length === 0) return own?.undone;
  // From the least to the greatest of them it was this device that wrote.
  const all = [...(own?.undone ?? []), ...more];
  return [Math.min(...all), Math.max(...all)];
}

/** Whether this device has taken back a write at this stamp, or lost it to a reset. */
export function hasUndone(own: OwnWrite | undefined, stamp: Seconds): boolean {
  const [least = Infinity, greatest = Infinity] = own?.undone ?? [];
  return stamp >= least && stamp <= greatest;
}
