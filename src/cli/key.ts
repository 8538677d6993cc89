/** Where the command's key is: a file that only the user can read, or the environment; never an argument. */

import { isNostrSyncError, messageOf } from '../errors.ts';
import { fileKeyStore, textToKey } from '../keys/file-key-store.ts';
import { CommandError, EXIT, type ExitCode } from './failure.ts';

/** The key written in `text`. `source` names the variable; the key itself is never shown. */
export function keyOf(text: string, source: string): Uint8Array {
  const key = textToKey(text.trim());
  if (key !== undefined) return key;
  throw new CommandError(
    'INVALID_KEY',
    EXIT.usage,
    `Cannot use the key in ${source}: expected an nsec or 64 hex digits`,
  );
}

export async function readKeyFile(path: string): Promise<Uint8Array> {
  const key = await fileKeyStore(path)
    .load()
    .catch((error: unknown) => {
      throw keyFileError(path, error, EXIT.usage);
    });
  if (key !== undefined) return key;
  const message = `Cannot read the key file ${JSON.stringify(path)}: no such file or folder`;
  throw new CommandError('KEY_FILE_FAILED', EXIT.usage, message);
}

/** Writes a new key file, 0600. Never replaces another key: a key that is overwritten is lost. */
export async function writeKeyFile(path: string, key: Uint8Array): Promise<void> {
  await fileKeyStore(path)
    .save(key)
    .catch((error: unknown) => {
      throw keyFileError(path, error, EXIT.failed);
    });
}

function keyFileError(path: string, error: unknown, exitCode: ExitCode): CommandError {
  if (isNostrSyncError(error, 'KEY_EXISTS')) {
    const message = `Cannot write the key file ${JSON.stringify(path)}: it exists already, and a key is never overwritten`;
    return new CommandError('KEY_FILE_FAILED', exitCode, message);
  }
  if (isNostrSyncError(error, 'KEY_STORE_EXPOSED'))
    return new CommandError('KEY_FILE_OPEN_TO_OTHERS', exitCode, error.message);
  const code = isNostrSyncError(error, 'INVALID_KEY') ? 'INVALID_KEY' : 'KEY_FILE_FAILED';
  return new CommandError(code, exitCode, messageOf(error));
}
