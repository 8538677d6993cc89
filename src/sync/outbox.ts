/**
 * Replica → relays until every configured relay has the head, something newer, or refused it for good (R4); then the
 * read-back that proves it (R6). One lane per relay; what is owed is derived from the records, so that nothing is
 * forgotten and nothing given up.
 *
 *     record: pending ──▶ ready ──send──▶ in flight ──OK──▶ acknowledged ──read back──▶ confirmed
 *                           ▲                 │ retry, clock, rate limit      │ lacking
 *                           └──── delayed ◀───┴──────────────────────────────┘
 */

import type { Clock } from '../clock.ts';
import type { Answer } from '../protocol/answer.ts';
import { isExpired, isTombstone, type NostrEvent, type VerifiedEvent } from '../protocol/event.ts';
import {
  CONFIRM_DELAY_MS,
  MAX_IN_FLIGHT,
  RATE_LIMIT_PAUSE_CAP_MS,
  RATE_LIMIT_PAUSE_MS,
  RETRY_BASE_MS,
  RETRY_CAP_MS,
  SPREAD_DELAY_MS,
} from '../protocol/limits.ts';
import { backoffMs, randomFraction, type RandomBytes } from '../relay/backoff.ts';
import type { RelayConnection, RequestEnd } from '../relay/connection.ts';
import { createPacer, type Pacing } from './pacer.ts';
import { deliveryOf, isOwnHead } from './record.ts';
import type { Replica } from './replica.ts';

export interface Outbox {
  /** A record changed: works out anew what is owed. */
  recordChanged(dTag: string): void;
  /** The relay was added, opened or closed. */
  relayChanged(relay: RelayConnection): void;
  relayRemoved(url: string): void;
  /** Something that made sending impossible has changed (a signer for AUTH): tries all delayed ones now. */
  retry(): void;
  /** (category, relay) pairs that are not final. */
  depth(): number;
  /** Sends a deletion request (NIP-09) to each relay once that relay has taken the tombstone. Best effort. */
  follow(dTag: string, tombstone: string, deletion: NostrEvent): void;
  close(): void;
}

/** What one relay is owed. */
interface Lane {
  readonly relay: RelayConnection;
  /** Owed: the number of these is the depth. */
  readonly pending: Set<string>;
  /** To be sent as soon as there is room. */
  readonly ready: Set<string>;
  /** To be sent later, by what cancels the wait. */
  readonly delayed: Map<string, () => void>;
  /** How often the head of a category was sent since it last got through. */
  readonly attempts: Map<string, { readonly id: string; count: number }>;
  /** To be read back, by the time (ms) when. */
  readonly audits: Map<string, number>;
  /** When the timer of the audits is due; `Infinity` where none is armed. */
  auditAt: number;
  cancelAudit: () => void;
  auditFailures: number;
  /** Sent and not answered: the id by category. */
  readonly inFlight: Map<string, string>;
  isOpen: boolean;
  /** After `rate-limited:` a relay is left alone, then written to more slowly. In ms. */
  pauses: number;
  /** Grows with each pause: what was sent before one began does not make it longer. */
  pauseEpoch: number;
  nextSendAt: number;
  /** How long that wait was meant to be. */
  holdMs: number;
  intervalMs: number;
  cancelPause: () => void;
}

const nothing = (): void => undefined;

