/** Builds the reference peer where its test looks for it. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cargo, TARGET } from '../../../scripts/cargo.mjs';

export const PROGRAM = join(TARGET, 'debug/reference-peer');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = cargo('reference peer', ['build', '--locked'], { cwd: import.meta.dirname }).status ?? 1;
}
