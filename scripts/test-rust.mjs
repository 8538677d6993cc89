/**
 * The lane of the Rust half: layout, lints, tests and docs of both crates; the suites of TypeScript and the simulator in QuickJS; a Rust
 * process and Node on one key. Ends with `N passed, N failed`. `--seeds N`: so many histories of the simulator (500), from `--from` (1).
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cargo, LINTS, TESTS } from './cargo.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const PLUGIN = join(ROOT, 'tauri-plugin');
const OPTIONS = { seeds: { type: 'string', default: '500' }, from: { type: 'string', default: '1' } };
const { seeds, from } = parseArgs({ options: OPTIONS }).values;
const PEER = join(ROOT, 'test/tauri/reference-peer');
const RELAY = join(ROOT, 'test/interop/rust-nostr');

let passed = 0;
let failed = 0;

/** A step that is right or wrong as a whole. */
function check(isRight) {
  if (isRight) passed += 1;
  else failed += 1;
}

/** Runs what ends with its own counts, and adds these up. */
function count({ status, stdout }, pattern) {
  process.stdout.write(stdout);
  const results = [...stdout.matchAll(pattern)];
  for (const [, ok, bad] of results) {
    passed += Number(ok);
    failed += Number(bad);
  }
  // What does not compile, or dies, reports nothing.
  if (status !== 0 && results.every(([, , bad]) => bad === '0')) failed += 1;
}

const CAPTURED = { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', 'inherit'] };
const OF_CARGO = /^test result: \w+\. (\d+) passed; (\d+) failed;/gm;
const OF_VITEST = /^(\d+) passed, (\d+) failed/gm;

check(cargo('layout', ['fmt', '--all', '--check'], { cwd: ROOT }).status === 0);
for (const cwd of [PEER, RELAY])
  check(cargo(`layout of ${basename(cwd)}`, ['fmt', '--check'], { cwd }).status === 0);
check(cargo('lints', LINTS, { cwd: ROOT }).status === 0);
count(cargo('tests', TESTS, { cwd: ROOT, ...CAPTURED }), OF_CARGO);

const folder = mkdtempSync(join(tmpdir(), 'nostr-sync-rust-'));
const node = (script, ...args) =>
  spawnSync(process.execPath, [join(ROOT, 'test/rust', script), ...args], { stdio: 'inherit' }).status === 0;
process.env.NOSTR_SYNC_TEST_BUNDLE = join(folder, 'conformance.js');
process.env.NOSTR_SYNC_SIM = folder;
check(node('bundle.mjs', process.env.NOSTR_SYNC_TEST_BUNDLE));
check(node('sim-bundle.mjs', folder, from, seeds));
// By name: other tests that are ignored are parts of tests.
for (const name of ['suites_of_typescript', 'traces_of_node']) {
  const suites = ['test', '--locked', '--package', 'nostr-sync', '--lib', '--', '--ignored', name];
  count(cargo(`${name} in QuickJS`, suites, { cwd: ROOT, ...CAPTURED }), OF_CARGO);
}
rmSync(folder, { recursive: true });

const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
count(
  spawnSync(process.execPath, [vitest, 'run', '--project', 'rust'], { cwd: ROOT, ...CAPTURED }),
  OF_VITEST,
);

check(cargo('docs', ['doc', '--locked', '--no-deps', '--workspace'], { cwd: ROOT }).status === 0);
// The build writes the permissions of the commands; what an app's capabilities refer to must be what is committed.
const generated = ['diff', '--exit-code', '--', 'permissions'];
check(spawnSync('git', generated, { cwd: PLUGIN, stdio: 'inherit' }).status === 0);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
