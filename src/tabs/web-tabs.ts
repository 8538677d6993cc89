/** Tabs of one origin, by Web Locks and BroadcastChannel. */

import type { Tabs } from './tabs.ts';

/** `undefined` if the platform lacks either. Then every tab works for itself; the store's transactions keep that safe. */
export function webTabs(): Tabs | undefined {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined || globalThis.BroadcastChannel === undefined) return undefined;

  function request(name: string, steal: boolean, onHeld: () => void, onLost?: () => void): () => void {
    const giveUp = new AbortController();
    const { signal } = giveUp;
    let isHeld = false;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    locks
      // A request that steals waits for nothing, and takes no signal.
      .request(name, steal ? { steal } : { signal }, () => {
        if (signal.aborted) return undefined;
        isHeld = true;
        onHeld();
        return held;
      })
      // The lock was stolen or given up; or the document has no storage or is being unloaded, and then it has no store either.
      .catch(() => {
        if (isHeld && !signal.aborted) onLost?.();
      });
    return () => {
      giveUp.abort();
      release();
    };
  }

  return {
    hold: (name, onHeld, onLost) => request(name, false, onHeld, onLost),
    steal: (name, onHeld, onLost) => request(name, true, onHeld, onLost),
    join: (name, onMessage) => {
      const channel = new BroadcastChannel(name);
      channel.onmessage = ({ data }) => onMessage(data);
      return { post: (message) => channel.postMessage(message), close: () => channel.close() };
    },
  };
}