export function createOutbox(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Replica;
  readonly pacing: Pacing;
  readonly ask: (relay: RelayConnection, dTags: readonly string[]) => Promise<RequestEnd>;
  /** A relay's answer to the head of a category, for whoever waits for it. */
  readonly onAnswer: (dTag: string, relay: string, event: VerifiedEvent, answer: Answer) => void;
}): Outbox {
  const { clock, randomBytes, replica } = ports;
  const lanes = new Map<string, Lane>();
  const pacer = createPacer(clock, ports.pacing);
  const deletions = new Map<
    string,
    { readonly tombstone: string; readonly deletion: NostrEvent; readonly sentTo: Set<string> }
  >();

  // What is owed

  function update(lane: Lane, dTag: string): void {
    const record = replica.peek(dTag);
    const delivery = record?.event === undefined ? 'confirmed' : deliveryOf(record, lane.relay.url);
    if (delivery === 'pending') {
      lane.pending.add(dTag);
      if (isOffer(lane, dTag)) return audit(lane, dTag, 0);
      lane.audits.delete(dTag);
      const id = record!.event!.id;
      const attempts = lane.attempts.get(dTag);
      if (attempts?.id !== id) return schedule(lane, dTag, 0);
      const isUnderWay = lane.inFlight.get(dTag) === id || lane.ready.has(dTag) || lane.delayed.has(dTag);
      // It was sent before: the relay has lost it, or the connection. Twice that may happen, then it looks like a habit.
      if (!isUnderWay) schedule(lane, dTag, attempts.count < 3 ? 0 : retryMs(attempts.count - 3));
      return;
    }
    lane.pending.delete(dTag);
    unschedule(lane, dTag);
    if (delivery === 'acknowledged') audit(lane, dTag, CONFIRM_DELAY_MS);
    else if (delivery === 'unseen') audit(lane, dTag, SPREAD_DELAY_MS * (0.5 + randomFraction(randomBytes)));
    else {
      lane.audits.delete(dTag);
      lane.attempts.delete(dTag);
    }
  }

  /** Whether another device's head is owed to a relay that was added since: it may well have it, so it is asked first. */
  function isOffer(lane: Lane, dTag: string): boolean {
    const record = replica.peek(dTag);
    const isUnderWay =
      lane.ready.has(dTag) || lane.delayed.has(dTag) || lane.attempts.get(dTag)?.id === record?.event?.id;
    return (
      record?.event !== undefined &&
      !isOwnHead(record) &&
      !record.deliveries.has(lane.relay.url) &&
      !isUnderWay
    );
  }

  function retryMs(attempt: number): number {
    // Half of it is certain: a relay that accepts and forgets must not be asked at once again by chance.
    const halfMs = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** Math.min(attempt, 30)) / 2;
    return halfMs + backoffMs(0, randomBytes, { baseMs: halfMs, capMs: halfMs });
  }

  function unschedule(lane: Lane, dTag: string): void {
    lane.ready.delete(dTag);
    lane.delayed.get(dTag)?.();
    lane.delayed.delete(dTag);
  }

  function schedule(lane: Lane, dTag: string, delayMs: number): void {
    unschedule(lane, dTag);
    if (!lane.isOpen || !lane.pending.has(dTag)) return;
    if (delayMs > 0) {
      lane.delayed.set(
        dTag,
        clock.after(delayMs, () => schedule(lane, dTag, 0)),
      );
      return;
    }
    lane.ready.add(dTag);
    pump(lane);
  }

  // Sending

  function pump(lane: Lane): void {
    while (lane.isOpen && lane.inFlight.size < MAX_IN_FLIGHT) {
      const [dTag] = lane.ready;
      if (dTag === undefined) return;
      // A clock that was set back makes no wait longer than it was meant to be.
      lane.nextSendAt = Math.min(lane.nextSendAt, clock.now() + lane.holdMs);
      const waitMs = lane.nextSendAt - clock.now();
      if (waitMs > 0) {
        lane.cancelPause();
        lane.cancelPause = clock.after(waitMs, () => pump(lane));
        return;
      }
      lane.ready.delete(dTag);
      void send(lane, dTag);
    }
  }

  function hold(lane: Lane, ms: number): void {
    lane.holdMs = ms;
    lane.nextSendAt = clock.now() + ms;
  }

  async function send(lane: Lane, dTag: string): Promise<void> {
    const head = replica.get(dTag)?.event;
    if (head === undefined) return update(lane, dTag);
    const waitMs = pacer.waitMs(dTag, head.id);
    if (waitMs > 0) return schedule(lane, dTag, waitMs);
    // While a newer write is being saved nothing goes out: that write's change brings us back here.
    const event = replica.claim(dTag);
    if (event === undefined) return;
    const previous = lane.attempts.get(dTag);
    const count = previous?.id === event.id ? previous.count + 1 : 1;
    lane.attempts.set(dTag, { id: event.id, count });
    hold(lane, lane.intervalMs);
    lane.inFlight.set(dTag, event.id);
    const { pauseEpoch } = lane;
    const answer = await lane.relay.publish(event);
    if (lane.inFlight.get(dTag) === event.id) lane.inFlight.delete(dTag);
    if (pauseEpoch === lane.pauseEpoch) pace(lane, answer);
    await receive(lane, dTag, event, answer, count);
    pump(lane);
  }

  /** A relay that is asked too much of is left alone for a while, then written to more slowly. */
  function pace(lane: Lane, answer: Answer): void {
    if (answer.type === 'acknowledged' || answer.type === 'superseded') {
      lane.intervalMs = lane.intervalMs < 1_000 ? 0 : lane.intervalMs * 0.9;
      lane.pauses = 0;
    } else if (answer.type === 'rate-limited') {
      lane.intervalMs = Math.min(120_000, Math.max(5_000, lane.intervalMs * 2));
      hold(lane, Math.min(RATE_LIMIT_PAUSE_CAP_MS, RATE_LIMIT_PAUSE_MS * 2 ** lane.pauses++));
      lane.pauseEpoch++;
    }
  }

  async function receive(
    lane: Lane,
    dTag: string,
    event: VerifiedEvent,
    answer: Answer,
    count: number,
  ): Promise<void> {
    const relay = lane.relay.url;
    ports.onAnswer(dTag, relay, event, answer);
    switch (answer.type) {
      case 'acknowledged':
      case 'superseded':
        await replica.apply(dTag, {
          type: 'answered',
          relay,
          id: event.id,
          delivery: 'acknowledged',
          superseded: answer.type === 'superseded',
        });
        if (answer.type === 'superseded') audit(lane, dTag, 0);
        else deleteOn(lane, dTag, event);
        return;
      case 'refused':
        await replica.apply(dTag, { type: 'answered', relay, id: event.id, delivery: 'refused' });
        return;
      case 'rate-limited':
        return scheduleHead(lane, dTag, event, 0);
      case 'clock':
        return scheduleHead(
          lane,
          dTag,
          event,
          Math.max(retryMs(count + 2), event.created_at * 1000 - clock.now()),
        );
      case 'auth-required':
        return scheduleHead(lane, dTag, event, RETRY_CAP_MS);
      case 'retry':
        scheduleHead(lane, dTag, event, retryMs(count - 1));
        // It may have got there, or be beaten by what the relay has: only a look tells.
        if (lane.pending.has(dTag)) audit(lane, dTag, CONFIRM_DELAY_MS);
        return;
    }
  }

  /** Unless a newer head has taken its place in the lane. */
  function scheduleHead(lane: Lane, dTag: string, event: VerifiedEvent, delayMs: number): void {
    if (replica.peek(dTag)?.event?.id === event.id) schedule(lane, dTag, delayMs);
  }

  function deleteOn(lane: Lane, dTag: string, event: VerifiedEvent): void {
    const following = deletions.get(dTag);
    if (following?.tombstone !== event.id || !isTombstone(event) || following.sentTo.has(lane.relay.url))
      return;
    // Once: some relays delete the tombstone as well, get it again, and would delete it for ever.
    following.sentTo.add(lane.relay.url);
    void lane.relay.publish(following.deletion);
  }

  // Reading back

  function audit(lane: Lane, dTag: string, delayMs: number): void {
    const dueAt = clock.now() + delayMs;
    if ((lane.audits.get(dTag) ?? Infinity) <= dueAt) return;
    lane.audits.set(dTag, dueAt);
    if (dueAt < lane.auditAt) armAudit(lane, dueAt);
  }

  function armAudit(lane: Lane, dueAt: number): void {
    lane.cancelAudit();
    lane.auditAt = Infinity;
    if (!lane.isOpen || dueAt === Infinity) return;
    lane.auditAt = dueAt;
    // Bounded, so that a clock that was set back does not put it off for as long.
    const delayMs = Math.min(Math.max(0, dueAt - clock.now()), RETRY_CAP_MS);
    lane.cancelAudit = clock.after(delayMs, () => void runAudit(lane));
  }

  function firstAudit(lane: Lane): number {
    let first = Infinity;
    for (const dueAt of lane.audits.values()) first = Math.min(first, dueAt);
    return first;
  }

  async function runAudit(lane: Lane): Promise<void> {
    // What is due soon goes along: one REQ for many.
    const until = Math.max(clock.now(), lane.auditAt) + CONFIRM_DELAY_MS / 2;
    const nowSeconds = Math.floor(clock.now() / 1000);
    const due: string[] = [];
    for (const [dTag, dueAt] of lane.audits) {
      if (dueAt > until) continue;
      lane.audits.delete(dTag);
      const event = replica.peek(dTag)?.event;
      if (event !== undefined && !isExpired(event, nowSeconds)) due.push(dTag);
    }
    armAudit(lane, firstAudit(lane));
    if (due.length === 0) return;
    const end = await ports.ask(lane.relay, due);
    for (const dTag of due) if (isOffer(lane, dTag)) schedule(lane, dTag, 0);
    if (end === 'complete') {
      lane.auditFailures = 0;
      return;
    }
    const delayMs = retryMs(lane.auditFailures++);
    for (const dTag of due) {
      const record = replica.peek(dTag);
      if (record === undefined || lane.audits.has(dTag)) continue;
      if (['acknowledged', 'unseen'].includes(deliveryOf(record, lane.relay.url))) audit(lane, dTag, delayMs);
    }
  }

  // Relays

  function open(lane: Lane): void {
    lane.isOpen = true;
    for (const dTag of replica.dTags()) update(lane, dTag);
    armAudit(lane, firstAudit(lane));
  }

  function shut(lane: Lane): void {
    lane.isOpen = false;
    armAudit(lane, Infinity);
    lane.cancelPause();
    for (const dTag of [...lane.ready, ...lane.delayed.keys()]) unschedule(lane, dTag);
  }

  return {
    recordChanged: (dTag) => {
      if (deletions.get(dTag)?.tombstone !== replica.peek(dTag)?.event?.id) deletions.delete(dTag);
      for (const lane of lanes.values()) update(lane, dTag);
    },
    relayChanged: (relay) => {
      let lane = lanes.get(relay.url);
      if (lane === undefined) {
        lane = {
          relay,
          pending: new Set(),
          ready: new Set(),
          delayed: new Map(),
          attempts: new Map(),
          audits: new Map(),
          auditAt: Infinity,
          cancelAudit: nothing,
          auditFailures: 0,
          inFlight: new Map(),
          isOpen: false,
          pauses: 0,
          pauseEpoch: 0,
          nextSendAt: 0,
          holdMs: 0,
          intervalMs: 0,
          cancelPause: nothing,
        };
        lanes.set(relay.url, lane);
        for (const dTag of replica.dTags()) update(lane, dTag);
      }
      const isOpen = relay.info().connected;
      if (isOpen === lane.isOpen) return;
      if (isOpen) open(lane);
      else shut(lane);
    },
    relayRemoved: (url) => {
      const lane = lanes.get(url);
      lanes.delete(url);
      if (lane !== undefined) shut(lane);
    },
    retry: () => {
      for (const lane of lanes.values()) {
        for (const dTag of [...lane.delayed.keys()]) schedule(lane, dTag, 0);
        for (const dTag of lane.audits.keys()) audit(lane, dTag, 0);
      }
    },
    depth: () => [...lanes.values()].reduce((sum, lane) => sum + lane.pending.size, 0),
    follow: (dTag, tombstone, deletion) => {
      deletions.set(dTag, { tombstone, deletion, sentTo: new Set() });
      const record = replica.get(dTag);
      if (record?.event?.id !== tombstone) return;
      for (const lane of lanes.values()) {
        const hasTombstone = ['acknowledged', 'confirmed'].includes(deliveryOf(record, lane.relay.url));
        if (hasTombstone) deleteOn(lane, dTag, record.event);
      }
    },
    close: () => {
      for (const lane of lanes.values()) shut(lane);
      lanes.clear();
    },
  };
}
