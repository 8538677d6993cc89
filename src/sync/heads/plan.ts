/**
 * What a save decides and writes: inputs, over what the store has, and what it failed to take before. Pure: it runs inside the
 * store's transaction, and may run twice.
 */

import type { Address, EventId } from '../../protocol/address.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isVoid } from '../../protocol/voids.ts';
import type { Effect, Input, Outcome } from './input.ts';
import type { Keys } from './keys.ts';
import { keptIn, over } from './frontier.ts';
import type { Kept } from './kept.ts';
import type { Keeping } from './past.ts';
import { hasUndone } from './own-stamps.ts';
import { reconcile } from './reconcile.ts';
import { parseRecord, serializeRecord } from './record-codec.ts';
import { floorOf, isOwnHead, piecesOf, type HeadRecord } from './record.ts';

/** An input about a category. */
export interface Job {
  readonly dTag: Address;
  readonly input: Input;
  /** What came of it over the record that was in memory: it need not be decided again if the store has the same. */
  readonly tried?: { readonly over: HeadRecord | undefined; readonly outcome: Outcome } | undefined;
}

/** A key with its new text, or `null` if it is removed. */
type Writes = Map<string, string | null>;

type Write = Extract<Input, { readonly type: 'write' }>;

/** What this process knows beside the store. */
export interface Known {
  /** The record in a stored text, with its events verified; `undefined` if it cannot be used. */
  readonly read: (dTag: Address, text: string | undefined) => HeadRecord | undefined;
  /** Records that are newer than the store, because it failed. */
  readonly unsaved: ReadonlyMap<Address, HeadRecord | undefined>;
  /** Own writes that a failed save may have left in the store: their callers were told that no device will see them. */
  readonly refused: ReadonlyMap<Address, readonly Write[]>;
  /** Ids of own heads that no socket has carried: a newer write may take the stamp. */
  readonly uncarried: ReadonlyMap<Address, EventId>;
  /** What the app says of former values, of single categories. */
  readonly keepingOf?: ((dTag: Address) => Keeping | undefined) | undefined;
}

export interface Decided {
  readonly previous: HeadRecord | undefined;
  readonly record: HeadRecord | undefined;
  /** Of all inputs about the category. */
  readonly effects: readonly Effect[];
}

export interface Decision {
  /** By d-tag. */
  readonly decided: ReadonlyMap<Address, Decided>;
  /** Of each job, in order. */
  readonly effects: readonly (readonly Effect[])[];
}

export interface Plan extends Decision {
  readonly writes: ReadonlyMap<string, string | null>;
  /** What the store has of each category that was decided about, once this is written. */
  readonly texts: ReadonlyMap<Address, string | undefined>;
}

/** Each input over what the one before it has left; the first of a category over its base. */
export function decide(
  jobs: readonly Job[],
  baseOf: (dTag: Address) => HeadRecord | undefined,
  uncarried: ReadonlyMap<Address, EventId> = new Map(),
  keepingOf: Known['keepingOf'] = () => undefined,
): Decision {
  const decided = new Map<Address, Decided>();
  const effects = jobs.map(({ dTag, input, tried }) => {
    const base = decided.has(dTag) ? undefined : baseOf(dTag);
    const so = decided.get(dTag) ?? { previous: base, record: base, effects: [] };
    const outcome =
      tried !== undefined && tried.over === so.record && !uncarried.has(dTag)
        ? tried.outcome
        : reconcile(so.record, input, uncarried.get(dTag), keepingOf?.(dTag));
    decided.set(dTag, { ...so, record: outcome.record, effects: [...so.effects, ...outcome.effects] });
    return outcome.effects;
  });
  return { decided, effects };
}

