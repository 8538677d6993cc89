/** The other files of this folder run twice: on the newest versions, and on the oldest that the peer dependencies name. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { version as react } from 'react';
import { version as reactDom } from 'react-dom';
import { expect, test } from 'vitest';
import { version as vue } from 'vue';

const ROOT = resolve(import.meta.dirname, '../..');
const OLDEST = join(import.meta.dirname, 'oldest');

const manifest = (folder: string): any =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as unknown;
const ranges = Object.entries<string>(manifest(ROOT).peerDependencies).filter(
  ([name]) => !name.startsWith('@tauri-apps/'),
);
const folderOf = { newest: ROOT, oldest: OLDEST }[process.env['ADAPTERS']!]!;
const installed = (name: string): string => manifest(join(folderOf, 'node_modules', name)).version;

test('the frameworks here are of this run', () => {
  // React 18.0 tells the commit, too.
  expect(react.split('-')[0]).toBe(installed('react'));
  expect(reactDom.split('-')[0]).toBe(installed('react-dom'));
  expect(vue).toBe(installed('vue'));
});

test.each(ranges)('what is installed of %s is an end of the range %s', (name, range) => {
  const [oldest, newest] = [range.split(' || ')[0]!, range.split(' || ').at(-1)!];
  if (folderOf === OLDEST) expect(`^${installed(name)}`).toBe(oldest);
  else expect(`^${installed(name).split('.')[0]}.`).toBe(/^\^\d+\./.exec(newest)?.[0]);
});

test.each(ranges)('README.md says what %s is tested with', (name) => {
  const row = new RegExp(`^\\| \\x60${name}\\x60.*\\| ([\\d.]+), ([\\d.]+) \\|$`, 'm');
  const [, oldest, newest] = row.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))!;
  expect(folderOf === OLDEST ? oldest : newest).toBe(installed(name));
});

test('every peer dependency is optional', () => {
  const { peerDependencies, peerDependenciesMeta } = manifest(ROOT);
  for (const name of Object.keys(peerDependencies))
    expect(peerDependenciesMeta[name]).toEqual({ optional: true });
});
