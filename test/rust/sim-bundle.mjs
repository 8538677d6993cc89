/**
 * The simulator as one script for QuickJS, and the traces that the same histories have in Node:
 * `node test/rust/sim-bundle.mjs FOLDER FROM COUNT` writes `sim.js` and `traces.json`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '../..');
const HERE = import.meta.dirname;
const [folder, from, count] = process.argv.slice(2);

/** Puts files in the place of others. */
function instead(places) {
  return {
    name: 'instead',
    setup({ onResolve }) {
      for (const [filter, file] of places)
        onResolve({ filter }, ({ importer }) =>
          importer.startsWith(join(HERE, 'sim-')) ? undefined : { path: join(HERE, file) },
        );
    },
  };
}

const COMPRESSION = [/\/zlib-compression\.ts$/, 'sim-compression.ts'];

await build({
  entryPoints: [join(HERE, 'sim-quickjs.ts')],
  outfile: join(folder, 'sim.js'),
  bundle: true,
  format: 'iife',
  globalName: 'nostrSync',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['browser', 'import'],
  target: 'es2023',
  charset: 'ascii',
  logLevel: 'error',
  plugins: [
    instead([
      COMPRESSION,
      [/(\/src\/node|\/node-primitives)\.ts$/, 'sim-node.ts'],
      [/^node:(crypto|zlib)$/, 'sim-globals.ts'],
    ]),
  ],
});

// In the project, so that its packages are found.
const inProject = mkdtempSync(join(ROOT, 'node_modules/.rust-'));
try {
  const outfile = join(inProject, 'sim.mjs');
  const entryPoints = [join(HERE, 'sim.ts')];
  const plugins = [instead([COMPRESSION])];
  await build({
    entryPoints,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    plugins,
  });
  const { traces } = await import(pathToFileURL(outfile).href);
  writeFileSync(join(folder, 'traces.json'), JSON.stringify(await traces(Number(from), Number(count))));
} finally {
  rmSync(inProject, { recursive: true });
}
