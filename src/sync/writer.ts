/** App → replica: publish and remove. A write waits for its turn, is saved, and then for the stage that its call asks for. */

import { nowSeconds } from '../clock.ts';
import type { Address } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { DAY_SECONDS } from '../protocol/limits.ts';
import { restampOf } from '../protocol/renewal.ts';
import { createDrafts, type Wanted } from './drafts.ts';
import type { Receipt } from './events.ts';
import { createFirstWrites } from './first-writes.ts';
import { keptIn } from './heads/frontier.ts';
import type { Merging } from './merging/merging.ts';
import { createPlaces } from './places.ts';
import { createReceipts, type Receipts } from './receipts.ts';
import { createSaving, seenOf, type SavingPorts } from './saving.ts';
import { isAhead, stampOf } from './stamps.ts';
import type { Write } from './write.ts';

export interface Writer extends Pick<Receipts, 'changed' | 'answered' | 'relaysChanged'> {
  /** `ready`: it is made of what is here now, and waits for this before it goes on. `read`: gives what is to be written then. */
  publish(dTag: Address, write: Write, ready?: Promise<void>, read?: () => Promise<Said>): Promise<Receipt>;
  /** Merges what has waited, or need not. Resolves with the head then: another one if there was anything to write. */
  merge(dTag: Address): Promise<VerifiedEvent>;
  /** Makes the newest value of itself, and tells the app. Resolves once that is saved; rejects with what `change` throws. */
  update(dTag: Address, change: (now: unknown) => unknown): Promise<VerifiedEvent>;
  /** Writes a value that has seen nothing of what it takes the place of: other devices are told of that. */
  overwrite(dTag: Address, value: Pick<Write, 'text' | 'expiration'>): Promise<VerifiedEvent>;
  /** Whether what is written next would be stamped more than a day ahead, because something is. */
  isAhead(dTag: Address): boolean;
  close(): void;
}

type WriterPorts = Omit<SavingPorts, 'questions' | 'isClosed'> & {
  /** Whether there is a hope that a relay answers soon. */
  readonly isReachable: () => boolean;
  /** `undefined`: the category is not merged. */
  readonly mergingOf: (dTag: Address) => Merging | undefined;
};

/** What is known of a write after its call. */
type Said = Pick<Write, 'text' | 'isRemoval' | 'expiration'>;

/** What no app waits for. */
const UNASKED: Write = {
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

  const receipts = createReceipts(ports);
  const places = createPlaces(clock);
  const questions = createFirstWrites({ ...ports, isClosed, restamp });
  const drafts = createDrafts({
    clock,
    make: createSaving({ ...ports, isClosed, questions }),
    countOf: (dTag, wanted) => ports.mergingOf(dTag)?.countOf(wanted) ?? wanted.length,
  });

  /** A write, and what the app had seen when it made the value. */
  function based(dTag: Address, write: Write): Wanted {
    const record = replica.get(dTag);
    const { basedOn } = write;
    if (basedOn === undefined || basedOn === record?.head?.event.id) return { write, seen: seenOf(record) };
    const kept = keptIn(record).find(({ id }) => id === basedOn);
    return { write, seen: kept?.seen ?? new Map() };
  }

  return {
    publish: async (dTag, write, ready, read) => {
      write.signal?.throwIfAborted();
      const wanted = based(dTag, write);
      const add = async (one: Wanted): Promise<VerifiedEvent> => {
        await ready;
        return places.take(dTag, { signal: write.signal, ready: read?.() }, async (said) =>
          drafts.add(dTag, { ...one, write: { ...one.write, ...said } }),
        );
      };
      const event = await (ports.mergingOf(dTag)?.asked(dTag, wanted, add) ?? add(wanted));
      return receipts.wait(dTag, event, write);
    },
    merge: async (dTag) => drafts.add(dTag, based(dTag, { ...UNASKED, edit: { type: 'merge' } })),
    update: async (dTag, change) =>
      drafts.add(dTag, based(dTag, { ...UNASKED, edit: { type: 'update', change, isNews: true } })),
    overwrite: async (dTag, value) => drafts.add(dTag, { write: { ...UNASKED, ...value }, seen: new Map() }),
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
