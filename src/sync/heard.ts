/** The signal of a call: ends the waiting at once, not the work. */

/** Settles as the promise does; if the signal aborts before, rejects at once with its reason. */
export function heard<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    const settled = (): void => signal.removeEventListener('abort', abort);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(settled);
  });
}