/** `stored`: by d-tag, the text that the store has of each category of these jobs. */
export function plan(
  jobs: readonly Job[],
  stored: ReadonlyMap<Address, string | undefined>,
  known: Known,
  keys: Keys,
): Plan {
  const bases = new Map([...stored].map(([dTag, text]) => [dTag, baseOf(dTag, text, known)]));
  const decision = decide(jobs, (dTag) => bases.get(dTag)!.record, known.uncarried, known.keepingOf);
  const writes: Writes = new Map();
  const texts = new Map(stored);
  for (const [dTag, { previous, record, effects }] of decision.decided) {
    const { isStored } = bases.get(dTag)!;
    if (record === undefined || (record === previous && isStored)) continue;
    const before = stored.get(dTag);
    // What cannot be used has left versions and pieces all the same.
    const replaced = (isStored && previous) || (before === undefined ? undefined : parseRecord(before));
    for (const { along } of known.refused.get(dTag) ?? [])
      for (const [key] of along?.(record) ?? []) writes.set(key, null);
    const text = serializeRecord(record);
    writes.set(keys.record(dTag), text);
    for (const [key, more] of versionsToSave(dTag, replaced, record, keys)) writes.set(key, more);
    texts.set(dTag, text);
    for (const name of namesLeftBehind(replaced, record)) writes.set(keys.piece(dTag, name), null);
    for (const { input } of jobs.filter((job) => job.dTag === dTag)) {
      for (const [name, event] of piecesMade(input, record))
        writes.set(keys.piece(dTag, name), JSON.stringify(event));
      for (const [key, more] of savedAlong(input, record, effects)) writes.set(key, more);
    }
    // What could not be read is kept: a newer release may be able to read it.
    if (before !== undefined && previous === undefined)
      writes.set(keys.unreadable(keys.record(dTag)), before);
  }
  const decided = new Map(
    [...decision.decided].map(([dTag, so]) => [dTag, { ...so, record: withoutEvents(so.record) }]),
  );
  return { effects: decision.effects, decided, writes, texts };
}

/** The events of versions that are kept, as far as the store has them not yet; and of those that are not kept any more, nothing. */
function* versionsToSave(
  dTag: Address,
  replaced: HeadRecord<NostrEvent> | undefined,
  record: HeadRecord,
  keys: Keys,
): Iterable<readonly [string, string | null]> {
  const stored = new Set(keptIn(replaced).map(({ id }) => id));
  for (const { id, event } of keptIn(record))
    if (!stored.delete(id) && event !== undefined) yield [keys.version(dTag, id), JSON.stringify(event)];
  for (const id of stored) yield [keys.version(dTag, id), null];
}

/** Once they are saved, they are read from the store. */
function withoutEvents(record: HeadRecord | undefined): HeadRecord | undefined {
  if (record === undefined || keptIn(record).every(({ event }) => event === undefined)) return record;
  const without = (all: readonly Kept[]): readonly Kept[] => all.map(({ event: _event, ...one }) => one);
  const { own, rivals, past } = record;
  const taken = own?.taken && { ...own.taken, rivals: without(own.taken.rivals) };
  return { ...record, rivals: without(rivals), past: without(past), own: own && { ...own, taken } };
}

/** What a decision starts from: the store, unless it failed to take something newer. `isStored`: the store has just this. */
export function baseOf(
  dTag: Address,
  text: string | undefined,
  { read, unsaved, refused, keepingOf }: Omit<Known, 'uncarried'>,
): { readonly record: HeadRecord | undefined; readonly isStored: boolean } {
  const found = read(dTag, text);
  const keeping = keepingOf?.(dTag);
  const stored = withoutRefused(found, refused.get(dTag) ?? [], keeping);
  if (stored !== found) return { record: stored, isStored: false };
  const isStored = !unsaved.has(dTag);
  const ours = unsaved.get(dTag);
  if (ours === undefined || isAhead(stored, ours) || isReplaced(stored, ours))
    return { record: stored, isStored };
  // Another tab may have written meanwhile: this one's record knows of no own write that the store does not.
  const isNewer =
    (floorOf(stored) > floorOf(ours) && !isReset(stored, ours)) || isUnderOneStamp(stored, ours);
  return { record: isNewer ? over(stored!, ours, keeping) : ours, isStored };
}

