/**
 * What a browser loads: each entry of the package, and the same small app (`apps/`: one setting with a button, kept on the device and synced) on
 * this library and on others, bundled by the same esbuild, minified, gzip. Each app is tried in Chromium, where it reaches nothing but a port
 * of this computer.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { startBrowser } from './support/browser.mjs';
import { assertEqual } from './support/harness.mjs';

const ROOT = join(import.meta.dirname, '..');
const PEERS = join(import.meta.dirname, 'peers');
const MODULES = join(PEERS, 'node_modules');
const { exports } = createRequire(import.meta.url)('../package.json');

/** Beside the app itself, what it loads by address: that is no import, and a bundler leaves it where it is. */
const APPS = {
  'nostr-sync': {},
  evolu: {
    entries: ['@evolu/web/dist/src/local-first/Db.worker.js'],
    files: ['@evolu/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm'],
  },
  jazz: {},
  tinybase: {},
  remotestorage: {},
};
const TITLES = {
  evolu: 'Evolu',
  jazz: 'Jazz',
  tinybase: 'TinyBase, not encrypted',
  remotestorage: 'remoteStorage, not encrypted',
};

/** The others have a package of their own: they are many times as much as all that the rest of this repository needs. */
function install() {
  const lock = join(MODULES, '.package-lock.json');
  const wanted = JSON.parse(readFileSync(join(PEERS, 'package.json'), 'utf8')).dependencies;
  const has = existsSync(lock) ? JSON.parse(readFileSync(lock, 'utf8')).packages : {};
  if (Object.entries(wanted).every(([name, version]) => has[`node_modules/${name}`]?.version === version))
    return;
  const npm = process.env['npm_execpath'];
  if (npm === undefined) throw new Error('Run this by `npm run bench`.');
  // Not `npm ci`: that wants the optional binaries of other systems in the lock, which the registry does not have.
  const args = [
    npm,
    'install',
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const { status } = spawnSync(process.execPath, args, {
    cwd: PEERS,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`npm install in ${PEERS} ended with ${status}`);
}

const OPTIONS = {
  ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2023' },
  ...{ conditions: ['browser', 'import'], legalComments: 'none', logLevel: 'error', nodePaths: [MODULES] },
  define: { 'process.env.NODE_ENV': '"production"' },
};

/** Builds an app, and returns the bytes that a browser has to load for it. */
async function sizeOf(name, folder) {
  const { entries = [], files = [] } = APPS[name];
  await build({
    ...OPTIONS,
    entryPoints: [
      join(import.meta.dirname, 'apps', `${name}.mjs`),
      ...entries.map((entry) => join(MODULES, entry)),
    ],
    ...{ entryNames: '[name]', outdir: folder },
  });
  for (const file of files) copyFileSync(join(MODULES, file), join(folder, file.split('/').at(-1)));
  const sizes = { script: 0, wasm: 0 };
  for (const file of readdirSync(folder)) {
    const { length } = gzipSync(readFileSync(join(folder, file)), { level: 9 });
    sizes[file.endsWith('.wasm') ? 'wasm' : 'script'] += length;
  }
  return sizes;
}

/** It shows the setting, takes a click, and has kept it after a reload; with no relay or server to be found. */
async function tryOut(name, browser) {
  const { page, elsewhere } = await browser.open(name);
  const shows = (theme) =>
    page.waitForFunction((wanted) => document.querySelector('button')?.textContent === wanted, theme);
  await shows('light');
  await page.click('button');
  await shows('dark');
  await page.waitForTimeout(1_000);
  await page.reload();
  await shows('dark');
  await page.context().close();
  assertEqual(elsewhere.join(), '', `requests of ${name}`);
}

/** Each entry for browsers alone, without the framework that it binds. */
async function entrySizes() {
  const names = Object.entries(exports).filter(
    ([path, target]) => typeof target === 'object' && !path.startsWith('./file-'),
  );
  const sizes = await Promise.all(
    names.map(async ([path]) => {
      const { outputFiles } = await build({
        ...OPTIONS,
        stdin: { contents: `export * from '${path.replace('.', 'nostr-sync')}';`, resolveDir: ROOT },
        ...{
          write: false,
          external: ['react', 'vue', 'svelte', 'svelte/*', 'zustand', 'pinia', '@tauri-apps/*'],
        },
      });
      return [path.replace('.', 'nostr-sync'), gzipSync(outputFiles[0].contents, { level: 9 }).length];
    }),
  );
  return Object.fromEntries(sizes);
}

const kb = (bytes) => `${(bytes / 1_000).toFixed(1)} KB`;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  install();
  const browser = await startBrowser();
  const sizes = {};
  try {
    for (const name of Object.keys(APPS)) {
      sizes[name] = await sizeOf(name, join(browser.folder, name));
      await tryOut(name, browser);
    }
  } finally {
    await browser.close();
  }
  const all = ({ script, wasm }) => script + wasm;
  const own = all(sizes['nostr-sync']);
  const entries = await entrySizes();
  const whole = entries['nostr-sync'];
  return [
    ...Object.entries(TITLES).map(([name, title]) => ({
      name: `a whole small app, ${title}`,
      what: 'gzip of the app on nostr-sync / of the same on the other',
      ratio: own / all(sizes[name]),
      target: undefined,
      raw:
        `${kb(own)} and ${kb(all(sizes[name]))}` +
        (sizes[name].wasm > 0 ? `, of which ${kb(sizes[name].wasm)} WebAssembly` : ''),
    })),
    ...Object.entries(entries)
      .filter(([name]) => name !== 'nostr-sync')
      .map(([name, size]) => ({
        name,
        what: 'gzip of the entry with all that it needs / of nostr-sync with all of its exports',
        ratio: size / whole,
        target: undefined,
        raw: `${kb(size)} and ${kb(whole)}`,
      })),
  ];
}
