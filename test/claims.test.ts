/** What docs/THREAT_MODEL.md and docs/RELIABILITY.md claim is shown by a test that is there. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './support/docs/processes.ts';

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const threats = read('docs/THREAT_MODEL.md');
const reliability = read('docs/RELIABILITY.md');

/** `file` or `file: part of a test's name`, between backticks. */
function references(text: string): { readonly file: string; readonly title: string }[] {
  return [...text.matchAll(/`((?:test|crates|tauri-plugin)\/[\w./-]+\.(?:ts|rs|mjs))(?:: ([^`]+))?`/g)].map(
    ([, file = '', title = '']) => ({ file, title }),
  );
}

function rowsOf(text: string, heading: string): string[] {
  const lines = text.slice(text.indexOf(heading)).split('\n');
  const table = lines.slice(lines.findIndex((line) => line.startsWith('|')));
  return table.slice(
    2,
    table.findIndex((line) => !line.startsWith('|')),
  );
}

test.each([
  ["## What a relay can do, and what it can't", 15],
  ['## Pairing', 8],
  ['## Keys at rest and on their way', 10],
])('every threat that is answered names a test: %s', (heading, least) => {
  const rows = rowsOf(threats, heading);
  expect(rows.length).toBeGreaterThan(least);
  expect(rows.filter((row) => references(row).length === 0)).toEqual([]);
});

test('every test that is named is there', () => {
  const named = [...references(threats), ...references(reliability)];
  expect(named.length).toBeGreaterThan(20);
  const isThere = ({ file, title }: (typeof named)[number]): boolean =>
    existsSync(join(ROOT, file)) && read(file).includes(title);
  expect(named.filter((reference) => !isThere(reference))).toEqual([]);
});

test('every invariant is one that the oracle checks, or names its test', () => {
  const rows = rowsOf(reliability, '## How each invariant is checked');
  expect(rows.length).toBeGreaterThan(15);
  const files = readdirSync(join(ROOT, 'test/sim')).filter((name) => name.endsWith('.ts'));
  const checks = files.map((name) => read(`test/sim/${name}`)).join('');
  // Some are no check of their own but others under certain conditions: their rows name these.
  const isChecked = (row: string): boolean => {
    const [invariant, ...others] = row.match(/\b[IM]\d+\b/g) ?? [];
    return checks.includes(`'${invariant}'`) || others.length > 0 || references(row).length > 0;
  };
  expect(rows.filter((row) => !isChecked(row))).toEqual([]);
});
