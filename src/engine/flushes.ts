/** Who waits until nothing is owed to any relay. */

export interface Flushes {
  /** Resolves when nothing is owed. Rejects when the signal aborts, or the engine is closed. */
  wait(signal: AbortSignal | undefined): Promise<void>;
  /** Something may have been delivered. */
  check(): void;
  close(error: Error): void;
}

export function createFlushes(isDone: () => boolean): Flushes {
  /** Without a reason nothing is owed. */
  const flushes = new Set<(reason?: Error) => void>();

  function check(): void {
    if (isDone()) for (const end of [...flushes]) end();
  }

  return {
    check,
    wait: (signal) =>
      new Promise<void>((resolve, reject) => {
        const end = (reason?: Error): void => {
          flushes.delete(end);
          signal?.removeEventListener('abort', abort);
          if (reason === undefined) resolve();
          else reject(reason);
        };
        const abort = (): void => end(signal!.reason as Error);
        flushes.add(end);
        signal?.addEventListener('abort', abort);
        check();
      }),
    close: (error) => {
      for (const end of [...flushes]) end(error);
    },
  };
}
