/**
 * What a browser app pays for the library: bundles a consumer the way an app would, minifies, compresses,
 * and fails when a limit is passed or when something for Node got in.
 *
 * "Crypto" is @noble/*, @scure/* and dist/crypto: audited code that is its size. "Beyond the crypto" is measured
 * on the same bundle with those emptied. 1 KB = 1,000 bytes. Another repository root may be given as argument.
 */

import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
// The aim is 35 KB in all and 14 KB beyond the crypto. Not reached yet: until then the bundle must not grow.
// Of the 9.2 KB more than before former values, merging and joining with data: frontier, ring and their stored form 3 KB, history and `inspect`
// 1 KB, options and `update` 1 KB, values that are taken along to another key 2.2 KB. Their aim was 1.5 KB without merging, 4 KB with it.
// Versions of an app's data (the tag `schema`) and the door for handles on categories: 0.5 KB.
// Asking for what changed by NIP-77: 4.4 KB.
// What is asked for in one turn goes out together: 0.1 KB.
// What handles keep beside the value, taken along to another key: 0.4 KB.
// A twin that is found after a crash too, and a reset that voids all it knows of: 0.1 KB.
// Pieces that are not sent back, what a first write beats, one line before an extension for all copies of the package: 0.6 KB.
// Each limit stands about 1 % above what was measured when it was set: whatever changes moves what compresses by some bytes.
const LIMITS = { total: 85_000, beyondCrypto: 68_600, tauri: 89_600 };
/** What an entry may add to a bundle that has the engine (if it has a limit), and the files that are in no bundle without it. */
// The aim for pairing is 6 KB. Each of its two sides keeps it, both together are 7 KB: the two machines, what runs them and their messages 1.7 KB, sockets,
// mailboxes and the echo 1.1 KB, the calls around them 1.8 KB, derivations, endings and checks of what comes in 2 KB, typed codes 0.5 KB. The words of errors
// are 0.6 KB of it. scrypt, which a typed code needs, is loaded when there is one: it is a row of its own. The rest of the typed code is not: that would take
// 0.5 KB off, and add 1.7 KB to a bundle of one file, where all that a module imports which is loaded later is wrapped, half of the engine here.
const LAZY = ['@noble/hashes/scrypt.js'];
const EXTRAS = [
  // Of it 0.1 KB is so that an own write stays beside a head that cannot be read, and what was given up is told though pieces are gone.
  // 0.05 KB are names of files that large functions were cut into.
  { name: 'merge', limit: 7_000, own: /\bdist[\\/](merge(-by)?\.js$|merge[\\/]|sync[\\/]merging[\\/])/ },
  // Beside the merging that it brings along, of which an app needs no rule.
  {
    name: 'defineCategory',
    limit: 10_450,
    own: /\bdist[\\/]state[\\/]/,
    code: "import { defineCategory } from 'nostr-sync'; globalThis.extra = defineCategory;",
    beside: "import { mergeBy } from 'nostr-sync/merge'; globalThis.extra = mergeBy;",
  },
  { name: 'merge/text', limit: 4_000, own: /\bdist[\\/]merge[\\/]text\.js$|node_modules[\\/]diff[\\/]/ },
  // Names of files that the engine is cut into weigh some bytes when they are compressed: nothing was added.
  { name: 'backup', limit: 1_840, own: /\bdist[\\/]backup(\.js$|[\\/])/ },
  { name: 'inspector', limit: 4_050, own: /\bdist[\\/]inspector(\.js$|[\\/])/ },
  { name: 'pair', limit: 7_200, own: /\bdist[\\/]pair[\\/]/, external: LAZY },
  ...['joinByInvitation', 'createInvitation'].map((call) => ({
    name: 'pair',
    title: call,
    limit: 5_250,
    own: /\bdist[\\/]pair[\\/]/,
    external: LAZY,
    code: `import { ${call} } from 'nostr-sync/pair'; globalThis.extra = ${call};`,
  })),
  { name: 'pair', title: 'pair, typed code', limit: 9_300, own: /[\\/]scrypt\.js$/ },
  // These two are imported from the package itself.
  {
    name: 'identity',
    own: /\bdist[\\/]keys[\\/](identity|key-store)\.js$/,
    code: "import { identity } from 'nostr-sync'; globalThis.extra = identity;",
  },
  {
    name: 'unlockWithSigner',
    own: /\bdist[\\/]unlock[\\/]/,
    code: "import { unlockWithSigner } from 'nostr-sync'; globalThis.extra = unlockWithSigner;",
  },
  {
    name: 'browser-key-store',
    limit: 2_500,
    own: /\bdist[\\/]keys[\\/](browser-key-store|browser-storage|key-database|web-box)\.js$/,
  },
  {
    name: 'passkey',
    limit: 3_000,
    own: /\bdist[\\/]keys[\\/](passkey|browser-storage|key-database|web-box)\.js$/,
  },
  {
    name: 'recovery',
    limit: 8_000,
    own: /\bdist[\\/]keys[\\/]recovery\.js$|@scure[\\/]bip39/,
  },
  {
    name: 'passphrase',
    limit: 7_000,
    own: /\bdist[\\/](keys[\\/]passphrase|crypto[\\/]ncryptsec)\.js$|scrypt/,
  },
];
/** What binds a framework to a handle, in full, beside the framework and the handle. It brings nothing else along. */
const ADAPTERS = ['react', 'vue', 'svelte', 'zustand', 'pinia'];
const ADAPTER_LIMIT = 400;
const ADAPTER_FILES = /^dist[\\/](adapters[\\/]|readable\.js$)/;
const CONSUMER = `
  import { createNostrSync, secretKeySigner, indexedDbStore } from 'nostr-sync';
  globalThis.app = { createNostrSync, secretKeySigner, indexedDbStore };
`;
/** A window of a Tauri app: the engine, the bindings, and what they take of Tauri's own API. */
const TAURI_CONSUMER = `
  import * as sync from 'nostr-sync/tauri';
  globalThis.app = sync;
`;

