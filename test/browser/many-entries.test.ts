/** An IndexedDB of 10,000 categories and 500 large values: what its opening costs. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { startSite, type Site } from '../support/browser.ts';

let site: Site;
let page: Page;

beforeAll(async () => {
  site = await startSite();
  const profile = site.profile();
  await profile.open();
  page = await profile.tab();
});
afterAll(() => site?.close());

test('a store of 10,000 heads and 500 large values opens by its heads alone', async () => {
  const { ms, heads, piece } = await page.evaluate(async () => {
    const filling = window.app.nostrSync.indexedDbStore('many');
    const head = 'x'.repeat(1_500);
    for (let n = 0; n < 10_000; n += 500)
      await filling.update([], () => new Map(Array.from({ length: 500 }, (_, i) => [`head/${n + i}`, head])));
    const text = 'y'.repeat(40_000);
    for (let n = 0; n < 500; n += 10)
      await filling.update(
        [],
        () =>
          new Map(Array.from({ length: 100 }, (_, i) => [`piece/${n + Math.floor(i / 10)}/${i % 10}`, text])),
      );
    await filling.close();
    const store = window.app.nostrSync.indexedDbStore('many');
    const startedAt = performance.now();
    const found = await store.list('head/');
    const ms = performance.now() - startedAt;
    const piece = await store.get('piece/499/9');
    await store.close();
    return { ms, heads: found.size, piece: piece?.length };
  });
  console.info(`opened in ${ms.toFixed(0)} ms`);
  expect({ heads, piece }).toEqual({ heads: 10_000, piece: 40_000 });
  expect(ms).toBeLessThan(5_000);
});
