/**
 * Carries values over from another key, when a device joins with data already here. They are signed with this key and saved at once, so
 * that the former key is needed no more. What becomes of each is decided once it is known what the relays have: by heads/carried.ts.
 */

import { nowSeconds, type Clock } from '../clock.ts';
import { isNostrSyncError, NostrSyncError } from '../errors.ts';
import { categoryOf, type Address, type RelayUrl } from '../protocol/address.ts';
import { writerOf } from '../protocol/causality.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { expirationOf } from '../protocol/header.ts';
import { doublingMs } from '../relay/backoff.ts';
import type { RelayConnection } from '../relay/connection.ts';
import type { Answers } from '../relay/pool.ts';
import type { Changes } from '../store/store.ts';
import type { Emitter } from './events.ts';
import { keptIn } from './heads/frontier.ts';
import type { Change, Replica } from './heads/replica.ts';
import { isFromEvery, type Network } from './relays/network.ts';
import type { CarriedValue, Sealing } from './values/carried-values.ts';
import type { Content } from './values/content.ts';
import type { Merger } from './merging/merger.ts';

/**
 * What becomes of values of the former key. `'missing'`: they are written if this key is known to have none. A function makes one
 * value of the two if it has one; `undefined`: the one of this key stays.
 */
export type CarryOver = 'missing' | ((category: string, mine: unknown, theirs: unknown) => unknown);

export interface Carrying {
  /** The value of a category that waits to be decided about. */
  waiting(dTag: Address): VerifiedEvent | undefined;
  dTags(): readonly Address[];
  /**
   * Saves these values, all or none, together with `also`, and begins to decide: `undefined`: as before. Rejects as the signer and the
   * store do.
   */
  carry(values: readonly CarriedValue[], how: CarryOver | undefined, also?: Changes): Promise<void>;
  /** How it is decided from now on. A restart has forgotten a function. */
  decideBy(how: CarryOver): void;
  /** Resolves if nothing of the category waits any more. Rejects with `NO_RELAYS_REACHABLE`. */
  decided(dTag: Address): Promise<void>;
  changed(change: Pick<Change, 'dTag' | 'record'>): void;
  signerChanged(): void;
  relaysChanged(relay?: RelayConnection): void;
  close(): void;
}

interface CarryingPorts {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get' | 'apply' | 'reload'>;
  readonly network: () => Pick<Network, 'ask'>;
  readonly relays: () => readonly RelayUrl[];
  readonly content: Pick<Content, 'payloadOf'>;
  readonly sealing: Sealing;
  readonly hasSigner: () => boolean;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
  /**
   * Writes what a function makes of the newest value, and tells the app of it; rejects with what that throws. Or a value that has seen
   * nothing of what it takes the place of.
   */
  readonly write: (
    dTag: Address,
    what: ((now: unknown) => unknown) | Pick<CarriedValue, 'text' | 'expiration'>,
  ) => Promise<unknown>;
  readonly emitter: Emitter;
  /** There is one value less that waits. */
  readonly onDecided: () => void;
}

/** Thrown by a change: the value stays as it is. */
const STAYS = new Error('the value stays');

