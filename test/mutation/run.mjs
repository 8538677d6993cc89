/**
 * `npm run test:mutation`: changes the pure files of `src`, one expression at a time, and runs their unit tests. What no test
 * notices must be in `equivalent.mjs`, with its reason. Prints a table, and the closing line that `.ci/run` reads.
 *
 *     npm run test:mutation -- header voids    these files alone
 */

import { Stryker } from '@stryker-mutator/core';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EQUIVALENT } from './equivalent.mjs';
import { GROUPS } from './files.mjs';
import config from './stryker.config.mjs';

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));

/** What was changed, up to the end of its first line. */
function originalOf({ fileName, location: { start, end } }) {
  const line = readFileSync(fileName, 'utf8').split('\n')[start.line - 1];
  return start.line === end.line
    ? line.slice(start.column - 1, end.column - 1)
    : `${line.slice(start.column - 1)}…`;
}

/** Its place under `src`, without the ending. */
const nameOf = (fileName) => relative('src', fileName).replace(/\.ts$/, '');

const asked = process.argv.slice(2);
const isAsked = (file) => asked.length === 0 || asked.some((name) => `/${file}`.endsWith(`/${name}`));
const mutants = [];
for (const { files, tests } of GROUPS) {
  const mutate = files.filter(isAsked).map((file) => `src/${file}.ts`);
  const testFiles = tests.map((test) => `test/${test}.test.ts`);
  if (mutate.length > 0)
    mutants.push(...(await new Stryker({ ...config, mutate, testFiles }).runMutationTest()));
}

/** By file, how many were noticed, and how many need not be. */
const table = {};
const unused = new Set(EQUIVALENT.filter(([file]) => isAsked(file)));
const failures = [];

for (const mutant of mutants) {
  const file = nameOf(mutant.fileName);
  const row = (table[file] ??= { noticed: 0, equivalent: 0 });
  if (mutant.status === 'Killed' || mutant.status === 'Timeout') row.noticed++;
  if (mutant.status !== 'Survived' && mutant.status !== 'NoCoverage') continue;
  const original = originalOf(mutant);
  const entry = EQUIVALENT.find(
    ([of, from, to]) => of === file && from === original && to === mutant.replacement,
  );
  if (entry === undefined) {
    const place = `src/${file}.ts:${mutant.location.start.line}`;
    failures.push(`Nothing notices, at ${place}: ${original} → ${mutant.replacement}`);
  } else {
    row.equivalent++;
    unused.delete(entry);
  }
}
for (const [file, original, replacement] of unused)
  failures.push(`No longer needed in equivalent.mjs, of ${file}: ${original} → ${replacement}`);

console.table(table);
for (const failure of failures) console.log(failure);
const noticed = Object.values(table).reduce((sum, row) => sum + row.noticed, 0);
console.log(`${noticed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 && noticed > 0 ? 0 : 1);
