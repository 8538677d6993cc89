/**
 * The pieces of heads, to one relay: those that it lacks are sent before the head, sent ones are read back, and of those
 * that a head shares with a former one it must have said lately that it still has them.
 */

import type { Clock } from '../../clock.ts';
import { prefixOf, type Answer } from '../../protocol/answer.ts';
import { parsePieceDTag, pieceDTag } from '../../protocol/chunks.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import { PROOF_MS, RETRY_CAP_MS } from '../../protocol/limits.ts';
import { retryMs, type RandomBytes } from '../../relay/backoff.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import type { Collected } from './inbox.ts';
import type { Queue, Sent } from './queue.ts';
import { deliveryOf, isNewPiece, isOwed, type HeadRecord, type Piece } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';

export interface Pieces {
  /** Schedules those that the relay lacks. Whether it lacks none, for certain: then the head may go out. */
  offer(dTag: string, record: HeadRecord<NostrEvent>): boolean;
  /** Whether any were scheduled for this category. */
  has(dTag: string): boolean;
  unschedule(dTag: string): void;
  /** The relay has the head, or refused it: nothing is to be remembered of its pieces. */
  forget(dTag: string): void;
  /**
   * Whether the relay still has the pieces that the head shares with a former one: another device collects what its own
   * newer head does not need, but nothing before that head has long been everywhere.
   */
  isProven(dTag: string, record: HeadRecord<NostrEvent>): boolean;
  /** Sends one, by its own d-tag. */
  send(address: string): Promise<void>;
  /** The relay has said to have this head of a category, or nothing. */
  note(dTag: string, id: string | undefined): void;
  /** Asks the relay for those that it has only said OK to. */
  readBack(dTag: string): Promise<void>;
  shut(): void;
}

