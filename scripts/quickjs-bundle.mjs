/**
 * Scripts for QuickJS as the crate reads them: modules, each after a line with its name, in the order in which they run; the last one is
 * what is called. QuickJS needs much memory while it reads a module, which then stays with the process: so a large script is cut at `cuts`.
 */

import { basename, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { nativeHash } from './native-hash.mjs';

const ROOT = resolve(import.meta.dirname, '..');
/** `crates/nostr-sync/src/engine/script.rs` has it too. */
const MARK = '//# module ';

/** Those that `path` imports, and it, each after what it imports itself. */
function inOrder(path, outputs, found = new Set()) {
  for (const { path: imported } of outputs[path].imports) inOrder(imported, outputs, found);
  return found.add(path);
}

/**
 * The text of the script of `entry`, a path in the project. `first`: what has to run before all else. `cuts`: files that begin a module, with
 * what they alone import. Neither may be imported by it in a circle. `options`: esbuild's, beside these.
 */
export async function bundleForQuickjs(entry, { first = [], cuts = [], plugins = [], ...options } = {}) {
  const { outputFiles, metafile } = await build({
    ...options,
    entryPoints: [entry, ...first, ...cuts].map((file) => join(ROOT, file)),
    absWorkingDir: ROOT,
    outdir: ROOT,
    entryNames: '[name]',
    chunkNames: '[hash]',
    bundle: true,
    splitting: true,
    plugins: [nativeHash, ...plugins],
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    preserveSymlinks: true,
    conditions: ['browser', 'import'],
    target: 'es2023',
    // ASCII: the crate reads it as one byte a character.
    charset: 'ascii',
    logLevel: 'error',
  });
  const nameOf = (file) => basename(file).replace(/\.ts$/, '.js');
  const order = new Set([...first, entry].flatMap((file) => [...inOrder(nameOf(file), metafile.outputs)]));
  const texts = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
  return [...order].map((name) => `${MARK}${name}\n${texts.get(name)}`).join('');
}
