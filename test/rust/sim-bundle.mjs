/**
 * The simulator as one script for QuickJS, and the traces that the same histories have in Node:
 * `node test/rust/sim-bundle.mjs FOLDER FROM COUNT` writes `sim.js` and `traces.json`.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { bundleForQuickjs } from '../../scripts/quickjs-bundle.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const HERE = import.meta.dirname;
const HISTORIES_AT_ONCE = 10;
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

const script = await bundleForQuickjs('test/rust/sim-quickjs.ts', {
  plugins: [
    instead([
      COMPRESSION,
      [/(\/src\/node|\/node-primitives)\.ts$/, 'sim-node.ts'],
      [/^node:(crypto|zlib)$/, 'sim-globals.ts'],
    ]),
  ],
});
writeFileSync(join(folder, 'sim.js'), script);

/** On all cores: each takes the next histories when it is done with some. */
async function tracesOf(script, first, total) {
  const all = [];
  let next = first;
  const take = () => {
    const from = next;
    next = Math.min(from + HISTORIES_AT_ONCE, first + total);
    return { from, count: next - from };
  };
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      const worker = new Worker(join(HERE, 'sim-worker.mjs'), { workerData: pathToFileURL(script).href });
      for (let part = take(); part.count > 0; part = take()) {
        worker.postMessage(part);
        const [traces] = await once(worker, 'message');
        traces.forEach((trace, n) => void (all[part.from - first + n] = trace));
      }
      await worker.terminate();
    }),
  );
  return all;
}

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
  const all = await tracesOf(outfile, Number(from), Number(count));
  writeFileSync(join(folder, 'traces.json'), JSON.stringify(all));
} finally {
  rmSync(inProject, { recursive: true });
}
