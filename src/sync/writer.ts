/** App → replica: publish and remove. A write waits for its turn, is saved, and then for the stage that its call asks for. */

import { nowSeconds, type Clock } from '../clock.ts';
import type { Primitives } from '../crypto/primitives.ts';
import type { Address, EventId, RelayUrl } from '../protocol/address.ts';
import type { Compression } from '../protocol/compression.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { isTombstone } from '../protocol/header.ts';
import { DAY_SECONDS } from '../protocol/limits.ts';
import { restampOf } from '../protocol/renewal.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import { requestDeletion } from './deletion.ts';
import { createDrafts } from './drafts.ts';
import type { Receipt } from './events.ts';
import type { Replica } from './heads/replica.ts';
import { createFirstWrites } from './first-writes.ts';
import { createReceipts, type Receipts } from './receipts.ts';
import type { Network } from './relays/network.ts';
import { createSaving, seenOf } from './saving.ts';
import { isAhead, stampOf } from './stamps.ts';
import type { Content } from './values/content.ts';
import type { Hand } from './values/signing.ts';
import type { Write } from './write.ts';

export interface Writer extends Pick<Receipts, 'changed' | 'answered' | 'relaysChanged'> {
  publish(dTag: Address, write: Write): Promise<Receipt>;
  /** Whether what is written next would be stamped more than a day ahead, because something is. */
  isAhead(dTag: Address): boolean;
  close(): void;
}

export function createWriter(ports: {
  readonly clock: Clock;
  readonly replica: Replica;
  readonly network: () => Network;
  readonly hand: Hand;
  readonly content: Content;
  readonly compression: Compression;
  readonly primitives: Primitives;
  readonly randomBytes: RandomBytes;
  readonly deviceId: () => string;
  /** Configured relays, and whether there is a hope that one of them answers soon. */
  readonly relays: () => readonly RelayUrl[];
  readonly isReachable: () => boolean;
  /** See `RelayTime`. */
  readonly aheadSeconds: () => number;
  readonly onSaved: (dTag: Address, id: EventId) => void;
}): Writer {
  const { clock, replica, hand } = ports;
  let closed = false;
  const isClosed = (): boolean => closed;

  /** The same write, with what the app had seen at the call. */
  function restamp(dTag: Address, event: VerifiedEvent): Promise<VerifiedEvent> {
    const record = replica.get(dTag);
    const stamp = stampOf(record, nowSeconds(clock), replica.isUncarried(dTag));
    return hand.sign(restampOf(event, record!.own!.device, stamp));
  }

  function restamped(dTag: Address, former: VerifiedEvent, again: VerifiedEvent): void {
    ports.onSaved(dTag, again.id);
    receipts.restamped(dTag, former, again);
    // What turned up meanwhile is what it removes.
    if (isTombstone(again)) void requestDeletion(ports, dTag, again, replica.get(dTag)?.former[0]?.event);
  }

  const receipts = createReceipts(ports);
  const questions = createFirstWrites({ ...ports, isClosed, restamp, onRestamped: restamped });
  const drafts = createDrafts({
    clock,
    hasSigner: hand.isSet,
    make: createSaving({ ...ports, isClosed, questions }),
  });

  return {
    publish: async (dTag, write) => {
      write.signal?.throwIfAborted();
      const event = await drafts.add(dTag, { write, seen: seenOf(replica.get(dTag)) });
      return receipts.wait(dTag, event, write);
    },
    changed: receipts.changed,
    answered: receipts.answered,
    relaysChanged: receipts.relaysChanged,
    isAhead: (dTag) => isAhead(replica.get(dTag), nowSeconds(clock), DAY_SECONDS),
    close: () => {
      closed = true;
      receipts.close();
    },
  };
}
