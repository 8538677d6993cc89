/**
 * When the rivals of a merging category are merged, or shown merged until the app's next edit, and by which device. The author of what was
 * overwritten merges at once; others only if it does not, so that not all write the same. Each merge without an edit of the app in between
 * doubles the waits: as soon as one is longer than a delivery takes, every device merges once the newest is known, and that comes to an
 * end.
 */

import type { Clock } from '../../clock.ts';
import type { Address, EventId, Ms } from '../../protocol/address.ts';
import { MAX_MERGE_WAIT_MS, MERGE_WAITS_MS, SIGNER_QUIET_MS } from '../../protocol/limits.ts';
import { randomFraction, type RandomBytes } from '../../relay/backoff.ts';
import type { Emitter } from '../events.ts';
import { containedIn } from '../heads/frontier.ts';
import type { Kept } from '../heads/kept.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Change, Replica } from '../heads/replica.ts';
import { createAgenda } from '../relays/agenda.ts';
import { baseOf } from './base.ts';
import { holdsOwn } from './composing.ts';
import type { Shown } from './showing.ts';
import { createMergeTally } from './tally.ts';

export interface Settling {
  changed(change: Pick<Change, 'dTag'>): void;
  signerChanged(): void;
  /** This tab may lead now. */
  relaysChanged(): void;
  /** Whether this rival has waited long enough to be merged, whatever is known of its base. */
  isDue(dTag: Address, id: EventId): boolean;
  /** The app has edited: what follows is no answer of devices to each other. */
  edited(dTag: Address): void;
  close(): void;
}

interface Planned {
  readonly dTag: Address;
  readonly id: EventId;
}

/** From a rival to its merge, in ms: the least, and as much again by chance. */
export function waitOf(record: HeadRecord, rival: Kept): Ms {
  const { own } = record;
  if (own !== undefined && rival.device === own.device) return MERGE_WAITS_MS.author;
  const contained = containedIn(record);
  if (!baseOf(record.past, rival.seen, contained).isExact) return MERGE_WAITS_MS.inexact;
  const isParty = [rival, { seen: contained }].some((one) => holdsOwn(record, one));
  return isParty ? MERGE_WAITS_MS.party : MERGE_WAITS_MS.witness;
}

