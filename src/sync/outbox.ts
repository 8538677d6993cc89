/**
 * Replica → relays until every configured relay has the head, something newer, or refused it for good (R4); then the
 * read-back that proves it (R6). One lane per relay; what is owed is derived from the records, so that nothing is
 * forgotten and nothing given up. What is sent goes by its d-tag: that of a category or of a piece; a head in pieces goes
 * out once the relay has these.
 *
 *     record: pending ──▶ ready ──send──▶ in flight ──OK──▶ acknowledged ──read back──▶ confirmed
 *                           ▲                 │ retry, clock, rate limit      │ lacking
 *                           └──── delayed ◀───┴──────────────────────────────┘
 */

import type { Clock } from '../clock.ts';
import type { Answer } from '../protocol/answer.ts';
import { parsePieceDTag, pieceDTag } from '../protocol/chunks.ts';
import { isExpired, isTombstone, type NostrEvent, type VerifiedEvent } from '../protocol/event.ts';
import {
  CONFIRM_DELAY_MS,
  MAX_IN_FLIGHT,
  MAX_PIECES_IN_FLIGHT,
  MAX_SMALL_PIECE_BYTES,
  PROOF_MS,
  RATE_LIMIT_PAUSE_CAP_MS,
  RATE_LIMIT_PAUSE_MS,
  RETRY_BASE_MS,
  RETRY_CAP_MS,
  SPREAD_DELAY_MS,
} from '../protocol/limits.ts';
import { backoffMs, randomFraction, type RandomBytes } from '../relay/backoff.ts';
import type { RelayConnection, RequestEnd } from '../relay/connection.ts';
import type { Collected } from './inbox.ts';
import { createPacer, type Pacing } from './pacer.ts';
import { deliveryOf, isOwed, isOwnHead, newPiecesOf, type HeadRecord } from './record.ts';
import type { Replica } from './replica.ts';

export interface Outbox {
  /** A record changed: works out anew what is owed. */
  recordChanged(dTag: string): void;
  /** The relay was added, opened or closed. */
  relayChanged(relay: RelayConnection): void;
  relayRemoved(url: string): void;
  /** A relay showed this of a category, or nothing. */
  shown(relay: string, dTag: string, id: string | undefined): void;
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
  /** How often the head of a category, or a piece, was sent since it last got through. */
  readonly attempts: Map<string, { readonly version: string; count: number }>;
  /** By category in pieces that is pending, the d-tags of the pieces that were scheduled. */
  readonly pieces: Map<string, Set<string>>;
  /** By category in pieces, the head that the relay last said to have, and when (ms). */
  readonly proofs: Map<string, { readonly id: string | undefined; readonly at: number }>;
  /** Categories that the relay is being asked for to renew its proof, or soon will be, by what cancels that. */
  readonly proving: Map<string, () => void>;
  /** To be read back, by the time (ms) when. */
  readonly audits: Map<string, number>;
  /** When the timer of the audits is due; `Infinity` where none is armed. */
  auditAt: number;
  cancelAudit: () => void;
  auditFailures: number;
  /** Sent and not answered: the version by d-tag. */
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

/** Of the d-tag of a category, or of a piece. */
function categoryDTag(dTag: string): string {
  return parsePieceDTag(dTag)?.dTag ?? dTag;
}

export function createOutbox(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Replica;
  readonly pacing: Pacing;
  readonly ask: (relay: RelayConnection, dTags: readonly string[]) => Promise<RequestEnd>;
  readonly collect: (relay: RelayConnection, dTags: readonly string[]) => Promise<Collected>;
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
    const { url } = lane.relay;
    if (isOwed(record, url)) {
      lane.pending.add(dTag);
      if (isOffer(lane, dTag)) return audit(lane, dTag, 0);
      lane.audits.delete(dTag);
      return offer(lane, dTag, record!);
    }
    const delivery = record?.event === undefined ? 'confirmed' : deliveryOf(record, url);
    lane.pending.delete(dTag);
    unscheduleAll(lane, dTag);
    if (delivery === 'acknowledged') audit(lane, dTag, CONFIRM_DELAY_MS);
    else if (delivery === 'unseen') audit(lane, dTag, SPREAD_DELAY_MS * (0.5 + randomFraction(randomBytes)));
    else {
      lane.audits.delete(dTag);
      lane.attempts.delete(dTag);
      for (const piece of lane.pieces.get(dTag) ?? []) lane.attempts.delete(piece);
      lane.pieces.delete(dTag);
    }
  }

