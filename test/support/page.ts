/** One static page in a real browser: a folder served on loopback under headers of its own, and a tab that shows it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { chromiumPath } from './chromium.ts';
import { startFirefox } from './firefox.ts';
import type { Tab } from './browser.ts';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css',
  js: 'text/javascript',
};

export interface StaticSite {
  readonly url: string;
  /** What was asked for, in order: the path, and all that the browser has sent with it. */
  readonly asked: readonly { readonly path: string; readonly sent: string }[];
  close(): Promise<void>;
}

/** Nothing but files, as any web server has them. */
export async function serveFolder(
  folder: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<StaticSite> {
  const asked: { readonly path: string; readonly sent: string }[] = [];
  const server = createServer(({ url = '/', headers: sent }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    asked.push({ path: pathname, sent: `${url} ${JSON.stringify(sent)}` });
    const file = pathname === '/' ? 'index.html' : pathname.slice(1);
    const type = TYPES[file.split('.').at(-1)!];
    if (type === undefined || file.includes('/')) return void response.writeHead(404).end();
    response.writeHead(200, { ...headers, 'content-type': type });
    response.end(readFileSync(join(folder, file)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface OpenPage {
  readonly tab: Tab;
  /** Of Chromium: with all that Playwright can do. */
  readonly page?: Page;
  close(): Promise<void>;
}

export async function openPage(browser: 'chromium' | 'firefox', url: string): Promise<OpenPage> {
  if (browser === 'chromium') {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const running = await chromium.launch({ executablePath: chromiumPath(), headless: true, args });
    const page = await running.newPage();
    await page.goto(url);
    return { tab: page, page, close: () => running.close() };
  }
  const profile = mkdtempSync(join(tmpdir(), 'nostr-sync-firefox-'));
  const running = await startFirefox(profile);
  return {
    tab: await running.tab(url),
    close: async () => {
      await running.end('close');
      rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}
