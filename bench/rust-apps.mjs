/**
 * A small Tauri app without the plugin, with ours, and with the original (0.1.0-alpha.3, as published): its binary, what it takes in memory
 * and how long it takes to start. `BEFORE=FOLDER`: with ours as of the checkout in that folder, too, in which the engine ran in the page.
 * It needs what `npm run test:tauri` needs, and compiles for minutes.
 */

import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { cargo, TARGET } from '../scripts/cargo.mjs';
import { interleave, median, ms } from './support/harness.mjs';
import { startRelays } from './support/relays.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const TEMPLATE = join(import.meta.dirname, 'rust/app');
const EXAMPLE = 'examples/tauri-app/src-tauri';
const ROUNDS = 7;
/** After the page is there: what a start needs once is given back by then. */
const SETTLING_MS = 5_000;
const { BEFORE } = process.env;

/** What a page of an app that syncs does at its start. */
const subscribes = (source) =>
  `import { subscribe } from ${JSON.stringify(source)}; void subscribe(['settings'], ({ payload }) => void (document.title = JSON.stringify(payload)));`;
const FETCHES = `void window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|fetch', { request: { category: 'settings' } });`;

/** `checkout`: where ours comes from. */
const ours = (checkout) => ({
  plugin: { path: join(checkout, 'tauri-plugin') },
  lock: join(checkout, EXAMPLE, 'Cargo.lock'),
  page: subscribes(join(checkout, 'src/tauri.ts')),
});
const APPS = {
  none: { lock: join(ROOT, EXAMPLE, 'Cargo.lock'), page: '' },
  now: { ...ours(ROOT), permissions: ['nostr-sync:default', 'nostr-sync:read'] },
  original: {
    plugin: { version: '=0.1.0-alpha.3' },
    lock: join(import.meta.dirname, 'rust/original/Cargo.lock'),
    page: FETCHES,
    permissions: ['nostr-sync:default'],
  },
  ...(BEFORE && {
    before: { ...ours(resolve(BEFORE)), permissions: ['nostr-sync:default', 'nostr-sync:host'] },
  }),
};

const toml = (table) =>
  `{ ${Object.entries(table)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join(', ')} }`;

/** Writes the app, compiles it, and returns its binary. */
async function compile(name) {
  const { plugin, lock, page, permissions = [] } = APPS[name];
  const folder = join(TARGET, 'bench-apps', name);
  const write = (file, text) => {
    mkdirSync(join(folder, file, '..'), { recursive: true });
    // What is as it was is not compiled again.
    const isThere = statSync(join(folder, file), { throwIfNoEntry: false }) !== undefined;
    if (!isThere || readFileSync(join(folder, file), 'utf8') !== text)
      writeFileSync(join(folder, file), text);
  };
  const copy = (file, to) => write(to, readFileSync(join(TEMPLATE, file), 'utf8'));
  write(
    'Cargo.toml',
    [
      `[package]\nname = "bench-app-${name}"\nversion = "0.0.0"\nedition = "2024"\n`,
      '[dependencies]\ntauri = { version = "2.12", features = ["custom-protocol"] }',
      ...(plugin ? ['nostr = "0.44.8"', `tauri-plugin-nostr-sync = ${toml(plugin)}`] : []),
      '\n[build-dependencies]\ntauri-build = "2.7"\n\n[workspace]\n',
    ].join('\n'),
  );
  copy('main.rs', 'src/main.rs');
  copy(plugin ? 'with.rs' : 'without.rs', 'src/plugin.rs');
  for (const file of ['build.rs', 'tauri.conf.json']) copy(file, file);
  copy('index.html', 'dist/index.html');
  const capability = { identifier: 'main', windows: ['main'], permissions: ['core:default', ...permissions] };
  write('capabilities/main.json', JSON.stringify(capability));
  cpSync(join(ROOT, EXAMPLE, 'icons'), join(folder, 'icons'), { recursive: true });
  if (statSync(join(folder, 'Cargo.lock'), { throwIfNoEntry: false }) === undefined)
    cpSync(lock, join(folder, 'Cargo.lock'));
  const { outputFiles } = await build({
    stdin: { contents: page, resolveDir: ROOT },
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2023', write: false },
    ...{ conditions: ['browser', 'import'], nodePaths: [join(ROOT, 'node_modules')], logLevel: 'error' },
  });
  write('dist/page.js', outputFiles[0].text);
  if (cargo(`app ${name}`, ['build', '--release'], { cwd: folder }).status !== 0)
    throw new Error(`The app ${name} does not compile`);
  return join(TARGET, 'release', `bench-app-${name}`);
}

