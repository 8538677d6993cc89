/** Two relays in memory, and what can be wrong with them. */

import { systemClock } from 'nostr-sync';
import { createRelay, type Relay } from 'nostr-sync/testing';

const SLOW_MS = 2_000;
/** How long one that was wiped is away. */
const DOWN_MS = 1_500;

export type RelayFault = 'slow' | 'lies';

export interface PlayRelay {
  readonly name: string;
  readonly url: string;
  readonly relay: Relay;
  fault(fault: RelayFault, isOn: boolean): void;
  /** It loses all that it holds, and is away for a moment. */
  wipe(): void;
}

/** What it shows is not what the devices have signed. */
const LIES: Parameters<Relay['misbehave']>[0] = {
  rewrite: (frame) => {
    const [type, subscription, event] = frame as [string, string, { readonly content: string }];
    return type === 'EVENT' ? [[type, subscription, { ...event, content: `x${event.content}` }]] : [frame];
  },
};

export function createPlayRelay(name: string): PlayRelay {
  const relay = createRelay({ name });
  const faults = new Set<RelayFault | 'down'>();
  const apply = (fault: RelayFault | 'down', isOn: boolean): void => {
    if (isOn) faults.add(fault);
    else faults.delete(fault);
    relay.behave();
    if (faults.has('slow')) relay.misbehave({ delayMs: SLOW_MS });
    if (faults.has('lies')) relay.misbehave(LIES);
    if (faults.has('down')) relay.misbehave({ refuseConnections: true });
  };
  return {
    name,
    url: `wss://${name}.example`,
    relay,
    fault: apply,
    wipe: () => {
      relay.wipe();
      apply('down', true);
      relay.disconnectAll();
      systemClock.after(DOWN_MS, () => apply('down', false));
    },
  };
}
