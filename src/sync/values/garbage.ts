/**
 * Collects the pieces of former values from the relays: each is overwritten by a small tombstone that ends by itself, and
 * the tombstones are asked to be deleted.
 *
 * Safe against a device that still needs or re-uses a piece: an orphan is collected only while the value that left it
 * behind is on every relay, and has been for at least `MIN_ORPHAN_MS`. A device that has not heard of that value asks a relay
 * what it has, at most `PROOF_MS` before it writes one that shares pieces with a former one, and learns of it.
 */

import type { Clock } from '../../clock.ts';
import type { Address, Ms, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import {
  MAX_COLLECTED_AT_ONCE,
  MAX_OLD_ORPHANS,
  MAX_TIMER_MS,
  MIN_ORPHAN_MS,
  ORPHAN_MS,
  RIVAL_PIECES_MS,
} from '../../protocol/limits.ts';
import { isFromEvery, type Network } from '../relays/network.ts';
import { isOwnHead, stageOf, type HeadRecord } from '../heads/record.ts';
import { isWhole } from '../heads/version.ts';
import type { Change, Replica } from '../heads/replica.ts';
import { buryPieces } from './burial.ts';
import type { Hand } from './signing.ts';

export interface Garbage {
  /** A record changed: works out what is to be collected, and when. */
  changed(change: Pick<Change, 'dTag'>): void;
  signerChanged(): void;
  close(): void;
}

/** Orphans with the time from when they may be collected. Another device's are its own to collect first. */
function dueTimes(record: HeadRecord): { readonly name: string; readonly at: Ms }[] {
  const factor = isOwnHead(record) ? 1 : 2;
  const isRemoved = record.head !== undefined && isTombstone(record.head.event);
  // Many at once: each deletion request stays on the relay for a while.
  const isFull = record.orphans.length >= MAX_OLD_ORPHANS + MAX_COLLECTED_AT_ONCE;
  const surplus = isRemoved ? Infinity : isFull ? record.orphans.length - MAX_OLD_ORPHANS : 0;
  return record.orphans.map(({ name, since = Infinity }, i) => {
    const at = since + factor * (i < surplus ? MIN_ORPHAN_MS : ORPHAN_MS);
    return { name, at: Math.max(at, neededUntil(record, name)) };
  });
}

/** Another device may need the pieces of a rival to merge it. Of one that is not whole here it is not known which ones these are. */
function neededUntil({ rivals }: HeadRecord, name: string): Ms {
  const stamps = rivals
    .filter(({ isInPieces, pieces }) => isInPieces && pieces?.includes(name) !== false)
    .map(({ stamp }) => stamp);
  return Math.max(-Infinity, ...stamps) * 1_000 + RIVAL_PIECES_MS;
}

export function createGarbage(ports: {
  readonly clock: Clock;
  readonly replica: Replica;
  readonly hand: Hand;
  readonly network: () => Network;
  readonly relays: () => readonly RelayUrl[];
  /** Sends an event to every relay; their answers. */
  readonly send: (event: NostrEvent) => Promise<readonly Answer[]>;
  /** Whether this engine has the relays. */
  readonly isSender: () => boolean;
}): Garbage {
  const { clock, replica, hand } = ports;
  const timers = new Map<Address, () => void>();
  const collecting = new Set<Address>();
  let isClosed = false;

  /** The record, if its orphans may go: every relay has shown the whole of its head. */
  function settled(dTag: Address): HeadRecord | undefined {
    const record = replica.peek(dTag)?.orphans.length === 0 ? undefined : replica.get(dTag);
    const isEverywhere =
      record !== undefined && isWhole(record.head) && stageOf(record, ports.relays()) === 'replicated';
    return isEverywhere ? record : undefined;
  }

  function changed(dTag: Address): void {
    timers.get(dTag)?.();
    timers.delete(dTag);
    const record = settled(dTag);
    if (record === undefined || isClosed || collecting.has(dTag)) return;
    const now = clock.now();
    if (record.orphans.some(({ since }) => since === undefined))
      return void replica.apply(dTag, { type: 'replicated', id: record.head!.event.id, at: now });
    const at = Math.min(...dueTimes(record).map((orphan) => orphan.at));
    arm(dTag, Math.min(Math.max(0, at - now), MAX_TIMER_MS));
  }

  function arm(dTag: Address, delayMs: Ms): void {
    const collectLater = (): void => {
      timers.delete(dTag);
      collecting.add(dTag);
      void collect(dTag)
        .catch(() => false)
        .then((isDone) => {
          collecting.delete(dTag);
          if (isClosed) return;
          if (isDone) changed(dTag);
          else arm(dTag, MIN_ORPHAN_MS);
        });
    };
    timers.set(dTag, clock.after(delayMs, collectLater));
  }

  /** Resolves whether it may go on at once. */
  async function collect(dTag: Address): Promise<boolean> {
    if (!ports.isSender() || !hand.isSet()) return false;
    // What other devices wrote meanwhile may need what was an orphan: also on a relay that is away.
    const answers = await ports.network().ask([dTag], 'all');
    const record = settled(dTag);
    if (!isFromEvery(answers, ports.relays()) || record === undefined) return false;
    const due = dueTimes(record).filter(({ at }) => at <= clock.now());
    const names = due.slice(0, MAX_COLLECTED_AT_ONCE).map(({ name }) => name);
    return names.length === 0 || buryPieces(ports, dTag, record, names);
  }

  return {
    changed: ({ dTag }) => changed(dTag),
    signerChanged: () => {
      for (const dTag of replica.dTags()) if (!timers.has(dTag)) changed(dTag);
    },
    close: () => {
      isClosed = true;
      for (const cancel of timers.values()) cancel();
    },
  };
}
