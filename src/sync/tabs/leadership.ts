/**
 * What this engine has of the leader's lock. A leader that the system suspends keeps its lock. It loses it to the first tab
 * that notices, and learns of that when it wakes up, or from the store, whichever comes first.
 */

import type { Tabs } from '../../tabs/tabs.ts';

export interface Leadership {
  lock(): 'none' | 'held' | 'stolen';
  /** Waits for the lock. */
  wait(): void;
  /** Takes it from the tab that has it. */
  steal(): void;
  /** Another has it, whatever the lock says. */
  lost(): void;
  /** Gives it up, or no longer waits for it. */
  giveUp(): void;
}

export function createLeadership(
  tabs: Tabs,
  name: string,
  ports: { readonly onHeld: () => void; readonly onLost: () => void },
): Leadership {
  let lock: 'none' | 'held' | 'stolen' = 'none';
  let giveUp = (): void => undefined;

  function campaign(how: 'hold' | 'steal'): void {
    giveUp();
    const onHeld = (): void => {
      lock = how === 'steal' ? 'stolen' : 'held';
      ports.onHeld();
    };
    giveUp = tabs[how](name, onHeld, ports.onLost);
  }

  return {
    lock: () => lock,
    wait: () => campaign('hold'),
    steal: () => campaign('steal'),
    lost: () => {
      lock = 'none';
    },
    giveUp: () => giveUp(),
  };
}
