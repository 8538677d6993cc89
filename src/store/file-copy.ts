/** Writes the live entries of a log into a new one, in records of a bounded size. */

import type { FileHandle } from 'node:fs/promises';
import type { Lock } from './file-lock.ts';
import {
  encodeHeader,
  encodeLine,
  encodeRecord,
  HEADER_BYTES,
  RECORD_HEAD_BYTES,
  type Live,
  type Place,
} from './file-log.ts';
import { readPlace } from './file-reading.ts';
import { openFile, writeAt } from './files.ts';

/** Of a record, unless one entry is larger. */
const RECORD_BYTES = 4 * 1024 * 1024;

export interface LogCopy {
  /** Of the pieces, by key. */
  readonly places: ReadonlyMap<string, Place>;
  readonly bytes: number;
}

/** Writes a log that holds `live` to `target`. Pieces come from the log at `path`, whose lock is `lock`. */
export async function copyLive(target: FileHandle, live: Live, path: string, lock: Lock): Promise<LogCopy> {
  const places = new Map<string, Place>();
  let bytes = HEADER_BYTES;
  let [lines, lineBytes]: [Buffer[], number] = [[], 0];
  let source: FileHandle | undefined;
  async function endRecord(): Promise<void> {
    if (lines.length > 0) await writeAt(target, encodeRecord(lines), bytes);
    if (lines.length > 0) bytes += RECORD_HEAD_BYTES + lineBytes;
    [lines, lineBytes] = [[], 0];
  }
  try {
    await writeAt(target, encodeHeader(), 0);
    // Pieces last: damage that cuts this log short costs what relays can give back.
    for (const [key, entry] of [...live.entries].sort(
      ([, a], [, b]) => Number('at' in a) - Number('at' in b),
    )) {
      const line =
        'at' in entry
          ? await readPlace((source ??= await openFile(path)), entry, lock)
          : encodeLine(key, entry.value);
      if (line !== undefined && lineBytes + line.length > RECORD_BYTES) await endRecord();
      if (line !== undefined) {
        if ('at' in entry) places.set(key, { ...entry, at: bytes + RECORD_HEAD_BYTES + lineBytes });
        lines.push(line);
        lineBytes += line.length;
      }
    }
    await endRecord();
    return { places, bytes };
  } finally {
    await source?.close();
  }
}
