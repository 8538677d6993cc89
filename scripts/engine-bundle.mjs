/**
 * The engine for the crate `nostr-sync`: one script of `src/embedded.ts`, for QuickJS. It is committed, so that no user of the crate
 * needs Node. Without an argument it is written; with `--check` it fails if what is committed is not what the sources give.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleForQuickjs } from './quickjs-bundle.mjs';

const FILE = 'crates/nostr-sync/engine/engine.js';
const PATH = join(resolve(import.meta.dirname, '..'), FILE);
/** So that no module is much larger than the others. */
const CUTS = [
  'src/nostr-sync.ts',
  'src/crypto/nip44.ts',
  'src/relay/connection.ts',
  'src/sync/session.ts',
  'src/sync/writer.ts',
  'src/sync/heads/replica.ts',
  'src/sync/relays/exchange.ts',
  'src/sync/values/content.ts',
];

const text = await bundleForQuickjs('src/embedded.ts', {
  first: ['src/embedded/globals.ts'],
  cuts: CUTS,
  minify: true,
  legalComments: 'inline',
});

let committed;
try {
  committed = readFileSync(PATH, 'utf8');
} catch {
  committed = undefined;
}
if (committed === text) console.log('The engine of the crate is up to date');
else if (process.argv.includes('--check')) {
  console.error(`Not what the sources give: ${FILE}. Run \`npm run build:engine\` and commit it.`);
  process.exitCode = 1;
} else {
  writeFileSync(PATH, text);
  console.log(`Written: ${FILE}`);
}
