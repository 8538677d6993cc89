/**
 * Replica → relays until every configured relay has the head, something newer, or refused it for good; then the
 * read-back that proves it. One lane per relay; what is owed is derived from the records, so that nothing is
 * forgotten and nothing given up. A head in pieces goes out once the relay has these: `pieces.ts`.
 *
 *     record: pending ──▶ queue ──send──▶ in flight ──OK──▶ acknowledged ──read back──▶ confirmed
 *                           ▲                 │ retry, clock, rate limit      │ lacking
 *                           └─────────────────┴───────────────────────────────┘
 */

import type { Clock } from '../../clock.ts';
import type { Answer } from '../../protocol/answer.ts';
import { parsePieceDTag } from '../../protocol/chunks.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import { CONFIRM_DELAY_MS, HOLD_MS, LOOK_AGAIN_MS, SPREAD_DELAY_MS } from '../../protocol/limits.ts';
import { randomFraction, retryMs, type RandomBytes } from '../../relay/backoff.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import { createAgenda, type Agenda } from './agenda.ts';
import type { Collected } from './inbox.ts';
import { createPacer, type Pacing } from './pacer.ts';
import { createPieces, type Pieces } from './piece-lane.ts';
import { createQueue, type Queue, type Sent } from './queue.ts';
import { deliveryOf, isHeld, isOwed, isOwnHead, newPiecesOf, type HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';

export interface Outbox {
  /** A record changed: works out what is owed. */
  recordChanged(dTag: string): void;
  /** The relay was added, opened or closed. */
  relayChanged(relay: RelayConnection): void;
  relayRemoved(url: string): void;
  /** A relay showed this of a category, or nothing. */
  shown(relay: string, dTag: string, id: string | undefined): void;
  /** A relay lacks a head that it had confirmed: it was wiped or rolled back, and is asked for all that it should have. */
  lost(relay: string): void;
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
  readonly queue: Queue;
  readonly pieces: Pieces;
  /** Owed: the number of these is the depth. */
  readonly pending: Set<string>;
  /** To be read back. */
  readonly audits: Agenda;
  /** It is being asked what it has of these. */
  readonly asking: Set<string>;
  auditFailures: number;
  /** When it was last asked for all that it should have, in ms. */
  sweptAt: number;
  /** By category that was reset, the id of what it showed last. */
  readonly shown: Map<string, string>;
}

const UNCLEAR: Answer = { type: 'retry', reason: '' };
/** Among what is to be read back: all. No d-tag is empty. */
const EVERYTHING = '';

export function createOutbox(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Replica;
  readonly pacing: Pacing;
  readonly ask: (relay: RelayConnection, dTags: readonly string[]) => Promise<RequestEnd>;
  readonly collect: (relay: RelayConnection, dTags: readonly string[]) => Promise<Collected>;
  /** A relay's answer to the head of a category, for the calls that wait for it. */
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
      if (isOffer(lane, dTag)) {
        // Whatever changes meanwhile: a slow relay is not asked again before it has answered.
        if (!lane.asking.has(dTag)) lane.audits.put(dTag, 0);
        return;
      }
      lane.audits.remove(dTag);
      return offer(lane, dTag, record!);
    }
    const delivery = record?.event === undefined ? 'confirmed' : deliveryOf(record, url);
    lane.pending.delete(dTag);
    lane.queue.unschedule(dTag);
    lane.pieces.unschedule(dTag);
    if (delivery === 'acknowledged') lane.audits.put(dTag, CONFIRM_DELAY_MS);
    else if (delivery === 'unseen')
      lane.audits.put(dTag, SPREAD_DELAY_MS * (0.5 + randomFraction(randomBytes)));
    else {
      // A look at a relay that refused the head is still wanted: it may have something newer.
      if (delivery === 'confirmed') lane.audits.remove(dTag);
      lane.queue.forget(dTag);
      lane.pieces.forget(dTag);
    }
  }

  /** Schedules the head; before it the pieces that the relay lacks. */
  function offer(lane: Lane, dTag: string, record: HeadRecord<NostrEvent>): void {
    if (lane.pieces.offer(dTag, record)) lane.queue.scheduleOnce(dTag, record.event!.id);
  }

  /** Whether another device's head is owed to a relay that was added since: it may well have it, so it is asked first. */
  function isOffer(lane: Lane, dTag: string): boolean {
    const record = replica.peek(dTag);
    const isUnderWay = lane.pieces.has(dTag) || lane.queue.isUnderWay(dTag, record?.event?.id);
    return (
      record?.event !== undefined &&
      !isOwnHead(record) &&
      !record.deliveries.has(lane.relay.url) &&
      !isUnderWay
    );
  }

  // Sending

  /** The record, if its head may go out now. A head that must wait is scheduled again, under `dTag`. */
  function released(lane: Lane, category: string, dTag: string): HeadRecord | undefined {
    const record = replica.get(category);
    if (record?.event === undefined) {
      update(lane, category);
      return undefined;
    }
    if (isHeld(record)) {
      const leftMs = record.own!.heldUntil! - clock.now();
      // The tab that asked is gone, or the clock was set.
      if (leftMs <= 0 || leftMs > HOLD_MS)
        void replica.apply(category, { type: 'explored', id: record.event.id, isBlind: true });
      else lane.queue.schedule(dTag, leftMs);
      return undefined;
    }
    const waitMs = pacer.waitMs(category, record.event.id, 1 + newPiecesOf(record));
    if (waitMs > 0) lane.queue.schedule(dTag, waitMs);
    return waitMs > 0 ? undefined : record;
  }

  async function send(lane: Lane, dTag: string): Promise<void> {
    const record = released(lane, dTag, dTag);
    if (record === undefined) return;
    // The relay may have been left alone for long since.
    if (!lane.pieces.isProven(dTag, record)) return update(lane, dTag);
    // While a newer write is being saved nothing goes out: that write's change brings us back here.
    const event = replica.claim(dTag);
    if (event === undefined) return;
    lane.queue.occupy(dTag, event.id);
    await receive(lane, dTag, event, await lane.queue.transmit(dTag, event.id, event));
    settled(lane, dTag, dTag, event.id);
  }

  /** The next may go out, and this one again if it is owed again since. */
  function settled(lane: Lane, category: string, dTag: string, version: string): void {
    lane.queue.vacate(dTag, version);
    if (!lane.queue.isScheduled(dTag) && isOwed(replica.peek(category), lane.relay.url))
      update(lane, category);
    lane.queue.pump();
  }

  async function receive(lane: Lane, dTag: string, event: VerifiedEvent, sent: Sent): Promise<void> {
    const relay = lane.relay.url;
    const { answer } = sent;
    ports.onAnswer(dTag, relay, event, answer);
    switch (answer.type) {
      case 'acknowledged':
      case 'superseded': {
        const superseded = answer.type === 'superseded';
        const { id } = event;
        // It may be by what does not count: the relay is asked, and to delete it.
        if (superseded && !isByWhatCounts(lane, dTag)) {
          lane.audits.put(dTag, 0);
          return lane.queue.schedule(dTag, lane.queue.againMs(event, { ...sent, answer: UNCLEAR }));
        }
        if (!superseded) lane.pieces.note(dTag, id);
        await replica.apply(dTag, { type: 'answered', relay, id, delivery: 'acknowledged', superseded });
        if (superseded) lane.audits.put(dTag, 0);
        else deleteOn(lane, dTag, event);
        return;
      }
      case 'refused':
      case 'too-large':
        return refused(lane, dTag, event.id);
      default: {
        const delayMs = lane.queue.againMs(event, sent);
        // Unless a newer head has taken its place.
        if (replica.peek(dTag)?.event?.id === event.id) lane.queue.schedule(dTag, delayMs);
        // It may have got there, or be beaten by what the relay has: only a look tells.
        if (answer.type === 'retry' && lane.pending.has(dTag)) lane.audits.put(dTag, CONFIRM_DELAY_MS);
      }
    }
  }

  /** Whether what the relay has in the place of the head counts, as far as is known: a reset may have voided it. */
  function isByWhatCounts(lane: Lane, dTag: string): boolean {
    const voids = replica.peek(dTag)?.voids;
    const shown = lane.shown.get(dTag);
    return voids === undefined || voids.size === 0 || (shown !== undefined && !voids.has(shown));
  }

  /** For good, as it stands: the relay may have something newer, for instance a removal by which this was deleted. */
  async function refused(lane: Lane, dTag: string, id: string): Promise<void> {
    await replica.apply(dTag, { type: 'answered', relay: lane.relay.url, id, delivery: 'refused' });
    lane.audits.put(dTag, 0);
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

  async function audit(lane: Lane, keys: readonly string[]): Promise<void> {
    const isSweep = keys.includes(EVERYTHING);
    if (isSweep) lane.sweptAt = clock.now();
    const asked = new Set(keys);
    // What is owed is on its way all the same, unless its turn to be asked for has come: then it waits for that.
    const dTags = isSweep
      ? [...replica.dTags()].filter((dTag) => asked.has(dTag) || !lane.pending.has(dTag))
      : keys;
    const due = dTags.filter((dTag) => replica.peek(dTag)?.event !== undefined);
    if (due.length === 0) return;
    for (const dTag of due) lane.asking.add(dTag);
    const isComplete = (await ports.ask(lane.relay, due)) === 'complete';
    for (const dTag of due) lane.asking.delete(dTag);
    for (const dTag of due) {
      const record = replica.peek(dTag);
      if (isOffer(lane, dTag)) offer(lane, dTag, record!);
      if (isComplete && record?.pieces !== undefined) await lane.pieces.readBack(dTag);
    }
    if (isComplete) lane.auditFailures = 0;
    // What it refuses it may come to have something newer of, for instance a removal that it had forgotten.
    const open = isComplete ? ['refused'] : ['acknowledged', 'unseen', 'refused'];
    const delayMs = isComplete ? LOOK_AGAIN_MS : askAgainMs(lane);
    if (isSweep && !isComplete) lane.audits.put(EVERYTHING, delayMs);
    for (const dTag of due) {
      const record = replica.peek(dTag);
      if (record !== undefined && open.includes(deliveryOf(record, lane.relay.url)))
        lane.audits.put(dTag, delayMs);
    }
  }

  function askAgainMs(lane: Lane): number {
    return retryMs(lane.auditFailures++, randomBytes);
  }

  // Relays

  function open(lane: Lane): void {
    lane.queue.open();
    for (const dTag of replica.dTags()) {
      update(lane, dTag);
      // It may have something newer, and whether it was ever asked is not in the record.
      if (replica.peek(dTag)?.deliveries.get(lane.relay.url) === 'refused') lane.audits.put(dTag, 0);
    }
    lane.audits.start();
  }

  function shut(lane: Lane): void {
    lane.queue.shut();
    lane.pieces.shut();
    lane.audits.stop();
  }

  function createLane(relay: RelayConnection): Lane {
    const pending = new Set<string>();
    const queue = createQueue(relay, {
      clock,
      randomBytes,
      isWanted: (dTag) => pending.has(parsePieceDTag(dTag)?.dTag ?? dTag),
      send: (dTag) => void (parsePieceDTag(dTag) === undefined ? send(lane, dTag) : pieces.send(dTag)),
    });
    const pieces = createPieces(relay, queue, {
      ...ports,
      released: (category, dTag) => released(lane, category, dTag),
      update: (dTag) => update(lane, dTag),
      settled: (category, dTag, version) => settled(lane, category, dTag, version),
      refused: (dTag, id) => refused(lane, dTag, id),
      auditAgain: (dTag) => lane.audits.put(dTag, askAgainMs(lane)),
      askAgainMs: () => askAgainMs(lane),
    });
    const lane: Lane = {
      ...{ relay, queue, pieces, pending },
      // What is due soon goes along: one REQ for many.
      audits: createAgenda(clock, CONFIRM_DELAY_MS / 2, (dTags) => void audit(lane, dTags)),
      asking: new Set(),
      auditFailures: 0,
      sweptAt: -Infinity,
      shown: new Map(),
    };
    return lane;
  }

  return {
    recordChanged: (dTag) => {
      if (deletions.get(dTag)?.tombstone !== replica.peek(dTag)?.event?.id) deletions.delete(dTag);
      for (const lane of lanes.values()) update(lane, dTag);
    },
    relayChanged: (relay) => {
      let lane = lanes.get(relay.url);
      if (lane === undefined) {
        lane = createLane(relay);
        lanes.set(relay.url, lane);
        for (const dTag of replica.dTags()) update(lane, dTag);
      }
      const isOpen = relay.info().connected;
      if (isOpen === lane.queue.isOpen()) return;
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
      if (lane === undefined) return;
      lane.pieces.note(dTag, id);
      if (id === undefined || (replica.peek(dTag)?.voids.size ?? 0) === 0) lane.shown.delete(dTag);
      else lane.shown.set(dTag, id);
    },
    lost: (url) => {
      const lane = lanes.get(url);
      if (lane === undefined) return;
      // At most so often: a relay may drop one event again and again. What a sweep finds is looked at once more.
      const againMs = lane.sweptAt + LOOK_AGAIN_MS - clock.now();
      lane.audits.put(EVERYTHING, Math.max(0, Math.min(againMs, LOOK_AGAIN_MS)));
    },
    retry: () => {
      for (const lane of lanes.values()) {
        lane.queue.hurry();
        for (const dTag of lane.audits.keys()) lane.audits.put(dTag, 0);
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
