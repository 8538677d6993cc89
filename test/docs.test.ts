/** What documents and comments refer to is there: files, sections, constants; and docs/ARCHITECTURE.md names the files of its rooms. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { GROUPS } from './mutation/files.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
/** Links are not followed: an installed example has one back to the root. */
const filesOf = (folder: string, ending: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesOf(path, ending);
    return entry.name.endsWith(ending) ? [path] : [];
  });

/** All first groups, each once. */
const found = (text: string, pattern: RegExp): string[] => [
  ...new Set([...text.matchAll(pattern)].map(([, name]) => name!)),
];

const sources = filesOf('src', '.ts');
const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...['docs', 'crates', 'tauri-plugin', 'examples', 'test/vectors'].flatMap((folder) =>
    filesOf(folder, '.md'),
  ),
];
/** By file: what is said in documents, and in comments of the source. */
const texts = new Map([
  ...documents.map((file) => [file, read(file)] as const),
  ...sources.map((file) => [file, found(read(file), /(\/\*\*.*?\*\/|\/\/.*?$)/gms).join('\n')] as const),
]);

/** What is no constant of the source: a document, and variables that Node, tests and examples read. */
const NAMES_OF_OTHERS = [
  'NODE_OPTIONS',
  'THREAT_MODEL',
  'CHROMIUM_PATH',
  'FIREFOX_PATH',
  'STRFRY_PATH',
  'DESK_RELAYS',
];

test('every constant that is named exists', () => {
  const code = sources
    .map(read)
    .join('')
    .replace(/\/\*\*.*?\*\/|\/\/.*?$/gms, '');
  const defined = new Set([...found(code, /\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b/g), ...NAMES_OF_OTHERS]);
  const missing = [...texts].flatMap(([file, text]) =>
    found(text, /\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b/g)
      .filter((name) => !defined.has(name))
      .map((name) => `${file}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test('every file that is named exists', () => {
  const named = [...texts].flatMap(([file, text]) => [
    ...found(text, /(?<![\w/-])((?:src|test|docs|scripts|bench|examples)\/[\w./-]*\w)/g).map((path) => ({
      file,
      path,
    })),
    ...found(text, /\]\(([\w./-]+)(?:#[\w-]+)?\)/g).map((path) => ({ file, path: join(file, '..', path) })),
  ]);
  expect(named.length).toBeGreaterThan(100);
  const isThere = (path: string): boolean =>
    existsSync(join(ROOT, path)) || existsSync(join(ROOT, `${path}.ts`));
  expect(named.filter(({ path }) => !isThere(path))).toEqual([]);
});

test('every heading that a link goes to exists', () => {
  // As GitHub names them.
  const anchorsOf = (file: string): string[] =>
    found(read(file), /^#{1,6} (.+)$/gm).map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    );
  const links = documents.flatMap((file) =>
    [...texts.get(file)!.matchAll(/\]\(([\w./-]*)#([^)]+)\)/g)].map(([, path, anchor]) => ({
      ...{ file, anchor: anchor! },
      target: path === '' ? file : join(file, '..', path!),
    })),
  );
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter(({ target, anchor }) => !anchorsOf(target).includes(anchor))).toEqual([]);
});

test('every section that is named exists, and says in which document it is', () => {
  const headings = (file: string): string[] => found(read(file), /^## (\d+)\. /gm);
  const dangling = [...texts].flatMap(([file, text]) =>
    [...text.replaceAll(/\s+(?:\* )?/g, ' ').matchAll(/(\S+) sections? (\d+)/gi)].flatMap(
      ([what, before, number]) => {
        if (/^\(?RFC$|^\d{4}$/.test(before!)) return [];
        const [, named] = /(docs\/\w+\.md|\bPROTOCOL\.md)/.exec(before!) ?? [];
        const target = named ?? (documents.includes(file) ? file : undefined);
        const isThere =
          target !== undefined && existsSync(join(ROOT, target)) && headings(target).includes(number!);
        return isThere ? [] : [`${file}: ${what}`];
      },
    ),
  );
  expect(dangling).toEqual([]);
});

test('no rule is named by a number that no list has', () => {
  const invariants = new Set(found(read('docs/RELIABILITY.md'), /^\| (I\d+) \|/gm));
  const dangling = [...texts].flatMap(([file, text]) =>
    found(text, /\b([RI]\d{1,2})\b/g)
      .filter((name) => !invariants.has(name))
      .map((name) => `${file}: ${name}`),
  );
  expect(dangling).toEqual([]);
});

test('ARCHITECTURE.md names every file of the rooms below the command and the test kit, and no other', () => {
  const rooms = read('docs/ARCHITECTURE.md').split('## How a decision is made')[0]!;
  const named = found(rooms, /\b(?:\w+\/)*([\w-]+\.ts)\b/g);
  const isDrawn = (file: string): boolean => !/^src\/(cli|testing|browser)\//.test(file);
  const names = (files: readonly string[]): Set<string> =>
    new Set(files.map((file) => file.split('/').at(-1)!));
  expect(named.filter((name) => !names(sources).has(name))).toEqual([]);
  expect([...names(sources.filter(isDrawn))].filter((name) => !named.includes(name))).toEqual([]);
});

test('RELIABILITY.md says which files that `reconcile` decides by are not under the mutation tool', () => {
  const heads = new Set<string>();
  const visit = (name: string): void => {
    if (heads.has(name)) return;
    heads.add(name);
    const code = read(`src/sync/heads/${name}.ts`);
    for (const other of found(code, /^import (?!type)[^;]*'\.\/([\w-]+)\.ts';/gm)) visit(other);
  };
  visit('reconcile');
  const mutated = new Set(GROUPS.flatMap(({ files }) => files));
  const [, said = ''] =
    /Of what `reconcile` decides by, ([^:]*) are not under it/.exec(read('docs/RELIABILITY.md')) ?? [];
  expect(heads.size).toBeGreaterThan(8);
  expect(found(said, /`([\w-]+)`/g).toSorted()).toEqual(
    [...heads].filter((name) => !mutated.has(`sync/heads/${name}`)).toSorted(),
  );
});