const CRYPTO = /node_modules[\\/]@(noble|scure)[\\/]|[\\/]dist[\\/]crypto[\\/]/;
const FORBIDDEN = new RegExp(`^(node:.*|ws|commander|(${builtinModules.join('|')})(/.*)?)$`);

async function bundle({ withoutCrypto = false, consumer = CONSUMER, external = [] }) {
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
  const { outputFiles, metafile } = await build({
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
    metafile: true,
    external,
    plugins: [inspect],
  });
  const [{ contents }] = outputFiles;
  const [{ inputs }] = Object.values(metafile.outputs);
  const files = Object.keys(inputs).filter((file) => inputs[file].bytesInOutput > 0);
  return { found, files, raw: contents.length, compressed: gzipSync(contents, { level: 9 }).length };
}

if (!existsSync(join(ROOT, 'dist/browser.js'))) {
  console.error('Cannot measure the size: dist/browser.js does not exist. Run `npm run build` first.');
  process.exit(1);
}

const adapters = await Promise.all(
  ADAPTERS.map((name) =>
    bundle({
      consumer: `export * from 'nostr-sync/${name}';`,
      external: ADAPTERS.flatMap((host) => [host, `${host}/*`]),
    }),
  ),
);
const [whole, engine, tauri, ...extras] = await Promise.all([
  bundle({}),
  bundle({ withoutCrypto: true }),
  bundle({ consumer: TAURI_CONSUMER }),
  ...EXTRAS.map(({ name, code, external }) =>
    bundle({
      external,
      consumer: `${CONSUMER} ${code ?? `import * as extra from 'nostr-sync/${name}'; globalThis.extra = extra;`}`,
    }),
  ),
]);
/** What each of them is compared with. */
const besides = await Promise.all(
  EXTRAS.map(async ({ beside }) =>
    beside === undefined ? whole : bundle({ consumer: `${CONSUMER} ${beside}` }),
  ),
);
const kb = (bytes) => (bytes / 1_000).toFixed(bytes < 1_000 ? 2 : 1).padStart(9);
const rows = [
  ['total', whole.raw, whole.compressed, LIMITS.total],
  ['beyond crypto', engine.raw, engine.compressed, LIMITS.beyondCrypto],
  ['crypto', whole.raw - engine.raw, whole.compressed - engine.compressed, undefined],
  ['nostr-sync/tauri', tauri.raw, tauri.compressed, LIMITS.tauri],
  ...EXTRAS.map(({ name, title = name, limit }, i) => [
    `+ ${title}`,
    extras[i].raw - besides[i].raw,
    extras[i].compressed - besides[i].compressed,
    limit,
  ]),
  ...ADAPTERS.map((name, i) => [name, adapters[i].raw, adapters[i].compressed, ADAPTER_LIMIT]),
];

console.log(
  `${'browser bundle, KB'.padEnd(20)}${'minified'.padStart(9)}${'gzip'.padStart(9)}${'limit'.padStart(9)}`,
);
for (const [name, raw, compressed, limit] of rows) {
  const verdict = limit === undefined ? '' : `${kb(limit)}${compressed > limit ? '  OVER' : ''}`;
  console.log(`${name.padEnd(20)}${kb(raw)}${kb(compressed)}${verdict}`);
}

let failed = rows.some(([, , compressed, limit]) => limit !== undefined && compressed > limit);
// What people read.
const said = /\*\*Small\.\*\* (\d+) KB .*; (\d+) KB more with merging/.exec(
  readFileSync(join(ROOT, 'README.md'), 'utf8'),
);
const measured = [whole.compressed, extras[0].compressed - whole.compressed].map((bytes) =>
  String(Math.ceil(bytes / 1_000)),
);
if (said?.slice(1).join() !== measured.join()) {
  console.error(`README.md says ${said?.slice(1).join(' and ')} KB, and it is ${measured.join(' and ')}`);
  failed = true;
}
for (const [i, { name, own }] of EXTRAS.entries()) {
  for (const file of [...whole.files, ...tauri.files].filter((file) => own.test(file))) {
    console.error(`In the bundle of an app that does not import '${name}': ${file}`);
    failed = true;
  }
  if (!extras[i].files.some((file) => own.test(file))) {
    console.error(`Cannot tell what '${name}' is made of: none of its files was found`);
    failed = true;
  }
}
for (const [i, name] of ADAPTERS.entries()) {
  for (const file of adapters[i].files.filter(
    (file) => file !== 'consumer.js' && !ADAPTER_FILES.test(file),
  )) {
    console.error(`In the bundle of 'nostr-sync/${name}': ${file}`);
    failed = true;
  }
}
for (const module of [...whole.found, ...tauri.found, ...extras.flatMap(({ found }) => [...found])]) {
  console.error(`Forbidden in a browser bundle: ${module}`);
  failed = true;
}
if (failed) process.exit(1);
