/** Builds the reference peer, and the example `headless` of our crate, where the tests look for them. */

import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cargo, TARGET } from '../../../scripts/cargo.mjs';

export const PROGRAM = join(TARGET, 'debug/reference-peer');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const ROOT = resolve(import.meta.dirname, '../../..');
  // With the features of the whole workspace, as its tests are built: otherwise half of its crates are compiled twice.
  const headless = ['build', '--locked', '--workspace', '--example', 'headless'];
  const builds = [
    cargo('reference peer', ['build', '--locked'], { cwd: import.meta.dirname }),
    cargo('headless', headless, { cwd: ROOT }),
  ];
  process.exitCode = builds.every(({ status }) => status === 0) ? 0 : 1;
}
