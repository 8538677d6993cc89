/**
 * What this engine says to the others and hears of them. In order: what it has saved is told before anything else is said,
 * and one message is over before the next is begun, so that a change is in the replica before what speaks of it.
 */

import type { Address } from '../../protocol/address.ts';
import type { Tabs } from '../../tabs/tabs.ts';
import { OF_LEADER, type TabMessage } from './messages.ts';

export interface TabChannel {
  post(message: TabMessage): void;
  /** This engine has saved a change of this category: the others are told, in one message of all that is saved at once. */
  saved(dTag: Address): void;
  /** Does this once all that came before is over. */
  inOrder(act: () => Promise<void> | void): void;
  isClosed(): boolean;
  close(): void;
}

export function createTabChannel(
  tabs: Tabs,
  name: string,
  ports: {
    /** At once: what this engine waits for says nothing of whether another lives. */
    readonly onPing: () => void;
    readonly onLeaderHeard: () => void;
    /** In order. */
    readonly receive: (message: TabMessage) => Promise<void> | void;
  },
): TabChannel {
  let isClosed = false;
  const unsaid = new Set<Address>();
  let last: Promise<void> = Promise.resolve();

  const channel = tabs.join(name, (message) => {
    const type = (message as TabMessage | undefined)?.type;
    if (type === 'ping') return ports.onPing();
    if (type !== undefined && OF_LEADER.has(type)) ports.onLeaderHeard();
    inOrder(() => ports.receive(message as TabMessage));
  });

  function inOrder(act: () => Promise<void> | void): void {
    // Another version of the app may run in another tab: what cannot be understood stops nothing.
    last = last.then(() => (isClosed ? undefined : act())).catch(() => undefined);
  }

  function saySaved(): void {
    if (unsaid.size === 0 || isClosed) return;
    channel.post({ type: 'changed', dTags: [...unsaid] } satisfies TabMessage);
    unsaid.clear();
  }

  return {
    post: (message) => {
      if (isClosed) return;
      saySaved();
      channel.post(message);
    },
    saved: (dTag) => {
      if (unsaid.size === 0) queueMicrotask(saySaved);
      unsaid.add(dTag);
    },
    inOrder,
    isClosed: () => isClosed,
    close: () => {
      saySaved();
      isClosed = true;
      channel.close();
    },
  };
}
