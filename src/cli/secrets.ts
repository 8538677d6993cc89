/** Secrets in files that only the user can read, and on terminals; never in an argument. What is typed or piped in: questions.ts. */

import { readPrivateFile, reasonOf, writePrivateFile } from '../keys/private-file.ts';
import { isNostrSyncError } from '../errors.ts';
import { CommandError, EXIT } from './failure.ts';
import type { Output } from './output.ts';

/** More than an invitation, or 24 words with their numbers. */
const MAX_FILE_BYTES = 8_192;

/** What stands in a file that only the user can read; `what` says what it is for. */
export async function readSecretFile(path: string, what: string): Promise<string> {
  return readPrivateFile(path, what, MAX_FILE_BYTES).catch((error: unknown) => {
    const message = isNostrSyncError(error, 'KEY_STORE_EXPOSED')
      ? error.message
      : `Cannot read the ${what} ${JSON.stringify(path)}: ${reasonOf(error)}`;
    throw new CommandError('INPUT_FAILED', EXIT.usage, message);
  });
}

/** Writes a new file that only the user can read. Never replaces anything. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  await writePrivateFile(path, `${text}\n`).catch((error: unknown) => {
    const message = `Cannot write ${JSON.stringify(path)}: ${reasonOf(error)}`;
    throw new CommandError('OUTPUT_FAILED', EXIT.failed, message);
  });
}

/** A secret goes to a terminal: anything else, a pipe or a log, may be read by others. `option` is what writes it to a file. */
export function requireTerminal(name: string, option: string): void {
  if (process.stdout.isTTY) return;
  const instead = `give ${option} for a file that only you can read`;
  const message = `Cannot show the ${name}: standard output is no terminal; ${instead}`;
  throw new CommandError('NO_TERMINAL', EXIT.usage, message);
}

/** Gives a secret out: into a new file, 0600, or to a terminal. */
export async function giveOut(
  secret: { readonly name: string; readonly text: string },
  file: string | undefined,
  output: Output,
): Promise<void> {
  if (file !== undefined) {
    await writeSecretFile(file, secret.text);
    output.result({ output: file }, file);
    return;
  }
  requireTerminal(secret.name, '--output');
  output.result({ [secret.name]: secret.text }, secret.text);
}
