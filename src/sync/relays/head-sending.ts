/** The heads, to one relay: sends those whose turn it is, and saves what the relay's answer says. */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { CONFIRM_DELAY_MS } from '../../protocol/limits.ts';
import { isProven, missingPiecesOf } from '../heads/owed.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Audit } from './audit.ts';
import type { HeadItem, Item } from './item.ts';
import type { Proof } from './proof.ts';
import type { Queue } from './queue.ts';
import type { Sent } from './resending.ts';

export interface HeadSending {
  send(item: HeadItem): Promise<void>;
  /** The relay showed this of a category, or nothing. */
  shown(dTag: Address, id: EventId | undefined): void;
}

const UNCLEAR: Answer = { type: 'retry', reason: '' };

export function createHeadSending(
  url: RelayUrl,
  ports: {
    readonly replica: Replica;
    readonly queue: Queue;
    readonly proof: Proof;
    readonly audit: Audit;
    readonly isPending: (dTag: Address) => boolean;
    /** The record, if its head may go out now. An item that must wait is scheduled again. */
    readonly released: (item: Item) => HeadRecord | undefined;
    /** Works out again what the relay is owed. */
    readonly update: (dTag: Address) => void;
    /** What was sent is over: answered, and the answer saved. */
    readonly settled: (item: Item, version: string) => void;
    /** The relay will not have this head. */
    readonly refused: (dTag: Address, id: EventId) => Promise<void>;
    /** The relay has taken this head, and that is saved. */
    readonly onTaken: (dTag: Address, head: VerifiedEvent) => void;
    readonly onAnswer: (dTag: Address, relay: RelayUrl, event: VerifiedEvent, answer: Answer) => void;
  },
): HeadSending {
  const { replica, queue, proof, audit } = ports;
  /** By category that was reset, the id of what the relay showed last. */
  const shown = new Map<Address, EventId>();

  async function send(item: HeadItem): Promise<void> {
    const { dTag } = item;
    const record = ports.released(item);
    if (record === undefined) return;
    // The relay may have been left alone for long since.
    const isReady = isProven(record, url, proof.lately(dTag)) && missingPiecesOf(record, url).length === 0;
    // P1: it waits for its pieces. That the relay has the others it may have shown without being asked.
    if (!isReady) return ports.update(dTag);
    // While a newer write is being saved nothing goes out: that write's change brings us back here.
    const event = replica.claim(dTag);
    if (event === undefined) return;
    queue.occupy(item, event.id);
    await receive(item, event, await queue.transmit(item, event.id, event));
    ports.settled(item, event.id);
  }

  async function receive(item: HeadItem, event: VerifiedEvent, sent: Sent): Promise<void> {
    const { dTag } = item;
    const { id } = event;
    const { answer } = sent;
    ports.onAnswer(dTag, url, event, answer);
    switch (answer.type) {
      case 'acknowledged':
      case 'superseded': {
        const superseded = answer.type === 'superseded';
        // It may be by what does not count: the relay is asked, and to delete it.
        if (superseded && !isByWhatCounts(dTag)) {
          audit.put(dTag, 0);
          return queue.schedule(item, queue.againMs(event, { ...sent, answer: UNCLEAR }));
        }
        if (!superseded) proof.note(dTag, id);
        const delivery = 'acknowledged';
        await replica.apply(dTag, { type: 'answered', relay: url, id, event, delivery, superseded });
        if (superseded) audit.put(dTag, 0);
        else ports.onTaken(dTag, event);
        return;
      }
      case 'refused':
      case 'too-large':
        return ports.refused(dTag, id);
      default: {
        const delayMs = queue.againMs(event, sent);
        // Unless a newer head has taken its place.
        if (replica.peek(dTag)?.head?.event.id === id) queue.schedule(item, delayMs);
        // It may have got there, or be beaten by what the relay has: only a look tells.
        if (answer.type === 'retry' && ports.isPending(dTag)) audit.put(dTag, CONFIRM_DELAY_MS);
      }
    }
  }

  const hasVoids = (dTag: Address): boolean => (replica.peek(dTag)?.voids.size ?? 0) > 0;

  /** Whether what the relay has in the place of the head counts, as far as is known: a reset may have voided it. */
  function isByWhatCounts(dTag: Address): boolean {
    const id = shown.get(dTag);
    return !hasVoids(dTag) || (id !== undefined && replica.peek(dTag)?.voids.has(id) === false);
  }

  return {
    send,
    shown: (dTag, id) => {
      if (id === undefined || !hasVoids(dTag)) shown.delete(dTag);
      else shown.set(dTag, id);
    },
  };
}