export function createPieces(
  relay: RelayConnection,
  queue: Queue,
  ports: {
    readonly clock: Clock;
    readonly randomBytes: RandomBytes;
    readonly replica: Replica;
    readonly ask: (relay: RelayConnection, dTags: readonly string[]) => Promise<RequestEnd>;
    readonly collect: (relay: RelayConnection, dTags: readonly string[]) => Promise<Collected>;
    /** The record, if its head may go out now. One that must wait is scheduled again, under `dTag`. */
    readonly released: (category: string, dTag: string) => HeadRecord | undefined;
    /** Works out what the relay is owed. */
    readonly update: (dTag: string) => void;
    /** What was sent by this d-tag is over: answered, and the answer saved. */
    readonly settled: (category: string, dTag: string, version: string) => void;
    /** The relay will not have the value whose head this is. */
    readonly refused: (dTag: string, id: string) => Promise<void>;
    /** Reads the head back, later, because the relay did not answer completely. */
    readonly auditAgain: (dTag: string) => void;
    /** When to ask a relay again that did not answer completely, in ms. */
    readonly askAgainMs: () => number;
    readonly onAnswer: (dTag: string, relay: string, event: VerifiedEvent, answer: Answer) => void;
  },
): Pieces {
  const { clock, randomBytes, replica } = ports;
  const { url } = relay;
  /** By category that is owed, the d-tags of the pieces that were scheduled. */
  const scheduled = new Map<string, Set<string>>();
  /** By category, the head that the relay last said to have, and when (ms). */
  const proofs = new Map<string, { readonly id: string | undefined; readonly at: number }>();
  /** Categories that the relay is being asked for to renew its proof. */
  const proving = new Set<string>();

  function offer(dTag: string, record: HeadRecord<NostrEvent>): boolean {
    if (!isProven(dTag, record)) {
      unschedule(dTag);
      // What is scheduled comes back here once it is its turn.
      if (!queue.isScheduled(dTag)) void prove(dTag);
      return false;
    }
    const pieces = new Map(record.pieces?.map((piece) => [pieceDTag(dTag, piece.name), piece]));
    const known = scheduled.get(dTag) ?? new Set();
    for (const address of known) {
      if (pieces.get(address)?.deliveries.has(url) === false) continue;
      queue.unschedule(address);
      if (pieces.has(address)) continue;
      known.delete(address);
      queue.forget(address);
    }
    const missing = [...pieces].filter(([, { deliveries }]) => !deliveries.has(url));
    if (missing.length === 0) return true;
    queue.unschedule(dTag);
    scheduled.set(dTag, known);
    for (const [address, { stamp }] of missing) {
      known.add(address);
      queue.scheduleOnce(address, String(stamp));
    }
    return false;
  }

  function unschedule(dTag: string): void {
    for (const address of scheduled.get(dTag) ?? []) queue.unschedule(address);
  }

  // Proof

  function isProven(dTag: string, record: HeadRecord<NostrEvent>): boolean {
    const isShared = record.pieces?.some(
      (piece) => !isNewPiece(piece, record.event) && piece.deliveries.has(url),
    );
    if (isShared !== true) return true;
    const proof = proofs.get(dTag);
    const age = proof === undefined ? Infinity : Math.abs(clock.now() - proof.at);
    return age < PROOF_MS && proof!.id === record.proven.get(url);
  }

  /** Asks the relay what it has; without what it should have, all pieces are sent. */
  async function prove(dTag: string): Promise<void> {
    if (!queue.isOpen() || proving.has(dTag)) return;
    proving.add(dTag);
    const end = await ports.ask(relay, [dTag]);
    proving.delete(dTag);
    const record = replica.peek(dTag);
    if (!queue.isOpen() || !isOwed(record, url)) return;
    if (end !== 'complete') return queue.schedule(dTag, ports.askAgainMs());
    if (!isProven(dTag, record!))
      await replica.apply(dTag, { type: 'forget-pieces', relay: url, id: record!.event!.id });
    ports.update(dTag);
  }

  function note(dTag: string, id: string | undefined): void {
    if (replica.peek(dTag)?.pieces !== undefined || proofs.has(dTag))
      proofs.set(dTag, { id, at: clock.now() });
  }

  // Sending

  function pieceOf(category: string, name: string): Piece | undefined {
    return replica.peek(category)?.pieces?.find((piece) => piece.name === name);
  }

  const versionOf = (category: string, name: string): string => String(pieceOf(category, name)?.stamp);

  async function send(address: string): Promise<void> {
    const { dTag: category, name } = parsePieceDTag(address)!;
    if (ports.released(category, address) === undefined) return;
    const version = versionOf(category, name);
    queue.occupy(address, version);
    const piece = await replica.piece(category, name).catch(() => undefined);
    const isStillWanted = replica.get(category)?.pieces?.some((one) => one.name === name) === true;
    // As with the head: the first piece is what makes the write one that a socket has carried.
    const head = isStillWanted && queue.isOpen() ? replica.claim(category) : undefined;
    if (head === undefined || piece === undefined) {
      queue.vacate(address, version);
      // The store cannot give it just now.
      if (head !== undefined) return queue.schedule(address, RETRY_CAP_MS);
      return queue.pump();
    }
    const sent = await queue.transmit(address, version, piece);
    await receive(category, name, version, head, piece, sent);
    ports.settled(category, address, version);
  }

  async function receive(
    category: string,
    name: string,
    version: string,
    head: VerifiedEvent,
    piece: VerifiedEvent,
    sent: Sent,
  ): Promise<void> {
    const { answer, count } = sent;
    /** Unless a newer version has taken its place. */
    const again = (delayMs: number): void => {
      if (versionOf(category, name) === version) queue.schedule(pieceDTag(category, name), delayMs);
    };
    switch (answer.type) {
      case 'acknowledged':
        // Before the relay has a head nothing is collected there.
        if (replica.peek(category)?.proven.get(url) === undefined) note(category, undefined);
        await replica.apply(category, { type: 'piece', relay: url, name, delivery: 'acknowledged' });
        return;
      case 'superseded': {
        // Another device has put it there, or taken it away.
        await collect(category, [name]);
        if (pieceOf(category, name)?.deliveries.has(url) === false) again(retryMs(count - 1, randomBytes));
        return;
      }
      case 'too-large':
        break;
      case 'refused':
        // Collected, for a head that is not above this one: what is above both the relay takes.
        if (prefixOf(answer.reason) !== 'deleted' || piece.created_at > head.created_at) break;
        await bury(category, name, head, head.created_at);
        return again(RETRY_CAP_MS);
      default:
        if (answer.type !== 'retry') ports.onAnswer(category, url, head, answer);
        return again(queue.againMs(piece, sent));
    }
    // Without this piece the relay cannot have the value.
    ports.onAnswer(category, url, head, answer);
    await ports.refused(category, head.id);
  }

  // Reading back

  /** Asks the relay for pieces that were sent to it. */
  async function collect(dTag: string, names: readonly string[]): Promise<void> {
    const record = replica.peek(dTag);
    const addresses = names.map((name) => pieceDTag(dTag, name));
    const { isComplete, events } = await ports.collect(relay, addresses);
    for (const name of names) {
      const event = events.get(pieceDTag(dTag, name));
      if (event === undefined && !isComplete) continue;
      const isGone = event !== undefined && isTombstone(event);
      if (isGone && record?.event !== undefined) await bury(dTag, name, record.event, event.created_at);
      else await replica.apply(dTag, { type: 'piece', relay: url, name, delivery: event && 'confirmed' });
    }
    const after = replica.peek(dTag);
    if (!isComplete && after !== undefined && deliveryOf(after, url) === 'acknowledged')
      ports.auditAgain(dTag);
  }

  /** Another device has collected a piece of this head: it is signed again, above `stamp`. */
  async function bury(dTag: string, name: string, { id }: NostrEvent, stamp: number): Promise<void> {
    await replica.apply(dTag, { type: 'buried', relay: url, id, name, stamp });
  }

  return {
    offer,
    has: (dTag) => scheduled.has(dTag),
    unschedule,
    forget: (dTag) => {
      for (const address of scheduled.get(dTag) ?? []) queue.forget(address);
      scheduled.delete(dTag);
    },
    isProven,
    send,
    note,
    readBack: async (dTag) => {
      const sent = (replica.peek(dTag)?.pieces ?? []).filter(
        ({ deliveries }) => deliveries.get(url) === 'acknowledged',
      );
      if (sent.length > 0)
        await collect(
          dTag,
          sent.map(({ name }) => name),
        );
    },
    shut: () => {
      proofs.clear();
    },
  };
}
