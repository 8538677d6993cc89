/** Changes of what is open, one at a time, in the order of the calls; and calls that wait for them. */

import { NostrSyncError } from '../errors.ts';

export interface Steps {
  /** Runs after every earlier step; a failed opening of the store is tried again. */
  next<T>(step: () => Promise<T>): Promise<T>;
  /** In the order of the calls: one that has waited while the store was tried again goes before those that came since. */
  opened(): Promise<void>;
  isClosed(): boolean;
  /** No step runs after this. Resolves when the last one is over. */
  close(): Promise<void>;
}

export function closedError(): NostrSyncError {
  return new NostrSyncError('CLOSED', 'The engine was closed');
}

export function createSteps(ports: {
  /** The first step. Is tried again before each later one, until it has succeeded. */
  readonly open: () => Promise<void>;
  /** Whether as much of it succeeded as later steps need. */
  readonly isOpen: () => boolean;
  readonly onOpenFailed: () => void;
}): Steps {
  let isClosed = false;
  /** All calls that come while the store is opened wait for this. */
  let opening: Promise<void> | undefined;
  let last: Promise<void> = ports.open();
  last.catch(ports.onOpenFailed);

  function next<T>(step: () => Promise<T>): Promise<T> {
    if (isClosed) return Promise.reject(closedError());
    const result = last.catch(() => ports.open()).then(step);
    last = result.then(
      () => undefined,
      (error: unknown) => {
        if (!ports.isOpen()) throw error;
      },
    );
    last.catch(() => undefined);
    return result;
  }

  /** Resolves after all steps, also those that are added while this waits. A signer that hangs is no step. */
  async function settled(): Promise<void> {
    for (let step: unknown; step !== last;) {
      if (isClosed) throw closedError();
      step = last;
      await last.catch(() => next(async () => undefined));
    }
    if (isClosed) throw closedError();
  }

  return {
    next,
    opened: () => {
      opening ??= settled().finally(() => {
        opening = undefined;
      });
      return opening;
    },
    isClosed: () => isClosed,
    close: () => {
      isClosed = true;
      return last.catch(() => undefined);
    },
  };
}
