/** Who waits until nothing is owed to any relay. */

export interface Flushes {
  /** Resolves when nothing is owed. Rejects when the signal aborts, or the engine is closed. */
  wait(signal: AbortSignal | undefined): Promise<void>;
  /** Something may have been delivered. */
  check(): void;
  close(error: Error): void;
}

export function createFlushes(isDone: () => boolean): Flushes {
  const flushes = new Set<{ resolve: () => void; reject: (error: Error) => void }>();

  function check(): void {
    if (isDone()) for (const flush of [...flushes]) flush.resolve();
  }

  return {
    check,
    wait: (signal) =>
      new Promise<void>((resolve, reject) => {
        const settle = (act: () => void): void => {
          flushes.delete(flush);
          signal?.removeEventListener('abort', abort);
          act();
        };
        const flush = {
          resolve: () => settle(resolve),
          reject: (error: Error) => settle(() => reject(error)),
        };
        const abort = (): void => flush.reject(signal!.reason as Error);
        flushes.add(flush);
        signal?.addEventListener('abort', abort);
        check();
      }),
    close: (error) => {
      for (const flush of [...flushes]) flush.reject(error);
    },
  };
}
