/** Who waits until nothing is owed to any relay. */

export interface Flushes {
  /** Resolves when nothing is owed. Rejects when the signal aborts, or the engine is closed. */
  wait(signal: AbortSignal | undefined): Promise<void>;
  /** Something may have been delivered. */
  check(): void;
  close(error: Error): void;
}

export function createFlushes(isDone: () => boolean): Flushes {
  const flushes = new Set<(isEmpty: boolean, reason?: unknown) => void>();

  function check(): void {
    if (isDone()) for (const end of [...flushes]) end(true);
  }

  return {
    check,
    wait: (signal) =>
      new Promise<void>((resolve, reject) => {
        const end = (isEmpty: boolean, reason?: unknown): void => {
          flushes.delete(end);
          signal?.removeEventListener('abort', abort);
          if (isEmpty) resolve();
          else reject(reason);
        };
        const abort = (): void => end(false, signal!.reason);
        flushes.add(end);
        signal?.addEventListener('abort', abort);
        check();
      }),
    close: (error) => {
      for (const end of [...flushes]) end(false, error);
    },
  };
}
