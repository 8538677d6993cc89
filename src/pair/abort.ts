/** The app's signal. */

/** Calls `stop` once the signal is aborted, at once if it is already. Returns what ends the listening. */
export function onAbort(signal: AbortSignal | undefined, stop: () => void): () => void {
  signal?.addEventListener('abort', stop);
  if (signal?.aborted === true) stop();
  return () => signal?.removeEventListener('abort', stop);
}
