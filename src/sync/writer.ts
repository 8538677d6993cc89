/** App → replica: publish and remove. A write waits for its turn, is saved, and then for the stage that its call asks for. */

import { nowSeconds } from '../clock.ts';
import type { Address, EventId } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { DAY_SECONDS } from '../protocol/limits.ts';
import { restampOf } from '../protocol/renewal.ts';
import { createDrafts, type Wanted } from './drafts.ts';
import type { Receipt } from './events.ts';
import { createFirstWrites } from './first-writes.ts';
import { keptIn } from './heads/frontier.ts';
import { readableOf } from './heads/record.ts';
import { createReceipts, type Receipts } from './receipts.ts';
import { createSaving, seenOf, type SavingPorts } from './saving.ts';
import { isAhead, stampOf } from './stamps.ts';
import type { Write } from './write.ts';

export interface Writer extends Pick<Receipts, 'changed' | 'answered' | 'relaysChanged'> {
  publish(dTag: Address, write: Write): Promise<Receipt>;
  /** Merges these rivals, and all that need not wait. Resolves with the head then: another one if there was anything to write. */
  merge(dTag: Address, ids: ReadonlySet<EventId>): Promise<VerifiedEvent>;
  /** Whether what is written next would be stamped more than a day ahead, because something is. */
  isAhead(dTag: Address): boolean;
  close(): void;
}

type WriterPorts = Omit<SavingPorts, 'questions' | 'isClosed'> & {
  /** Whether there is a hope that a relay answers soon. */
  readonly isReachable: () => boolean;
};

/** What no app waits for. */
const MERGE: Write = {
  ...{ text: '', expiration: undefined, isRemoval: false, waitFor: 'saved', signal: undefined },
  onSaved: undefined,
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

  /** By category, the value that the app has published and that is not saved yet: its next one is made of that. */
  const given = new Map<Address, unknown>();
  const receipts = createReceipts(ports);
  const questions = createFirstWrites({ ...ports, isClosed, restamp });
  const drafts = createDrafts({
    clock,
    make: createSaving({ ...ports, isClosed, questions }),
  });

  /** A write, and what the app had seen when it made the value. */
  function based(dTag: Address, write: Write): Wanted {
    const record = replica.get(dTag);
    const { basedOn, edit } = write;
    if (basedOn !== undefined) {
      const kept = keptIn(record).find(({ id }) => id === basedOn);
      const seen = record?.head?.event.id === basedOn ? seenOf(record) : (kept?.seen ?? new Map());
      const on = { type: 'event', id: basedOn } as const;
      return { write: edit?.type === 'whole' ? { ...write, edit: { ...edit, basedOn: on } } : write, seen };
    }
    const seen = seenOf(record);
    if (edit?.type !== 'whole') return { write, seen };
    const shown = readableOf(record)?.id;
    const on = given.has(dTag)
      ? ({ type: 'value', value: given.get(dTag) } as const)
      : shown === undefined
        ? undefined
        : ({ type: 'event', id: shown } as const);
    return { write: { ...write, edit: { ...edit, basedOn: on } }, seen };
  }

  return {
    publish: async (dTag, write) => {
      write.signal?.throwIfAborted();
      const wanted = based(dTag, write);
      const { edit } = wanted.write;
      if (edit?.type === 'whole') given.set(dTag, edit.payload);
      else given.delete(dTag);
      const event = await drafts.add(dTag, wanted).finally(() => {
        // From then on the head says what the app has.
        if (edit?.type === 'whole' && given.get(dTag) === edit.payload) given.delete(dTag);
      });
      return receipts.wait(dTag, event, write);
    },
    merge: async (dTag, ids) => {
      const write: Write = { ...MERGE, edit: { type: 'merge', ids } };
      return drafts.add(dTag, { write, seen: seenOf(replica.get(dTag)) });
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
