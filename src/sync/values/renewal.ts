/**
 * What the engine signs without a call of the app, and nothing else does. Three rules keep it from beating a write:
 * it is stamped just above what it says again (protocol/renewal.ts), it is made only after every connected relay has answered
 * completely, and it is dropped if the head is not that event any more by then.
 *
 * Pieces that were collected by mistake are signed again above their tombstones. No head comes of that, so nobody is asked.
 */

import type { Clock } from '../../clock.ts';
import {
  deviceIdOf,
  isExpired,
  tagValues,
  type NostrEvent,
  type VerifiedEvent,
} from '../../protocol/event.ts';
import {
  END_MARGIN_SECONDS,
  LOOK_AGAIN_MS,
  MAX_CONTRADICTIONS,
  MAX_RENEWAL_SECONDS,
  MAX_TIMER_MS,
  RENEW_AGAIN_MS,
  RENEW_PATIENCE_MS,
  RENEW_SLACK_MS,
  SPREAD_DELAY_MS,
} from '../../protocol/limits.ts';
import { endOf, renewalOf, renewedBy } from '../../protocol/renewal.ts';
import { randomFraction, type RandomBytes } from '../../relay/backoff.ts';
import { createAgenda } from '../relays/agenda.ts';
import type { Network } from '../relays/network.ts';
import { buriedOf, type HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Hand } from './signing.ts';

/**
 * Why a head is to be said again. `tie`: a relay keeps another event of the same stamp, against NIP-01. `end`: it has ended
 * (NIP-40), relays forget it, and what it had replaced must not come back.
 */
type Need = 'tie' | 'end';

/** What a record needs; `undefined`: nothing, as far as this device knows. */
function needOf(record: HeadRecord<NostrEvent> | undefined, nowSeconds: number): Need | undefined {
  const head = record?.event;
  if (head === undefined) return undefined;
  if (isExpired(head, nowSeconds)) {
    // This clock may be ahead: a relay that does not hold the value agrees that it has ended.
    const isAgreed = [...record!.deliveries.values()].some((one) => one === 'pending' || one === 'refused');
    return isAgreed || isExpired(head, nowSeconds - END_MARGIN_SECONDS) ? 'end' : undefined;
  }
  const isContradicted = record!.contradictions >= MAX_CONTRADICTIONS;
  return isContradicted && renewedBy(head) < MAX_RENEWAL_SECONDS ? 'tie' : undefined;
}

export interface Renewals {
  /** A record changed. */
  changed(dTag: string): void;
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
  const agenda = createAgenda(clock, RENEW_SLACK_MS, (dTags) => void attempt(dTags));
  agenda.start();

  const nowSeconds = (): number => Math.floor(clock.now() / 1000);

  /** When to look at a record, in ms from now; `undefined`: it needs nothing, and never will. */
  function dueMs(record: HeadRecord<NostrEvent> | undefined): number | undefined {
    const head = record?.event;
    if (head === undefined) return undefined;
    if (buriedOf(record).length > 0 || needOf(record, nowSeconds()) === 'tie') return 0;
    if (!isExpired(head, Infinity)) return undefined;
    const leftMs = Number(tagValues(head, 'expiration')![0]) * 1000 - clock.now();
    // One tombstone is enough: that of the writer, if it is there.
    const isOurs = deviceIdOf(head) === ports.deviceId();
    const graceMs = isOurs ? 0 : SPREAD_DELAY_MS * (1 + 2 * randomFraction(ports.randomBytes));
    return Math.min(Math.max(0, leftMs) + graceMs, MAX_TIMER_MS);
  }

  function plan(dTag: string, leastMs: number): void {
    const delayMs = dueMs(replica.peek(dTag));
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
    return (
      head !== undefined && (isExpired(head, nowSeconds()) || needOf(record, nowSeconds()) !== undefined)
    );
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
    const need = needOf(record, nowSeconds());
    if (need === undefined) return;
    const { event: head } = record!;
    const template = need === 'tie' ? renewalOf(head!) : endOf(head!, await hand.encrypt('null'));
    await replica.apply(dTag, { type: 'renew', id: head!.id, event: await hand.sign(template) });
  }

  async function remake(dTag: string): Promise<void> {
    const record = replica.get(dTag);
    const made = new Map<string, VerifiedEvent>();
    for (const { name, buried } of buriedOf(record)) {
      const piece = await replica.piece(dTag, name);
      if (piece === undefined) continue;
      const { kind, tags, content } = piece;
      made.set(name, await hand.sign({ kind, created_at: buried! + 1, tags, content }));
    }
    if (made.size > 0) await replica.apply(dTag, { type: 'remade', id: record!.event!.id, made });
  }

  return {
    changed: (dTag) => {
      if (!underWay.has(dTag)) plan(dTag, waitMs(dTag));
    },
    retry: () => {
      for (const dTag of replica.dTags()) if (!underWay.has(dTag)) plan(dTag, 0);
    },
    close: () => agenda.stop(),
  };
}
