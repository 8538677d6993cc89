/**
 * When the rivals of a merging category are merged, and by which device. The author of what was overwritten merges at once; others
 * only if it does not, so that not all write the same. Each merge without an edit of the app in between doubles the waits: as soon as
 * one is longer than a delivery takes, every device merges once the newest is known, and that comes to an end.
 */

import type { Clock } from '../../clock.ts';
import { NostrSyncError } from '../../errors.ts';
import { categoryOf, type Address, type EventId, type Ms } from '../../protocol/address.ts';
import { covers } from '../../protocol/causality.ts';
import {
  MAX_MERGES_IN_A_ROW,
  MAX_MERGE_WAIT_MS,
  MERGE_WAITS_MS,
  SIGNER_QUIET_MS,
} from '../../protocol/limits.ts';
import { randomFraction, type RandomBytes } from '../../relay/backoff.ts';
import type { Emitter } from '../events.ts';
import { containedIn } from '../heads/frontier.ts';
import type { Kept } from '../heads/kept.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Change, Replica } from '../heads/replica.ts';
import { createAgenda } from '../relays/agenda.ts';
import { baseOf } from './base.ts';

export interface Settling {
  changed(change: Pick<Change, 'dTag'>): void;
  signerChanged(): void;
  /** This tab may lead now. */
  relaysChanged(): void;
  /** The app has edited: what follows is no answer of devices to each other. */
  edited(dTag: Address): void;
  close(): void;
}

/** From a rival to its merge, in ms: the least, and as much again by chance. */
export function waitOf(record: HeadRecord, rival: Kept): Ms {
  const { own } = record;
  if (own !== undefined && rival.device === own.device) return MERGE_WAITS_MS.author;
  const contained = containedIn(record);
  if (!baseOf(record.past, rival.seen, contained).isExact) return MERGE_WAITS_MS.inexact;
  const isParty =
    own !== undefined && [rival.seen, contained].some((one) => covers(one, own.device, own.stamp));
  return isParty ? MERGE_WAITS_MS.party : MERGE_WAITS_MS.witness;
}

export function createSettling(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Pick<Replica, 'get' | 'dTags' | 'peek'>;
  readonly emitter: Emitter;
  /** Whether rivals of a category are merged without a call of the app. */
  readonly isSettled: (dTag: Address) => boolean;
  readonly hasSigner: () => boolean;
  /** Whether this engine has the relays: one of several tabs merges. */
  readonly isSender: () => boolean;
  /** Fetches what is missing of these rivals. Rejects if it is nowhere now. */
  readonly gather: (dTag: Address, ids: ReadonlySet<EventId>) => Promise<void>;
  /** See `Writer.merge`. */
  readonly merge: (dTag: Address, ids: ReadonlySet<EventId>) => Promise<{ readonly id: EventId }>;
}): Settling {
  const { clock, replica } = ports;
  /** By category and then by rival: when it is due, in ms. */
  const dues = new Map<Address, Map<EventId, Ms>>();
  /** By category: merges that were written in a row, without an edit of the app. */
  const streaks = new Map<Address, number>();
  const underWay = new Set<Address>();
  /** By category: tries in a row that have left rivals behind. */
  const failures = new Map<Address, number>();
  const agenda = createAgenda<Address>(clock, 0, (dTags) => dTags.forEach((dTag) => void settle(dTag)));
  agenda.start();
  /** In ms: the app has just been unlocked, and may be about to edit. */
  let quietUntil: Ms = 0;

  const factorOf = (dTag: Address): number => 2 ** (streaks.get(dTag) ?? 0);
  const spread = (leastMs: Ms, dTag: Address): Ms =>
    Math.min(leastMs * (1 + randomFraction(ports.randomBytes)) * factorOf(dTag), MAX_MERGE_WAIT_MS);

  function plan(dTag: Address): void {
    const rivals = ports.isSettled(dTag) ? (replica.get(dTag)?.rivals ?? []) : [];
    const known = dues.get(dTag);
    agenda.remove(dTag);
    if (rivals.length === 0) return void dues.delete(dTag);
    const record = replica.get(dTag)!;
    // A new rival starts the clock again: its author may be about to merge.
    const isNew = rivals.some(({ id }) => known?.has(id) !== true);
    const times = rivals.map(({ id }, i) => {
      const waitMs = spread(waitOf(record, rivals[i]!), dTag);
      return [id, isNew ? clock.now() + waitMs : known!.get(id)!] as const;
    });
    dues.set(dTag, new Map(times));
    const next = Math.min(...times.map(([, at]) => at));
    agenda.put(dTag, Math.max(next, quietUntil) - clock.now());
  }

  async function settle(dTag: Address): Promise<void> {
    if (!ports.hasSigner() || !ports.isSender() || underWay.has(dTag)) return;
    const now = clock.now();
    const due = [...(dues.get(dTag) ?? [])].filter(([, at]) => at <= now).map(([id]) => id);
    if (due.length === 0) return plan(dTag);
    const before = replica.get(dTag)?.own?.id;
    underWay.add(dTag);
    const ids = new Set(due);
    await ports.gather(dTag, ids).catch(() => undefined);
    const head = await ports.merge(dTag, ids).catch(() => undefined);
    underWay.delete(dTag);
    // If there was nothing to write, the head is that of another device, or as it was.
    if (head !== undefined && head.id !== before && head.id === replica.get(dTag)?.own?.id) count(dTag);
    putOff(dTag, ids);
    plan(dTag);
  }

  /** What could not be read, or was not whole, is tried again, less and less often. */
  function putOff(dTag: Address, ids: ReadonlySet<EventId>): void {
    const left = replica.get(dTag)?.rivals.filter(({ id }) => ids.has(id)) ?? [];
    const times = left.length === 0 ? 0 : (failures.get(dTag) ?? 0) + 1;
    failures.set(dTag, times);
    const waitMs = spread(MERGE_WAITS_MS.again * 2 ** (times - 1), dTag);
    for (const { id } of left) dues.get(dTag)?.set(id, clock.now() + waitMs);
  }

  function count(dTag: Address): void {
    const times = (streaks.get(dTag) ?? 0) + 1;
    streaks.set(dTag, times);
    if (times !== MAX_MERGES_IN_A_ROW) return;
    const category = categoryOf(dTag);
    const message = `Devices merge ${JSON.stringify(category)} again and again: do all run the same version of the app?`;
    ports.emitter.emit('error', new NostrSyncError('MERGE_LOOP', message, { details: { category, times } }));
  }

  function planAll(): void {
    for (const dTag of replica.dTags())
      if (ports.isSettled(dTag) && (replica.peek(dTag)?.rivals.length ?? 0) > 0) plan(dTag);
  }

  return {
    changed: ({ dTag }) => {
      if (!underWay.has(dTag)) plan(dTag);
    },
    signerChanged: () => {
      quietUntil = clock.now() + SIGNER_QUIET_MS;
      planAll();
    },
    relaysChanged: planAll,
    edited: (dTag) => void streaks.delete(dTag),
    close: agenda.stop,
  };
}
