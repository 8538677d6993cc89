/** What this tab has asked the leading one, and is not answered. */

import type { Clock } from '../../clock.ts';
import { ASK_LEADER_MS } from '../../protocol/limits.ts';

/** Asks. `settle` is for an answer that does not come by `Questions.settle`. */
export type Send<T> = (id: number, settle: (value: T) => void) => void;

export interface Questions<T> {
  /** Resolves with the answer; with `otherwise` after a time: perhaps no tab leads just now, or the leader hangs. */
  ask(send: Send<T>): Promise<T>;
  /** The answer. Of what has been answered, or was never asked: nothing. */
  settle(id: number, value: T): void;
  /** Asks all of it again: another tab leads. */
  askAgain(): void;
  /** Answers all of it with `otherwise`, and what is asked from now on. */
  close(): void;
}

export function createQuestions<T>(clock: Clock, otherwise: () => T): Questions<T> {
  const open = new Map<number, { readonly send: Send<T>; readonly settle: (value: T) => void }>();
  let nextId = 0;
  let isClosed = false;
  return {
    ask: (send) =>
      new Promise((resolve) => {
        if (isClosed) return resolve(otherwise());
        const id = nextId++;
        const late = otherwise();
        const settle = (value: T): void => {
          cancel();
          open.delete(id);
          resolve(value);
        };
        const cancel = clock.after(ASK_LEADER_MS, () => settle(late));
        open.set(id, { send, settle });
        send(id, settle);
      }),
    settle: (id, value) => open.get(id)?.settle(value),
    askAgain: () => {
      for (const [id, { send, settle }] of open) send(id, settle);
    },
    close: () => {
      isClosed = true;
      for (const { settle } of open.values()) settle(otherwise());
    },
  };
}
