/** What is shown while the head cannot be read. */

import { EMPTY_RECORD, isInPieces, isOwnHead, type HeadRecord } from './record.ts';
import { isExpired, isTombstone } from '../../protocol/header.ts';

/** Whether the head can be read, by all that is known: a head in pieces is whole only if its manifest was right. */
export function isKnownReadable(record: HeadRecord): boolean {
  const head = record.event!;
  return record.isRead || isTombstone(head) || (isInPieces(head) && !isOwnHead(record));
}

/**
 * What is shown if the next head cannot be read: the head, and if that has not been read yet either, one
 * beneath it. Of several that have not been read, the lowest that lasts is kept: it was readable when the first of them came.
 */
export function formerOf(
  record: HeadRecord | undefined,
  isHeadKept: boolean,
): Pick<HeadRecord, 'before' | 'fallback' | 'piecesBefore'> {
  const { event, before, fallback, pieces, piecesBefore } = record ?? EMPTY_RECORD;
  if (!isHeadKept) return { before, fallback, piecesBefore };
  const older = [fallback, before].flatMap((one) => (one === undefined || isInPieces(one) ? [] : [one]));
  return {
    before: event,
    fallback: isKnownReadable(record!)
      ? undefined
      : (older.find((one) => !isTombstone(one) && !isExpired(one, Infinity)) ?? older[0]),
    piecesBefore: pieces,
  };
}
