/**
 * The oldest browsers that README names have all that the library calls. The build checks the language's own methods (its `lib`
 * is ES2022); here it is the syntax of the whole bundle, and what the web platform and the language have got since.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const OLDEST = { chrome: 103, edge: 103, firefox: 113, safari: 16.4 };

/** What one of them lacks, by what it looks like where it is called, with the first versions of Chrome, Firefox and Safari. */
const NEWER: readonly (readonly [pattern: RegExp, since: string])[] = [
  [/\.(toSorted|toReversed|toSpliced)\(/, '110, 115, 16'],
  [/\.(isWellFormed|toWellFormed)\(/, '111, 119, 16.4'],
  [/\bURL\.(canParse|parse)\(/, '120, 115, 17'],
  [/\bAbortSignal\.any\(/, '116, 124, 17.4'],
  [/\b(Object|Map)\.groupBy\(/, '117, 119, 17.4'],
  [/\bArray\.fromAsync\(/, '121, 115, 16.4'],
  [/\bPromise\.(withResolvers|try)\(/, '119, 121, 17.4'],
  [
    /\bIterator\.from\(|\.(entries|keys|values)\(\)\.(map|filter|take|drop|some|every|find|toArray)\(/,
    '122, 131, 18.4',
  ],
  [/\.(symmetricDifference|isSubsetOf|isSupersetOf|isDisjointFrom)\(/, '122, 127, 17'],
  [/\b(RegExp\.escape|Math\.sumPrecise|Error\.isError|Atomics\.pause)\(/, '136, 134, 18.2'],
  // What asks `host` whether it has one is of `@noble/hashes`.
  [/(?<!host\.)\bscheduler\.|\bnavigator\.userActivation/, '94, 142, none'],
  [/\.(transferToFixedLength|getOrInsert|getOrInsertComputed)\(/, '114, 122, 17.4'],
  [/\bnew (DisposableStack|WebSocketStream|URLPattern|CloseWatcher)\(/, '95, 142, 26'],
];

/** What an app may bundle: all that the package exports, as a browser resolves it. */
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<
    Record<string, string | { readonly default: string; readonly browser?: { readonly default: string } }>
  >;
};
/** What an app's framework needs is the app's own choice. */
const { peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly peerDependencies: Readonly<Record<string, string>>;
};
const FRAMEWORKS = Object.keys(peerDependencies).filter((name) => name !== '@tauri-apps/api');
/** On Node alone, by their names. */
const ON_NODE = ['./file-store', './file-key-store'];
const ENTRIES = Object.entries(exports).flatMap(([name, to]) =>
  typeof to === 'string' || ON_NODE.includes(name)
    ? []
    : [[name, (to.browser ?? to).default.replace('./dist/', '')] as const],
);

async function bundle(entry: string, target: string | string[]): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'dist', entry)],
    ...{ bundle: true, write: false, format: 'esm', platform: 'browser', logLevel: 'error', target },
    external: FRAMEWORKS,
    // All of them have these (ES2018): esbuild knows only some of the names.
    supported: { 'regexp-unicode-property-escapes': true },
  });
  return outputFiles[0]!.text;
}

test('an app may bundle the engine, and each of the other entries', () => {
  expect(ENTRIES.map(([name]) => name)).toEqual(
    expect.arrayContaining(['.', './pair', './passkey', './tauri']),
  );
});

test.each(ENTRIES)('%s holds nothing that the oldest browsers lack', async (_, entry) => {
  const text = await bundle(entry, 'esnext');
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const found = NEWER.flatMap(([pattern, since]) => {
    const place = pattern.exec(code);
    return place === null ? [] : [`${code.slice(place.index, place.index + 60)} (since ${since})`];
  });
  expect(found).toEqual([]);
  const targets = Object.entries(OLDEST).map(([browser, version]) => `${browser}${version}`);
  expect(await bundle(entry, targets), 'newer syntax').toBe(text);
});

test('the list catches what it is for', () => {
  for (const text of ['[...all].toSorted()', 'if (!URL.canParse(input)) return', 'Object.groupBy(a, b)'])
    expect(NEWER.some(([pattern]) => pattern.test(text))).toBe(true);
});

test('README names these browsers', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const { chrome, edge, firefox, safari } = OLDEST;
  expect(readme).toContain(`Chrome ${chrome}, Edge ${edge}, Firefox ${firefox}, Safari ${safari}`);
});