/** One closure: what waits, and the one question at a time that is asked about it. */
export function createCarrying(ports: CarryingPorts): Carrying {
  const { clock, replica, sealing } = ports;
  let how: CarryOver = 'missing';
  let asking: Promise<Answers | undefined> | undefined;
  let failures = 0;
  let isTold = false;
  let isClosed = false;
  let cancelRetry = (): void => undefined;
  const settling = new Set<Address>();

  const waiting = (dTag: Address): VerifiedEvent | undefined => sealing.sealed.get(dTag)?.event;

  function ask(): Promise<Answers | undefined> {
    if (sealing.sealed.size === 0 || isClosed) return Promise.resolve(undefined);
    asking ??= askAndDecide().finally(() => {
      asking = undefined;
      retryLater();
    });
    return asking;
  }

  async function askAndDecide(): Promise<Answers> {
    const dTags = [...sealing.sealed.keys()];
    const answers = await ports.network().ask(dTags, 'all');
    const isKnown = isFromEvery(answers, ports.relays());
    await Promise.all(dTags.map((dTag) => settle(dTag, isKnown)));
    if (!isKnown && sealing.sealed.size > 0) tellOnce(answers);
    return answers;
  }

  function retryLater(): void {
    cancelRetry();
    if (isClosed || sealing.sealed.size === 0) return;
    cancelRetry = clock.after(doublingMs(failures++), () => void ask());
  }

  function tellOnce(answers: Answers): void {
    if (!isTold) ports.emitter.emit('error', unknownError(answers));
    isTold = true;
  }

  function unknownError({
    complete,
    incomplete,
  }: Pick<Answers, 'complete' | 'incomplete'>): NostrSyncError<'NO_RELAYS_REACHABLE'> {
    const silent = ports.relays().filter((url) => !complete.includes(url));
    const who = silent.join(', ') || [...incomplete].join(', ') || 'there is no relay';
    return new NostrSyncError(
      'NO_RELAYS_REACHABLE',
      `Cannot carry values over yet: this key may have others, which were not heard of: ${who}`,
      { details: { answered: [...complete], silent } },
    );
  }

  /** Decides about one value, if it can be. `isAbsent`: no relay has any. */
  async function settle(dTag: Address, isAbsent: boolean): Promise<void> {
    if (settling.has(dTag)) return;
    settling.add(dTag);
    try {
      await decide(dTag, isAbsent);
    } catch (error) {
      // It waits, and is tried again: the store may recover, and a person say yes.
      if (isNostrSyncError(error) && error.code !== 'CLOSED') ports.emitter.emit('error', error);
    } finally {
      settling.delete(dTag);
    }
  }

  async function decide(dTag: Address, isAbsent: boolean): Promise<void> {
    const event = waiting(dTag);
    if (event === undefined || isClosed) return;
    await replica.reload([dTag]);
    const head = replica.get(dTag)?.head?.event;
    // Of one person's values the newer counts, as if it had been written under this key.
    const isNewer =
      head !== undefined &&
      sealing.sealed.get(dTag)?.isOfPerson === true &&
      event.created_at > head.created_at;
    const isJoined =
      head !== undefined &&
      head.id !== event.id &&
      (isNewer || isRule(how) || ports.mergerOf(dTag) !== undefined);
    if (isJoined && !(await join(dTag, event, isNewer))) return;
    const made = await sealing.piecesOf(dTag);
    await replica.apply(dTag, {
      ...{ type: 'carried', event, isAbsent, isDecided: isJoined },
      device: writerOf(event),
      ...(made !== undefined && { made }),
    });
    const record = replica.get(dTag);
    if (record?.head === undefined) return;
    const isKept = record.head.event.id === event.id || keptIn(record).some(({ id }) => id === event.id);
    await sealing.drop(dTag, isKept);
    ports.onDecided();
  }

  /** Makes one value of two. `false`: it has to wait for the signer. */
  async function join(dTag: Address, event: VerifiedEvent, isNewer: boolean): Promise<boolean> {
    if (!ports.hasSigner()) return false;
    const mine = await ports.content.payloadOf(event, dTag);
    const merger = ports.mergerOf(dTag);
    const rule = isRule(how) ? byApp(how, categoryOf(dTag)) : merger && byMerger(merger, isNewer);
    const change = (theirs: unknown): unknown => {
      // What was removed stays so, unless it was before this was written.
      const removed = isNewer ? mine : undefined;
      const value = theirs === undefined ? removed : rule!(mine, theirs);
      if (value === undefined || JSON.stringify(value) === JSON.stringify(theirs)) throw STAYS;
      return value;
    };
    try {
      await ports.write(
        dTag,
        rule ? change : { text: JSON.stringify(mine), expiration: expirationOf(event) },
      );
    } catch (error) {
      const isNoValue =
        isNostrSyncError(error, 'INVALID_PAYLOAD') || isNostrSyncError(error, 'PAYLOAD_TOO_LARGE');
      if (error !== STAYS && !isNoValue) throw error;
      if (isNoValue) ports.emitter.emit('error', error);
    }
    return true;
  }

  return {
    waiting,
    dTags: () => [...sealing.sealed.keys()],
    carry: async (values, wanted, also) => {
      await sealing.seal(values, nowSeconds(clock), also);
      how = wanted ?? how;
      void ask();
    },
    decideBy: (wanted) => {
      how = wanted;
    },
    decided: async (dTag) => {
      if (waiting(dTag) === undefined) return;
      const answers = await ask();
      if (waiting(dTag) !== undefined) throw unknownError(answers ?? { complete: [], incomplete: [] });
    },
    changed: ({ dTag, record }) => {
      if (record?.head !== undefined && waiting(dTag) !== undefined) void settle(dTag, false);
    },
    signerChanged: () => void ask(),
    relaysChanged: (relay) => {
      if (relay === undefined || relay.info().connected) void ask();
    },
    close: () => {
      isClosed = true;
      cancelRetry();
    },
  };
}

type Rule = (mine: unknown, theirs: unknown) => unknown;

const isRule = (how: CarryOver): how is Exclude<CarryOver, string> => typeof how === 'function';

/** What the app's function throws is the app's, and leaves the value as it is. */
function byApp(how: Exclude<CarryOver, string>, category: string): Rule {
  return (mine, theirs) => {
    try {
      return how(category, structuredClone(mine), structuredClone(theirs));
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
      return undefined;
    }
  };
}

/** They have nothing in common. If both say something, that of this key counts, unless the other is newer and of the same person. */
function byMerger({ merge }: Merger, isNewer: boolean): Rule {
  return (mine, theirs) => {
    const sides = isNewer ? { mine: theirs, theirs: mine } : { mine, theirs };
    return merge({ base: undefined, bases: [], ...sides, isExact: true }).value;
  };
}
