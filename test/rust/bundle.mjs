/** Bundles what the crate's tests run in QuickJS: `node test/rust/bundle.mjs FILE`. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { bundleForQuickjs } from '../../scripts/quickjs-bundle.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const HERE = import.meta.dirname;

/** What Node says, by its own ports. */
async function expected() {
  // In the project, so that its packages are found.
  const folder = mkdtempSync(join(ROOT, 'node_modules/.rust-'));
  try {
    const outfile = join(folder, 'expected.mjs');
    const entryPoints = [join(HERE, 'expected.ts')];
    await build({
      entryPoints,
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    });
    const { expectedOfNode } = await import(pathToFileURL(outfile).href);
    return await expectedOfNode(readFileSync(join(ROOT, 'test/vectors/bip340-test-vectors.csv'), 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const script = await bundleForQuickjs('test/rust/conformance.ts', {
  define: { EXPECTED: JSON.stringify(await expected()) },
});
writeFileSync(process.argv[2], script);
