/**
 * What the engine signs without a call of the app, and nothing else does. Three rules keep it from beating a write:
 * it is stamped just above what it says again (protocol/renewal.ts), it is made only after every connected relay has answered
 * completely, and it is dropped if the head is not that event any more by then.
 *
 * One of them gives a write that no relay took an older stamp than it had: this clock says by now that the stamp is in the
 * future, and the relays say so too. What others wrote since must win against it, so it is stamped by what it is above.
 *
 * Pieces that were collected by mistake are signed again above their tombstones. No head comes of that, so no relay is asked.
 */

import type { Clock } from '../../clock.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { deviceIdOf, expirationOf, isExpired, voidsOf } from '../../protocol/header.ts';
import {
  DAY_SECONDS,
  END_MARGIN_SECONDS,
  LOOK_AGAIN_MS,
  MAX_AHEAD_SECONDS,
  MAX_CONTRADICTIONS,
  MAX_RENEWAL_SECONDS,
  MAX_TIMER_MS,
  RENEW_AGAIN_MS,
  RENEW_PATIENCE_MS,
  RENEW_SLACK_MS,
  SKEW_REPORT_SECONDS,
  SPREAD_DELAY_MS,
} from '../../protocol/limits.ts';
import { endOf, renewalOf, renewedBy, restampOf } from '../../protocol/renewal.ts';
import { randomFraction, type RandomBytes } from '../../relay/backoff.ts';
import { createAgenda } from '../relays/agenda.ts';
import type { Network } from '../relays/network.ts';
import { buriedOf, deliveryOf, isOwnHead, type HeadRecord, type Piece } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Hand } from './signing.ts';

/**
 * Why a head is to be said again. `tie`: a relay keeps another event of the same stamp, against NIP-01. `end`: it has ended
 * (NIP-40), relays forget it, and what it had replaced must not come back. `late`: no relay has it, since its stamp is still
 * to come, as this clock says too. `void`: it was written by who had not heard of a reset, and does not tell others of it.
 */
type Need = 'tie' | 'end' | 'late' | 'void';

/** What a record needs; `undefined`: nothing, as far as this device knows. `isLate`: every relay finds its stamp too late. */
function needOf(
  record: HeadRecord<NostrEvent> | undefined,
  nowSeconds: number,
  isLate: boolean,
): Need | undefined {
  const head = record?.event;
  if (head === undefined) return undefined;
  if (isLate && pastStampOf(record!, nowSeconds) !== undefined) return 'late';
  // Nothing is signed so far ahead.
  if (head.created_at - nowSeconds >= MAX_AHEAD_SECONDS) return undefined;
  if (isExpired(head, nowSeconds)) {
    // This clock may be ahead: a relay that does not hold the value agrees that it has ended.
    const isAgreed = [...record!.deliveries.values()].some((one) => one === 'pending' || one === 'refused');
    return isAgreed || isExpired(head, nowSeconds - END_MARGIN_SECONDS) ? 'end' : undefined;
  }
  if (renewedBy(head) >= MAX_RENEWAL_SECONDS) return undefined;
  if (record!.contradictions >= MAX_CONTRADICTIONS) return 'tie';
  const told = voidsOf(head);
  const isUntold = [...record!.voids].some(([id, stamp]) => stamp > head.created_at && !told.has(id));
  return isUntold ? 'void' : undefined;
}

/** The stamp that a write from the future should have: just above what it is above. `undefined`: it is not, or follows such a one. */
function pastStampOf(record: HeadRecord<NostrEvent>, nowSeconds: number): number | undefined {
  const { event, own, before } = record;
  const latest = nowSeconds + SKEW_REPORT_SECONDS;
  if (!isOwnHead(record) || own!.acknowledged || event!.created_at <= latest) return undefined;
  const { above = before === undefined ? [] : [before.created_at] } = own!;
  const floor =
    above.length === 0 ? nowSeconds - DAY_SECONDS : Math.max(...above.filter((one) => one < latest));
  return floor === -Infinity ? undefined : floor + 1;
}

export interface Renewals {
  /** A record changed. */
  changed(dTag: string): void;
  /** A relay's answer to a head. */
  answered(dTag: string, relay: string, event: NostrEvent, answer: Answer): void;
  /** A signer was set or a relay connected: what waited for that goes on. */
  retry(): void;
  close(): void;
}