/** One closure: which rivals wait, are due, and are being merged is one state, which every news of a record may change. */
export function createSettling(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Pick<Replica, 'get' | 'dTags' | 'peek'>;
  readonly emitter: Emitter;
  /** Whether rivals of a category are merged without a call of the app. */
  readonly isSettled: (dTag: Address) => boolean;
  readonly isMerged: (dTag: Address) => boolean;
  readonly hasSigner: () => boolean;
  /** Whether this engine has the relays: one of several tabs merges. */
  readonly isSender: () => boolean;
  /** Fetches what is missing of these rivals. Rejects if it is nowhere now. */
  readonly gather: (dTag: Address, ids: ReadonlySet<EventId>) => Promise<void>;
  /** See `Writer.merge`. */
  readonly merge: (dTag: Address) => Promise<{ readonly id: EventId }>;
  /** See `Showing`. */
  readonly show: (dTag: Address) => Promise<Shown>;
}): Settling {
  const { clock, replica } = ports;
  const told = createMergeTally(ports.emitter);
  /** By category, its rivals, and whether the time of each has come: the others are on the agenda. */
  const planned = new Map<Address, Map<EventId, boolean>>();
  const underWay = new Set<Address>();
  /** By category of which the next edit merges: the head, and the rivals that are shown with it. */
  const shown = new Map<Address, Shown>();
  /** By category: tries in a row that have left rivals behind. */
  const failures = new Map<Address, number>();
  const agenda = createAgenda<Planned>(clock, 0, come, ({ dTag, id }) => `${dTag} ${id}`);
  agenda.start();
  /** While the app that has just been unlocked may be about to edit. */
  let cancelQuiet: (() => void) | undefined;
  let isClosed = false;

  const spread = (leastMs: Ms, dTag: Address): Ms =>
    Math.min(leastMs * (1 + randomFraction(ports.randomBytes)) * told.factorOf(dTag), MAX_MERGE_WAIT_MS);

  const rivalsOf = (dTag: Address): readonly Kept[] =>
    ports.isMerged(dTag) ? (replica.get(dTag)?.rivals ?? []) : [];

  const isDue = (dTag: Address, id: EventId): boolean => planned.get(dTag)?.get(id) === true;

  /** Those to merge; if the next edit does that, those to show until then. */
  function unsettled(dTag: Address): readonly EventId[] {
    const ids = rivalsOf(dTag).map(({ id }) => id);
    const known = shown.get(dTag);
    if (ports.isSettled(dTag) || known?.head !== replica.get(dTag)?.head?.event.id) return ids;
    return ids.filter((id) => known?.ids.has(id) !== true);
  }

  function plan(dTag: Address): void {
    const record = replica.get(dTag);
    const rivals = rivalsOf(dTag);
    const known = planned.get(dTag) ?? new Map<EventId, boolean>();
    // A new rival starts the clock again: its author may be about to merge.
    const isNew = rivals.some(({ id }) => !known.has(id));
    for (const id of known.keys()) {
      if (!isNew && rivals.some((rival) => rival.id === id)) continue;
      known.delete(id);
      agenda.remove({ dTag, id });
    }
    if (rivals.length === 0) return void planned.delete(dTag);
    planned.set(dTag, known);
    if (isNew) for (const rival of rivals) wait({ dTag, id: rival.id }, spread(waitOf(record!, rival), dTag));
  }

  function wait(one: Planned, waitMs: Ms): void {
    planned.get(one.dTag)?.set(one.id, false);
    agenda.put(one, waitMs);
  }

  function come(items: readonly Planned[]): void {
    for (const { dTag, id } of items) planned.get(dTag)?.set(id, true);
    for (const dTag of new Set(items.map((one) => one.dTag))) void settle(dTag);
  }

  async function settle(dTag: Address): Promise<void> {
    const isQuiet = cancelQuiet !== undefined;
    if (isClosed || isQuiet || !ports.hasSigner() || underWay.has(dTag)) return;
    // Each tab shows it.
    if (ports.isSettled(dTag) && !ports.isSender()) return;
    const due = unsettled(dTag).filter((id) => isDue(dTag, id));
    if (due.length === 0) return;
    underWay.add(dTag);
    const ids = new Set(due);
    if (ports.isSender()) await ports.gather(dTag, ids).catch(() => undefined);
    await (ports.isSettled(dTag) ? merge(dTag) : show(dTag)).then(
      () => told.succeeded(dTag),
      (error: unknown) => told.failed(dTag, error),
    );
    underWay.delete(dTag);
    putOff(dTag, ids);
    plan(dTag);
    void settle(dTag);
  }

  async function merge(dTag: Address): Promise<void> {
    const before = replica.get(dTag)?.own?.id;
    const { id } = await ports.merge(dTag);
    // If there was nothing to write, the head is that of another device, or as it was.
    if (id !== before && id === replica.get(dTag)?.own?.id) told.written(dTag, before, id);
  }

  async function show(dTag: Address): Promise<void> {
    shown.set(dTag, await ports.show(dTag));
  }

  /** What could not be read, or was not whole, is tried again, less and less often. */
  function putOff(dTag: Address, ids: ReadonlySet<EventId>): void {
    const left = unsettled(dTag).filter((id) => ids.has(id));
    const times = left.length === 0 ? 0 : (failures.get(dTag) ?? 0) + 1;
    failures.set(dTag, times);
    const waitMs = spread(MERGE_WAITS_MS.again * 2 ** (times - 1), dTag);
    for (const id of left) wait({ dTag, id }, waitMs);
  }

  function planAll(): void {
    for (const dTag of replica.dTags())
      if (ports.isMerged(dTag) && (replica.peek(dTag)?.rivals.length ?? 0) > 0) plan(dTag);
  }

  const settleAll = (): void => [...planned.keys()].forEach((dTag) => void settle(dTag));

  return {
    changed: ({ dTag }) => {
      if (underWay.has(dTag)) return;
      plan(dTag);
      void settle(dTag);
    },
    isDue,
    signerChanged: () => {
      shown.clear();
      cancelQuiet?.();
      cancelQuiet = clock.after(SIGNER_QUIET_MS, () => {
        cancelQuiet = undefined;
        settleAll();
      });
      planAll();
    },
    relaysChanged: () => {
      planAll();
      settleAll();
    },
    edited: told.edited,
    close: () => {
      isClosed = true;
      cancelQuiet?.();
      agenda.stop();
    },
  };
}
