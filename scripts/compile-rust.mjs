/**
 * Compiles what the lanes `rust`, `reference` and `tauri` run. `.ci/run` does it beside lanes that wait more than they work. It judges
 * nothing: what fails here fails there as well.
 */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { cargo, LINTS, TESTS } from './cargo.mjs';

const ROOT = resolve(import.meta.dirname, '..');

cargo('lints', LINTS, { cwd: ROOT });
cargo('tests', [...TESTS, '--no-run'], { cwd: ROOT });
for (const build of ['test/tauri/reference-peer/build.mjs', 'test/tauri/app/build.mjs'])
  spawnSync(process.execPath, [join(ROOT, build)], { stdio: 'inherit' });
