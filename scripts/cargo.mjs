/** How every script of ours runs cargo: one folder for what it builds, and nothing that only a debugger would need. */

import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Outside of the clone: it grows to gigabytes, and tools would search it. */
export const TARGET = process.env.CARGO_TARGET_DIR ?? join(homedir(), '.cache/nostr-sync/cargo-target');

/** Of all crates in the workspace. */
export const LINTS = ['clippy', '--locked', '--workspace', '--all-targets', '--', '-D', 'warnings'];
export const TESTS = ['test', '--locked', '--workspace', '--no-fail-fast'];

/** Runs cargo to its end; says what it took. `options` as of `spawnSync`. */
export function cargo(what, args, options) {
  const start = Date.now();
  const result = spawnSync('cargo', args, {
    stdio: 'inherit',
    ...options,
    env: {
      ...process.env,
      CARGO_TARGET_DIR: TARGET,
      CARGO_PROFILE_DEV_DEBUG: '0',
      CARGO_INCREMENTAL: '0',
      RUSTDOCFLAGS: '-D warnings',
    },
  });
  if (result.error !== undefined) console.error(`Cannot run cargo: ${result.error.message}`);
  const seconds = ((Date.now() - start) / 1_000).toFixed(0);
  console.log(`==== ${what}: ${result.status === 0 ? 'done' : 'FAILED'} in ${seconds} s`);
  return result;
}
