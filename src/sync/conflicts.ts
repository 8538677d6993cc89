/**
 * Tells the app of conflicts, once each, with both values. Which write was lost is decided in heads/conflict.ts; here it is kept until
 * both can be read, and told of what has overwritten it by then.
 */

import { categoryOf, type Address } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { isTombstone } from '../protocol/header.ts';
import { compareEvents } from '../protocol/order.ts';
import type { Emitter } from './events.ts';
import { isLostTo } from './heads/conflict.ts';
import type { Effect } from './heads/input.ts';
import type { HeadRecord, OwnWrite } from './heads/record.ts';
import { isPassing, type Reading } from './reading.ts';

export interface Conflicts {
  /** A record changed, with these effects. */
  changed(dTag: Address, record: HeadRecord, effects: readonly Effect[]): void;
  /** Resolves when those of a category are told, or have to wait for more than being read. */
  told(dTag: Address): Promise<void>;
  /** Those that could not be read are read again: of one category, or all. */
  retry(dTag?: Address): void;
}

/** Two heads of which the second's writer had not seen the first. */
interface Overwrite {
  readonly dTag: Address;
  readonly mine: VerifiedEvent;
  readonly theirs: VerifiedEvent;
  /** `mine` is of another key, and gave way to `theirs` when this device joined. */
  readonly isBeforeJoining?: boolean;
}

/** Whether it is a blind write, or one that was held, that beats the other one: it has, whatever comes with that one, or later. */
const isBeaten = (theirs: VerifiedEvent, mine: VerifiedEvent): boolean => compareEvents(mine, theirs) > 0;

export function createConflicts(ports: {
  readonly emitter: Emitter;
  readonly decode: Reading['decode'];
  /** Whether what was overwritten unseen is merged: then its merge tells what that gives up. */
  readonly isMerged?: (dTag: Address, theirs: VerifiedEvent) => boolean;
}): Conflicts {
  const { emitter, decode } = ports;
  /** Conflicts that are being read, until that has ended, or wait for pieces or a signer. */
  const untold = new Map<Overwrite, Promise<void>>();

  function tell(overwrite: Overwrite): void {
    if (emitter.has('conflict')) untold.set(overwrite, read(overwrite));
  }

  async function read(overwrite: Overwrite): Promise<void> {
    const { dTag, mine, theirs, isBeforeJoining = false } = overwrite;
    try {
      const conflict = {
        category: categoryOf(dTag),
        mine: await decode(mine, dTag, 'local'),
        theirs: await decode(theirs, dTag, 'relay'),
        shown: !isBeforeJoining && isBeaten(theirs, mine) ? ('mine' as const) : ('theirs' as const),
      };
      const [before, now] = [conflict.mine.payload, conflict.theirs.payload].map((one) =>
        JSON.stringify(one),
      );
      // Both keys had the same: nothing was given up.
      if (isBeforeJoining && before === now) return void untold.delete(overwrite);
      // It may have been read twice meanwhile, for two signers.
      if (untold.delete(overwrite)) emitter.emit('conflict', conflict);
    } catch (error) {
      // Later: with its pieces, or a signer. What cannot be read at all was reported as such.
      if (!isPassing(error)) untold.delete(overwrite);
    }
  }

  /** Those that could not be told yet: with what has taken the place of the head since. */
  function retell(dTag: Address, head: VerifiedEvent, own: OwnWrite | undefined): void {
    for (const overwrite of [...untold.keys()]) {
      const { mine, theirs } = overwrite;
      if (overwrite.dTag !== dTag || overwrite.isBeforeJoining === true || isBeaten(theirs, mine)) continue;
      if (theirs.id === head.id) tell(overwrite);
      // Overwritten in its turn, perhaps by one that has not seen our write either.
      else if (untold.delete(overwrite) && isLostTo(mine, own, head)) tell({ dTag, mine, theirs: head });
    }
  }

  return {
    changed: (dTag, record, effects) => {
      // A removal that an edit has beaten is merged with nothing.
      const isTold = ({ mine, theirs }: Pick<Overwrite, 'mine' | 'theirs'>): boolean =>
        ports.isMerged?.(dTag, theirs) !== true || isTombstone(mine);
      for (const { mine, theirs } of effects.filter((effect) => effect.type === 'gave-way').filter(isTold))
        tell({ dTag, mine, theirs, isBeforeJoining: true });
      const conflicts = effects.filter((effect) => effect.type === 'conflict').filter(isTold);
      for (const { mine, theirs } of conflicts) if (isBeaten(theirs, mine)) tell({ dTag, mine, theirs });
      if (record.head === undefined || !effects.some(({ type }) => type === 'advanced')) return;
      const { event: head } = record.head;
      retell(dTag, head, record.own);
      // Of several that came together the newest counts: it may have seen what the one before it had not.
      const lost = conflicts.find(({ mine }) => isLostTo(mine, record.own, head));
      if (lost !== undefined) tell({ dTag, mine: lost.mine, theirs: head });
    },
    told: async (dTag) => {
      for (const [overwrite, telling] of untold) if (overwrite.dTag === dTag) await telling;
    },
    retry: (dTag) => {
      for (const overwrite of [...untold.keys()])
        if (dTag === undefined || overwrite.dTag === dTag) tell(overwrite);
    },
  };
}
