/**
 * The engine for the crate `nostr-sync`: one script of `src/embedded.ts`, for QuickJS. It is committed, so that no user of the crate
 * needs Node. Without an argument it is written; with `--check` it fails if what is committed is not what the sources give.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { nativeHash } from './native-hash.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'crates/nostr-sync/engine');

const { outputFiles } = await build({
  entryPoints: [join(ROOT, 'src/embedded.ts')],
  outfile: join(FOLDER, 'engine.js'),
  absWorkingDir: ROOT,
  bundle: true,
  plugins: [nativeHash],
  write: false,
  minify: true,
  // Names of functions and classes are in the messages of errors.
  keepNames: false,
  format: 'iife',
  globalName: 'nostrSync',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  preserveSymlinks: true,
  conditions: ['browser', 'import'],
  target: 'es2023',
  // ASCII: the crate reads it as one byte a character.
  charset: 'ascii',
  legalComments: 'inline',
  sourcemap: 'external',
  sourcesContent: false,
  logLevel: 'error',
});

const stale = [];
for (const { path, text } of outputFiles) {
  let committed;
  try {
    committed = readFileSync(path, 'utf8');
  } catch {
    committed = undefined;
  }
  if (committed === text) continue;
  stale.push(path.slice(ROOT.length + 1));
  if (!process.argv.includes('--check')) writeFileSync(path, text);
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(
    `Not what the sources give: ${stale.join(', ')}. Run \`npm run build:engine\` and commit it.`,
  );
  process.exitCode = 1;
} else
  console.log(stale.length === 0 ? 'The engine of the crate is up to date' : `Written: ${stale.join(', ')}`);