/** As it is given to users. */
function strippedSize(binary) {
  const stripped = `${binary}.stripped`;
  execFileSync('strip', ['-o', stripped, binary]);
  return statSync(stripped).size;
}

/** The process and all that it has started. */
function family(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

/** In bytes; what processes share counts once. `own`: without what is mapped of files, which other apps on the machine share, too. */
function memoryOf(pid) {
  const rollups = family(pid).map((one) => readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'));
  const sum = (name) =>
    rollups.reduce((all, text) => all + Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)[1]), 0);
  return { all: sum('Pss') * 1_024, own: sum('Pss_Anon') * 1_024 };
}

/** From the start of the process until its page is there; and then what it takes. */
async function start(binary, env) {
  const home = mkdtempSync(join(tmpdir(), 'nostr-sync-bench-'));
  const startedAt = performance.now();
  const child = spawn(binary, {
    env: {
      ...process.env,
      ...env,
      HOME: home,
      XDG_DATA_HOME: home,
      XDG_CACHE_HOME: home,
      XDG_CONFIG_HOME: home,
    },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const group = Number(child.pid);
  const exited = new Promise((resolveExit) => child.once('exit', resolveExit));
  try {
    await new Promise((resolveLoad, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => line === 'loaded' && resolveLoad());
      void exited.then((code) => reject(new Error(`${binary} ended with ${code}`)));
    });
    const startMs = performance.now() - startedAt;
    await sleep(SETTLING_MS);
    return { startMs, memory: memoryOf(group) };
  } finally {
    // With all that it has started.
    process.kill(-group, 'SIGKILL');
    await exited;
    // What it has started ends after it, and writes until then.
    await sleep(500);
    rmSync(home, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function startDisplay() {
  const args = ['-displayfd', '3', '-screen', '0', '1400x1000x24', '-nolisten', 'tcp'];
  const server = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const display = await new Promise((resolveDisplay, reject) => {
    server.once('error', reject);
    server.stdio[3].once('data', (data) => resolveDisplay(`:${String(data).trim()}`));
  });
  return { display, close: () => server.kill() };
}

const TITLES = { none: 'no plugin', original: 'the original', before: 'ours with the engine in the page' };
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const names = Object.keys(APPS);
  const binaries = {};
  for (const name of names) binaries[name] = await compile(name);
  const relays = await startRelays();
  const { display, close } = await startDisplay();
  const env = {
    BENCH_RELAY: relays.urls[0],
    BENCH_KEY: '6b911fd37cdf5c81d4c0adb1ab7fa822ed253ab0ad9aa18d77257c88b29b718e',
    ...{ DISPLAY: display, GDK_BACKEND: 'x11', DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' },
  };
  const taken = Object.fromEntries(names.map((name) => [name, []]));
  const cases = names.map((name) => [
    name,
    async () => {
      const started = await start(binaries[name], env);
      taken[name].push(started.memory);
      return started.startMs;
    },
  ]);
  const starts = await interleave(ROUNDS, Object.fromEntries(cases));
  close();
  await relays.close();
  const sizes = Object.fromEntries(names.map((name) => [name, strippedSize(binaries[name])]));
  // The first start of each is not counted, here as in its time.
  const memory = (part) =>
    Object.fromEntries(names.map((name) => [name, median(taken[name].slice(1).map((one) => one[part]))]));
  return Object.keys(TITLES)
    .filter((name) => names.includes(name))
    .flatMap((name) => {
      const row = (what, values, show) => ({
        name: `${what}, beside ${TITLES[name]}`,
        what: `an app with ours / the same with ${TITLES[name]}`,
        ratio: values.now / values[name],
        target: name === 'original' ? { atMost: 1 } : undefined,
        raw: `${show(values.now)} and ${show(values[name])}`,
      });
      return [
        row('binary', sizes, mb),
        row('memory', memory('all'), mb),
        row('memory of its own', memory('own'), mb),
        row('start', starts, ms),
      ];
    });
}
