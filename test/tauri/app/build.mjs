/** Builds the example app as its users get it: page embedded, real plugin. Prints what took how long. */

import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = resolve(import.meta.dirname, '../../..');
const APP = join(ROOT, 'examples/tauri-app');

/** Outside of the clone: it grows to gigabytes, and tools would search it. */
const TARGET = process.env.CARGO_TARGET_DIR ?? join(homedir(), '.cache/nostr-sync/cargo-target');

export const BINARY = join(TARGET, 'debug/desk');

function step(what, command, args, cwd) {
  const start = Date.now();
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    env: {
      ...process.env,
      CARGO_TARGET_DIR: TARGET,
      CARGO_PROFILE_DEV_DEBUG: '0',
      CARGO_INCREMENTAL: '0',
    },
  });
  if (status !== 0) {
    console.error(`Cannot build the app: ${what} failed${error === undefined ? '' : `: ${error.message}`}`);
    process.exit(1);
  }
  console.log(`${what}: ${((Date.now() - start) / 1_000).toFixed(0)} s`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  step('packages of the app', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], APP);
  step('page', 'npm', ['run', 'build'], APP);
  step('app', 'cargo', ['build', '--locked', '--features', 'tauri/custom-protocol'], join(APP, 'src-tauri'));
}
