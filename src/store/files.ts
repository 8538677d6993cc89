/** Files whose content is on the medium when a call returns, and the error that says which of them failed. */

import { link, mkdir, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isNostrSyncError, messageOf, NostrSyncError } from '../errors.ts';

export async function createFolder(folder: string): Promise<void> {
  const topmost = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (topmost === undefined) return;
  // A new folder survives a power cut once the folder that lists it is flushed.
  for (let made = folder; made.length >= topmost.length; made = dirname(made))
    await flushFolder(dirname(made));
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

export async function writeFlushed(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
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

export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
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
