/** The components of examples/bindings, as their compilers make them: each shows the value, how it stands, and edits it. */

import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { compile as compileSvelte } from 'svelte/compiler';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileScript, parse } from 'vue/compiler-sfc';
import { createDouble, type Double } from './double.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'examples/bindings');
const CACHE = join(ROOT, 'node_modules/.cache');
let folder: string;

/** What compilers make of the other formats, and the handle of the test in the place of the app's own. */
const compilers: Plugin = {
  name: 'compilers',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\/settings$/ }, () => ({ path: 'settings', namespace: 'test' }));
    onLoad({ filter: /./, namespace: 'test' }, () => ({
      contents: 'export const settings = globalThis.settings',
    }));
    onResolve({ filter: /^nostr-sync\// }, ({ path }) => ({
      path: join(ROOT, `src/adapters/${path.split('/')[1]}.ts`),
    }));
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { js, warnings } = compileSvelte(await readFile(path, 'utf8'), { filename: basename(path) });
      expect(warnings).toEqual([]);
      return { contents: js.code };
    });
    onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor, errors } = parse(await readFile(path, 'utf8'));
      expect(errors).toEqual([]);
      return { contents: compileScript(descriptor, { id: 'settings', inlineTemplate: true }).content };
    });
  },
};

beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  folder = await mkdtemp(join(CACHE, 'nostr-sync-examples-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const STARTS = {
  'Settings.tsx': `import { createElement } from 'react'; import { createRoot } from 'react-dom/client'; import { flushSync } from 'react-dom';
    import { Settings } from './Settings.tsx';
    export default (to) => flushSync(() => createRoot(to).render(createElement(Settings)));`,
  'Settings.vue': `import { createApp } from 'vue'; import Settings from './Settings.vue';
    export default (to) => createApp(Settings).mount(to);`,
  'Settings.svelte': `import { mount } from 'svelte'; import Settings from './Settings.svelte';
    export default (target) => mount(Settings, { target });`,
};

async function start(name: keyof typeof STARTS, { state }: Double<any>): Promise<HTMLElement> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    stdin: { contents: STARTS[name], resolveDir: EXAMPLES },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    jsx: 'automatic',
    define: {
      'process.env.NODE_ENV': '"production"',
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
    },
    plugins: [compilers],
    logLevel: 'error',
  });
  Object.assign(globalThis, { settings: state });
  const { default: run } = await import(/* @vite-ignore */ outfile);
  const main = document.createElement('main');
  document.body.append(main);
  run(main);
  return main;
}
/** What follows of a change, in each framework. */
const turn = (): Promise<void> => new Promise((done) => setTimeout(done, 20));

test.each(Object.keys(STARTS) as (keyof typeof STARTS)[])('%s', async (name) => {
  const double = createDouble();
  const main = await start(name, double);
  await turn();
  const [form, input, small] = ['form', 'input', 'small'].map((tag) => main.querySelector(tag)!);
  const shown = (): unknown => [form!.className, (input as HTMLInputElement).value, small!.textContent];
  expect(shown()).toEqual(['light', '12', 'On this device']);
  double.arrive({ theme: 'dark' });
  double.tell({ status: 'synced' });
  await turn();
  expect(shown()).toEqual(['dark', '12', 'On all devices']);

  const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!;
  set!.call(input, '13');
  input!.dispatchEvent(new Event('input', { bubbles: true }));
  await turn();
  expect(double.edits).toEqual([{ size: 13 }]);
  expect(shown()).toEqual(['dark', '13', 'On all devices']);
});
