/**
 * The frontier of a category: the head, and its rivals, the known events that it has not seen. What is neither any more goes into the
 * ring of former values. Pure: `reconcile` asks it after each decision about a head.
 *
 *  I21 No rival is above the head, no rival has seen another, and the head has seen none. An event that a relay showed, and that
 *      no other known event has seen, is the head or a rival, in whatever order they came: none is lost without a word.
 */

import type { EventId } from '../../protocol/address.ts';
import {
  covers,
  joinVectors,
  seenBy,
  unseenBy,
  writerOf,
  type VersionVector,
} from '../../protocol/causality.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { isTombstone, vectorOf, voidsOf } from '../../protocol/header.ts';
import { MAX_RIVALS } from '../../protocol/limits.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isRenewalOf } from '../../protocol/renewal.ts';
import { isVoid } from '../../protocol/voids.ts';
import { isLostTo, isPartOf } from './conflict.ts';
import type { Input, Outcome } from './input.ts';
import { compareKept, isKeptIn, keptOf, placeOf, type Kept } from './kept.ts';
import { limited, remember, type Around, type Keeping } from './past.ts';
import { isHeld, isOwnHead, isShown, type HeadRecord } from './record.ts';
import type { Version } from './version.ts';

/** What the value of the head contains. */
export function containedIn(record: HeadRecord<NostrEvent>): VersionVector {
  return joinVectors(seenBy(record.head?.event, record.deemed), record.joint);
}

/**
 * V1: what a write that was asked for with `seen` contains. Its own entry says that it has all own writes before it, so it has seen what
 * the newest of these had: a call that waited for its turn may not have.
 */
export function withOwn(record: HeadRecord | undefined, seen: VersionVector): VersionVector {
  return joinVectors(seen, seenByOwn(record) ?? new Map());
}

/** Whether a write with this vector has seen all that the own write before it had: another tab may have made that meanwhile. */
export function hasSeenOwn(record: HeadRecord | undefined, vector: VersionVector): boolean {
  // What is from the future was reset, or is not in it by its form: no entry is above a vector's own.
  const latest = vector.get(record?.own?.device ?? '') ?? Infinity;
  const had = [...(seenByOwn(record) ?? [])].filter(([, stamp]) => stamp <= latest);
  return had.every((entry) => covers(vector, ...entry));
}

function seenByOwn(record: HeadRecord | undefined): VersionVector | undefined {
  const own = record?.own;
  if (own === undefined || record!.voids.has(own.id)) return undefined;
  return isOwnHead(record!)
    ? seenBy(record!.head!.event)
    : keptIn(record).find(({ id }) => id === own.id)?.seen;
}

/** Whether an event is one that the head beats, and neither that nor a rival has seen. `head`: the newest that is known to come. */
export function isRival(
  record: HeadRecord<NostrEvent> | undefined,
  event: NostrEvent,
  head: NostrEvent | undefined,
  keeping: Keeping | undefined,
): boolean {
  if (record === undefined || head === undefined || event.id === head.id) return false;
  // A held write will be above all that turns up.
  if (compareEvents(event, head) > 0 && !isHeld(record)) return false;
  if (isTombstone(event) || isFinal(head, keeping)) return false;
  // Of this device's own writes the newest contains the others; what was taken back must not return.
  if (writerOf(event) === record.own?.device) return false;
  const isSame = head.id === record.head?.event.id;
  const contained = isSame ? containedIn(record) : seenBy(head, seenBy(record.head?.event, record.deemed));
  // What has no vector does not say whether it says again what another has said, and the head has seen.
  const isAgain = record.former.some(
    (before) => isRenewalOf(event, before.event) && isPartOf(contained, before.event),
  );
  if (isAgain || isPartOf(contained, event)) return false;
  return !record.rivals.some(({ seen }) => isPartOf(seen, event));
}

/** Whether it ends what it had not seen as well. */
const isFinal = (head: NostrEvent, keeping: Keeping | undefined): boolean =>
  isTombstone(head) && keeping?.doEditsSurvive !== true;

