/** What is shown while the head cannot be read. */

import { isExpired, isTombstone } from '../../protocol/header.ts';
import { isOwnHead, type HeadRecord } from './record.ts';
import { isInPieces, type Version } from './version.ts';

/** Whether the head can be read, by all that is known: a head in pieces is whole only if its manifest was right. */
export function isKnownReadable(record: HeadRecord): boolean {
  const { event, reading } = record.head!;
  return reading === 'read' || isTombstone(event) || (isInPieces(event) && !isOwnHead(record));
}

/**
 * What is shown if the next head cannot be read: the head, and if that has not been read yet either, one
 * beneath it. Of several that have not been read, the lowest that lasts is kept: it was readable when the first of them came.
 */
export function formerOf(record: HeadRecord | undefined, isHeadKept: boolean): readonly Version[] {
  const { head, former = [] } = record ?? {};
  if (head === undefined || !isHeadKept) return former;
  if (isKnownReadable(record!)) return [head];
  const older = former.filter(({ event }) => !isInPieces(event)).reverse();
  const lasting = older.find(({ event }) => !isTombstone(event) && !isExpired(event, Infinity));
  return [head, ...[lasting ?? older[0]].filter((one) => one !== undefined)];
}
