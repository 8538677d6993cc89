/** App → replica: publish and remove. A write waits for its turn, is saved, and then for the stage that its call asks for. */

import { nowSeconds } from '../clock.ts';
import type { Address } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { DAY_SECONDS } from '../protocol/limits.ts';
import { restampOf } from '../protocol/renewal.ts';
import { createDrafts } from './drafts.ts';
import type { Receipt } from './events.ts';
import { createFirstWrites } from './first-writes.ts';
import { createReceipts, type Receipts } from './receipts.ts';
import { createSaving, seenOf, type SavingPorts } from './saving.ts';
import { isAhead, stampOf } from './stamps.ts';
import type { Write } from './write.ts';

export interface Writer extends Pick<Receipts, 'changed' | 'answered' | 'relaysChanged'> {
  publish(dTag: Address, write: Write): Promise<Receipt>;
  /** Whether what is written next would be stamped more than a day ahead, because something is. */
  isAhead(dTag: Address): boolean;
  close(): void;
}

type WriterPorts = Omit<SavingPorts, 'questions' | 'isClosed'> & {
  /** Whether there is a hope that a relay answers soon. */
  readonly isReachable: () => boolean;
};

export function createWriter(ports: WriterPorts): Writer {
  const { clock, replica, hand } = ports;
  let closed = false;
  const isClosed = (): boolean => closed;

  /** The same write, with what the app had seen at the call. */
  function restamp(dTag: Address, event: VerifiedEvent): Promise<VerifiedEvent> {
    const record = replica.get(dTag);
    const stamp = stampOf(record, nowSeconds(clock), replica.isUncarried(dTag));
    return hand.sign(restampOf(event, record!.own!.device, stamp));
  }

  const receipts = createReceipts(ports);
  const questions = createFirstWrites({ ...ports, isClosed, restamp });
  const drafts = createDrafts({
    clock,
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
