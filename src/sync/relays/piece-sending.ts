/** The pieces of heads, to one relay: sends those whose turn it is, and saves what the relay's answer says. */

import type { Address, EventId, Ms, RelayUrl } from '../../protocol/address.ts';
import { prefixOf, type Answer } from '../../protocol/answer.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { RETRY_CAP_MS } from '../../protocol/limits.ts';
import { retryMs, type RandomBytes } from '../../relay/backoff.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Piece } from '../heads/version.ts';
import type { Replica } from '../heads/replica.ts';
import type { Item, PieceItem } from './item.ts';
import type { PieceAudit } from './piece-audit.ts';
import type { Proof } from './proof.ts';
import type { Queue } from './queue.ts';
import type { Sent } from './resending.ts';

/** Returns what sends a piece whose turn it is. */
export function createPieceSending(
  url: RelayUrl,
  ports: {
    readonly randomBytes: RandomBytes;
    readonly replica: Replica;
    readonly queue: Queue;
    readonly proof: Proof;
    readonly audit: PieceAudit;
    /** The record, if its head may go out now. An item that must wait is scheduled again. */
    readonly released: (item: Item) => HeadRecord | undefined;
    /** What was sent is over: answered, and the answer saved. */
    readonly settled: (item: Item, version: string) => void;
    /** The relay will not have the value whose head this is. */
    readonly refused: (dTag: Address, id: EventId) => Promise<void>;
    readonly onAnswer: (dTag: Address, relay: RelayUrl, event: VerifiedEvent, answer: Answer) => void;
  },
): (item: PieceItem) => Promise<void> {
  const { replica, queue, proof, audit } = ports;

  function pieceOf({ dTag, piece: name }: PieceItem): Piece | undefined {
    return replica.peek(dTag)?.head?.pieces?.find((piece) => piece.name === name);
  }

  const versionOf = (item: PieceItem): string => String(pieceOf(item)?.stamp);

  async function send(item: PieceItem): Promise<void> {
    const { dTag, piece: name } = item;
    if (ports.released(item) === undefined) return;
    const version = versionOf(item);
    queue.occupy(item, version);
    const piece = await replica.piece(dTag, name).catch(() => undefined);
    const isStillWanted = replica.get(dTag)?.head?.pieces?.some((one) => one.name === name) === true;
    // As with the head: the first piece is what makes the write one that a socket has carried.
    const head = isStillWanted && queue.isOpen() ? replica.claim(dTag) : undefined;
    if (head === undefined || piece === undefined) {
      queue.vacate(item, version);
      // The store cannot give it just now.
      if (head !== undefined) return queue.schedule(item, RETRY_CAP_MS);
      return queue.pump();
    }
    await receive(item, version, head, piece, await queue.transmit(item, version, piece));
    ports.settled(item, version);
  }

  async function receive(
    item: PieceItem,
    version: string,
    head: VerifiedEvent,
    piece: VerifiedEvent,
    sent: Sent,
  ): Promise<void> {
    const { dTag, piece: name } = item;
    const { answer, count } = sent;
    /** Unless a newer version has taken its place. */
    const again = (delayMs: Ms): void => {
      if (versionOf(item) === version) queue.schedule(item, delayMs);
    };
    switch (answer.type) {
      case 'acknowledged':
        // Before the relay has a head nothing is collected there.
        if (replica.peek(dTag)?.proven.get(url) === undefined) proof.note(dTag, undefined);
        await replica.apply(dTag, { type: 'piece', relay: url, name, delivery: 'acknowledged' });
        return;
      case 'superseded': {
        // Another device has put it there, or taken it away.
        await audit.collect(dTag, [name]);
        if (pieceOf(item)?.deliveries.has(url) === false) again(retryMs(count - 1, ports.randomBytes));
        return;
      }
      case 'too-large':
        break;
      case 'refused':
        // Collected, for a head that is not above this one: what is above both the relay takes.
        if (prefixOf(answer.reason) !== 'deleted' || piece.created_at > head.created_at) break;
        await audit.bury(dTag, name, head, head.created_at);
        return again(RETRY_CAP_MS);
      default:
        if (answer.type !== 'retry') ports.onAnswer(dTag, url, head, answer);
        return again(queue.againMs(piece, sent));
    }
    // Without this piece the relay cannot have the value.
    ports.onAnswer(dTag, url, head, answer);
    await ports.refused(dTag, head.id);
  }

  return send;
}