export function createRenewals(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Replica;
  readonly hand: Hand;
  readonly deviceId: () => string;
  readonly network: () => Network;
}): Renewals {
  const { clock, replica, hand } = ports;
  /** By category: since when it was tried in vain, in ms. */
  const since = new Map<string, number>();
  const underWay = new Set<string>();
  /** By category, which relays find the stamp of the event `id` too late. */
  const late = new Map<string, { readonly id: string; readonly relays: Set<string> }>();
  const agenda = createAgenda(clock, RENEW_SLACK_MS, (dTags) => void attempt(dTags));
  agenda.start();

  const nowSeconds = (): number => Math.floor(clock.now() / 1000);

  /** Whether every relay that is connected finds the head too late, or refuses it for good. */
  function isLate(dTag: string, record: HeadRecord<NostrEvent> | undefined): boolean {
    const known = late.get(dTag);
    if (known === undefined || known.id !== record?.event?.id) return false;
    const open = ports
      .network()
      .relays()
      .filter(({ connected }) => connected);
    const says = (url: string): boolean => known.relays.has(url) || deliveryOf(record, url) === 'refused';
    return open.length > 0 && open.every(({ url }) => says(url));
  }

  const needNow = (dTag: string, record: HeadRecord<NostrEvent> | undefined): Need | undefined =>
    needOf(record, nowSeconds(), isLate(dTag, record));

  /** When to look at a record, in ms from now; `undefined`: it needs nothing, and never will. */
  function dueMs(dTag: string): number | undefined {
    const record = replica.peek(dTag);
    const head = record?.event;
    if (head === undefined) return undefined;
    const need = needNow(dTag, record);
    if (buriedOf(record).length > 0 || (need !== undefined && need !== 'end')) return 0;
    const expiration = expirationOf(head);
    if (expiration === undefined) return undefined;
    const leftMs = expiration * 1000 - clock.now();
    // One tombstone is enough: that of the writer, if it is there.
    const isOurs = deviceIdOf(head) === ports.deviceId();
    const graceMs = isOurs ? 0 : SPREAD_DELAY_MS * (1 + 2 * randomFraction(ports.randomBytes));
    return Math.min(Math.max(0, leftMs) + graceMs, MAX_TIMER_MS);
  }

  function plan(dTag: string, leastMs: number): void {
    const delayMs = dueMs(dTag);
    if (delayMs !== undefined) return agenda.put(dTag, Math.max(delayMs, leastMs));
    agenda.remove(dTag);
    since.delete(dTag);
  }

  /** Grows with the time for which it was tried in vain. */
  const waitMs = (dTag: string): number =>
    since.has(dTag) ? Math.min(Math.max(RENEW_AGAIN_MS, clock.now() - since.get(dTag)!), LOOK_AGAIN_MS) : 0;

  async function attempt(dTags: readonly string[]): Promise<void> {
    // Otherwise `retry` comes back to it.
    if (!hand.isSet()) return;
    for (const dTag of dTags) underWay.add(dTag);
    await Promise.all(dTags.map((dTag) => remake(dTag).catch(() => undefined)));
    const heads = dTags.filter(isOpen);
    if (heads.length > 0 && (await isHeard(heads)))
      await Promise.all(heads.map((dTag) => renew(dTag).catch(() => undefined)));
    for (const dTag of dTags) {
      underWay.delete(dTag);
      if (!since.has(dTag)) since.set(dTag, clock.now());
      plan(dTag, waitMs(dTag));
    }
  }

  /** Whether the head needs something, or will if relays agree that it has ended. */
  function isOpen(dTag: string): boolean {
    const record = replica.peek(dTag);
    const head = record?.event;
    return head !== undefined && (isExpired(head, nowSeconds()) || needNow(dTag, record) !== undefined);
  }

  /** Whether every connected relay has answered completely. One that never does is waited for only so long. */
  async function isHeard(dTags: readonly string[]): Promise<boolean> {
    const { complete } = await ports.network().ask(dTags, 'all');
    const isPatient = dTags.some((dTag) => clock.now() - (since.get(dTag) ?? Infinity) < RENEW_PATIENCE_MS);
    const silent = ports
      .network()
      .relays()
      .filter(({ url, connected }) => connected && !complete.includes(url));
    return complete.length > 0 && (silent.length === 0 || !isPatient);
  }

  async function renew(dTag: string): Promise<void> {
    const record = replica.get(dTag);
    const need = needNow(dTag, record);
    if (need === undefined) return;
    if (need === 'late') return restamp(dTag, record!);
    const { event: head, voids } = record!;
    const template =
      need === 'end' ? endOf(head!, voids, await hand.encrypt('null')) : renewalOf(head!, voids);
    await replica.apply(dTag, { type: 'renew', id: head!.id, event: await hand.sign(template) });
  }

  /** With the pieces that were made for it. Without one of these nothing is done. */
  async function restamp(dTag: string, record: HeadRecord): Promise<void> {
    const { id } = record.event!;
    const stamp = pastStampOf(record, nowSeconds())!;
    const pieces = (record.pieces ?? []).filter((piece) => piece.stamp > stamp);
    const made = await signPieces(dTag, pieces, () => stamp);
    if (made.size < pieces.length) return;
    const event = await hand.sign(restampOf(record.event!, record.own!.device, stamp));
    await replica.apply(dTag, { type: 'restamp', id, event, made });
  }

  /** Pieces from the store, under other stamps; those that are not there are left out. */
  async function signPieces(
    dTag: string,
    pieces: readonly Piece[],
    stampOf: (piece: Piece) => number,
  ): Promise<ReadonlyMap<string, VerifiedEvent>> {
    const made = new Map<string, VerifiedEvent>();
    for (const one of pieces) {
      const piece = await replica.piece(dTag, one.name);
      if (piece === undefined) continue;
      const { kind, tags, content } = piece;
      made.set(one.name, await hand.sign({ kind, created_at: stampOf(one), tags, content }));
    }
    return made;
  }

  async function remake(dTag: string): Promise<void> {
    const record = replica.get(dTag);
    const made = await signPieces(dTag, buriedOf(record), ({ buried }) => buried! + 1);
    if (made.size > 0) await replica.apply(dTag, { type: 'remade', id: record!.event!.id, made });
  }

  return {
    changed: (dTag) => {
      if (!underWay.has(dTag)) plan(dTag, waitMs(dTag));
    },
    answered: (dTag, relay, { id }, { type }) => {
      const known = late.get(dTag);
      if (type !== 'clock') return void (known?.id === id && known.relays.delete(relay));
      const relays = known?.id === id ? known.relays : new Set<string>();
      late.set(dTag, { id, relays: relays.add(relay) });
      if (!underWay.has(dTag)) plan(dTag, waitMs(dTag));
    },
    retry: () => {
      for (const dTag of replica.dTags()) if (!underWay.has(dTag)) plan(dTag, 0);
    },
    close: () => agenda.stop(),
  };
}
