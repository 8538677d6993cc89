/** Who signs: a signer is asked whose it is, its session is opened, and if that fails it is tried again. */

import type { Clock } from '../clock.ts';
import { isNostrSyncError, NostrSyncError } from '../errors.ts';
import { MAX_READS } from '../protocol/limits.ts';
import { doublingMs } from '../relay/backoff.ts';
import type { BoxPorts } from '../signer/box.ts';
import type { Signer } from '../signer/signer.ts';
import type { CarryOver } from '../sync/carrying.ts';
import { hasKept, keptAlong } from '../sync/kept-along.ts';
import type { Session } from '../sync/session.ts';
import { publicKeyOf } from '../sync/values/account.ts';
import type { Store } from '../store/store.ts';
import { formerKeysOf } from './former.ts';
import { closedError, type Steps } from './steps.ts';

export interface SigningIn {
  /** Signs in with this signer, in place of the one before. */
  set(given: Signer): Promise<void>;
  /**
   * The same, and what the device has under the former key is carried over. If that fails, the former signer stays at work, and the new one
   * is the caller's.
   */
  join(given: Signer, how: CarryOver): Promise<void>;
  /** Waits for nothing: after this no call to the old signer is made. Returns that one. */
  drop(): Signer | undefined;
  /** What the signer does not keep: see `keepSigner`. */
  wipe(former: Signer | undefined): void;
  /** The session, once it has a signer. Rejects with `SIGNER_NOT_SET`. */
  signedIn(what: string): Promise<Session>;
  /** Resolves when the signer that was set last is at work, or has failed. */
  entered(): Promise<void> | undefined;
  /** Tries again by a timer: an app that makes no call must get what it subscribed to, once a store or a signer recovers. */
  startFailed(): void;
  close(): void;
}

/** Throws if another signer has taken the place of this one. */
function stillWanted(isWanted: boolean): void {
  if (isWanted) return;
  throw new NostrSyncError('SIGNER_NOT_SET', 'Cannot set the signer: it was cleared or replaced meanwhile');
}

