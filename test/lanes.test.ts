/** `.ci/run`, the workflow on GitHub and CONTRIBUTING.md name the same lanes and scripts, and these exist. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

/** All first groups, in order. */
const found = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, name]) => name!);

const ci = read('.ci/run');
const workflow = read('.github/workflows/lanes.yml');
const lanes = found(ci, /^(?:lane|aside) ([a-z]+) /gm);
/** What other lanes stand on: no jobs of their own. */
const preparations = ['system', 'install'];

test('every lane is a job of the workflow, and every job is a lane', () => {
  const jobs = [
    ...found(workflow, /^ {8}lane: \[(.*)\]$/gm).flatMap((list) => list.split(', ')),
    ...found(workflow, /^ {10}- \{ lane: ([a-z]+),/gm),
  ];
  expect(jobs.length).toBeGreaterThan(10);
  expect(jobs.toSorted()).toEqual(lanes.filter((name) => !preparations.includes(name)).toSorted());
});

test('a job prepares by lanes that exist', () => {
  const [command = ''] = found(workflow, /^ {6}- run: \.ci\/run (.*)$/gm);
  const named = [...found(command, /\b([a-z]+)\b(?![^{]*\}\})/g), ...found(workflow, /packages: ([a-z]+)/g)];
  expect(new Set(named)).toEqual(new Set(preparations));
});

test('every lane runs a script that exists', () => {
  const named = found(ci, /^(?:lane|aside) [a-z]+ \S+ npm run ([\w:]+)/gm);
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

test('a lane that does not exist is refused before anything runs', () => {
  const { status, stdout, stderr } = spawnSync(join(ROOT, '.ci/run'), ['sim', 'nosuch'], {
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(`There is no lane nosuch. Lanes: ${lanes.join(' ')}`);
});

test('lanes that are named run alone', () => {
  const { status, stdout } = run(['verify', 'install'], '');
  expect(found(stdout, /^==== ([a-z]+): npm/gm)).toEqual(['install', 'verify']);
  expect(stdout).toMatch(/^2 passed, 0 failed\n$/m);
  expect(status).toBe(0);
});

test('a lane that runs beside another one counts, and ends everything if it fails', () => {
  const good = run(['soak', 'interop', 'runtimes'], '');
  expect(good.stdout).toMatch(/^3 passed, 0 failed\n$/m);
  expect(good.status).toBe(0);
  const bad = run(
    ['soak', 'interop', 'runtimes'],
    '[[ $2 == soak ]] && { echo 1 passed, 2 failed; return 1; };',
  );
  expect(found(bad.stdout, /^==== ([a-z]+): \d/gm)).toEqual(['interop', 'soak']);
  expect(bad.stdout).toMatch(/^2 passed, 2 failed\n$/m);
  expect(bad.status).toBe(1);
});

/** Runs lanes with an `npm` that does this, or only says that all is well. */
function run(
  names: readonly string[],
  npm: string,
): { readonly status: number | null; readonly stdout: string } {
  const fakes = `npm() { ${npm} echo '1 passed, 0 failed'; }; timeout() { shift 2; "$@"; };`;
  return spawnSync('bash', ['-c', `${fakes}\n${ci.replace(/^cd .*$/m, '')}`, '.ci/run', ...names], {
    encoding: 'utf8',
    cwd: ROOT,
  });
}

test('every script that CONTRIBUTING.md names exists', () => {
  const guide = read('CONTRIBUTING.md');
  const inTables = found(guide, /^\| `([a-z:]+)` \|/gm);
  expect(inTables.length).toBeGreaterThan(15);
  const named = [...inTables, ...found(guide, /npm run ([a-z:]+)/g)];
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
