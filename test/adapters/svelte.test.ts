/** `nostr-sync/svelte`, in components that its compiler makes for pages and for servers. */

import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SyncStatus } from '../../src/sync/status.ts';
import { createDouble, DEFAULTS, type Double } from './double.ts';

const HERE = import.meta.dirname;
const ROOT = resolve(HERE, '../..');
const SVELTE = process.env['ADAPTERS'] === 'oldest' ? join(HERE, 'oldest') : ROOT;
/** Node itself loads what lies there. */
const CACHE = join(ROOT, 'node_modules/.cache');

let folder: string;
let page: any;
let server: any;
/** What Svelte said. Each test ends with nothing. */
let complaints: unknown[][];

/** Components, compiled by the version under test, which everything else finds, too. */
function svelte(generate: 'client' | 'server', compile: (source: string, options: object) => any): Plugin {
  return {
    name: 'svelte',
    setup({ onLoad, onResolve, resolve: find }) {
      onResolve({ filter: /^(svelte|esm-env)(\/|$)/ }, ({ path, pluginData, kind, importer }) =>
        pluginData === 'found' || importer.includes('node_modules')
          ? undefined
          : find(path, { kind, resolveDir: SVELTE, pluginData: 'found' }),
      );
      onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
        const { js, warnings } = compile(await readFile(path, 'utf8'), {
          generate,
          filename: basename(path),
          dev: true,
        });
        expect(warnings).toEqual([]);
        return { contents: js.code, loader: 'js' };
      });
    },
  };
}

beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  folder = await mkdtemp(join(CACHE, 'nostr-sync-svelte-'));
  const compiler = createRequire(join(SVELTE, 'package.json')).resolve('svelte/compiler');
  const { compile, VERSION } = await import(pathToFileURL(compiler).href);
  expect(VERSION).toBe(
    JSON.parse(await readFile(join(SVELTE, 'node_modules/svelte/package.json'), 'utf8')).version,
  );
  const bundle = async (name: string, generate: 'client' | 'server', conditions: string[]): Promise<any> => {
    const outfile = join(folder, `${name}.mjs`);
    await build({
      entryPoints: [join(HERE, 'svelte', `${name}.js`)],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      conditions,
      plugins: [svelte(generate, compile)],
      logLevel: 'warning',
    });
    return import(/* @vite-ignore */ pathToFileURL(outfile).href);
  };
  page = await bundle('page', 'client', ['browser', 'development']);
  server = await bundle('server', 'server', ['development']);
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const mounted: object[] = [];
beforeEach(() => {
  complaints = [];
  for (const level of ['error', 'warn'] as const)
    vi.spyOn(console, level).mockImplementation((...words) => void complaints.push(words));
});
afterEach(async () => {
  for (const component of mounted.splice(0)) page.unmount(component);
  vi.restoreAllMocks();
  document.body.replaceChildren();
  expect(complaints).toEqual([]);
});

