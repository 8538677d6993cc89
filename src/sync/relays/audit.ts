/**
 * Reading back: when one relay is asked what it has of the heads that it said OK to, that others have shown, or that it
 * refused. What it shows or lacks then reaches the replica by the inbox.
 */

import type { Clock } from '../../clock.ts';
import type { Address, Ms } from '../../protocol/address.ts';
import { ASK_PACING, CONFIRM_DELAY_MS, LOOK_AGAIN_MS } from '../../protocol/limits.ts';
import { retryMs, type RandomBytes } from '../../relay/backoff.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import { isOpenAfterAnswer, type Step } from '../heads/owed.ts';
import type { Replica } from '../heads/replica.ts';
import { createAgenda } from './agenda.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';

export interface Audit {
  /** The relay is asked for the head of this category in `delayMs` at the latest, unless it was asked too often of late. */
  put(dTag: Address, delayMs: Ms): void;
  remove(dTag: Address): void;
  /** Whether the relay is being asked for it. */
  isAsking(dTag: Address): boolean;
  /** The relay lacks a head that it had confirmed: it is asked for all that it should have. */
  lost(): void;
  /** All that is to be asked is asked now. */
  hurry(): void;
  /** When to ask a relay again that did not answer completely, in ms. */
  askAgainMs(): Ms;
  start(): void;
  stop(): void;
}

/** Beside d-tags: all that the relay should have. */
const EVERYTHING = Symbol('everything');

export function createAudit(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Pick<Replica, 'dTags' | 'peek'>;
  /** Asks the relay for heads. */
  readonly ask: (dTags: readonly Address[]) => Promise<RequestEnd>;
  /** Whether the relay is owed the head of this category. */
  readonly isPending: (dTag: Address) => boolean;
  readonly stepOf: (dTag: Address) => Step;
  /** The relay was asked for the head of this category. */
  readonly onAsked: (dTag: Address) => void;
  /** Asks for pieces that the relay has only said OK to. */
  readonly readBackPieces: (dTag: Address) => Promise<void>;
}): Audit {
  const { clock, replica } = ports;
  // What is due soon goes along: one REQ for many.
  const agenda = createAgenda<Address | typeof EVERYTHING>(clock, CONFIRM_DELAY_MS / 2, (due) => {
    const dTags = due.filter((one) => one !== EVERYTHING);
    void audit(due.includes(EVERYTHING), new Set(dTags.filter(isInTurn)));
  });
  const turns = new Map<Address, TokenBucket>();
  const asking = new Set<Address>();
  let failures = 0;
  /** When the relay was last asked for all that it should have, in ms. */
  let sweptAt = -Infinity;

  /** Whether it may be asked for now. If not, it is asked for later. */
  function isInTurn(dTag: Address): boolean {
    const take = turns.get(dTag) ?? createTokenBucket(clock, ASK_PACING);
    turns.set(dTag, take);
    const waitMs = take(1);
    if (waitMs > 0) agenda.put(dTag, waitMs);
    return waitMs === 0;
  }

  const askAgainMs = (): Ms => retryMs(failures++, ports.randomBytes);

  async function audit(isSweep: boolean, due: ReadonlySet<Address>): Promise<void> {
    if (isSweep) sweptAt = clock.now();
    // What is owed is on its way all the same, unless its turn to be asked for has come: then it waits for that.
    const wanted = isSweep
      ? [...replica.dTags()].filter((dTag) => due.has(dTag) || !ports.isPending(dTag))
      : [...due];
    const dTags = wanted.filter((dTag) => replica.peek(dTag)?.head !== undefined);
    if (dTags.length === 0) return;
    for (const dTag of dTags) asking.add(dTag);
    const isComplete = (await ports.ask(dTags)) === 'complete';
    for (const dTag of dTags) asking.delete(dTag);
    for (const dTag of dTags) {
      ports.onAsked(dTag);
      if (isComplete && replica.peek(dTag)?.head?.pieces !== undefined) await ports.readBackPieces(dTag);
    }
    if (isComplete) failures = 0;
    const delayMs = isComplete ? LOOK_AGAIN_MS : askAgainMs();
    if (isSweep && !isComplete) agenda.put(EVERYTHING, delayMs);
    for (const dTag of dTags) {
      if (isOpenAfterAnswer(ports.stepOf(dTag), isComplete)) agenda.put(dTag, delayMs);
    }
  }

  return {
    put: agenda.put,
    remove: agenda.remove,
    isAsking: (dTag) => asking.has(dTag),
    lost: () => {
      // At most so often: a relay may drop one event again and again. What a sweep finds is looked at once more.
      const againMs = sweptAt + LOOK_AGAIN_MS - clock.now();
      agenda.put(EVERYTHING, Math.max(0, Math.min(againMs, LOOK_AGAIN_MS)));
    },
    hurry: () => {
      for (const one of agenda.items()) agenda.put(one, 0);
    },
    askAgainMs,
    start: agenda.start,
    stop: agenda.stop,
  };
}
