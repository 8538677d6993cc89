/** Real browsers for tests: pages with the built package, and profiles that outlive the browser that had them open. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { chromiumPath } from './chromium.ts';
import { startFirefox, type Firefox } from './firefox.ts';

const ROOT = join(import.meta.dirname, '../..');
const CHROMIUM_ARGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type Tab = Pick<Page, 'evaluate' | 'close'>;

/** A profile of a browser: one device. */
export interface BrowserProfile<T extends Tab = Tab> {
  /** Starts the browser on it; not while it is running. */
  open(): Promise<void>;
  /** A new tab with the app. */
  tab(): Promise<T>;
  /** SIGKILL to the whole browser: nothing is flushed, nobody says goodbye. */
  kill(): Promise<void>;
  close(): Promise<void>;
  /** Lets the site store no more than this many bytes, or than the least that the browser knows. */
  limitStorage(tab: T, bytes: number): Promise<void>;
  /** Takes away what the site has stored, as a person who clears it. */
  clearStorage(tab: T): Promise<void>;
  /** Freezes the tab, or with it the whole browser; returns the function that thaws it. */
  freeze(tab: T): Promise<() => Promise<void>>;
}

/** Of Chromium, with all that Playwright can do. */
export interface Profile extends BrowserProfile<Page> {
  readonly context: BrowserContext;
  /** All that the browser keeps of it. */
  readonly folder: string;
}

export interface ProfileOptions {
  /** In Firefox: what all sites of the profile may store; a site has a fifth of it. Little by default. */
  readonly storageKb?: number;
}

export interface Site {
  readonly url: string;
  /** A new, empty profile, not yet open. */
  profile(): Profile;
  profile(browser: 'chromium' | 'firefox', options?: ProfileOptions): BrowserProfile;
  /** Ends every browser and removes every profile. */
  close(): Promise<void>;
}

/** Serves a page with `test/browser/page.ts`, bundled as an app would from what `npm run build` left in `dist`. */
export async function startSite(): Promise<Site> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'test/browser/page.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    conditions: ['browser'],
    logLevel: 'error',
  });
  const script = outputFiles[0]!.text;
  const server = createServer((request, response) => {
    const isScript = request.url === '/app.js';
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8' });
    response.end(
      isScript ? script : '<!doctype html><title>app</title><script type=module src=/app.js></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const folder = mkdtempSync(join(tmpdir(), 'nostr-sync-browser-'));
  const profiles: { close(): Promise<void> }[] = [];

  function profile(): Profile;
  function profile(browser: 'chromium' | 'firefox', options?: ProfileOptions): BrowserProfile;
  function profile(browser = 'chromium', options: ProfileOptions = {}): BrowserProfile {
    const empty = mkdtempSync(join(folder, 'profile-'));
    const made =
      browser === 'firefox' ? createFirefoxProfile(url, empty, options) : createProfile(url, empty);
    profiles.push(made);
    return made;
  }

  return {
    url,
    profile,
    close: async () => {
      await Promise.all(profiles.map((made) => made.close()));
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

function createProfile(url: string, folder: string): Profile {
  let context: BrowserContext | undefined;

  function running(): BrowserContext {
    if (context === undefined) throw new Error('The profile is not open');
    return context;
  }

  async function close(): Promise<void> {
    await context?.close();
    context = undefined;
  }

  return {
    folder,
    open: async () => {
      context = await chromium.launchPersistentContext(folder, {
        executablePath: chromiumPath(),
        headless: true,
        args: CHROMIUM_ARGS,
        timeout: 30_000,
      });
    },
    get context() {
      return running();
    },
    tab: async () => {
      const page = await running().newPage();
      await page.goto(url);
      await page.waitForFunction(() => window.app !== undefined);
      return page;
    },
    kill: async () => {
      const closed = new Promise((resolve) => running().once('close', resolve));
      process.kill(browserPid(folder), 'SIGKILL');
      await closed;
      context = undefined;
    },
    close,
    limitStorage: async (tab, quotaSize) => {
      const session = await running().newCDPSession(tab);
      await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(url).origin, quotaSize });
    },
    clearStorage: async (tab) => {
      const session = await running().newCDPSession(tab);
      const { origin } = new URL(url);
      await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' });
    },
    freeze: async (tab) => {
      const session = await running().newCDPSession(tab);
      await session.send('Page.setWebLifecycleState', { state: 'frozen' });
      return async () => void (await session.send('Page.setWebLifecycleState', { state: 'active' }));
    },
  };
}

function createFirefoxProfile(url: string, folder: string, { storageKb }: ProfileOptions): BrowserProfile {
  let firefox: Firefox | undefined;

  async function end(how: 'kill' | 'close'): Promise<void> {
    await firefox?.end(how);
    firefox = undefined;
  }

  return {
    open: async () => {
      firefox = await startFirefox(folder, storageKb);
    },
    tab: async () => {
      const tab = await firefox!.tab(url);
      while (!(await tab.evaluate(() => window.app !== undefined)));
      return tab;
    },
    kill: () => end('kill'),
    close: () => end('close'),
    // Set for the profile: see `startFirefox`.
    limitStorage: async () => undefined,
    clearStorage: (tab) => tab.evaluate(() => window.app.clearStorage()),
    freeze: async () => {
      firefox!.signal('SIGSTOP');
      return async () => firefox!.signal('SIGCONT');
    },
  };
}

/** The main process of the browser on this profile: no other has its folder on its command line and no type. */
function browserPid(folder: string): number {
  const pids = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return args.includes(`--user-data-dir=${folder}`) && !args.some((arg) => arg.startsWith('--type='));
    } catch {
      return false;
    }
  });
  if (pids.length !== 1) throw new Error(`Expected one browser on ${folder}, found ${pids.length}`);
  return Number(pids[0]);
}
