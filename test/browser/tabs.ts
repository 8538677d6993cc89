/** A site for all tests of a file, a relay for each of them, profiles with the app in their tabs, and what is asked of a tab. */

import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { NostrSync } from '../../src/browser.ts';
import { startRelay, type RunningRelay } from '../../src/testing/relay-server.ts';
import { startSite, type BrowserProfile, type Site, type Tab } from '../support/browser.ts';

export const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
export const WAIT = { timeout: 40_000, interval: 50 };
// The push of what one wrote oneself proves that the relay has it, and may come before its OK.
export const DELIVERED: unknown = { stage: expect.stringMatching(/^(delivered|replicated)$/) };

export let site: Site;
export let relay: RunningRelay;
const open: BrowserProfile[] = [];

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

/** Starts the relay again where it was, with what it had. */
export async function restartRelay(): Promise<void> {
  relay = await startRelay({ port: relay.port, relay: relay.relay });
}

/** Opens the profile, until the test ends. */
export async function opened<P extends BrowserProfile>(profile: P): Promise<P> {
  await profile.open();
  open.push(profile);
  return profile;
}

/** A new tab with an engine that is ready. */
export async function start<T extends Tab>(profile: BrowserProfile<T>): Promise<T> {
  const tab = await profile.tab();
  await tab.evaluate(([url, key]) => window.app.start(url!, key!), [relay.url, KEY]);
  await expect.poll(() => status(tab), WAIT).toMatchObject({ ready: true });
  return tab;
}

export const status = (tab: Tab): Promise<unknown> => tab.evaluate(() => window.app.sync.getStatus());
export const errors = (tab: Tab): Promise<string[]> => tab.evaluate(() => window.app.errors);
export const flush = (tab: Tab): Promise<void> => tab.evaluate(() => window.app.sync.flush());

export const publish = (
  tab: Tab,
  value: unknown,
  waitFor: 'saved' | 'delivered' | 'replicated',
): Promise<{ readonly stage: string } | { readonly code: string }> =>
  tab.evaluate(
    async ([payload, stage]) => {
      try {
        const { sync } = window.app as { sync: NostrSync };
        const receipt = await sync.publish('settings', payload, { waitFor: stage as 'saved' });
        return { stage: receipt.stage };
      } catch (error) {
        return { code: (error as { code?: string }).code ?? String(error) };
      }
    },
    [value, waitFor] as const,
  );

export const fetched = (tab: Tab): Promise<unknown> =>
  tab.evaluate(async () => {
    const result = await window.app.sync.fetch('settings');
    return [result?.payload, result?.source];
  });