/** What an input leaves of the frontier. `uncarried`: see `reconcile`. */
export function withFrontier(
  before: HeadRecord | undefined,
  { record, effects }: Outcome,
  input: Input,
  uncarried: EventId | undefined,
  keeping: Keeping,
): Outcome {
  if (record === undefined) return { record, effects };
  const next =
    record === before ? record : frontierOf(before, record, { effects }, input, uncarried, keeping);
  const counting = before?.voids === next.voids ? next : withoutVoid(next);
  const learnt = input.type === 'shown' ? learned(counting, input.event, keeping) : counting;
  if (learnt.past === before?.past || learnt.head === undefined) return { record: learnt, effects };
  const past = limited(learnt.past, keeping, around(learnt, learnt.rivals));
  return { record: past === learnt.past ? learnt : { ...learnt, past }, effects };
}

function frontierOf(
  before: HeadRecord | undefined,
  record: HeadRecord,
  { effects }: Pick<Outcome, 'effects'>,
  input: Input,
  uncarried: EventId | undefined,
  keeping: Keeping,
): HeadRecord {
  if (input.type === 'settled') return record;
  if (effects.some(({ type }) => type === 'withdrawn')) return takenBack(before!, record, keeping);
  const isSame = before?.head?.event.id === record.head?.event.id;
  if (isHeld(before) && !isHeld(record) && (isSame || input.type === 'explored'))
    return released(record, keeping);
  const isAgain = effects.some((effect) => effect.type === 'advanced' && effect.renews !== undefined);
  if (before === undefined || record.head === undefined || isSame || isAgain || input.type === 'explored')
    return record;
  return advanced(before, deemed(before, record, keeping), uncarried, keeping);
}

/** A writer without vectors writes whole what it last had: of that it has seen no more than its own last write had. */
function deemed(before: HeadRecord, record: HeadRecord, keeping: Keeping): HeadRecord {
  const { event } = record.head!;
  if (!keeping.isLegacyMerged || vectorOf(event) !== undefined || isOwnHead(record)) return record;
  const device = writerOf(event);
  const known = [...(before.head === undefined ? [] : [keptOf(before.head, before.deemed, false)])];
  const last = [...known, ...before.rivals, ...before.past].find((one) => one.device === device);
  return last === undefined ? record : { ...record, deemed: last.seen };
}

/** A greater event has taken the place of the head. */
function advanced(
  before: HeadRecord,
  record: HeadRecord,
  uncarried: EventId | undefined,
  keeping: Keeping,
): HeadRecord {
  const { event } = record.head!;
  const head = before.head;
  const isSeen = head === undefined || hasSeen(before, record, keeping);
  const former = head && keptOf(head, before.deemed, !isSeen);
  const isRemoved = isFinal(event, keeping);
  const all = [...(former === undefined || isSeen || former.isRemoval ? [] : [former]), ...before.rivals];
  const vector = seenBy(event, record.deemed);
  const rivals = all.filter((one) => !isRemoved && (one === former || !isKeptIn(vector, one)));
  // What a removal has not seen has no other copy.
  const isUncarried = isSeen && former !== undefined && (former.id === uncarried || isHeld(before));
  const isUseless = former === undefined || isUncarried || head?.reading === 'unreadable';
  const left = [...before.rivals, ...(isUseless ? [] : [former])].filter(
    (one) => !rivals.includes(one) && one.id !== event.id,
  );
  const taken = before.rivals.filter((one) => !rivals.includes(one));
  const isOwnWrite = isOwnHead(record) && record.own !== before.own && !record.own!.acknowledged;
  const mayReturn = isOwnWrite && (taken.length > 0 || before.joint.size > 0);
  return bounded({
    ...record,
    rivals: rivals.sort(compareKept),
    past: remember(before.past, left, around(record, rivals)),
    joint: jointOf(vector, isSeen ? before.joint : new Map(), isSeen && former ? [former, ...taken] : taken),
    own: mayReturn ? { ...record.own!, taken: { rivals: taken, joint: before.joint } } : record.own,
  });
}

