/** Files that only their owner can read. */

import { open } from 'node:fs/promises';
import { messageOf, NostrSyncError } from '../errors.ts';

const OWNER_ONLY = 0o600;

/** What such a file holds. Rejects with `KEY_STORE_EXPOSED` if others may use it; `what` says what it is for. */
export async function readPrivateFile(path: string, what: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    // Checks the open file, so that the file which is checked is the one that is read.
    const { mode, size } = await file.stat();
    // Windows has no such bits.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      const advice = `make it 0600 with chmod 600, and consider what it holds known to those who could read it`;
      const message = `Cannot use the ${what} ${JSON.stringify(path)}: others may use it (mode ${found}); ${advice}`;
      throw new NostrSyncError('KEY_STORE_EXPOSED', message);
    }
    if (size > maxBytes) throw new Error(`it has ${size} bytes, which is no ${what}`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Writes a new one, 0600, to the disk. Never replaces a file. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', OWNER_ONLY);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

export function codeOf(error: unknown): unknown {
  return (Object(error) as { readonly code?: unknown }).code;
}

/** In words, if the system's are hard to read. */
export function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'EEXIST':
      return 'it exists already, and a key is never overwritten';
    case 'ENOENT':
      return 'no such file or folder';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return messageOf(error);
  }
}
