/** The first app of the README, in two windows of one browser. */

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveFolder, type StaticSite } from '../support/page.ts';
import { opened, relay, site, WAIT } from './tabs.ts';

const APP = join(import.meta.dirname, '../../examples/first-minutes/app.tsx');
const SOURCE = readFileSync(APP, 'utf8');

let folder: string;
let served: StaticSite;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nostr-sync-first-minutes-'));
  served = await serveFolder(folder);
});
afterAll(async () => {
  await served?.close();
  await rm(folder, { recursive: true });
});

/** The app as it stands, over the relay of this test. */
async function buildApp(): Promise<void> {
  const contents = SOURCE.replace('ws://localhost:7447', relay.url);
  await build({
    stdin: { contents, resolveDir: join(APP, '..'), loader: 'tsx' },
    ...{ outfile: join(folder, 'app.js'), bundle: true, format: 'esm', platform: 'browser' },
    ...{ target: 'es2023', conditions: ['browser'], jsx: 'automatic', logLevel: 'error' },
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const page = '<!doctype html><main id="app"></main><script type="module" src="app.js"></script>';
  await writeFile(join(folder, 'index.html'), page);
}

test('two windows are in sync, and a reload shows what was chosen', async () => {
  expect(SOURCE.trimEnd().split('\n').length).toBeLessThanOrEqual(25);
  await buildApp();
  const { context } = await opened(site.profile());
  const open = async (): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(served.url);
    return page;
  };
  const [one, other] = [await open(), await open()];
  const shown = (page: Page): Promise<string | null> => page.textContent('button');
  await expect.poll(() => shown(one), WAIT).toBe('light');
  await one.click('button');
  await expect.poll(() => shown(other), WAIT).toBe('dark');
  await other.click('button');
  await expect.poll(() => shown(one), WAIT).toBe('light');
  await one.click('button');
  await expect.poll(() => relay.relay.events().length, WAIT).toBe(1);
  await one.reload();
  await expect.poll(() => shown(one), WAIT).toBe('dark');
});
