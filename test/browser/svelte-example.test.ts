/** The settings of the Svelte example, in two windows. */

import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { compile } from 'svelte/compiler';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveFolder, type StaticSite } from '../support/page.ts';
import { copyExample, type Example } from './example.ts';
import { opened, relay, site, WAIT } from './tabs.ts';

let example: Example;
let served: StaticSite;
beforeAll(async () => {
  example = copyExample('web-svelte');
  const folder = join(example.folder, 'dist');
  await build({
    entryPoints: [join(example.folder, 'src/main.ts')],
    ...{ outfile: join(folder, 'app.js'), bundle: true, format: 'esm', platform: 'browser' },
    ...{ target: 'es2023', conditions: ['browser'], logLevel: 'error' },
    plugins: [
      {
        name: 'svelte',
        setup: ({ onLoad }) =>
          onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
            const source = await readFile(path, 'utf8');
            const { js, warnings } = compile(source, { filename: basename(path), css: 'injected' });
            expect(warnings).toEqual([]);
            return { contents: js.code, loader: 'ts' };
          }),
      },
    ],
  });
  const page = '<!doctype html><body><script type="module" src="app.js"></script></body>';
  await writeFile(join(folder, 'index.html'), page);
  served = await serveFolder(folder);
});
afterAll(async () => {
  await served?.close();
  example?.remove();
});

test('what one window sets, the other shows, and a relay has it', async () => {
  const { context } = await opened(site.profile());
  const open = async (): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(`${served.url}?relay=${encodeURIComponent(relay.url)}`);
    await page.waitForSelector('select');
    return page;
  };
  const [one, other] = [await open(), await open()];
  await one.selectOption('select', 'dark');
  await expect.poll(() => other.inputValue('select'), WAIT).toBe('dark');
  await other.locator('input').fill('20');
  await expect.poll(() => one.inputValue('input'), WAIT).toBe('20');
  expect(await one.evaluate(() => document.documentElement.style.cssText)).toBe(
    'color-scheme: dark; font-size: 20px;',
  );
  await expect.poll(() => one.textContent('[role=status]'), WAIT).toBe('Online');
  await expect.poll(() => relay.relay.events().length, WAIT).toBe(1);
});