/** One closure: which signer counts is one state, and each step asks again whether it is still that one. */
export function createSigningIn(ports: {
  readonly clock: Clock;
  readonly boxes: BoxPorts;
  readonly keepSigner: boolean;
  readonly steps: Steps;
  readonly session: () => Session | undefined;
  /** Opens the session of this public key, and remembers it for the next start. */
  readonly enterIdentity: (pubkey: string) => Promise<Session>;
  readonly store: Store;
  readonly namespace: string;
  readonly onChange: () => void;
}): SigningIn {
  const { clock } = ports;
  const isClosed = (): boolean => ports.steps.isClosed();
  /** The signer that was set last, also while its session is being opened. */
  let signer: Signer | undefined;
  /** Pending while the signer is asked for its public key, and its session is opened. */
  let entering: Promise<void> | undefined;
  /** The signer with which signing in has failed. It is tried again: an extension may come late, and a store recover. */
  let failedSigner: Signer | undefined;
  /** How often in a row the engine has failed to start, and what ends the waiting for the next time. */
  let failures = 0;
  let cancelRetry = (): void => undefined;
  /** Each call ends the wait for the public key of one signer: it is made when another signer takes its place, or none. */
  const drops = new Set<() => void>();

  function enter(given: Signer): Promise<void> {
    const mine = signIn(given);
    entering = mine;
    mine.then(
      () => {
        failures = 0;
        if (entering === mine) entering = undefined;
      },
      (error: unknown) => {
        // Another took its place, or the same was set again.
        if (entering !== mine) return;
        entering = undefined;
        if (signer !== given || isClosed()) return;
        failedSigner = given;
        // A person who said no must not be asked for ever.
        if (!isNostrSyncError(error, 'SIGNING_FAILED') || failures < MAX_READS) startFailed();
      },
    );
    return mine;
  }

  async function signIn(given: Signer): Promise<void> {
    const check = (): void => stillWanted(signer === given);
    // Before its turn among the steps: calls that need no signer must not wait for one that hangs. If the signer was dropped
    // meanwhile, its own failure does not count.
    const pubkey = await publicKeyOf(given, { clock, drops }).finally(check);
    await ports.steps.next(async () => {
      check();
      const takeAlong = await formerKeysOf(given)?.leave({ ...ports, enter: ports.enterIdentity });
      check();
      const session = await ports.enterIdentity(pubkey);
      check();
      session.setSigner(given);
      await takeAlong?.(session);
      ports.onChange();
      failedSigner = undefined;
    });
  }

  function startFailed(): void {
    if (isClosed()) return;
    cancelRetry();
    cancelRetry = clock.after(doublingMs(failures++), () => {
      const again = failedSigner !== undefined && failedSigner === signer;
      if (again && entering === undefined) enter(failedSigner!).catch(() => undefined);
      else ports.steps.next(async () => undefined).catch(startFailed);
    });
  }

  function drop(): Signer | undefined {
    const former = signer;
    signer = undefined;
    for (const one of [...drops]) one();
    ports.session()?.setSigner(undefined);
    ports.onChange();
    return former;
  }

  function wipe(former: Signer | undefined): void {
    if (!ports.keepSigner) former?.wipe?.();
  }

  function set(given: Signer): Promise<void> {
    const former = drop();
    if (former !== given) wipe(former);
    signer = given;
    return enter(given);
  }

  async function join(given: Signer, how: CarryOver): Promise<void> {
    await ports.steps.opened();
    await entering?.catch(() => undefined);
    return joining(given, how, signer);
  }

  /** Calls wait from here on: what is written meanwhile would not be carried over. */
  function joining(given: Signer, how: CarryOver, former: Signer | undefined): Promise<void> {
    const mine = carryOver(given, how, former);
    entering = mine;
    const over = (): void => {
      if (entering === mine) entering = undefined;
    };
    mine.then(over, over);
    return mine;
  }

  async function carryOver(given: Signer, how: CarryOver, former: Signer | undefined): Promise<void> {
    const check = (): void => stillWanted(signer === former && !isClosed());
    const pubkey = await publicKeyOf(given, { clock, drops }).finally(check);
    const left = ports.session();
    const isOfGiven = left !== undefined && formerKeysOf(given)?.pubkeys.includes(left.pubkey) === true;
    const isNothing = async (): Promise<boolean> => !left!.hasValues() && !(await hasKept(left!.opened));
    if (left === undefined || left.pubkey === pubkey || isOfGiven || (await isNothing())) {
      await set(given);
      return ports.session()?.carrying.decideBy(how);
    }
    if (left.signer() === undefined || left.signer() !== former)
      throw new NostrSyncError(
        'SIGNER_NOT_SET',
        'Cannot carry over: the values of the former key can be read with its signer alone; set it first',
      );
    await ports.steps.next(async () => {
      check();
      const values = await left.valuesToCarry();
      const kept = await keptAlong(left.opened, values, pubkey, ports.boxes);
      check();
      const session = await ports.enterIdentity(pubkey);
      try {
        check();
        session.setSigner(given);
        await session.carrying.carry(values, how, kept);
        check();
      } catch (error) {
        await goBack(left.pubkey, former);
        throw error;
      }
      signer = given;
      ports.onChange();
    });
    if (former !== given) wipe(former);
  }

  /** To where it was before, unless another signer was set meanwhile, or none. */
  async function goBack(pubkey: string, former: Signer | undefined): Promise<void> {
    if (isClosed()) return;
    const session = await ports.enterIdentity(pubkey);
    if (signer === former) session.setSigner(former);
    ports.onChange();
  }

  return {
    set,
    join,
    drop,
    wipe,
    signedIn: async (what) => {
      await ports.steps.opened();
      await entering?.catch(() => undefined);
      if (failedSigner !== undefined && failedSigner === signer) await (entering ?? enter(failedSigner));
      if (isClosed()) throw closedError();
      const session = ports.session();
      if (session?.signer() === undefined)
        throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: no signer is set`);
      return session;
    },
    entered: () => entering?.catch(() => undefined),
    startFailed,
    close: () => cancelRetry(),
  };
}