  /** Schedules the pieces that the relay lacks; the head where it lacks none. */
  function offer(lane: Lane, dTag: string, record: HeadRecord<NostrEvent>): void {
    if (!isProven(lane, dTag, record)) {
      unscheduleAll(lane, dTag);
      return void prove(lane, dTag);
    }
    const pieces = new Map(record.pieces?.map((piece) => [pieceDTag(dTag, piece.name), piece]));
    const known = lane.pieces.get(dTag) ?? new Set();
    for (const address of known) {
      if (pieces.get(address)?.deliveries.has(lane.relay.url) === false) continue;
      unschedule(lane, address);
      if (pieces.has(address)) continue;
      known.delete(address);
      lane.attempts.delete(address);
    }
    const missing = [...pieces].filter(([, { deliveries }]) => !deliveries.has(lane.relay.url));
    if (missing.length === 0) return scheduleOnce(lane, dTag, record.event!.id);
    unschedule(lane, dTag);
    lane.pieces.set(dTag, known);
    for (const [address, { stamp }] of missing) {
      known.add(address);
      scheduleOnce(lane, address, String(stamp));
    }
  }

  /**
   * Whether the relay still has the pieces that the head shares with a former one: another device collects what its own
   * newer head does not need, but nothing before that head has long been everywhere.
   */
  function isProven(lane: Lane, dTag: string, record: HeadRecord<NostrEvent>): boolean {
    const { url } = lane.relay;
    const isShared = record.pieces?.some(
      ({ stamp, deliveries }) => stamp !== record.event!.created_at && deliveries.has(url),
    );
    if (isShared !== true) return true;
    const proof = lane.proofs.get(dTag);
    const age = proof === undefined ? Infinity : Math.abs(clock.now() - proof.at);
    return age < PROOF_MS && proof!.id === record.proven.get(url);
  }

  /** Asks the relay what it has; without what it should have, all pieces are sent. */
  async function prove(lane: Lane, dTag: string): Promise<void> {
    if (!lane.isOpen || lane.proving.has(dTag)) return;
    lane.proving.set(dTag, nothing);
    const end = await ports.ask(lane.relay, [dTag]);
    lane.proving.delete(dTag);
    const record = replica.peek(dTag);
    if (!lane.isOpen || !isOwed(record, lane.relay.url)) return;
    if (end === 'incomplete') {
      const again = (): void => {
        lane.proving.delete(dTag);
        update(lane, dTag);
      };
      lane.proving.set(dTag, clock.after(retryMs(lane.auditFailures++), again));
      return;
    }
    if (!isProven(lane, dTag, record!))
      await replica.apply(dTag, { type: 'forget-pieces', relay: lane.relay.url, id: record!.event!.id });
    update(lane, dTag);
  }

  /** Whether another device's head is owed to a relay that was added since: it may well have it, so it is asked first. */
  function isOffer(lane: Lane, dTag: string): boolean {
    const record = replica.peek(dTag);
    const isUnderWay =
      lane.ready.has(dTag) ||
      lane.delayed.has(dTag) ||
      lane.pieces.has(dTag) ||
      lane.attempts.get(dTag)?.version === record?.event?.id;
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

  function unscheduleAll(lane: Lane, dTag: string): void {
    unschedule(lane, dTag);
    for (const piece of lane.pieces.get(dTag) ?? []) unschedule(lane, piece);
  }

  /** Unless this version is under way. */
  function scheduleOnce(lane: Lane, dTag: string, version: string): void {
    if (lane.inFlight.get(dTag) === version) return;
    const attempts = lane.attempts.get(dTag);
    if (attempts?.version !== version) return schedule(lane, dTag, 0);
    const isUnderWay = lane.ready.has(dTag) || lane.delayed.has(dTag);
    // It was sent before: the relay has lost it, or the connection. Twice that may happen, then it looks like a habit.
    if (!isUnderWay) schedule(lane, dTag, attempts.count < 3 ? 0 : retryMs(attempts.count - 3));
  }

  function schedule(lane: Lane, dTag: string, delayMs: number): void {
    unschedule(lane, dTag);
    if (!lane.isOpen || !lane.pending.has(categoryDTag(dTag))) return;
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
      const piece = parsePieceDTag(dTag);
      const pieces = piece && [...lane.inFlight.keys()].filter((one) => parsePieceDTag(one) !== undefined);
      if (pieces !== undefined && pieces.length >= MAX_PIECES_IN_FLIGHT) return;
      lane.ready.delete(dTag);
      if (piece === undefined) void send(lane, dTag);
      else void sendPiece(lane, dTag, piece);
    }
  }

