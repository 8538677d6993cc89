/** The web app to copy, used as a person would: two browser profiles, from the first start to a conflict that is taken back. */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveFolder, type StaticSite } from '../support/page.ts';
import { copyExample, ROOT, type Example } from './example.ts';
import { scan } from './qr.ts';
import { opened, relay, restartRelay, site, WAIT } from './tabs.ts';

const EXAMPLE = join(ROOT, 'examples/web');

let example: Example;
let served: StaticSite;

beforeAll(async () => {
  example = copyExample('web');
  const { folder } = example;
  const run = (program: string, ...args: string[]): Buffer =>
    execFileSync(process.execPath, [join(ROOT, 'node_modules', program), ...args], { cwd: folder });
  run('typescript/bin/tsc', '--noEmit');
  run('vite/bin/vite.js', 'build', '--logLevel', 'error', '--assetsDir', '.');
  served = await serveFolder(join(folder, 'dist'));
});
afterAll(async () => {
  await served?.close();
  example?.remove();
});

/** What a page without syncing would not have. */
const ABOUT_SYNCING =
  /nostr-sync|sync\.ts|defineCategory|createNostrSync|\bsync\b|\bstate\b|useSync|identity|keyStore|namespace|relays|merge:|nsec|unlock|clashes/;
const SIZES = { laptop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;
const home = (): string => `${served.url}?relay=${encodeURIComponent(relay.url)}`;

async function start(device: keyof typeof SIZES, url: string): Promise<Page> {
  const { context } = await opened(site.profile());
  const page = await context.newPage();
  page.on('pageerror', (error) => expect.fail(String(error)));
  await page.setViewportSize(SIZES[device]);
  await page.goto(url);
  return page;
}

const list = (page: Page): Promise<string[]> => page.locator('li').allInnerTexts();
const badge = (page: Page): Promise<string | null> => page.textContent('.badge');
async function add(page: Page, text: string): Promise<void> {
  await page.getByLabel('What to buy').fill(text);
  await page.click('text="Add"');
}

/** A laptop with a list, and a phone that has joined by the picture. */
async function two(): Promise<{ laptop: Page; phone: Page }> {
  const laptop = await start('laptop', home());
  await laptop.click('text="Start a new list"');
  await add(laptop, 'Milk');
  await expect.poll(() => badge(laptop), WAIT).toBe('Online');
  await laptop.click('text="Add a device"');
  await laptop.waitForSelector('.qr svg');
  const phone = await start('phone', await scan(laptop, '.qr'));
  expect(phone.url()).not.toContain('nostrpair');
  const digits = await phone.locator('output').textContent();
  await laptop.getByLabel('What does it show?').fill(digits!);
  await laptop.click('text="Continue"');
  await phone.click('text="Join Computer"');
  await expect.poll(() => list(phone), WAIT).toEqual([expect.stringContaining('Milk')]);
  return { laptop, phone };
}
test('a second device joins, both edit offline, both have all of it, and what both chose can be taken back', async () => {
  const { laptop, phone } = await two();
  await relay.close();
  await expect.poll(() => badge(phone), WAIT).toContain('Offline');
  await add(laptop, 'Bread');
  await add(phone, 'Tea');
  await laptop.selectOption('select', 'dark');
  await expect.poll(() => badge(laptop), WAIT).toBe('Offline, 2 changes only on this device');
  await phone.selectOption('select', 'light');
  await expect.poll(() => badge(phone), WAIT).toBe('Offline, 2 changes only on this device');
  // What was only on a device is there after a reload.
  await laptop.reload();
  await expect.poll(() => list(laptop), WAIT).toHaveLength(2);
  await restartRelay();
  for (const page of [laptop, phone])
    await expect
      .poll(async () => (await list(page)).map((one) => one.split('\n')[0]).sort(), WAIT)
      .toEqual(['Bread', 'Milk', 'Tea']);
  // Told by the device that has merged: that of the older one, unless it was slow.
  const alerts = [laptop, phone].map((page) => page.getByRole('alert').filter({ hasText: 'changed theme' }));
  const alert = await Promise.any(alerts.map(async (one) => one.waitFor().then(() => one)));
  const shown = await laptop.locator('select').inputValue();
  const other = shown === 'dark' ? 'light' : 'dark';
  await alert.getByRole('button', { name: `Use ${other}` }).click();
  for (const page of [laptop, phone])
    await expect.poll(() => page.locator('select').inputValue(), WAIT).toBe(other);
  await alert.waitFor({ state: 'detached' });
  // Another tab shows the same, and what is undone is undone on both devices.
  const tab = await laptop.context().newPage();
  await tab.goto(home());
  await expect.poll(() => list(tab), WAIT).toHaveLength(3);
  await add(tab, 'Salt');
  await expect.poll(() => list(phone), WAIT).toHaveLength(4);
  await tab.click('text="Undo"');
  await expect.poll(() => list(phone), WAIT).toHaveLength(3);
});

test('it has at most 250 lines that are not empty, and its README says how many are about syncing', () => {
  const sources = readdirSync(join(EXAMPLE, 'src')).filter((name) => /\.tsx?$/.test(name));
  const lines = sources.flatMap((name) => readFileSync(join(EXAMPLE, 'src', name), 'utf8').split('\n'));
  expect(sources.length).toBeGreaterThan(4);
  const full = (all: readonly string[]): number => all.filter((line) => line.trim() !== '').length;
  expect(full(lines)).toBeLessThanOrEqual(250);
  const syncing = lines.filter((line) => ABOUT_SYNCING.test(line));
  const words = `${full(lines)} lines that are not empty, of which ${full(syncing)} are about syncing`;
  expect(readFileSync(join(EXAMPLE, 'README.md'), 'utf8').replaceAll(/\s+/g, ' ')).toContain(words);
});
