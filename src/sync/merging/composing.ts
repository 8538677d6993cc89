/** What a write of a merging category says: the calls that it is made for, over the head and the rivals that this device may merge. */

import type { Address, EventId } from '../../protocol/address.ts';
import { isNostrSyncError } from '../../errors.ts';
import { schemaOf } from '../../protocol/header.ts';
import { decodePayload } from '../../protocol/payload.ts';
import { covers, unseenBy, type VersionVector } from '../../protocol/causality.ts';
import { askedFor, fold, isNews, textOf, type Composed, type Refusal } from '../composing.ts';
import type { Wanted } from '../drafts.ts';
import { withOwn } from '../heads/frontier.ts';
import type { Kept } from '../heads/kept.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import { isPassing } from '../reading.ts';
import type { Base } from './base.ts';
import type { Joined, Joining, Taking } from './joining.ts';
import type { MergeClash, Merger } from './merger.ts';
import { createRebasing, type Rebased } from './rebasing.ts';

/** A write, and what it was made of. */
export type Merged = Composed & { readonly joined: Joined | undefined };

/** V1: a rival that holds an own write which the head lacks must be merged, exactly or not: the next write will say that it has that. */
export const holdsOwn = ({ own }: HeadRecord, { seen }: Pick<Kept, 'seen'>): boolean =>
  own !== undefined && covers(seen, own.device, own.stamp);

/** Of the other rivals those are merged that are due, or have an exact base. */
export function takingBy(record: HeadRecord, isDue: (id: EventId) => boolean) {
  return (rival: Kept, base: Base): Taking => {
    if (holdsOwn(record, rival)) return 'must';
    return base.isExact || isDue(rival.id) ? 'may' : 'not';
  };
}

/** Whether the call replaces what its app had seen by then, and no more. */
const isReplacing = ({ write: { edit } }: Wanted): boolean => edit === undefined || edit.type === 'remove';

/**
 * How many of these calls one write may be made of. A restore or a removal is the last of them if a later call was made of what that had
 * not seen: a write of both would undo what that is, and could not say what the later call has removed of it.
 */
export function countOf(wanted: readonly Wanted[]): number {
  const at = wanted.map(isReplacing).lastIndexOf(true);
  const isNew = ({ seen }: Wanted): boolean => unseenBy(wanted[at]!.seen, seen).length > 0;
  return at >= 0 && wanted.slice(at).some(isNew) ? at + 1 : wanted.length;
}

/** Whether it can be read as soon as the store or the signer works again. */
const isOfPorts = (error: unknown): boolean => isPassing(error) && !isNostrSyncError(error, 'INCOMPLETE');

function unlessOfPorts(error: unknown): undefined {
  if (isOfPorts(error)) throw error;
}