/** Of an engine: its status. */
function createStatusSource() {
  const listeners = new Set<(status: SyncStatus) => void>();
  return {
    listeners,
    on: (_: 'status', listener: (status: SyncStatus) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

interface Shown {
  readonly component: object;
  readonly rendered: [name: string, value: unknown][];
  readonly sync: ReturnType<typeof createStatusSource>;
}

/** `html`: what a server has rendered. */
async function show({ state }: Double<any>, html?: string): Promise<Shown> {
  const target = document.createElement('main');
  document.body.append(target);
  target.innerHTML = html ?? '';
  const rendered: [string, unknown][] = [];
  const sync = createStatusSource();
  const props = {
    state,
    sync,
    rendered: (name: string, value: unknown) => void rendered.push([name, value]),
  };
  const component = (html === undefined ? page.mount : page.hydrate)(page.Theme, { target, props });
  mounted.push(component);
  await settle();
  return { component, rendered, sync };
}
/** The turn in which a page is taken over, and effects. */
async function settle(): Promise<void> {
  await Promise.resolve();
  page.flushSync();
  await new Promise((done) => queueMicrotask(() => done(undefined)));
  page.flushSync();
}
const text = (): string => document.querySelector('p')!.textContent;

describe('in a component', () => {
  test('a value is shown, by runes and as a store, and each change of it, and of how it stands', async () => {
    const double = createDouble();
    await show(double);
    expect(text()).toBe('light loading 12');
    double.tell({ status: 'synced' });
    double.arrive({ theme: 'dark', size: 20 });
    await settle();
    expect(text()).toBe('dark synced 20');
  });

  test('it is edited', async () => {
    const double = createDouble();
    await show(double);
    document.querySelector('button')!.click();
    await settle();
    expect(text()).toBe('light loading 13');
    expect(double.edits).toEqual([{ size: 13 }]);
  });

  test('each of what it reads has one listener as long as it is mounted, and none after', async () => {
    const double = createDouble();
    const { component, sync } = await show(double);
    expect([double.listeners(), sync.listeners.size]).toEqual([2, 1]);
    page.unmount(mounted.pop() ?? component);
    await settle();
    expect([double.listeners(), sync.listeners.size]).toEqual([0, 0]);
  });

  test('what is derived of it runs again when that part changes, and not with the rest', async () => {
    const double = createDouble();
    const { rendered } = await show(double);
    const count = (name: string): number => rendered.filter(([effect]) => effect === name).length;
    expect([count('theme'), count('panes')]).toEqual([1, 1]);
    double.arrive({ size: 20, panes: { left: ['files'], right: [] } });
    await settle();
    expect(count('panes')).toBe(1);
    double.arrive({ panes: { left: [], right: [] } });
    await settle();
    expect(count('panes')).toBe(2);
  });

  test('the status of an engine is shown', async () => {
    const { sync } = await show(createDouble());
    expect(document.querySelector('i')!.textContent).toBe('unknown');
    for (const listener of sync.listeners) listener({ pendingChanges: 2 } as SyncStatus);
    await settle();
    expect(document.querySelector('i')!.textContent).toBe('2');
  });
});

describe('on a server', () => {
  const render = ({ state }: Double<any>): string =>
    server.render(server.Theme, { props: { state, sync: createStatusSource(), rendered: () => undefined } })
      .body;

  test('nothing is started', () => {
    const double = createDouble();
    expect(render(double)).toContain('light loading 12');
    expect(double.opened).toEqual([]);
  });

  test('what it has rendered is taken over without a word, before the value is shown', async () => {
    const double = createDouble<any>({ ...DEFAULTS, nickname: '/default.png' });
    const html = render(double);
    double.arrive({ theme: 'dark', nickname: '/own.png' });
    double.tell({ status: 'synced' });
    await show(double, html);
    expect(text()).toBe('dark synced 12');
    expect(document.querySelector('p')!.title).toBe('dark');
    // Svelte keeps a `src` that differs while it takes over.
    expect(document.querySelector('img')!.getAttribute('src')).toBe('/own.png');
  });
});

describe('outside of effects', () => {
  test('`current` is what the handle has, and listens to nothing', () => {
    const double = createDouble();
    double.arrive({ theme: 'dark' });
    const settings = page.live(double.state);
    expect(settings.current.theme).toBe('dark');
    expect(double.opened).toEqual([]);
  });

  test('`subscribe` keeps the contract of stores: the value at once, then each change until the end', async () => {
    const double = createDouble();
    const seen: unknown[] = [];
    const stop = page.live(double.state).subscribe((value: any) => seen.push(value.theme));
    expect(seen).toEqual(['light']);
    double.arrive({ theme: 'dark' });
    await settle();
    stop();
    await settle();
    double.arrive({ theme: 'light' });
    await settle();
    expect(seen).toEqual(['light', 'dark']);
    expect(double.listeners()).toBe(0);
  });
});