/** Whether ours, by a reset that could not be saved, has undone the last own write in the store: its floor is from the future. */
function isReset(stored: HeadRecord | undefined, ours: HeadRecord): boolean {
  const floor = floorOf(stored);
  return hasUndone(ours.own, floor) && !hasUndone(stored?.own, floor);
}

/** I6, also for a save that failed when it was done. */
function withoutRefused(
  stored: HeadRecord | undefined,
  refused: readonly Write[],
  keeping: Keeping | undefined,
): HeadRecord | undefined {
  const id = stored?.head?.event.id;
  if (id === undefined || !refused.some(({ event }) => event.id === id)) return stored;
  const { record, effects } = reconcile(stored, { type: 'withdraw', id }, undefined, keeping);
  return effects.length === 0 ? stored : withoutRefused(record, refused, keeping);
}

/** Whether the store has a head that is to follow ours. */
function isAhead(stored: HeadRecord | undefined, ours: HeadRecord): boolean {
  if (stored?.head === undefined || ours.head === undefined) return stored?.head !== undefined;
  const { event } = stored.head;
  return compareEvents(event, ours.head.event) > 0 && !isVoid(ours.voids, event);
}

/** Whether our head is an own write that another tab has replaced under its stamp, or has taken back. */
function isReplaced(stored: HeadRecord | undefined, ours: HeadRecord): boolean {
  if (stored === undefined || !isOwnHead(ours)) return false;
  const { id, created_at: stamp } = ours.head!.event;
  if (stored.own?.withdrawn?.includes(id) === true) return true;
  return isUnderOneStamp(stored, ours) && stored.head!.event.created_at === stamp;
}

/** Whether the head in the store is another own write than ours of that stamp, which no socket had carried: then ours is the older. */
function isUnderOneStamp(stored: HeadRecord | undefined, { own }: HeadRecord): boolean {
  if (stored === undefined || !isOwnHead(stored)) return false;
  return stored.own!.id !== own?.id && stored.own!.stamp === own?.stamp;
}

/** The pieces of what is replaced in the store, rather than of the record before: after a save that failed, that is another. */
function namesLeftBehind(
  replaced: HeadRecord<NostrEvent> | undefined,
  record: HeadRecord,
): readonly string[] {
  const kept = new Set(namesIn(record));
  return namesIn(replaced).filter((name) => !kept.has(name));
}

const namesIn = (record: HeadRecord<NostrEvent> | undefined): readonly string[] => [
  ...piecesOf(record).map(({ name }) => name),
  ...keptIn(record).flatMap(({ pieces = [] }) => pieces),
];

/**
 * Those that the record means: others may have been made for a write that came too late. A value may have been beaten in the same save:
 * then it is kept, and its pieces with it.
 */
function piecesMade(input: Input, record: HeadRecord): readonly (readonly [string, VerifiedEvent])[] {
  const made = 'made' in input ? [...(input.made ?? [])] : [];
  if (made.length === 0) return made;
  const stamps = new Map([...piecesOf(record)].reverse().map(({ name, stamp }) => [name, stamp]));
  const kept = new Set(keptIn(record).flatMap(({ pieces = [] }) => pieces));
  return made.filter(([name, event]) =>
    stamps.has(name) ? stamps.get(name) === event.created_at : kept.has(name),
  );
}

/** What is saved with an input that did what it says. */
function savedAlong(
  input: Input,
  record: HeadRecord,
  effects: readonly Effect[],
): Iterable<readonly [string, string | null]> {
  if (!('along' in input)) return [];
  const isDone =
    input.type === 'write'
      ? record.own?.id === input.event.id
      : effects.some(({ type }) => type === 'withdrawn');
  return (isDone && input.along?.(record)) || [];
}
