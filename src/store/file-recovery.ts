/** What opening finds of a log: its entries, and an end that is torn or damaged, which is set aside. */

import { constants, readdir, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readLog, type Live } from './file-log.ts';
import { cutBack, ifPresent, openFile, readAt, SLICE_BYTES, writeAt, writeFlushed } from './files.ts';

/** What opening found when the end of the log was torn or damaged. The updates before it are all there. */
export interface Recovery {
  readonly keptBytes: number;
  readonly lostBytes: number;
  /** The file that now holds the lost bytes. Only the newest eight of these are kept. */
  readonly savedTo: string;
}

const KEPT_CORRUPT_FILES = 8;

interface LoadedLog {
  readonly live: Live;
  readonly goodBytes: number;
  /** Whether the file ends with the last good byte, and can be written on. */
  readonly isWhole: boolean;
  readonly recovery?: Recovery;
}

/** Reads the log in slices, sets a damaged end aside and cuts it off. */
export async function loadLog(path: string): Promise<LoadedLog> {
  const handle = await ifPresent(openFile(path, constants.O_RDWR));
  if (!handle) return { live: { entries: new Map(), bytes: 0 }, goodBytes: 0, isWhole: false };
  try {
    const { size } = await handle.stat();
    const { live, goodBytes } = await readLog(size, sliceReader(handle, size));
    if (goodBytes === size) return { live, goodBytes, isWhole: size > 0 };
    const savedTo = await setAside(path, handle, goodBytes, size);
    const recovery = { keptBytes: goodBytes, lostBytes: size - goodBytes, savedTo };
    return { live, goodBytes, isWhole: goodBytes > 0 && (await cutBack(handle, goodBytes)), recovery };
  } finally {
    await handle.close();
  }
}

/** Reads that go forward in small steps cost few calls of the system, and never more memory than a slice. */
function sliceReader(handle: FileHandle, size: number): (at: number, length: number) => Promise<Buffer> {
  let start = 0;
  let slice: Buffer = Buffer.alloc(0);
  return async (at, length) => {
    if (at < start || at + length > start + slice.length) {
      slice = await readAt(handle, at, Math.min(size - at, Math.max(length, SLICE_BYTES)));
      start = at;
    }
    return slice.subarray(at - start, at - start + length);
  };
}

/** Saves the bytes that cannot be read, so that they can be examined, and returns their file. */
async function setAside(path: string, log: FileHandle, from: number, to: number): Promise<string> {
  const folder = dirname(path);
  const prefix = `${basename(path)}.corrupt-`;
  const numbers = (await readdir(folder))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((number) => Number.isSafeInteger(number))
    .sort((a, b) => b - a);
  for (const number of numbers.slice(KEPT_CORRUPT_FILES - 1)) await rm(join(folder, `${prefix}${number}`));
  const file = join(folder, `${prefix}${(numbers[0] ?? 0) + 1}`);
  await writeFlushed(file, async (target) => {
    for (let at = from; at < to; at += SLICE_BYTES)
      await writeAt(target, await readAt(log, at, Math.min(SLICE_BYTES, to - at)), at - from);
  });
  return file;
}
