/** Tabs of one origin, by Web Locks and BroadcastChannel. */

import type { Tabs } from './tabs.ts';

/** `undefined` where the platform lacks either: then every tab works for itself, safe by the store's transactions. */
export function webTabs(): Tabs | undefined {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined || globalThis.BroadcastChannel === undefined) return undefined;
  return {
    hold: (name, onHeld) => {
      const giveUp = new AbortController();
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      locks
        .request(name, { signal: giveUp.signal }, () => {
          if (giveUp.signal.aborted) return undefined;
          onHeld();
          return held;
        })
        // Given up, or the document has no storage or is being unloaded: then there is no store either.
        .catch(() => undefined);
      return () => {
        giveUp.abort();
        release();
      };
    },
    join: (name, onMessage) => {
      const channel = new BroadcastChannel(name);
      channel.onmessage = ({ data }) => onMessage(data);
      return { post: (message) => channel.postMessage(message), close: () => channel.close() };
    },
  };
}
