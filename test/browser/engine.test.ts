/** The engine in real Chromium: IndexedDB, Web Locks, BroadcastChannel and sockets of the platform, over loopback. */

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Profile } from '../support/browser.ts';
import {
  DELIVERED,
  errors,
  fetched,
  flush,
  KEY,
  opened,
  publish,
  relay,
  restartRelay,
  site,
  start,
  WAIT,
} from './tabs.ts';

const device = (): Promise<Profile> => opened(site.profile());
const updated = (page: Page): Promise<unknown[]> => page.evaluate(() => window.app.updated);
const subscribed = (page: Page): Promise<unknown[]> => page.evaluate(() => window.app.subscribed);

test('what a page publishes is pushed to a page of another device', async () => {
  const [laptop, phone] = await Promise.all([device(), device()]);
  const [one, two] = await Promise.all([start(laptop), start(phone)]);
  expect(await publish(one, 'dark', 'delivered')).toEqual(DELIVERED);
  await expect.poll(() => subscribed(two), WAIT).toEqual(['dark']);
  expect(await publish(two, 'light', 'replicated')).toEqual({ stage: 'replicated' });
  await expect.poll(() => subscribed(one), WAIT).toEqual(['light']);
  expect(await updated(one)).toEqual(['light']);
  const ids = await Promise.all(
    [one, two].map((page) => page.evaluate(async () => (await window.app.sync.getStatus()).deviceId)),
  );
  expect(ids[0]).not.toBe(ids[1]);
  expect(relay.relay.connections()).toBe(2);
  expect([await errors(one), await errors(two)]).toEqual([[], []]);
});

test('two tabs have one connection; a leader that is closed or crashes is followed by the other, which delivers', async () => {
  const profile = await device();
  const first = await start(profile);
  const second = await start(profile);
  expect(relay.relay.connections()).toBe(1);
  expect(await publish(second, 'from the follower', 'delivered')).toEqual(DELIVERED);
  await expect.poll(() => subscribed(first), WAIT).toEqual(['from the follower']);
  expect(await publish(first, 'from the leader', 'delivered')).toEqual(DELIVERED);
  await expect.poll(() => subscribed(second), WAIT).toEqual(['from the leader']);

  relay.relay.misbehave({ receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined) });
  expect(await publish(second, 'while nothing goes out', 'saved')).toEqual({ stage: 'saved' });
  await first.close();
  relay.relay.behave();
  await flush(second);
  expect(relay.relay.connections()).toBe(1);
  expect(await fetched(second)).toEqual(['while nothing goes out', 'relay']);

  const third = await start(profile);
  const crashed = second.waitForEvent('crash');
  void second.goto('chrome://crash').catch(() => undefined);
  await crashed;
  await expect.poll(() => relay.relay.connections(), WAIT).toBe(1);
  expect(await publish(third, 'after the crash', 'replicated')).toEqual({ stage: 'replicated' });
  expect(await fetched(third)).toEqual(['after the crash', 'relay']);
  expect(await errors(third)).toEqual([]);
});

test('a browser killed right after a write was saved delivers it when it is started again', async () => {
  const profile = await device();
  const page = await start(profile);
  expect(await publish(page, 'old', 'replicated')).toEqual({ stage: 'replicated' });
  await relay.close();
  // In one turn of the page's event loop from `saved` to the end of the browser.
  expect(await publish(page, 'last words', 'saved')).toEqual({ stage: 'saved' });
  await profile.kill();
  await restartRelay();
  await profile.open();
  const again = await start(profile);
  await flush(again);
  const phone = await start(await device());
  expect(await fetched(phone)).toEqual(['last words', 'relay']);
});

test('a page that was offline catches up as soon as the platform says that it is online', async () => {
  const profile = await device();
  const page = await start(profile);
  const other = await start(await device());
  await profile.context.setOffline(true);
  relay.relay.disconnectAll();
  const state = (): Promise<string | undefined> =>
    page.evaluate(async () => (await window.app.sync.getRelays())[0]?.state);
  await expect
    .poll(() => page.evaluate(async () => (await window.app.sync.getRelays())[0]?.lastError), WAIT)
    .toMatch(/offline/);
  await expect.poll(state, WAIT).toBe('waiting');
  await page.evaluate(() => window.app.freezeTimers());
  // The other page has lost its connection, too: it may not have noticed yet, or be about to connect again.
  await expect.poll(() => publish(other, 'missed', 'replicated'), WAIT).toEqual({ stage: 'replicated' });
  expect(await publish(page, 'of its own', 'saved').then(() => subscribed(page))).toEqual([]);
  expect(await state()).toBe('waiting');
  await profile.context.setOffline(false);
  await flush(page);
  await expect.poll(() => fetched(page), WAIT).toEqual(await fetched(other));
});

test('nostr-sync/tauri without Tauri works in the page, and has its values again after a reload', async () => {
  const page = await (await device()).tab();
  const configure = (urls: readonly string[]): Promise<void> =>
    page.evaluate(
      ([relays, key]) => {
        const { configure: start, secretKeySigner } = window.app.tauri;
        start({ namespace: 'desk', relays, signer: secretKeySigner(key) });
      },
      [urls, KEY] as const,
    );
  await configure([relay.url]);
  const stage = (): Promise<string> =>
    page.evaluate(async () => (await window.app.tauri.publish('settings', 'dark')).stage);
  expect({ stage: await stage() }).toEqual(DELIVERED);
  await page.reload();
  await configure([]);
  const found = await page.evaluate(async () => window.app.tauri.fetch('settings'));
  expect(found).toMatchObject({ payload: 'dark', source: 'local' });
});

test('a policy of the page that forbids the connection is named', async () => {
  const page = await (await device()).tab();
  await page.evaluate(
    ([url, key]) => {
      const policy = document.createElement('meta');
      policy.httpEquiv = 'Content-Security-Policy';
      policy.content = "connect-src 'self'";
      document.head.append(policy);
      return window.app.start(url!, key!);
    },
    [relay.url, KEY],
  );
  const said = (): Promise<string | null | undefined> =>
    page.evaluate(async () => (await window.app.sync.getRelays())[0]?.lastError);
  await expect.poll(said, WAIT).toMatch(/Content-Security-Policy.*connect-src/);
});