/** What is in the value beyond its vector: what it has seen, without a vector itself, is deemed to have seen more. */
function jointOf(vector: VersionVector, joint: VersionVector, seen: readonly Kept[]): VersionVector {
  const all = seen.filter((one) => isKeptIn(vector, one)).flatMap((one) => [...one.seen]);
  return unseenBy(vector, all).reduce((sum, entry) => joinVectors(sum, new Map([entry])), joint);
}

/** Whether what took the place of the head has seen it. */
function hasSeen(before: HeadRecord, record: HeadRecord, keeping: Keeping): boolean {
  const { event } = record.head!;
  const head = before.head!.event;
  if (voidsOf(event).has(head.id)) return true;
  const vector = vectorOf(event);
  if (keeping.isLegacyMerged && vector === undefined && !isOwnHead(record))
    return isPartOf(seenBy(event, record.deemed), head);
  if (!isOwnHead(record) && isOwnHead(before))
    return (vector !== undefined || isShown(before)) && !isLostTo(head, before.own, event);
  // A writer without vectors has seen what relays had.
  return vector === undefined || isPartOf(vector, head);
}

/** With an event that a relay shows, if it is below the head and nothing has seen it. */
function learned(record: HeadRecord, event: VerifiedEvent, keeping: Keeping): HeadRecord {
  if (isVoid(record.voids, event) || !isRival(record, event, record.head?.event, keeping)) return record;
  // A writer without vectors has seen what was the newest then.
  const before = record.past.find(({ stamp }) => stamp <= event.created_at);
  return withRival(record, keptOf({ event, pieces: undefined }, before?.seen, true));
}

function withRival(record: HeadRecord, rival: Kept): HeadRecord {
  const below = record.rivals.filter((one) => isKeptIn(rival.seen, one));
  const rivals = [...record.rivals.filter((one) => !below.includes(one)), rival].sort(compareKept);
  return bounded({ ...record, rivals, past: remember(record.past, below, around(record, rivals)) });
}

/** Ours, which could not be saved, over what another tab has saved meanwhile: what that has written, and ours has not seen, is a rival. */
export function over(stored: HeadRecord, ours: HeadRecord, keeping: Keeping | undefined): HeadRecord {
  const record = { ...ours, own: stored.own };
  if (ours.head === undefined || isFinal(ours.head.event, keeping)) return record;
  const isKnown = (one: Kept): boolean =>
    one.id === ours.head!.event.id || keptIn(ours).some(({ id }) => id === one.id);
  const head = stored.head && keptOf(stored.head, stored.deemed, true);
  const lost = [...(head === undefined ? [] : [head]), ...stored.rivals].filter(
    (one) => !one.isRemoval && !isKnown(one) && !isKeptIn(containedIn(ours), one),
  );
  const past = stored.past.filter((one) => !isKnown(one));
  return lost.reduce(withRival, { ...record, past: remember(ours.past, past, around(ours, ours.rivals)) });
}

/** A held write is let go, above all that has turned up. A removal among that has ended what was before it. */
function released(record: HeadRecord, keeping: Keeping): HeadRecord {
  const removal = record.former[0]?.event;
  if (removal === undefined || !isFinal(removal, keeping)) return record;
  const rivals = record.rivals.filter((one) => compareEvents(placeOf(one), removal) > 0);
  const ended = record.rivals.filter((one) => !rivals.includes(one));
  return { ...record, rivals, past: remember(record.past, ended, around(record, rivals)) };
}

