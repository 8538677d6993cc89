/** The engine in real Chromium: IndexedDB, Web Locks, BroadcastChannel and sockets of the platform, over loopback. */

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startRelay, type RunningRelay } from '../../src/testing/relay-server.ts';
import { startSite, type Profile, type Site } from '../support/browser.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
// The push of what one wrote oneself proves that the relay has it, and may come before its OK.
const DELIVERED = /^(delivered|replicated)$/;
const WAIT = { timeout: 15_000, interval: 20 };

let site: Site;
let relay: RunningRelay;
const open: Profile[] = [];

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site?.close());
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((profile) => profile.close()));
  await relay.close();
});

async function device(): Promise<Profile> {
  const profile = site.profile();
  await profile.open();
  open.push(profile);
  return profile;
}

async function start(profile: Profile, { waitUntilReady = true } = {}): Promise<Page> {
  const page = await profile.tab();
  await page.evaluate(([url, key]) => window.app.start(url!, key!), [relay.url, KEY]);
  if (waitUntilReady) await expect.poll(() => status(page), WAIT).toMatchObject({ ready: true });
  return page;
}

const status = (page: Page): Promise<unknown> => page.evaluate(() => window.app.sync.getStatus());
const updated = (page: Page): Promise<unknown[]> => page.evaluate(() => window.app.updated);
const subscribed = (page: Page): Promise<unknown[]> => page.evaluate(() => window.app.subscribed);
const errors = (page: Page): Promise<string[]> => page.evaluate(() => window.app.errors);
const publish = (
  page: Page,
  payload: string,
  waitFor: 'saved' | 'delivered' | 'replicated',
): Promise<string> =>
  page.evaluate(
    async ([value, stage]) =>
      (await window.app.sync.publish('settings', value, { waitFor: stage as typeof waitFor })).stage,
    [payload, waitFor],
  );
const fetched = (page: Page): Promise<unknown> =>
  page.evaluate(async () => {
    const result = await window.app.sync.fetch('settings');
    return [result?.payload, result?.source];
  });

test('what a page publishes is pushed to a page of another device', async () => {
  const [laptop, phone] = await Promise.all([device(), device()]);
  const [one, two] = await Promise.all([start(laptop), start(phone)]);
  expect(await publish(one, 'dark', 'delivered')).toMatch(DELIVERED);
  await expect.poll(() => subscribed(two), WAIT).toEqual(['dark']);
  expect(await publish(two, 'light', 'replicated')).toBe('replicated');
  await expect.poll(() => subscribed(one), WAIT).toEqual(['light']);
  expect(await updated(one)).toEqual(['light']);
  const ids = await Promise.all(
    [one, two].map((page) => page.evaluate(async () => (await window.app.sync.getStatus()).deviceId)),
  );
  expect(ids[0]).not.toBe(ids[1]);
  expect(relay.relay.connections).toBe(2);
  expect([await errors(one), await errors(two)]).toEqual([[], []]);
});

test('two tabs have one connection; a leader that is closed or crashes is followed by the other, which delivers', async () => {
  const profile = await device();
  const first = await start(profile);
  const second = await start(profile);
  expect(relay.relay.connections).toBe(1);
  expect(await publish(second, 'from the follower', 'delivered')).toMatch(DELIVERED);
  await expect.poll(() => subscribed(first), WAIT).toEqual(['from the follower']);
  expect(await publish(first, 'from the leader', 'delivered')).toMatch(DELIVERED);
  await expect.poll(() => subscribed(second), WAIT).toEqual(['from the leader']);

  relay.relay.misbehave({ receive: (frame) => (frame[0] === 'EVENT' ? 'ignore' : undefined) });
  expect(await publish(second, 'while nothing goes out', 'saved')).toBe('saved');
  await first.close();
  relay.relay.behave();
  await second.evaluate(() => window.app.sync.flush());
  expect(relay.relay.connections).toBe(1);
  expect(await fetched(second)).toEqual(['while nothing goes out', 'relay']);

  const third = await start(profile);
  const crashed = second.waitForEvent('crash');
  void second.goto('chrome://crash').catch(() => undefined);
  await crashed;
  await expect.poll(() => relay.relay.connections, WAIT).toBe(1);
  expect(await publish(third, 'after the crash', 'replicated')).toBe('replicated');
  expect(await fetched(third)).toEqual(['after the crash', 'relay']);
  expect(await errors(third)).toEqual([]);
});

test('a browser killed right after a write was saved delivers it when it is started again', async () => {
  const profile = await device();
  const { port, relay: stored } = relay;
  const page = await start(profile);
  await publish(page, 'old', 'replicated');
  await relay.close();
  // In one turn of the page's event loop from `saved` to the end of the browser.
  expect(await publish(page, 'last words', 'saved')).toBe('saved');
  await profile.kill();
  relay = await startRelay({ port, relay: stored });
  await profile.open();
  const again = await start(profile);
  await again.evaluate(() => window.app.sync.flush());
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
    .toMatch(/1006/);
  await expect.poll(state, WAIT).toBe('waiting');
  await page.evaluate(() => window.app.freezeTimers());
  await expect.poll(() => status(other), WAIT).toMatchObject({ ready: true });
  await publish(other, 'missed', 'replicated');
  expect(await publish(page, 'of its own', 'saved').then(() => subscribed(page))).toEqual([]);
  expect(await state()).toBe('waiting');
  await profile.context.setOffline(false);
  await page.evaluate(() => window.app.sync.flush());
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
  expect(await stage()).toMatch(DELIVERED);
  await page.reload();
  await configure([]);
  const found = await page.evaluate(async () => window.app.tauri.fetch('settings'));
  expect(found).toMatchObject({ payload: 'dark', source: 'local' });
});