  function hold(lane: Lane, ms: number): void {
    lane.holdMs = ms;
    lane.nextSendAt = clock.now() + ms;
  }

  /** The record, where its head may go out now; a head that must wait is scheduled again, under `dTag`. */
  function released(lane: Lane, category: string, dTag: string): HeadRecord | undefined {
    const record = replica.get(category);
    if (record?.event === undefined) {
      update(lane, category);
      return undefined;
    }
    const waitMs = pacer.waitMs(category, record.event.id, 1 + newPiecesOf(record));
    if (waitMs > 0) schedule(lane, dTag, waitMs);
    return waitMs > 0 ? undefined : record;
  }

  async function send(lane: Lane, dTag: string): Promise<void> {
    const record = released(lane, dTag, dTag);
    if (record === undefined) return;
    // The relay may have been left alone for long since.
    if (!isProven(lane, dTag, record)) return update(lane, dTag);
    // While a newer write is being saved nothing goes out: that write's change brings us back here.
    const event = replica.claim(dTag);
    if (event === undefined) return;
    hold(lane, lane.intervalMs);
    const { answer, count } = await transmit(lane, dTag, event.id, event);
    await receive(lane, dTag, event, answer, count);
    pump(lane);
  }

  async function sendPiece(
    lane: Lane,
    dTag: string,
    { dTag: category, name }: { readonly dTag: string; readonly name: string },
  ): Promise<void> {
    const record = released(lane, category, dTag);
    const version = String(record?.pieces?.find((piece) => piece.name === name)?.stamp);
    if (record === undefined) return;
    hold(lane, lane.intervalMs);
    lane.inFlight.set(dTag, version);
    const piece = await replica.piece(category, name).catch(() => undefined);
    lane.inFlight.delete(dTag);
    const isStillWanted = replica.get(category)?.pieces?.some((one) => one.name === name) === true;
    // As with the head: the first piece is what makes the write one that a socket has carried.
    const head = isStillWanted && lane.isOpen ? replica.claim(category) : undefined;
    if (head === undefined) return pump(lane);
    // The store cannot give it just now.
    if (piece === undefined) return schedule(lane, dTag, RETRY_CAP_MS);
    const { answer, count } = await transmit(lane, dTag, version, piece);
    await receivePiece(lane, dTag, { category, name, version, head }, piece, answer, count);
    pump(lane);
  }

