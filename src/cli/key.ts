/** Reads the key, and writes a new one: a file that only the user can read, or the environment; never an argument. */

import { open } from 'node:fs/promises';
import { nsecDecode, nsecEncode, secretKeySigner } from '../node.ts';
import { CommandError, EXIT } from './failure.ts';

/** More than any form of a key, or an invitation, with some space around it. */
const MAX_KEY_FILE_BYTES = 3_072;

/** The key written in `text`. `source` names the file or variable; the key itself is never shown. */
export function keyOf(text: string, source: string): Uint8Array {
  const trimmed = text.trim();
  try {
    const isHex = /^[0-9a-f]{64}$/i.test(trimmed);
    const key = isHex ? Uint8Array.from(Buffer.from(trimmed, 'hex')) : nsecDecode(trimmed);
    // Not every 32 bytes are a key.
    secretKeySigner(key).wipe?.();
    return key;
  } catch {
    throw new CommandError(
      'INVALID_KEY',
      EXIT.usage,
      `Cannot use the key in ${source}: expected an nsec or 64 hex digits`,
    );
  }
}

export async function readKeyFile(path: string): Promise<Uint8Array> {
  const quoted = JSON.stringify(path);
  return keyOf(await readSecretFile(path, 'key file'), quoted);
}

/** What stands in a file that only the user can read; `what` says what it is for. */
export async function readSecretFile(path: string, what: string): Promise<string> {
  return readPrivateFile(path).catch((error: unknown) => {
    if (error instanceof CommandError) throw error;
    throw new CommandError(
      'KEY_FILE_FAILED',
      EXIT.usage,
      `Cannot read the ${what} ${JSON.stringify(path)}: ${reasonOf(error)}`,
    );
  });
}

async function readPrivateFile(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    // Checks the open file, so that the file which is checked is the one that is read.
    const { mode, size } = await file.stat();
    // Windows has no such bits: there the folder's access list decides.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      const advice = `make it 0600 with chmod 600, and consider the key known to those who could read it`;
      throw new CommandError(
        'KEY_FILE_OPEN_TO_OTHERS',
        EXIT.usage,
        `Cannot use the key file ${JSON.stringify(path)}: others may use it (mode ${found}); ${advice}`,
      );
    }
    if (size > MAX_KEY_FILE_BYTES) throw new Error(`it has ${size} bytes, which is no key`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Writes a new key file, 0600. Never replaces anything: a key that is overwritten is lost. */
export async function writeKeyFile(path: string, key: Uint8Array): Promise<void> {
  return writeSecretFile(path, 'key file', nsecEncode(key));
}

/** Writes a new file that only the user can read. Never replaces anything. */
export async function writeSecretFile(path: string, what: string, text: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${text}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new CommandError(
      'KEY_FILE_FAILED',
      EXIT.failed,
      `Cannot write the ${what} ${JSON.stringify(path)}: ${reasonOf(error)}`,
    );
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EEXIST':
      return 'it exists already, and a key is never overwritten';
    case 'ENOENT':
      return 'no such file or folder';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
