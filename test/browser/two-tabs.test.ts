/**
 * Two tabs on one profile, in Chromium and in Firefox, with what a browser does to them: no write that was acknowledged is lost,
 * and one tab at a time has the network.
 */

import { afterEach, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import type { BrowserProfile, Profile, Tab } from '../support/browser.ts';
import { filler, FILLER } from '../support/random.ts';
import { tracesOf } from '../support/traces.ts';
import {
  DELIVERED,
  errors,
  fetched,
  flush,
  KEY,
  opened,
  publish,
  relay,
  site,
  start,
  status,
  WAIT,
} from './tabs.ts';

const SECRETS = tracesOf({ keys: [KEY], texts: ['last words', 'of the frozen one', FILLER] });

afterEach(() => {
  expect(SECRETS.exec(JSON.stringify(relay.relay.frames))?.[0]).toBeUndefined();
});

/** What a device that knows nothing is told by the relay. */
function relayHas(): unknown {
  return relay.relay.events().filter(({ kind }) => kind === 30_078).length;
}

describe.each(['chromium', 'firefox'] as const)('two tabs of %s', (browser) => {
  const profile = (): Promise<BrowserProfile> => opened(site.profile(browser));

  async function twoTabs(): Promise<{ device: BrowserProfile; first: Tab; second: Tab }> {
    const device = await profile();
    const first = await start(device);
    const second = await start(device);
    await expect.poll(() => relay.relay.connections(), WAIT).toBe(1);
    return { device, first, second };
  }

  test('publish by turns and at once: every write is acknowledged, and both show the last', async () => {
    const { first, second } = await twoTabs();
    for (let n = 0; n < 6; n++)
      expect(await publish(n % 2 === 0 ? first : second, n, 'saved')).toMatchObject({
        stage: expect.any(String),
      });
    const both = await Promise.all([publish(first, 'left', 'saved'), publish(second, 'right', 'saved')]);
    expect(both).toEqual([{ stage: expect.any(String) }, { stage: expect.any(String) }]);
    await Promise.all([flush(first), flush(second)]);
    const shown = (await fetched(first)) as [string, string];
    expect(['left', 'right']).toContain(shown[0]);
    expect(await fetched(second)).toEqual(shown);
    expect(relay.relay.connections()).toBe(1);
    expect(relayHas()).toBe(1);
    expect([await errors(first), await errors(second)]).toEqual([[], []]);
  });

  test('the leader is closed with a write that has not gone out: the other delivers it', async () => {
    const { first, second } = await twoTabs();
    await publish(first, 'before', 'replicated');
    relay.relay.misbehave({ receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined) });
    expect(await publish(first, 'last words', 'saved')).toMatchObject({ stage: 'saved' });
    await first.close();
    relay.relay.behave();
    await flush(second);
    expect(await fetched(second)).toEqual(['last words', 'relay']);
    await expect.poll(() => relay.relay.connections(), WAIT).toBe(1);
  });

  test('the browser is killed with a write that has not gone out: the next start delivers it', async () => {
    const { device, first, second } = await twoTabs();
    await publish(first, 'before', 'replicated');
    relay.relay.misbehave({ receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined) });
    expect(await publish(second, 'last words', 'saved')).toMatchObject({ stage: 'saved' });
    await device.kill();
    relay.relay.behave();
    await device.open();
    const again = await start(device);
    await flush(again);
    expect(await fetched(again)).toEqual(['last words', 'relay']);
    const kept = await again.evaluate(() => window.app.dumpStorage());
    expect(kept).toContain('settings/v1');
    expect(SECRETS.exec(kept)?.[0]).toBeUndefined();
  });

  test('the storage is full: writes are refused, reading goes on, and what fits again is saved', async () => {
    const { device, first, second } = await twoTabs();
    await publish(first, 'before', 'replicated');
    await device.limitStorage(first, 3_000_000);
    await first.evaluate(() => window.app.fillStorage());
    const text = filler(50_000);
    await expect
      // How much still fits is the browser's to say.
      .poll(() => publish(second, { text, at: Math.random() }, 'saved'), { ...WAIT, timeout: 90_000 })
      .toEqual({ code: 'STORE_FAILED' });
    const [newest] = (await fetched(first)) as [unknown];
    expect(await fetched(second)).toEqual([newest, 'relay']);
    await first.evaluate(() => window.app.emptyStorage());
    await expect
      .poll(() => publish(second, 'after', 'saved'), WAIT)
      .toMatchObject({ stage: expect.any(String) });
    await flush(second);
    expect(await fetched(first)).toEqual(['after', 'relay']);
    expect(relayHas()).toBe(1);
  });

  test('the storage is cleared in mid-run: what a relay has comes back, and writing goes on above it', async () => {
    const { device, first, second } = await twoTabs();
    for (let n = 0; n < 3; n++)
      expect(await publish(second, n, 'replicated')).toEqual({ stage: 'replicated' });
    await device.clearStorage(first);
    expect(await fetched(first)).toEqual([2, 'relay']);
    expect(await fetched(second)).toEqual([2, 'relay']);
    expect(await publish(first, 'after', 'delivered')).toEqual(DELIVERED);
    expect(await publish(second, 'later', 'replicated')).toEqual({ stage: 'replicated' });
    await expect.poll(() => fetched(first), WAIT).toEqual(['later', 'relay']);
    const third = await start(device);
    expect(await fetched(third)).toEqual(['later', 'relay']);
    await expect.poll(() => relay.relay.connections(), WAIT).toBe(1);
  });

  test('a page is frozen and thawed: it has lost nothing, and catches up', async () => {
    const { device, first, second } = await twoTabs();
    const other = await start(await profile());
    await publish(first, 'before', 'replicated');
    relay.relay.misbehave({ receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined) });
    expect(await publish(first, 'of the frozen one', 'saved')).toMatchObject({ stage: 'saved' });
    const thaw = await device.freeze(first);
    // Its connection does not outlive a sleep.
    relay.relay.disconnectAll();
    relay.relay.behave();
    await expect.poll(() => status(other), WAIT).toMatchObject({ ready: true });
    await thaw();
    await flush(first);
    expect(await fetched(second)).toEqual(['of the frozen one', 'relay']);
    await expect.poll(() => fetched(other), WAIT).toEqual(['of the frozen one', 'relay']);
    expect(await publish(other, 'while it slept', 'replicated')).toEqual({ stage: 'replicated' });
    await expect.poll(() => fetched(first), WAIT).toEqual(['while it slept', 'relay']);
    await expect.poll(() => relay.relay.connections(), WAIT).toBe(2);
  });
});

