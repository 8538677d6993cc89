/** When connections of a page may have died without a word: back from sleep, online again or visible again. */

export function onWake(wake: () => void): () => void {
  const onVisible = (): void => {
    if (globalThis.document?.visibilityState === 'visible') wake();
  };
  globalThis.addEventListener?.('online', wake);
  globalThis.document?.addEventListener('visibilitychange', onVisible);
  return () => {
    globalThis.removeEventListener?.('online', wake);
    globalThis.document?.removeEventListener('visibilitychange', onVisible);
  };
}