export function createMergeComposing(ports: {
  readonly replica: Pick<Replica, 'get'>;
  readonly joining: Joining;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
  /** See `Settling`. */
  readonly isDue: (dTag: Address, id: EventId) => boolean;
  /** What this process has written or shown lately, by its id. */
  readonly written: (id: EventId) => Pick<Merged, 'text' | 'isRemoval'> | undefined;
}): (dTag: Address, wanted: readonly Wanted[]) => Promise<Merged | Refusal | undefined> {
  const { replica } = ports;
  const rebased = createRebasing(ports);

  /** The newest own write, as what a call is to be made on: it may be known though the head above it cannot be read. */
  async function ownOf(dTag: Address, record: HeadRecord, seen: VersionVector): Promise<Joined | undefined> {
    const head = await ports.joining.eventOf(dTag, record.own!.id);
    const value = head && (await ports.joining.valueAt(dTag, head));
    return (
      head && {
        ...{ head, headValue: value, value, seen: withOwn(record, seen), taken: [], parts: [], clashes: [] },
        ...{ base: 'exact', baseEvent: undefined, schema: schemaOf(head), expiration: undefined },
      }
    );
  }

  /**
   * A call that waited for its turn replaces what an own write before it has taken in meanwhile: its app had not seen that, and is told.
   */
  async function overOwn(
    dTag: Address,
    wanted: readonly Wanted[],
    record: HeadRecord | undefined,
    merged: Merged | undefined,
  ): Promise<Merged | undefined> {
    const last = askedFor(wanted).at(-1);
    const said: Merged | undefined =
      merged ??
      (last && {
        ...{ on: record?.head?.event.id, text: last.write.text, isRemoval: last.write.isRemoval },
        ...{ seen: last.seen, expiration: last.write.expiration, isNews: false, joined: undefined },
        schema: record?.head && schemaOf(record.head.event),
      });
    if (said === undefined || said.settles !== undefined || last?.write.isReset === true) return merged;
    const seen = withOwn(record, said.seen);
    const own = record?.own;
    const isNew = unseenBy(said.seen, seen).some(([device]) => device !== own?.device);
    // What cannot be read is in the history.
    const nothing = (): undefined => undefined;
    const before = isNew ? await ownOf(dTag, record!, seen).catch(nothing) : undefined;
    const mine = before?.headValue;
    const theirs = said.isRemoval ? undefined : decodePayload(said.text);
    if (mine === undefined || ports.mergerOf(dTag)!.isEqual(mine, theirs)) return merged;
    const clash: MergeClash = { path: [], reason: 'both-changed', mine, theirs };
    const clashes = [...(said.joined?.clashes ?? []), clash];
    const { schema, expiration } = said;
    return { ...said, joined: { ...before!, value: theirs, clashes, base: 'older', schema, expiration } };
  }

  async function composed(dTag: Address, wanted: readonly Wanted[]): Promise<Merged | Refusal | undefined> {
    const { isEqual } = ports.mergerOf(dTag)!;
    const record = replica.get(dTag);
    // What the engine merges by itself has nothing to say of the value's end, or of what the app knows.
    const asked = askedFor(wanted);
    const last = asked.at(-1)?.write;
    const isPlain = last !== undefined && asked.every(({ write }) => write.edit?.type !== 'update');
    // What is restored or reset is known as it is, and must not be said to contain what it does not.
    if (isPlain && last.edit === undefined) return undefined;
    const replacing = asked.filter(isReplacing).at(-1);
    const isDue = (id: EventId): boolean => ports.isDue(dTag, id);
    const taking = record && replacing === undefined ? takingBy(record, isDue) : (): Taking => 'not';
    const joining = record?.head && ports.joining.join(dTag, record, taking);
    const [first] = asked;
    const joined = await joining?.catch((error: unknown) => {
      const hasOwn = replacing !== undefined || record!.own === undefined;
      if (isPlain && (hasOwn || holdsOwn(record!, first!))) return undefined;
      if (!isPlain || isOfPorts(error)) throw error;
      // What cannot be read is not built upon: but what this device has written itself may be, if the app did not have it.
      return ownOf(dTag, record!, first!.seen).catch(unlessOfPorts);
    });
    const isUnread = joined === undefined && record?.head !== undefined;
    if (joined === undefined && (last === undefined || (isUnread && asked.length === 1))) return undefined;
    const changes: Rebased[] = [];
    const folded = await fold(asked, joined?.value, async (edit, now) => {
      if (isUnread && edit === first?.write.edit) return edit.payload;
      const change = await rebased(dTag, edit, joined, now);
      changes.push(change);
      return change.value;
    });
    if ('refused' in folded) return folded;
    const { value } = folded;
    const isNothing = last === undefined && isEqual(value, joined!.headValue);
    const isMade = last === undefined || isNews(last);
    const isUnknown = isMade || (last.edit?.type === 'whole' && !isEqual(value, last.edit.payload));
    return {
      ...textOf(value, last?.limit),
      ...{ on: record?.head?.event.id, isNews: isUnknown },
      seen: (replacing ?? joined ?? (isUnread ? first : undefined))?.seen ?? new Map(),
      joined: joined && withClashes(joined, changes),
      expiration: last === undefined ? joined?.expiration : last.expiration,
      schema: joined?.schema,
      settles: isNothing
        ? { head: joined!.head, ids: new Set(joined!.taken.map(({ id }) => id)) }
        : undefined,
    };
  }

  return async (dTag, wanted) => {
    const record = replica.get(dTag);
    const merged = await composed(dTag, wanted);
    if (merged !== undefined && 'refused' in merged) return merged;
    return overOwn(dTag, wanted, record, merged);
  };
}

/** What came in since the app had the value that it made its own of: of both the app's stays, and that is told. */
function withClashes(joined: Joined, changes: readonly Rebased[]): Joined {
  const clashes = changes.flatMap((change) => change.clashes);
  if (clashes.length === 0) return joined;
  const isExact = changes.every((change) => change.isExact) && joined.base !== 'older';
  return { ...joined, clashes: [...joined.clashes, ...clashes], base: isExact ? 'exact' : 'older' };
}
