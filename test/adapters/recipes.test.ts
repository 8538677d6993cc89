/** The recipes of docs/ADAPTERS.md do what they are for. That they compile, and run, is seen where all documents are tested. */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { extractBlocks } from '../support/docs/markdown.ts';
import { createDouble, type Double } from './double.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const CACHE = join(ROOT, 'node_modules/.cache');
/** By heading, the module and what it is made for. */
const recipes: Record<string, any> = {};
let folder: string;

/** Each recipe in a bundle with the library, as it is for pages: Solid's for servers follows nothing. */
beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  folder = await mkdtemp(join(CACHE, 'nostr-sync-recipes-'));
  const [, text] = (await readFile(join(ROOT, 'docs/ADAPTERS.md'), 'utf8')).split('## Recipes');
  for (const section of text!.split('\n### ').slice(1)) {
    const [block] = extractBlocks(section);
    const name = section.split('\n')[0]!;
    const library = /from '((?!nostr-sync)[^']+)'/.exec(block!.code)![1]!;
    const file = join(folder, `${library.replaceAll(/\W/g, '-')}.ts`);
    await writeFile(file, `${block!.code}\nexport * as library from '${library}';\n`);
    await build({
      entryPoints: [file],
      outfile: file.replace('.ts', '.mjs'),
      bundle: true,
      format: 'esm',
      platform: 'node',
      conditions: ['browser'],
      logLevel: 'warning',
    });
    recipes[name] = await import(/* @vite-ignore */ file.replace('.ts', '.mjs'));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Shown: what a subscriber has been given, the newest last. */
async function follows(double: Double<any>, shown: unknown[], end: () => void): Promise<void> {
  expect(double.listeners()).toBe(1);
  double.arrive({ theme: 'dark' });
  double.arrive({ size: 20 });
  expect(shown.at(-1)).toBe(double.state.get());
  end();
  await new Promise((done) => setTimeout(done, 0));
  expect(double.edits).toEqual([]);
}

test('jotai', async () => {
  const { toAtom, library } = recipes['jotai'];
  const double = createDouble();
  const atom = toAtom(double.state);
  const store = library.createStore();
  expect(store.get(atom)).toBe(double.state.initial);
  expect(double.opened).toEqual([]);
  const shown: unknown[] = [];
  const end = store.sub(atom, () => shown.push(store.get(atom)));
  await follows(double, shown, end);
  expect(double.listeners()).toBe(0);
  await store.set(atom, { size: 13 });
  expect(double.edits).toEqual([{ size: 13 }]);
});

test('nanostores', async () => {
  const { toStore, library } = recipes['nanostores'];
  const double = createDouble();
  const store = toStore(double.state);
  expect(double.opened).toEqual([]);
  const shown: unknown[] = [];
  await follows(
    double,
    shown,
    store.subscribe((value: unknown) => shown.push(value)),
  );
  // It waits a second for another one to come.
  library.cleanStores(store);
  expect(double.listeners()).toBe(0);
});

test('signals of Preact', async () => {
  const { toSignal, library } = recipes['Signals of Preact'];
  const double = createDouble();
  const signal = toSignal(double.state);
  expect(double.opened).toEqual([]);
  const shown: unknown[] = [];
  await follows(
    double,
    shown,
    library.effect(() => void shown.push(signal.value)),
  );
  expect(double.listeners()).toBe(0);
});

test('Solid', async () => {
  const { useReadable, library } = recipes['Solid'];
  const double = createDouble();
  const shown: unknown[] = [];
  const end = library.createRoot((dispose: () => void) => {
    const value = useReadable(double.state);
    library.createEffect(() => shown.push(value()));
    return dispose;
  });
  await follows(double, shown, end);
  expect(double.listeners()).toBe(0);
});

test('TanStack Query', async () => {
  const { syncQuery, library } = recipes['TanStack Query'];
  const double = createDouble();
  const client = new library.QueryClient();
  const stop = syncQuery(client, double.state);
  const shown: unknown[] = [];
  const observer = new library.QueryObserver(client, { queryKey: ['settings'] });
  const end = observer.subscribe(({ data }: { data: unknown }) => shown.push(data));
  expect(observer.getCurrentResult().isPending).toBe(true);
  double.becomeReady();
  await new Promise((done) => setTimeout(done, 20));
  expect(shown.at(-1)).toBe(double.state.get());
  double.arrive({ theme: 'dark' });
  await new Promise((done) => setTimeout(done, 20));
  expect(shown.at(-1)).toMatchObject({ theme: 'dark' });
  await new library.MutationObserver(client, { mutationFn: double.state.update }).mutate({ size: 13 });
  await new Promise((done) => setTimeout(done, 20));
  expect(shown.at(-1)).toMatchObject({ theme: 'dark', size: 13 });
  end();
  stop();
  expect(double.listeners()).toBe(0);
  client.clear();
});
