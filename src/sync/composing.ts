/** What a write of a merging category says: the calls that it is made for, over the head and the rivals that this device may merge. */

import type { Address, EventId } from '../protocol/address.ts';
import { covers, type VersionVector } from '../protocol/causality.ts';
import { MAX_PAYLOAD_BYTES } from '../protocol/limits.ts';
import { encodePayload } from '../protocol/payload.ts';
import type { Wanted } from './drafts.ts';
import type { Base } from './heads/base.ts';
import type { Kept } from './heads/kept.ts';
import type { HeadRecord } from './heads/record.ts';
import type { Replica } from './heads/replica.ts';
import type { Joined, Joining } from './values/joining.ts';
import type { Merger } from './values/merger.ts';
import type { Edit } from './write.ts';

export interface Composed {
  /** The head that it is made on: if that is another by now, it is made again. */
  readonly on: EventId | undefined;
  readonly text: string;
  readonly seen: VersionVector;
  readonly isRemoval: boolean;
  readonly expiration: number | undefined;
  readonly joined: Joined | undefined;
  /** No app asked for more than a merge, and that adds nothing to the head: there is nothing to write. */
  readonly isNothing: boolean;
  /** It says more than the app knows. */
  readonly isNews: boolean;
}

/** An `update` whose function throws, or gives what cannot be written: it fails alone, and what waits beside it is composed again. */
export interface Refusal {
  readonly refused: Wanted;
  readonly error: unknown;
}

const LIMIT = { bytes: MAX_PAYLOAD_BYTES, why: 'the largest value' };

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

export function createComposing(ports: {
  readonly replica: Pick<Replica, 'get'>;
  readonly joining: Joining;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
}): (dTag: Address, wanted: readonly Wanted[]) => Promise<Composed | Refusal | undefined> {
  const { replica } = ports;

  /** A whole value is what the app has made of another: what it changed there is changed here. */
  async function rebased(
    dTag: Address,
    { payload, basedOn }: Extract<Edit, { readonly type: 'whole' }>,
    joined: Joined | undefined,
    now: unknown,
  ): Promise<unknown> {
    const merger = ports.mergerOf(dTag);
    if (merger === undefined) return payload;
    const { merge, isEqual } = merger;
    const isUpToDate = basedOn?.type === 'event' && basedOn.id === joined?.head.id;
    if (isUpToDate && isEqual(now, joined.headValue)) return payload;
    let base: unknown;
    let isExact = true;
    if (basedOn?.type === 'value') base = basedOn.value;
    else if (basedOn !== undefined) {
      const event = await ports.joining.eventOf(dTag, basedOn.id);
      isExact = event !== undefined;
      base = event && (await ports.joining.valueAt(dTag, event));
    }
    return merge({ base, bases: [], mine: now, theirs: payload, isExact }).value;
  }

  /** What all calls together make of the value, in their order. */
  async function folded(
    dTag: Address,
    wanted: readonly Wanted[],
    joined: Joined | undefined,
  ): Promise<{ readonly value: unknown } | Refusal> {
    let value = joined?.value;
    for (const one of wanted) {
      const { edit, text, isRemoval } = one.write;
      if (edit === undefined) value = isRemoval ? undefined : JSON.parse(text);
      else if (edit.type === 'whole') value = await rebased(dTag, edit, joined, value);
      else if (edit.type === 'update') {
        try {
          value = edit.change(value === undefined ? value : structuredClone(value));
          // Nothing is no removal: it is what a function returns that has only changed its argument.
          encodePayload(value, one.write.limit ?? LIMIT);
        } catch (error) {
          return { refused: one, error };
        }
      } else if (edit.type === 'remove') value = undefined;
    }
    return { value };
  }

  return async (dTag, wanted) => {
    const merger = ports.mergerOf(dTag);
    const record = replica.get(dTag);
    // What the engine merges by itself has nothing to say of the value's end, or of what the app knows.
    const last = (wanted.filter(({ write }) => write.edit?.type !== 'merge').at(-1) ?? wanted.at(-1)!).write;
    const edits = wanted.map(({ write }) => write.edit);
    // What is restored or reset is known as it is.
    const isPlain = edits.every((edit) => edit?.type !== 'update' && edit?.type !== 'merge');
    if (isPlain && (merger === undefined || edits.includes(undefined))) return undefined;
    const due = new Set(edits.flatMap((edit) => (edit?.type === 'merge' ? [...edit.ids] : [])));
    const mayTake = merger && record ? mayTakeBy(record, due) : () => false;
    const joining = record?.head && ports.joining.join(dTag, record, mayTake);
    const joined = await joining?.catch((error: unknown) => {
      // What cannot be read is not built upon.
      if (isPlain) return undefined;
      throw error;
    });
    if (joined === undefined && (isPlain || edits.every((edit) => edit?.type === 'merge'))) return undefined;
    const outcome = await folded(dTag, wanted, joined);
    if ('refused' in outcome) return outcome;
    const { value } = outcome;
    const { edit } = last;
    const isMerge = edits.every((edit) => edit?.type === 'merge');
    const isRemoval = value === undefined;
    const text = isRemoval ? 'null' : encodePayload(value, last.limit ?? LIMIT);
    return {
      ...{ on: record?.head?.event.id, text, seen: joined?.seen ?? new Map(), isRemoval, joined },
      expiration: isMerge ? joined?.expiration : last.expiration,
      isNothing: isMerge && merger!.isEqual(value, joined?.headValue),
      isNews: isMerge || (edit?.type === 'whole' && merger?.isEqual(value, edit.payload) === false),
    };
  };
}

/** The head has changed since a write was composed. */
export class HeadMoved extends Error {}
