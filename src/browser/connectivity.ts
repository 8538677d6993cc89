/** What a page or a worker knows of its network, and when its connections may have died unnoticed. */

import type { Connectivity } from '../relay/connectivity.ts';

export const browserConnectivity: Connectivity = {
  // Absent outside of pages and workers: nothing is known there.
  isOnline: () => globalThis.navigator?.onLine ?? true,
  isHidden: () => globalThis.document?.hidden ?? false,
  onChange: (listener) => {
    const onVisible = (): void => {
      if (globalThis.document?.visibilityState === 'visible') listener();
    };
    const heard: readonly (readonly [EventTarget | undefined, string, () => void])[] = [
      [globalThis, 'online', listener],
      [globalThis, 'offline', listener],
      [globalThis.document, 'visibilitychange', onVisible],
      // The page was frozen.
      [globalThis.document, 'resume', listener],
    ];
    for (const [target, event, act] of heard) target?.addEventListener?.(event, act);
    return () => {
      for (const [target, event, act] of heard) target?.removeEventListener?.(event, act);
    };
  },
};
