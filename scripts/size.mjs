/**
 * What a browser app pays for the library: bundles a consumer the way an app would, minifies, compresses,
 * and fails when a limit is passed or when something for Node got in.
 *
 * "Crypto" is @noble/*, @scure/* and dist/crypto: audited code that is its size. "Beyond the crypto" is measured
 * on the same bundle with those emptied. 1 KB = 1,000 bytes. Another repository root may be given as argument.
 */

import { existsSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
// The aim is 35 KB in all and 14 KB beyond the crypto. Not reached yet: until then the bundle must not grow.
// `nostr-sync/merge` is measured by what it adds to such an app, all rules used.
const LIMITS = { total: 63_900, beyondCrypto: 47_600, tauri: 69_100, merge: 2_500, text: 2_500 };
const CONSUMER = `
  import { createNostrSync, secretKeySigner, indexedDbStore } from 'nostr-sync';
  globalThis.app = { createNostrSync, secretKeySigner, indexedDbStore };
`;
const MERGING_CONSUMER = `${CONSUMER}
  import * as merge from 'nostr-sync/merge';
  globalThis.app.merge = merge;
`;
const TEXT_CONSUMER = `${MERGING_CONSUMER}
  import { text } from 'nostr-sync/merge/text';
  globalThis.app.text = text;
`;
/** A window of a Tauri app: the engine, the bindings, and what they take of Tauri's own API. */
const TAURI_CONSUMER = `
  import * as sync from 'nostr-sync/tauri';
  globalThis.app = sync;
`;

const CRYPTO = /node_modules[\\/]@(noble|scure)[\\/]|[\\/]dist[\\/]crypto[\\/]/;
const FORBIDDEN = new RegExp(`^(node:.*|ws|commander|(${builtinModules.join('|')})(/.*)?)$`);

async function bundle({ withoutCrypto = false, consumer = CONSUMER }) {
  const found = new Set();
  const inspect = {
    name: 'inspect',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: FORBIDDEN }, ({ path, importer }) => {
        found.add(`${path}, imported by ${importer}`);
        return { path, external: true };
      });
      if (!withoutCrypto) return;
      // The same names without the code behind them, so that the rest is bundled and shaken as before.
      onLoad({ filter: CRYPTO }, async ({ path }) => {
        const names = Object.keys(await import(pathToFileURL(path).href));
        return { contents: names.map((name) => `export let ${name} = 0;`).join('\n') };
      });
    },
  };
  const { outputFiles } = await build({
    stdin: { contents: consumer, resolveDir: ROOT, sourcefile: 'consumer.js' },
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    conditions: ['browser', 'import'],
    legalComments: 'none',
    logLevel: 'error',
    plugins: [inspect],
  });
  const [{ contents }] = outputFiles;
  return { found, raw: contents.length, compressed: gzipSync(contents, { level: 9 }).length };
}

if (!existsSync(join(ROOT, 'dist/browser.js'))) {
  console.error('Cannot measure the size: dist/browser.js does not exist. Run `npm run build` first.');
  process.exit(1);
}

const [whole, engine, tauri, merging, texts] = await Promise.all([
  bundle({}),
  bundle({ withoutCrypto: true }),
  bundle({ consumer: TAURI_CONSUMER }),
  bundle({ consumer: MERGING_CONSUMER }),
  bundle({ consumer: TEXT_CONSUMER }),
]);
const kb = (bytes) => (bytes / 1_000).toFixed(1).padStart(9);
const rows = [
  ['total', whole.raw, whole.compressed, LIMITS.total],
  ['beyond crypto', engine.raw, engine.compressed, LIMITS.beyondCrypto],
  ['crypto', whole.raw - engine.raw, whole.compressed - engine.compressed, undefined],
  ['nostr-sync/merge', merging.raw - whole.raw, merging.compressed - whole.compressed, LIMITS.merge],
  ['  and its text', texts.raw - merging.raw, texts.compressed - merging.compressed, LIMITS.text],
  ['nostr-sync/tauri', tauri.raw, tauri.compressed, LIMITS.tauri],
];

console.log(
  `${'browser bundle, KB'.padEnd(20)}${'minified'.padStart(9)}${'gzip'.padStart(9)}${'limit'.padStart(9)}`,
);
for (const [name, raw, compressed, limit] of rows) {
  const verdict = limit === undefined ? '' : `${kb(limit)}${compressed > limit ? '  OVER' : ''}`;
  console.log(`${name.padEnd(20)}${kb(raw)}${kb(compressed)}${verdict}`);
}

let failed = rows.some(([, , compressed, limit]) => limit !== undefined && compressed > limit);
for (const module of [...texts.found, ...tauri.found]) {
  console.error(`Forbidden in a browser bundle: ${module}`);
  failed = true;
}
if (failed) process.exit(1);
