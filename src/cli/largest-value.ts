/** What a relay's limit on events means for values. */

import { MAX_PAYLOAD_BYTES, MAX_SMALL_PIECE_BYTES } from '../protocol/limits.ts';
import { encryptedLength } from '../protocol/payload.ts';
import type { EventLimits } from '../relay/event-limits.ts';

/** The text of a small piece: base64. A relay that takes an event of this takes values of every size, in pieces. */
export const SMALL_TEXT_BYTES: number = (MAX_SMALL_PIECE_BYTES / 3) * 4;
/** With id, keys, signature and tags. */
const SMALL_EVENT_BYTES = encryptedLength('x'.repeat(SMALL_TEXT_BYTES)) + 600;

/** The largest value, in bytes of JSON, that goes over a relay which takes one event with `payloadBytes` of text. */
export function largestValueBytes(payloadBytes: number): number {
  return payloadBytes >= SMALL_TEXT_BYTES ? MAX_PAYLOAD_BYTES : payloadBytes;
}

/** For people, from what was seen of the relay so far. */
export function largestValueSeen({ acceptedBytes, refusedBytes }: EventLimits): string {
  if ((acceptedBytes ?? 0) >= SMALL_EVENT_BYTES) return `${MAX_PAYLOAD_BYTES} B`;
  if (refusedBytes !== null && refusedBytes <= SMALL_EVENT_BYTES) return `an event under ${refusedBytes} B`;
  return 'not seen yet';
}
