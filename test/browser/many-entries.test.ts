/** An IndexedDB of 10,000 categories and 500 large values: what its opening costs, in time and in memory. */

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSite, type Profile, type Site, type Tab } from '../support/browser.ts';

const HEADS = 10_000;
const VALUES = 500;
const PIECES = 10;
/** Both as long as real ones, and no more compressible than these. */
const CHARS = { head: 1_500, piece: 40_000 };
const ALL_BYTES = HEADS * CHARS.head + VALUES * PIECES * CHARS.piece;

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site?.close());

/** Fills the store of a page, in steps that each end well within a browser's patience. */
async function fill(tab: Tab): Promise<void> {
  const steps = 50;
  for (let step = 0; step < steps; step++) {
    const [heads, values] = [HEADS, VALUES].map((count) => (count / steps) * step);
    await tab.evaluate(
      async ({ from, count, chars, pieces }) => {
        const text = (length: number): string => {
          const bytes = crypto.getRandomValues(new Uint8Array(Math.ceil((length * 3) / 4)));
          return btoa(String.fromCharCode(...bytes)).slice(0, length);
        };
        const entries = new Map<string, string>();
        for (let n = from.heads; n < from.heads + count.heads; n++)
          entries.set(`head/${n}`, text(chars.head));
        for (let n = from.values; n < from.values + count.values; n++)
          for (let i = 0; i < pieces; i++) entries.set(`piece/${n}/${i}`, text(chars.piece));
        const store = window.app.nostrSync.indexedDbStore('many');
        await store.update([], () => entries);
        await store.close();
      },
      {
        from: { heads: heads!, values: values! },
        count: { heads: HEADS / steps, values: VALUES / steps },
        chars: CHARS,
        pieces: PIECES,
      },
    );
  }
}

/** Lists the heads, as an engine does that starts, and keeps them; reads one piece. */
async function open(tab: Tab): Promise<{ ms: number; heads: number; piece: number | undefined }> {
  return tab.evaluate(async () => {
    const store = window.app.nostrSync.indexedDbStore('many');
    const startedAt = performance.now();
    const found = await store.list('head/');
    const ms = performance.now() - startedAt;
    const piece = await store.get('piece/499/9');
    Object.assign(window, { found });
    return { ms, heads: found.size, piece: piece?.length };
  });
}

test.each(['chromium', 'firefox'] as const)(
  '%s: a store of 10,000 heads and 500 large values opens by its heads alone',
  async (browser) => {
    const profile = site.profile(browser, { storageKb: 4_000_000 });
    await profile.open();
    const filling = await profile.tab();
    await fill(filling);
    await filling.close();
    const tab = await profile.tab();
    // Firefox tells nobody.
    const heap = async (): Promise<number> =>
      browser === 'chromium' ? heapBytes(profile as Profile, tab as Page) : Number.NaN;
    const before = await heap();
    const { ms, ...found } = await open(tab);
    const grown = (await heap()) - before;
    console.info(`${browser}: opened in ${ms.toFixed(0)} ms, heap grown by (MB)`, grown / 1e6);
    expect(found).toEqual({ heads: HEADS, piece: CHARS.piece });
    expect(ms).toBeLessThan(5_000);
    // Of 215 MB the heads are 15.
    if (browser === 'chromium') expect(grown).toBeLessThan(ALL_BYTES / 5);
    await profile.close();
  },
);

/** Without a collection: what the opening has left behind counts as well. */
async function heapBytes({ context }: Profile, tab: Page): Promise<number> {
  const session = await context.newCDPSession(tab);
  await session.send('Performance.enable');
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'JSHeapUsedSize')!.value;
}