/** What was before a write that is withdrawn is back, and so is what that had taken in. */
function takenBack(before: HeadRecord, record: HeadRecord, keeping: Keeping): HeadRecord {
  const { head } = record;
  const { rivals: taken = [], joint = new Map<string, number>() } = before.own?.taken ?? {};
  const known = new Set(before.rivals.map(({ id }) => id));
  const all = [...before.rivals, ...taken.filter(({ id }) => !known.has(id))];
  const vector = seenBy(head?.event, record.deemed);
  const rivals = all.filter(
    (one) =>
      head !== undefined &&
      compareEvents(placeOf(one), head.event) < 0 &&
      !isFinal(head.event, keeping) &&
      !isKeptIn(vector, one),
  );
  const again = new Set([head?.event.id, ...rivals.map(({ id }) => id)]);
  const past = before.past.filter(({ id }) => !again.has(id));
  return { ...record, rivals: rivals.sort(compareKept), past, joint: head === undefined ? new Map() : joint };
}

/** No more rivals than there is room for: the oldest are former values then. */
function bounded(record: HeadRecord): HeadRecord {
  if (record.rivals.length <= MAX_RIVALS) return record;
  const rivals = record.rivals.slice(0, MAX_RIVALS);
  const past = remember(record.past, record.rivals.slice(MAX_RIVALS), around(record, rivals));
  return { ...record, rivals, past };
}

function withoutVoid(record: HeadRecord): HeadRecord {
  const counts = (one: Kept): boolean => !isVoid(record.voids, placeOf(one));
  const all = record.rivals.filter(counts);
  // What takes the place of a void head may be below what that had beaten unseen.
  const rivals = all.filter((one) => compareEvents(placeOf(one), record.head!.event) < 0);
  const past = record.past.filter(counts);
  if (rivals.length === all.length) return { ...record, rivals, past };
  const above = all.filter((one) => !rivals.includes(one));
  return { ...record, rivals, past: remember(past, above, around(record, rivals)) };
}

/** These rivals add nothing to the head: they are former values, and part of what it shows. */
export function settled(record: HeadRecord, ids: ReadonlySet<EventId>, seen: VersionVector): HeadRecord {
  const done = record.rivals.filter(({ id }) => ids.has(id));
  if (done.length === 0) return record;
  const rivals = record.rivals.filter((one) => !done.includes(one));
  return { ...record, rivals, joint: seen, past: remember(record.past, done, around(record, rivals)) };
}

/** All pieces of a rival are here. */
export function gathered(
  record: HeadRecord,
  { id, made }: Extract<Input, { readonly type: 'gathered' }>,
): HeadRecord {
  const isLacking = (one: Kept): boolean => one.id === id && one.isInPieces && one.pieces === undefined;
  if (!record.rivals.some(isLacking)) return record;
  const pieces = [...made.keys()];
  return { ...record, rivals: record.rivals.map((one) => (isLacking(one) ? { ...one, pieces } : one)) };
}

export function around(record: HeadRecord, rivals: readonly Kept[]): Around {
  const head: Version = record.head!;
  return {
    device: record.own?.device,
    newest: Math.max(head.event.created_at, ...rivals.map(({ stamp }) => stamp)),
    current: () => [keptOf(head, record.deemed, false), ...rivals],
  };
}

/** A version of before goes into the ring, if there is room for it. */
export function remembered(
  record: HeadRecord,
  { event, made }: Extract<Input, { readonly type: 'remembered' }>,
): HeadRecord {
  const { head, own } = record;
  const isKnown = keptIn(record).some(({ id }) => id === event.id) || own?.withdrawn?.includes(event.id);
  if (head === undefined || isKnown === true || compareEvents(event, head.event) >= 0) return record;
  if (isVoid(record.voids, event)) return record;
  const pieces = made && [...made.keys()].map((name) => ({ name, stamp: 0, deliveries: new Map() }));
  const isLost = !isPartOf(containedIn(record), event);
  const kept = keptOf({ event, pieces }, undefined, isLost);
  return { ...record, past: remember(record.past, [kept], around(record, record.rivals)) };
}

/** All that is kept of a category beside the head and what is shown in its place. */
export function keptIn(record: HeadRecord<NostrEvent> | undefined): readonly Kept[] {
  if (record === undefined) return [];
  const all = [...record.rivals, ...record.past, ...(record.own?.taken?.rivals ?? [])];
  return [...new Map(all.map((one) => [one.id, one])).values()];
}
