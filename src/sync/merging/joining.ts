/** The value of a head and of rivals as one: read, and merged by the app's rules over what they have in common. It writes nothing. */

import { nowSeconds, type Clock } from '../../clock.ts';
import { isNostrSyncError } from '../../errors.ts';
import type { Address, EventId } from '../../protocol/address.ts';
import { joinVectors, type VersionVector } from '../../protocol/causality.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { expirationOf, isExpired, isTombstone, schemaOf } from '../../protocol/header.ts';
import { MAX_BASE_DEPTH } from '../../protocol/limits.ts';
import { FIRST_SCHEMA, newerSchema, type Schema } from '../../protocol/schema.ts';
import { containedIn } from '../heads/frontier.ts';
import { isKeptIn, type Kept } from '../heads/kept.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import { isPassing } from '../reading.ts';
import type { Content } from '../values/content.ts';
import { valueAt } from '../composing.ts';
import { baseOf, type Base } from './base.ts';
import type { MergeClash, Merger } from './merger.ts';

export interface Joined {
  /** The head that it was made on. */
  readonly head: VerifiedEvent;
  readonly headValue: unknown;
  /** `undefined`: there is none. */
  readonly value: unknown;
  /** What it contains. */
  readonly seen: VersionVector;
  /** The rivals that are part of it. */
  readonly taken: readonly Kept[];
  /** Of these, the ones that were merged. */
  readonly parts: readonly VerifiedEvent[];
  readonly clashes: readonly MergeClash[];
  /** Whether what was in common was known in each merge; `'absent'`: in none there was anything. */
  readonly base: 'exact' | 'older' | 'absent';
  /** The newest value in common in the first merge. */
  readonly baseEvent: VerifiedEvent | undefined;
  /** Of all that it was made of, the newest. */
  readonly schema: Schema | undefined;
  /** NIP-40, in s: the later of the two, and never if one never ends. */
  readonly expiration: number | undefined;
}

/** Whether a rival is merged. One that must be holds what this device has written. */
export type Taking = 'must' | 'may' | 'not';

export interface Joining {
  /** Rejects if the head cannot be read, or a rival that must be merged. One that may be is left where it is then. */
  join(dTag: Address, record: HeadRecord, takingOf: (rival: Kept, base: Base) => Taking): Promise<Joined>;
  /** The value of one event; `undefined` if it was removed or has ended. */
  valueAt(dTag: Address, event: VerifiedEvent): Promise<unknown>;
  /** The event of a value that the record knows. */
  eventOf(dTag: Address, id: EventId): Promise<VerifiedEvent | undefined>;
}

/** Of a value in pieces, some are not here yet. */
const isLacking = ({ isInPieces, pieces }: Kept): boolean => isInPieces && pieces === undefined;

/** The newest own write that another device's rival holds: in its place, while that is not here. */
function ownIn({ own, past }: HeadRecord, rival: Kept): Kept | undefined {
  return past.find((one) => one.device === own?.device && !isLacking(one) && isKeptIn(rival.seen, one));
}

