/** Whether the browser keeps what is stored: it deletes what it did not promise to keep. */

/** Asks the browser to keep it, which may ask the user. Never rejects. */
export async function askToKeep(): Promise<void> {
  await storage()
    ?.persist?.()
    .catch(() => false);
}

/** `true` as long as the browser has not promised to keep it. Never rejects. */
export async function mayBeEvicted(): Promise<boolean> {
  const isKept = await storage()
    ?.persisted?.()
    .catch(() => false);
  return isKept !== true;
}

/** Not in every browser, and not in pages without https. */
function storage(): Partial<Pick<StorageManager, 'persist' | 'persisted'>> | undefined {
  return (globalThis.navigator as { readonly storage?: StorageManager } | undefined)?.storage;
}
