/** What a write of a merging category says: the calls that it is made for, over the head and the rivals that this device may merge. */

import type { Address, EventId } from '../../protocol/address.ts';
import { covers } from '../../protocol/causality.ts';
import { askedFor, fold, textOf, type Composed, type Refusal } from '../composing.ts';
import type { Wanted } from '../drafts.ts';
import type { Kept } from '../heads/kept.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { BasedOn, Edit } from '../write.ts';
import type { Base } from './base.ts';
import type { Joined, Joining } from './joining.ts';
import type { Merger } from './merger.ts';

/** A write, and what it was made of. */
export type Merged = Composed & { readonly joined: Joined | undefined };

/**
 * V1: what holds an own write that the head does not is merged, exactly or not, for the own entry of the next write says so. Of the
 * others what is due, or has an exact base.
 */
export function mayTakeBy(record: HeadRecord, due: ReadonlySet<EventId>) {
  return (rival: Kept, base: Base): boolean => {
    const { own } = record;
    const holdsOwn = own !== undefined && covers(rival.seen, own.device, own.stamp);
    return holdsOwn || base.isExact || due.has(rival.id);
  };
}

export function createMergeComposing(ports: {
  readonly replica: Pick<Replica, 'get'>;
  readonly joining: Joining;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
}): (dTag: Address, wanted: readonly Wanted[]) => Promise<Merged | Refusal | undefined> {
  const { replica } = ports;

  /** A whole value is what the app has made of another: what it changed there is changed here. */
  async function rebased(
    dTag: Address,
    { payload, basedOn: named }: Extract<Edit, { readonly type: 'whole' }>,
    joined: Joined | undefined,
    now: unknown,
  ): Promise<unknown> {
    const { merge, isEqual } = ports.mergerOf(dTag)!;
    const basedOn = savedOf(named);
    const isUpToDate = basedOn?.type === 'event' && basedOn.id === joined?.head.id;
    if (isUpToDate && isEqual(now, joined.headValue)) return payload;
    let base: unknown;
    let isExact = true;
    if (basedOn?.type === 'call') base = basedOn.call.payload;
    else if (basedOn !== undefined) {
      const event = await ports.joining.eventOf(dTag, basedOn.id);
      isExact = event !== undefined;
      base = event && (await ports.joining.valueAt(dTag, event));
    }
    return merge({ base, bases: [], mine: now, theirs: payload, isExact }).value;
  }

  return async (dTag, wanted) => {
    const { isEqual } = ports.mergerOf(dTag)!;
    const record = replica.get(dTag);
    // What the engine merges by itself has nothing to say of the value's end, or of what the app knows.
    const asked = askedFor(wanted);
    const last = asked.at(-1)?.write;
    const isPlain = last !== undefined && asked.every(({ write }) => write.edit?.type !== 'update');
    // What is restored or reset is known as it is, and must not be said to contain what it does not.
    const isReplaced = asked.some(({ write }) => write.edit === undefined);
    if (isPlain && isReplaced) return undefined;
    const due = new Set(
      wanted.flatMap(({ write: { edit } }) => (edit?.type === 'merge' ? [...edit.ids] : [])),
    );
    const mayTake = record && !isReplaced ? mayTakeBy(record, due) : () => false;
    const joining = record?.head && ports.joining.join(dTag, record, mayTake);
    const joined = await joining?.catch((error: unknown) => {
      // What cannot be read is not built upon.
      if (isPlain) return undefined;
      throw error;
    });
    if (joined === undefined && (isPlain || last === undefined)) return undefined;
    const folded = await fold(asked, joined?.value, async (edit, now) => rebased(dTag, edit, joined, now));
    if ('refused' in folded) return folded;
    const { value } = folded;
    const isNothing = last === undefined && isEqual(value, joined!.headValue);
    const isNews = last === undefined || (last.edit?.type === 'whole' && !isEqual(value, last.edit.payload));
    return {
      ...textOf(value, last?.limit),
      ...{ on: record?.head?.event.id, seen: joined?.seen ?? new Map(), joined, isNews },
      expiration: last === undefined ? joined?.expiration : last.expiration,
      settles: isNothing
        ? { head: joined!.head, ids: new Set(joined!.taken.map(({ id }) => id)) }
        : undefined,
    };
  };
}

/** A value that was made of one which was never saved is made of what that was made of. */
function savedOf(basedOn: BasedOn): BasedOn {
  return basedOn?.type === 'call' && basedOn.call.isLost ? savedOf(basedOn.call.basedOn) : basedOn;
}
