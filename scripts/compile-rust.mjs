/**
 * Compiles what the lanes `interop`, `rust`, `reference` and `tauri` run. `.ci/run` does it beside lanes that wait more than they work. It judges
 * nothing: what fails here fails there as well.
 */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { cargo, LINTS, TESTS } from './cargo.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const run = (build) => spawnSync(process.execPath, [join(ROOT, build)], { stdio: 'inherit' });

// What is wanted first.
run('test/interop/rust-nostr/install.mjs');
cargo('lints', LINTS, { cwd: ROOT });
cargo('tests', [...TESTS, '--no-run'], { cwd: ROOT });
run('test/tauri/reference-peer/build.mjs');
run('test/tauri/app/build.mjs');
