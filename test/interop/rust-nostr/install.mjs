/** Builds the relay where its test looks for it. What cargo has built before it does not build again. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cargo, TARGET } from '../../../scripts/cargo.mjs';

/** Of its own: another build beside this one does not wait for it. */
const FOLDER = join(TARGET, 'rust-nostr');

export const PROGRAM = join(FOLDER, 'debug/rust-nostr-relay');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const args = ['build', '--locked', '--target-dir', FOLDER];
  process.exitCode = cargo('relay of rust-nostr', args, { cwd: import.meta.dirname }).status ?? 1;
}
