/**
 * What the engine signs without a call of the app, and nothing else does. Three rules keep it from beating a write:
 * it is stamped just above what it says again (protocol/renewal.ts), it is made only after every connected relay has answered
 * completely (one that does not within `RENEW_PATIENCE_MS` is disconnected), and it is dropped if the head is not that event any more by
 * then.
 *
 * One of them gives a write that no relay took an older stamp than it had: this clock says by now that the stamp is in the
 * future, and the relays say so too. What others wrote since must win against it, so it is stamped by what it is above.
 *
 * Pieces that were collected by mistake are signed again above their tombstones. No head comes of that, so no relay is asked.
 */

import { nowSeconds, type Clock } from '../../clock.ts';
import type { Address, Ms, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { deviceIdOf, expirationOf, isExpired } from '../../protocol/header.ts';
import {
  LOOK_AGAIN_MS,
  MAX_TIMER_MS,
  RENEW_AGAIN_MS,
  RENEW_PATIENCE_MS,
  RENEW_SLACK_MS,
  SPREAD_DELAY_MS,
} from '../../protocol/limits.ts';
import { randomFraction, type RandomBytes } from '../../relay/backoff.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import { createAgenda } from '../relays/agenda.ts';
import type { Network } from '../relays/network.ts';
import { buriedOf, type HeadRecord } from '../heads/record.ts';
import type { Change, Replica } from '../heads/replica.ts';
import { createLateStamps } from './late-stamps.ts';
import { needOf, type Need } from './needs.ts';
import { remakePieces, renew, restamp } from './remaking.ts';
import type { Hand } from './signing.ts';

export interface Renewals {
  /** A record changed. */
  changed(change: Pick<Change, 'dTag'>): void;
  /** A relay's answer to a head. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): void;
  /** What waited for a signer goes on. */
  signerChanged(): void;
  /** What waited for a connection goes on. */
  relaysChanged(relay?: RelayConnection): void;
  close(): void;
}

export function createRenewals(ports: {
  /** Whether the rivals of a category are merged. */
  readonly isMerged: (dTag: Address) => boolean;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Replica;
  readonly hand: Hand;
  readonly deviceId: () => string;
  readonly network: () => Network;
}): Renewals {
  const { clock, replica, hand } = ports;
  /** By category: since when it was tried in vain. */
  const since = new Map<Address, Ms>();
  const underWay = new Set<Address>();
  const late = createLateStamps(ports.network);
  const agenda = createAgenda<Address>(clock, RENEW_SLACK_MS, (dTags) => void attempt(dTags));
  agenda.start();

  const needNow = (dTag: Address, record: HeadRecord<NostrEvent> | undefined): Need | undefined =>
    needOf(record, nowSeconds(clock), late.isLate(dTag, record), ports.isMerged(dTag));

  /** When to look at a record, from now; `undefined`: it needs nothing, and never will. */
  function dueMs(dTag: Address): Ms | undefined {
    const record = replica.peek(dTag);
    const head = record?.head?.event;
    if (head === undefined) return undefined;
    const need = needNow(dTag, record);
    if (buriedOf(record).length > 0 || (need !== undefined && need !== 'end')) return 0;
    // What it follows is ahead as well, by less than relays mind: it can be said again once that has come.
    if (late.isLate(dTag, record)) return LOOK_AGAIN_MS;
    const expiration = expirationOf(head);
    if (expiration === undefined) return undefined;
    const leftMs = expiration * 1000 - clock.now();
    // One tombstone is enough: that of the writer, if it is there.
    const isOurs = deviceIdOf(head) === ports.deviceId();
    const graceMs = isOurs ? 0 : SPREAD_DELAY_MS * (1 + 2 * randomFraction(ports.randomBytes));
    return Math.min(Math.max(0, leftMs) + graceMs, MAX_TIMER_MS);
  }

  function plan(dTag: Address, leastMs: Ms): void {
    const delayMs = dueMs(dTag);
    if (delayMs !== undefined) return agenda.put(dTag, Math.max(delayMs, leastMs));
    agenda.remove(dTag);
    since.delete(dTag);
  }

  /** Grows with the time for which it was tried in vain. */
  const waitMs = (dTag: Address): Ms =>
    since.has(dTag) ? Math.min(Math.max(RENEW_AGAIN_MS, clock.now() - since.get(dTag)!), LOOK_AGAIN_MS) : 0;

  async function attempt(dTags: readonly Address[]): Promise<void> {
    // Otherwise `retry` comes back to it.
    if (!hand.isSet()) return;
    for (const dTag of dTags) underWay.add(dTag);
    await Promise.all(dTags.map((dTag) => remakePieces(ports, dTag).catch(() => undefined)));
    const heads = dTags.filter(isOpen);
    if (heads.length > 0 && (await isHeard(heads)))
      await Promise.all(heads.map((dTag) => makeAgain(dTag).catch(() => undefined)));
    for (const dTag of dTags) {
      underWay.delete(dTag);
      if (!since.has(dTag)) since.set(dTag, clock.now());
      plan(dTag, waitMs(dTag));
    }
  }

  /** Whether the head needs something, or will if relays agree that it has ended. */
  function isOpen(dTag: Address): boolean {
    const record = replica.peek(dTag);
    const head = record?.head?.event;
    return head !== undefined && (isExpired(head, nowSeconds(clock)) || needNow(dTag, record) !== undefined);
  }

  /** The connected relays that do not answer completely; `undefined`: none does. */
  async function silentAbout(dTags: readonly Address[]): Promise<readonly RelayUrl[] | undefined> {
    const { complete } = await ports.network().ask(dTags, 'all');
    if (complete.length === 0) return undefined;
    const connected = ports
      .network()
      .relays()
      .filter((relay) => relay.connected);
    return connected.map(({ url }) => url).filter((url) => !complete.includes(url));
  }

  /** Whether every connected relay has answered completely. Each repair would wait for ever for one that never does. */
  async function isHeard(dTags: readonly Address[]): Promise<boolean> {
    const silent = await silentAbout(dTags);
    if (silent === undefined || silent.length === 0) return silent !== undefined;
    const waiting = dTags.filter((dTag) => needNow(dTag, replica.peek(dTag)) !== undefined);
    const triedMs = waiting.map((dTag) => clock.now() - (since.get(dTag) ?? Infinity));
    if (triedMs.length === 0 || Math.min(...triedMs) < RENEW_PATIENCE_MS) return false;
    for (const url of silent) ports.network().hangUp(url);
    return (await silentAbout(dTags))?.length === 0;
  }

  async function makeAgain(dTag: Address): Promise<void> {
    const record = replica.get(dTag);
    const need = needNow(dTag, record);
    if (need === undefined) return;
    if (need === 'late') return restamp(ports, dTag, record!, nowSeconds(clock));
    return renew(ports, dTag, record!, need);
  }

  function retry(): void {
    for (const dTag of replica.dTags()) if (!underWay.has(dTag)) plan(dTag, 0);
  }

  return {
    changed: ({ dTag }) => {
      if (!underWay.has(dTag)) plan(dTag, waitMs(dTag));
    },
    answered: (dTag, relay, event, answer) => {
      if (late.answered(dTag, relay, event, answer) && !underWay.has(dTag)) plan(dTag, waitMs(dTag));
    },
    signerChanged: retry,
    relaysChanged: (relay) => {
      if (relay?.info().connected === true) retry();
    },
    close: () => agenda.stop(),
  };
}
