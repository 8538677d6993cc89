/** Several tabs of one app: a handle in each, on one store. */

import { expect, test, vi } from 'vitest';
import { createNostrSync, defineCategory, type NostrSync } from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { createMemoryTabs } from '../support/memory-tabs.ts';
import { unlocked } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
  side: number;
}
const settings = defineCategory<Settings>({
  name: 'settings',
  default: { theme: 'light', font: 14, side: 0 },
  local: ['side'],
});

test('what one tab saves is under what another is editing, also what stays on the device (persist-and-sync#14)', async () => {
  const relay = createRelay();
  const browser = createMemoryTabs(connectTo({ 'wss://a.test': relay }));
  const open = (): NostrSync => {
    const { tabs: port, store, openSocket, clock } = browser.open();
    const platform = { tabs: port, store, openSocket, clock };
    return createNostrSync({ relays: ['wss://a.test'], signer: unlocked(), ...platform });
  };
  const tabs = [open(), open()];
  try {
    const [one, two] = tabs.map((tab) => tab.state(settings));
    await Promise.all([one!.ready, two!.ready]);
    await Promise.all([one!.update({ theme: 'dark', side: 3 }), two!.update({ font: 20 })]);
    await vi.waitFor(
      () => {
        for (const state of [one!, two!]) expect(state.get()).toEqual({ theme: 'dark', font: 20, side: 3 });
      },
      { timeout: 5_000 },
    );
    await two!.update({ side: 4 });
    await vi.waitFor(() => expect(one!.get().side).toBe(4), { timeout: 5_000 });
    expect((await tabs[0]!.fetch('settings'))?.payload).toEqual({ theme: 'dark', font: 20 });
  } finally {
    for (const tab of tabs) await tab.close();
  }
});