  async function transmit(
    lane: Lane,
    dTag: string,
    version: string,
    event: VerifiedEvent,
  ): Promise<{ answer: Answer; count: number }> {
    const previous = lane.attempts.get(dTag);
    const count = previous?.version === version ? previous.count + 1 : 1;
    lane.attempts.set(dTag, { version, count });
    lane.inFlight.set(dTag, version);
    const { pauseEpoch } = lane;
    const answer = await lane.relay.publish(event);
    if (lane.inFlight.get(dTag) === version) lane.inFlight.delete(dTag);
    if (pauseEpoch === lane.pauseEpoch) pace(lane, answer);
    return { answer, count };
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
        if (answer.type === 'acknowledged') note(lane, dTag, event.id);
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
      case 'too-large':
        await replica.apply(dTag, { type: 'answered', relay, id: event.id, delivery: 'refused' });
        return;
      default:
        scheduleAgain(lane, dTag, event.id, againMs(event, answer, count));
        // It may have got there, or be beaten by what the relay has: only a look tells.
        if (answer.type === 'retry' && lane.pending.has(dTag)) audit(lane, dTag, CONFIRM_DELAY_MS);
    }
  }

  async function receivePiece(
    lane: Lane,
    dTag: string,
    of: {
      readonly category: string;
      readonly name: string;
      readonly version: string;
      readonly head: VerifiedEvent;
    },
    piece: VerifiedEvent,
    answer: Answer,
    count: number,
  ): Promise<void> {
    const relay = lane.relay.url;
    const { category, name, head } = of;
    switch (answer.type) {
      case 'acknowledged':
        // Before the relay has a head nothing is collected there.
        if (replica.peek(category)?.proven.get(relay) === undefined) note(lane, category, undefined);
        await replica.apply(category, { type: 'piece', relay, name, delivery: 'acknowledged' });
        return;
      case 'superseded': {
        // Another device has put it there, or taken it away.
        await readBack(lane, category, [name]);
        const isThere = replica
          .peek(category)
          ?.pieces?.some((one) => one.name === name && one.deliveries.has(relay));
        if (isThere === false) scheduleAgain(lane, dTag, of.version, retryMs(count - 1));
        return;
      }
      case 'too-large': {
        const isSmallest = piece.content.length <= MAX_SMALL_PIECE_BYTES * 2;
        const record = replica.peek(category);
        if (record !== undefined && isOwnHead(record) && record.event?.id === head.id && !isSmallest) {
          await replica.apply(category, { type: 'broken', id: head.id });
          scheduleAgain(lane, dTag, of.version, RETRY_CAP_MS);
          return;
        }
        break;
      }
      case 'refused':
        // Made for a head before this one, and collected since.
        if (!answer.reason.startsWith('deleted:') || piece.created_at === head.created_at) break;
        await destroyed(lane, category, head);
        return scheduleAgain(lane, dTag, of.version, RETRY_CAP_MS);
      default:
        if (answer.type !== 'retry') ports.onAnswer(category, relay, head, answer);
        return scheduleAgain(lane, dTag, of.version, againMs(piece, answer, count));
    }
    // Without this piece the relay cannot have the value.
    ports.onAnswer(category, relay, head, answer);
    await replica.apply(category, { type: 'answered', relay, id: head.id, delivery: 'refused' });
  }

  /** When to send again what was neither taken nor refused for good, in ms. */
  function againMs(event: VerifiedEvent, answer: Answer, count: number): number {
    switch (answer.type) {
      case 'clock':
        return Math.max(retryMs(count + 2), event.created_at * 1000 - clock.now());
      case 'auth-required':
        return RETRY_CAP_MS;
      case 'retry':
        return retryMs(count - 1);
      default:
        return 0;
    }
  }

  /** Unless a newer version has taken its place in the lane. */
  function scheduleAgain(lane: Lane, dTag: string, version: string, delayMs: number): void {
    const record = replica.peek(categoryDTag(dTag));
    const piece = parsePieceDTag(dTag);
    const current =
      piece === undefined
        ? record?.event?.id
        : String(record?.pieces?.find(({ name }) => name === piece.name)?.stamp);
    if (current === version) schedule(lane, dTag, delayMs);
  }

  /** What the relay has said to have of a category in pieces. */
  function note(lane: Lane, dTag: string, id: string | undefined): void {
    const record = replica.peek(dTag);
    if (record?.pieces !== undefined || lane.proofs.has(dTag)) lane.proofs.set(dTag, { id, at: clock.now() });
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
    for (const dTag of due) {
      const record = replica.peek(dTag);
      if (isOffer(lane, dTag)) offer(lane, dTag, record!);
      const sent = (record?.pieces ?? []).filter(
        (piece) => piece.deliveries.get(lane.relay.url) === 'acknowledged',
      );
      if (end === 'complete' && sent.length > 0)
        await readBack(
          lane,
          dTag,
          sent.map(({ name }) => name),
        );
    }
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

  /** Asks the relay for pieces that were sent to it. */
  async function readBack(lane: Lane, dTag: string, names: readonly string[]): Promise<void> {
    const relay = lane.relay.url;
    const head = replica.peek(dTag)?.event;
    const { isComplete, events } = await ports.collect(
      lane.relay,
      names.map((name) => pieceDTag(dTag, name)),
    );
    for (const name of names) {
      const event = events.get(pieceDTag(dTag, name));
      if (event === undefined && !isComplete) continue;
      const isGone = event !== undefined && isTombstone(event);
      if (isGone && head !== undefined) await destroyed(lane, dTag, head);
      else await replica.apply(dTag, { type: 'piece', relay, name, delivery: event && 'confirmed' });
    }
    const record = replica.peek(dTag);
    if (!isComplete && record !== undefined && deliveryOf(record, relay) === 'acknowledged')
      audit(lane, dTag, retryMs(lane.auditFailures++));
  }

  /** Another device has collected a piece of this head: its writer makes it anew, nobody else can. */
  async function destroyed(lane: Lane, dTag: string, head: NostrEvent): Promise<void> {
    const record = replica.peek(dTag);
    if (record === undefined || record.event?.id !== head.id) return;
    await replica.apply(
      dTag,
      isOwnHead(record)
        ? { type: 'broken', id: head.id }
        : { type: 'answered', relay: lane.relay.url, id: head.id, delivery: 'refused' },
    );
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
    for (const cancel of lane.proving.values()) cancel();
    lane.proving.clear();
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
          pieces: new Map(),
          proofs: new Map(),
          proving: new Map(),
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
    shown: (url, dTag, id) => {
      const lane = lanes.get(url);
      if (lane !== undefined) note(lane, dTag, id);
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
