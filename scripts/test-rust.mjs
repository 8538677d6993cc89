/** The lane of the Rust half: layout, lints, tests and docs of the plugin. Ends with `N passed, N failed`. */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { cargo } from './cargo.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const PLUGIN = join(ROOT, 'tauri-plugin');
const PEER = join(ROOT, 'test/tauri/reference-peer');

let passed = 0;
let failed = 0;

/** A step that is right or wrong as a whole. */
function check(isRight) {
  if (isRight) passed += 1;
  else failed += 1;
}

check(cargo('layout of the plugin', ['fmt', '--check'], { cwd: PLUGIN }).status === 0);
check(cargo('layout of the reference peer', ['fmt', '--check'], { cwd: PEER }).status === 0);
const lints = ['clippy', '--locked', '--all-targets', '--', '-D', 'warnings'];
check(cargo('lints', lints, { cwd: PLUGIN }).status === 0);

const tests = cargo('tests', ['test', '--locked', '--no-fail-fast'], {
  cwd: PLUGIN,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
  stdio: ['ignore', 'pipe', 'inherit'],
});
process.stdout.write(tests.stdout);
const results = [...tests.stdout.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed;/gm)];
for (const [, ok, bad] of results) {
  passed += Number(ok);
  failed += Number(bad);
}
// What does not compile, or dies, reports nothing.
if (tests.status !== 0 && results.every(([, , bad]) => bad === '0')) failed += 1;

check(cargo('docs', ['doc', '--locked', '--no-deps'], { cwd: PLUGIN }).status === 0);
// The build writes the permissions of the commands; what an app's capabilities refer to must be what is committed.
const generated = ['diff', '--exit-code', '--', 'permissions'];
check(spawnSync('git', generated, { cwd: PLUGIN, stdio: 'inherit' }).status === 0);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
