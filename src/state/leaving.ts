/** When a page may be about to go: it is hidden, or left. It may come back. */

export function onLeaving(listener: () => void): () => void {
  const onHidden = (): void => {
    if (globalThis.document?.visibilityState === 'hidden') listener();
  };
  // Absent outside of pages.
  globalThis.addEventListener?.('pagehide', listener);
  globalThis.document?.addEventListener('visibilitychange', onHidden);
  return () => {
    globalThis.removeEventListener?.('pagehide', listener);
    globalThis.document?.removeEventListener('visibilitychange', onHidden);
  };
}