export function createJoining(ports: {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get' | 'version'>;
  readonly content: Pick<Content, 'payloadOf'>;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
}): Joining {
  const { replica } = ports;

  /** In the form of the version that merges. */
  function upgraded(dTag: Address, event: VerifiedEvent, value: unknown): unknown {
    const { upgrade } = ports.mergerOf(dTag)!;
    return upgrade === undefined || value === undefined
      ? value
      : upgrade(value, (schemaOf(event) ?? FIRST_SCHEMA).version);
  }

  const valueNow = async (dTag: Address, event: VerifiedEvent): Promise<unknown> =>
    upgraded(dTag, event, await valueAt(dTag, event, ports));

  async function keptValue(dTag: Address, { id }: Kept): Promise<unknown> {
    const event = await replica.version(dTag, id);
    if (event === undefined) throw new Error('a former value is lost');
    // As a base it counts as it was, ended or not.
    return isTombstone(event) ? undefined : upgraded(dTag, event, await ports.content.payloadOf(event, dTag));
  }

  /** The values of a base, and the one that they are together. A value that cannot be read makes it unknown. Rejects if the store fails. */
  async function readBase(
    dTag: Address,
    past: readonly Kept[],
    { newest, isExact }: Base,
    depth = 0,
  ): Promise<{ readonly base: unknown; readonly bases: readonly unknown[]; readonly isExact: boolean }> {
    try {
      const bases = await Promise.all(newest.map((one) => keptValue(dTag, one)));
      let [base] = bases;
      let seen = newest[0]?.seen ?? new Map<string, number>();
      for (const [i, one] of newest.entries()) {
        if (i === 0 || depth >= MAX_BASE_DEPTH) continue;
        const below = await readBase(dTag, past, baseOf(past, one.seen, seen), depth + 1);
        base = ports.mergerOf(dTag)!.merge({ ...below, mine: bases[i], theirs: base }).value;
        seen = joinVectors(seen, one.seen);
      }
      return { base, bases: bases.length > 1 ? bases : [], isExact };
    } catch (error) {
      if (isNostrSyncError(error, 'STORE_FAILED')) throw error;
      return { base: undefined, bases: [], isExact: false };
    }
  }

  return {
    valueAt: valueNow,
    eventOf: async (dTag, id) => {
      const { head, former = [] } = replica.get(dTag) ?? {};
      const here = [head, ...former].find((one) => one?.event.id === id)?.event;
      return here ?? replica.version(dTag, id);
    },
    join: async (dTag, record, takingOf) => {
      const merger = ports.mergerOf(dTag)!;
      const head = record.head!.event;
      const headValue = await valueNow(dTag, head);
      let joined: Joined = {
        ...{
          head,
          headValue,
          value: headValue,
          seen: containedIn(record),
          taken: [],
          parts: [],
          clashes: [],
        },
        ...{ base: 'absent', baseEvent: undefined, schema: schemaOf(head), expiration: expirationOf(head) },
      };
      for (const one of record.rivals) {
        const taking = takingOf(one, baseOf(record.past, one.seen, joined.seen));
        if (taking === 'not') continue;
        const rival = (taking === 'must' && isLacking(one) && ownIn(record, one)) || one;
        const base = baseOf(record.past, rival.seen, joined.seen);
        const event = await replica.version(dTag, rival.id);
        if (event === undefined) continue;
        const seen = joinVectors(joined.seen, rival.seen);
        const taken = rival === one ? [...joined.taken, one] : joined.taken;
        if (isExpired(event, nowSeconds(ports.clock))) {
          joined = { ...joined, seen, taken };
          continue;
        }
        // Its pieces are not here yet.
        if (isLacking(rival)) continue;
        const mine = await valueNow(dTag, event).catch((error: unknown) => {
          if (taking === 'must' && isPassing(error)) throw error;
        });
        if (mine === undefined) continue;
        const common = await readBase(dTag, record.past, base);
        const { value, clashes } = merger.merge({ ...common, mine, theirs: joined.value });
        const ends = [expirationOf(event), joined.value === undefined ? -1 : joined.expiration];
        joined = {
          ...{ head, headValue, value, seen, taken, parts: [...joined.parts, event] },
          clashes: [...joined.clashes, ...clashes],
          base: worse(joined.parts.length === 0 ? undefined : joined.base, common.isExact, base),
          baseEvent: joined.baseEvent ?? (await firstOf(dTag, base)),
          schema: newerSchema(joined.schema, schemaOf(event)),
          expiration: ends.includes(undefined) ? undefined : Math.max(...(ends as number[])),
        };
      }
      return joined;
    },
  };

  async function firstOf(dTag: Address, { newest: [first] }: Base): Promise<VerifiedEvent | undefined> {
    return first && replica.version(dTag, first.id);
  }
}

function worse(before: Joined['base'] | undefined, isExact: boolean, { newest }: Base): Joined['base'] {
  if (!isExact || before === 'older') return 'older';
  return newest.length > 0 || before === 'exact' ? 'exact' : 'absent';
}
