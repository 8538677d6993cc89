/** Files of this user alone, whose content is on the medium when a call returns, and the error that says which of them failed. */

import { constants, link, lstat, mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isNostrSyncError, messageOf, NostrSyncError } from '../errors.ts';

/** What is read or copied at once of a file that may be larger than memory. */
export const SLICE_BYTES: number = 4 * 1024 * 1024;

export async function createFolder(folder: string): Promise<void> {
  const topmost = await mkdir(folder, { recursive: true, mode: 0o700 });
  await checkFolder(folder);
  if (topmost === undefined) return;
  // A new folder survives a power cut once the folder that lists it is flushed.
  for (let made = folder; made.length >= topmost.length; made = dirname(made))
    await flushFolder(dirname(made));
}

/**
 * A user who can write to the folder could put files in it that this process then trusts, or links that it follows; and who can
 * replace a link to it has the same power. What the folders above it are is the system's business: `/tmp` is a link on macOS.
 */
async function checkFolder(folder: string): Promise<void> {
  // Without a slash at its end, behind which the system follows a link.
  const found = await lstat(resolve(folder));
  if (found.isSymbolicLink()) throw new Error('it is a link; give the folder that it leads to');
  const user = process.geteuid?.();
  // Windows has no such bits: there the folder's access list decides.
  if (user === undefined) return;
  if (found.uid !== user)
    throw new Error(`it belongs to another user (uid ${found.uid}); use a folder of your own in it`);
  if ((found.mode & 0o077) === 0) return;
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  throw new Error(`others may use it (mode ${mode}); make it 0700 with chmod 700`);
}

export async function flushFolder(folder: string): Promise<void> {
  // Windows cannot open folders; NTFS journals their changes.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Opens a plain file of the folder: no link is followed, and no pipe waited for. Windows knows neither flag. */
export async function openFile(path: string, flags: number = constants.O_RDONLY): Promise<FileHandle> {
  const handle = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error(`${quote(path)} is not a file`);
}

/** Makes a new file and has `fill` write it; there is none when that fails, or something had the name. */
export async function writeFlushed(path: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await fill(handle);
    await handle.sync();
  } catch (error) {
    // Half a file is of no use, and takes room that a full disk needs.
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
}

export async function writeAt(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Exactly `length` bytes. */
export async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new Error('the file ends before what it holds');
    done += bytesRead;
  }
  return bytes;
}

/** Takes back what a failed write left behind `size`. False when that failed as well. */
export async function cutBack(handle: FileHandle, size: number): Promise<boolean> {
  try {
    await handle.truncate(size);
    await handle.datasync();
    return true;
  } catch {
    return false;
  }
}

export async function linkIfAbsent(existing: string, path: string): Promise<boolean> {
  try {
    await link(existing, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** `undefined` if there is no such file. */
export async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function errorCode(error: unknown): unknown {
  return (Object(error) as { readonly code?: unknown }).code;
}

export function storeFailed(action: string, folder: string, cause: unknown): NostrSyncError {
  if (isNostrSyncError(cause)) return cause;
  const message = `Cannot ${action} the store in ${quote(folder)}: ${messageOf(cause)}`;
  return new NostrSyncError('STORE_FAILED', message, { cause });
}

export function quote(path: string): string {
  return JSON.stringify(path);
}