describe.each(['frozen', 'paused'] as const)('the page that leads is %s, in Chromium', (how) => {
  test('the other takes its place within seconds, and the page that wakes up follows', async () => {
    const device = await opened(site.profile());
    const first = await start(device);
    const second = await start(device);
    await publish(first, 'before', 'replicated');
    relay.relay.misbehave({ receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined) });
    expect(await publish(first, 'of the one that sleeps', 'saved')).toMatchObject({ stage: 'saved' });
    const wakeUp = how === 'frozen' ? await device.freeze(first) : await paused(device, first);
    relay.relay.behave();
    const stopped = Date.now();
    expect(await fetched(second)).toEqual(['of the one that sleeps', 'relay']);
    expect(Date.now() - stopped).toBeLessThan(10_000);
    expect(await publish(second, 'while it sleeps', 'replicated')).toEqual({ stage: 'replicated' });
    const other = await start(await opened(site.profile()));
    expect(await publish(other, 'pushed', 'replicated')).toEqual({ stage: 'replicated' });
    await expect.poll(() => second.evaluate(() => window.app.updated), WAIT).toContain('pushed');
    expect(await status(second)).toMatchObject({ ready: true, connectedRelayCount: 1 });
    await wakeUp();
    await expect.poll(() => fetched(first), WAIT).toEqual(['pushed', 'relay']);
    expect(await publish(first, 'awake', 'replicated')).toEqual({ stage: 'replicated' });
    expect(await fetched(second)).toEqual(['awake', 'relay']);
    await expect.poll(() => relay.relay.connections(), WAIT).toBe(2);
    expect([await errors(first), await errors(second)]).toEqual([[], []]);
  });
});

/** Stops the page's JavaScript, as a breakpoint does. */
async function paused(device: Profile, tab: Page): Promise<() => Promise<void>> {
  const session = await device.context.newCDPSession(tab);
  await session.send('Debugger.enable');
  await session.send('Debugger.pause');
  // It stops at the next statement.
  void tab.evaluate(() => 1).catch(() => undefined);
  return async () => {
    await session.send('Debugger.resume');
    await session.send('Debugger.disable');
  };
}

test('without a network, the tabs of Chromium say so at once, and with one again they are connected at once', async () => {
  const device = await opened(site.profile());
  const first = await start(device);
  const second = await start(device);
  await device.context.setOffline(true);
  for (const tab of [first, second])
    await expect
      .poll(() => status(tab), { timeout: 1_000, interval: 20 })
      .toMatchObject({ ready: false, online: false });
  expect(await publish(second, 'offline', 'delivered')).toEqual({ stage: 'saved' });
  expect(await status(second)).toMatchObject({ pendingChanges: 1 });
  await device.context.setOffline(false);
  for (const tab of [first, second])
    await expect
      .poll(() => status(tab), WAIT)
      .toMatchObject({ ready: true, online: true, pendingChanges: 0 });
});
