/**
 * Known advisories of what users get: `npm audit` and, if it is installed, `cargo audit`. Fails on one; says what it could not ask, and
 * does not fail for that: a closed network is no advisory. Ends with `N passed, N failed, N skipped`.
 */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const counts = { passed: 0, failed: 0, skipped: 0 };

/** Asks one tool; `found` reads its JSON: the advisories, or `undefined` if it is no answer. */
function ask(what, program, args, cwd, found) {
  const { stdout } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  let advisories;
  let why = `no ${program} ${args[0]}, or its advisories could not be reached`;
  try {
    const said = JSON.parse(stdout);
    advisories = found(said);
    // npm says so if the registry fails it, perhaps at an advisory.
    why = said.error?.summary || said.message || why;
  } catch {
    // No JSON: the tool is not installed, or what it asks could not be reached.
  }
  if (advisories === undefined) {
    counts.skipped += 1;
    console.log(`${what}: not asked (${why})`);
  } else if (advisories.length === 0) {
    counts.passed += 1;
    console.log(`${what}: no known advisory`);
  } else {
    counts.failed += 1;
    console.log(`${what}: ${advisories.join(', ')}`);
  }
}

const fromNpm = ({ vulnerabilities }) => vulnerabilities && Object.keys(vulnerabilities);
const fromCargo = ({ vulnerabilities }) =>
  vulnerabilities?.list?.map(({ advisory, package: { name } }) => `${advisory.id} (${name})`);

ask(
  'npm, what the package depends on',
  'npm',
  ['audit', '--json', '--omit=dev', '--package-lock-only'],
  ROOT,
  fromNpm,
);
for (const [what, folder] of [
  ['the crates', '.'],
  ['the example app', 'examples/tauri-app/src-tauri'],
])
  ask(`cargo, ${what}`, 'cargo', ['audit', '--json'], join(ROOT, folder), fromCargo);

console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 ? 0 : 1;
