/** Several tabs on one store: the one that has the connections merges, once. */

import { expect, test } from 'vitest';
import { createMemoryTabs } from '../support/memory-tabs.ts';
import { change, MERGE, start, valuesOf, wayTo, writersAt, writtenTo } from './apart.ts';
import { world } from './devices.ts';

test('tabs: of three that all know of a rival, the one that leads merges, once; each of them shows the merge', async () => {
  const at = world({});
  const way = wayTo(at);
  const browser = createMemoryTabs(way.openSocket);
  const open = () => {
    const { kill: _, freeze: __, ...platform } = browser.open();
    const tab = at.device({ ...MERGE, ...platform, clock: at.clock, deviceId: 'laptop' });
    tab.subscribe(['settings'], () => undefined);
    const merged: unknown[] = [];
    tab.on('merged', (one) => merged.push(one));
    return { device: tab, merged };
  };
  const tabs = [open(), open(), open()];
  const phone = start(at, 'phone');
  await at.settle(
    tabs[0]!.device.publish('settings', { theme: 'light', font: 12 }, { waitFor: 'replicated' }),
  );
  await at.clock.advance(5_000);
  way.cut();
  // By a tab that follows: the one that leads merges what is of the device.
  await at.settle(tabs[2]!.device.update('settings', change({ theme: 'dark' }), { waitFor: 'saved' }));
  await at.clock.advance(2_000);
  await at.settle(phone.device.update('settings', change({ font: 14 }), { waitFor: 'replicated' }));
  way.join();
  const writers = await writersAt(at, 120_000);
  expect(writers.map(({ by }) => by)).toEqual(['laptop']);
  expect(writtenTo(at).size).toBeLessThanOrEqual(4);
  const both = { theme: 'dark', font: 14 };
  for (const { device } of tabs)
    expect(await at.settle(device.fetch('settings'))).toMatchObject({ payload: both });
  expect(await valuesOf(at, [phone])).toEqual([both]);
  expect(tabs.map(({ merged }) => merged.length)).toEqual([1, 0, 0]);
});
