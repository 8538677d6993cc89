/** The Connectivity port: what the program says of the network. */

import type { Connectivity } from '../relay/connectivity.ts';

export interface ProgramConnectivity {
  readonly port: Connectivity;
  wake(isOnline: boolean): void;
}

export function createConnectivity(): ProgramConnectivity {
  const listeners = new Set<() => void>();
  let isOnline = true;

  return {
    port: {
      isOnline: () => isOnline,
      onChange: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    wake: (next) => {
      isOnline = next;
      for (const listener of listeners) listener();
    },
  };
}
