/** What documents and comments refer to is there: files, sections, constants; and docs/ARCHITECTURE.md names the files of its rooms. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const filesOf = (folder: string, ending: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.includes('node_modules'))
    .map((name) => join(folder, name));

/** All first groups, each once. */
const found = (text: string, pattern: RegExp): string[] => [
  ...new Set([...text.matchAll(pattern)].map(([, name]) => name!)),
];

const sources = filesOf('src', '.ts');

test('ARCHITECTURE.md names every file of the rooms below the command and the test kit, and no other', () => {
  const rooms = read('docs/ARCHITECTURE.md').split('## How a decision is made')[0]!;
  const named = found(rooms, /\b(?:\w+\/)*([\w-]+\.ts)\b/g);
  const isDrawn = (file: string): boolean => !/^src\/(cli|testing|browser)\//.test(file);
  const names = (files: readonly string[]): Set<string> =>
    new Set(files.map((file) => file.split('/').at(-1)!));
  expect(named.filter((name) => !names(sources).has(name))).toEqual([]);
  expect([...names(sources.filter(isDrawn))].filter((name) => !named.includes(name))).toEqual([]);
});
