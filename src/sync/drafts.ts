/**
 * Which write of a category is made next, and whose calls it settles. One is made at a time: a signer may ask a person, and is not
 * asked for what is outdated already.
 */

import type { Clock } from '../clock.ts';
import type { Address } from '../protocol/address.ts';
import type { VersionVector } from '../protocol/causality.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { SIGNER_TURN_MS } from '../protocol/limits.ts';
import type { Write } from './write.ts';

/** What the app asks for, and what it can have seen when it made this value. */
export interface Wanted {
  readonly write: Write;
  readonly seen: VersionVector;
}

/** What is made now: the write of the last of these calls, which settles all of them, and their notes go with it. */
export interface Making {
  readonly wanted: readonly Wanted[];
  /** Ends what the signer is asked for it: no call waits for it any more, or a newer write has waited for too long. */
  readonly signal: AbortSignal;
  /** This call cannot be written: it alone fails. */
  refuse(wanted: Wanted, error: unknown): void;
  /** From here on it may be on the medium: it goes on to its end. */
  saving(): void;
  /** What is written is made of all of these calls, and not of the last one alone. */
  isOfAll(): void;
  /** It is not on the medium: calls that were aborted meanwhile are let go. */
  notSaved(): void;
}

export interface Drafts {
  /** Resolves with what is saved then: this write, or a newer one that has taken its place. */
  add(dTag: Address, wanted: Wanted): Promise<VerifiedEvent>;
}

/** A call whose write is not saved yet. */
interface Settler extends Wanted {
  resolve(saved: VerifiedEvent): void;
  reject(error: Error): void;
}

interface Draft {
  readonly settlers: Settler[];
  readonly abandon: AbortController;
  isSaving: boolean;
  isOfAll: boolean;
  /** Ends a newer write's patience with it. */
  cancelPatience: (() => void) | undefined;
}

export function createDrafts(ports: {
  readonly clock: Clock;
  /** Resolves with what was saved. */
  readonly make: (dTag: Address, making: Making) => Promise<VerifiedEvent>;
  /** How many of these calls, in their order, one write may be made of. */
  readonly countOf: (dTag: Address, wanted: readonly Wanted[]) => number;
}): Drafts {
  const drafts = new Map<Address, Draft>();
  const running = new Map<Address, Draft>();
  /** By d-tag, how often in a row a write was abandoned for a newer one: a signer that is slow must come to its end. */
  const abandoned = new Map<Address, number>();

  /** After those that wait, or before them. */
  function enqueue(dTag: Address, settlers: readonly Settler[], areOlder = false): void {
    const waiting = drafts.get(dTag)?.settlers ?? [];
    drafts.set(dTag, {
      settlers: areOlder ? [...settlers, ...waiting] : [...waiting, ...settlers],
      abandon: new AbortController(),
      isSaving: false,
      isOfAll: false,
      cancelPatience: undefined,
    });
  }

  /** A popup may have been closed without a word: a newer write does not wait for that one to the end. */
  function beImpatient(dTag: Address): void {
    const current = running.get(dTag);
    if (current === undefined || current.isSaving) return;
    const times = abandoned.get(dTag) ?? 0;
    current.cancelPatience ??= ports.clock.after(SIGNER_TURN_MS * 2 ** times, () => {
      abandoned.set(dTag, times + 1);
      current.abandon.abort();
    });
  }

  /** The caller waits no longer. What it wrote is not written, unless it may be saved by now: then `publish` tells. */
  function leave(dTag: Address, settler: Settler): void {
    for (const draft of [drafts.get(dTag), running.get(dTag)]) {
      const at = draft?.settlers.indexOf(settler) ?? -1;
      if (draft === undefined || at < 0 || draft.isSaving) continue;
      const isItsWrite = draft.isOfAll || at === draft.settlers.length - 1;
      draft.settlers.splice(at, 1);
      if (drafts.get(dTag) === draft && draft.settlers.length === 0) drafts.delete(dTag);
      // Others whose place it had taken are settled by what they wrote themselves.
      if (isItsWrite && draft === running.get(dTag)) draft.abandon.abort();
      settler.reject(settler.write.signal?.reason as Error);
    }
  }

  function makingOf(dTag: Address, draft: Draft): Making {
    return {
      wanted: draft.settlers,
      signal: draft.abandon.signal,
      refuse: (wanted, error) => {
        const at = draft.settlers.findIndex((settler) => settler === wanted);
        if (at >= 0) draft.settlers.splice(at, 1)[0]!.reject(error as Error);
      },
      saving: () => {
        draft.isSaving = true;
        draft.cancelPatience?.();
      },
      isOfAll: () => {
        draft.isOfAll = true;
      },
      notSaved: () => {
        draft.isSaving = false;
        for (const settler of [...draft.settlers])
          if (settler.write.signal?.aborted === true) leave(dTag, settler);
      },
    };
  }

  async function run(dTag: Address): Promise<void> {
    for (let next = drafts.get(dTag); next !== undefined; next = drafts.get(dTag)) {
      drafts.delete(dTag);
      running.set(dTag, next);
      const later = next.settlers.splice(ports.countOf(dTag, next.settlers));
      if (later.length > 0) enqueue(dTag, later);
      try {
        const event = await ports.make(dTag, makingOf(dTag, next));
        abandoned.delete(dTag);
        for (const settler of next.settlers) settler.resolve(event);
      } catch (error) {
        // What was abandoned is made again. Without a signer that fails, and its calls are told so.
        if (next.abandon.signal.aborted) {
          if (next.settlers.length > 0) enqueue(dTag, next.settlers, true);
        } else for (const settler of next.settlers) settler.reject(error as Error);
      }
      next.cancelPatience?.();
    }
    running.delete(dTag);
  }

  return {
    add: (dTag, wanted) =>
      new Promise((resolve, reject) => {
        const { signal } = wanted.write;
        const abort = (): void => leave(dTag, settler);
        const settled = (): void => signal?.removeEventListener('abort', abort);
        const settler: Settler = {
          ...wanted,
          resolve: (event) => {
            settled();
            resolve(event);
          },
          reject: (error) => {
            settled();
            reject(error);
          },
        };
        signal?.addEventListener('abort', abort);
        enqueue(dTag, [settler]);
        beImpatient(dTag);
        if (!running.has(dTag)) void run(dTag);
      }),
  };
}
