/** Files that only their owner can read. */

import type { Stats } from 'node:fs';
import { constants, lstat, open } from 'node:fs/promises';
import { messageOf, NostrSyncError } from '../errors.ts';

const OWNER_ONLY = 0o600;
/** Who mounts secrets into a container, and can read every file anyway. */
const ROOT = 0;

/**
 * What such a file holds. Rejects with `KEY_STORE_EXPOSED` if others may use it, or have made it; `what` says what it is for. A
 * link is followed, as mounted secrets are links (Kubernetes): what counts is the file that it leads to.
 */
export async function readPrivateFile(path: string, what: string, maxBytes: number): Promise<string> {
  // Never waits for somebody to write to a pipe. Windows does not know the flag.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // Checks the open file, so that the file which is checked is the one that is read.
    const found = await file.stat();
    if (!found.isFile()) throw new Error('it is not a regular file');
    const flaw = exposure(found);
    if (flaw !== undefined)
      throw new NostrSyncError(
        'KEY_STORE_EXPOSED',
        `Cannot use the ${what} ${JSON.stringify(path)}: ${flaw}`,
      );
    if (found.size > maxBytes) throw new Error(`it has ${found.size} bytes, which is no ${what}`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/** Why others may know what the file holds, or have chosen it. */
function exposure({ uid, mode }: Stats): string | undefined {
  const user = process.geteuid?.();
  // Windows has no such bits: there the folder's access list decides.
  if (user === undefined) return undefined;
  if (uid !== user && uid !== ROOT)
    return `it belongs to another user (uid ${uid}), who may know and replace what it holds; use a file of your own`;
  if ((mode & 0o077) === 0) return undefined;
  const found = (mode & 0o777).toString(8).padStart(4, '0');
  return `others may use it (mode ${found}); make it 0600 with chmod 600, and consider what it holds known to those who could read it`;
}

/** Rejects if `path` is a link: to write there would leave what it leads to as it is. */
export async function refuseLink(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found?.isSymbolicLink() === true) throw new Error('it is a link; give the file that it leads to');
}

/** Writes a new one, 0600, to the disk. Never replaces a file, and follows no link. */
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
