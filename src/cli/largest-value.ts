/** What a relay's limit on events means for values. */

import { MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES } from '../protocol/limits.ts';
import { encryptedLength } from '../protocol/payload.ts';
import type { EventLimits } from '../relay/event-limits.ts';

/** An event of which a relay takes values of every size, in pieces: with id, keys, signature and tags. */
const LARGEST_EVENT_BYTES = encryptedLength('x'.repeat(MAX_TEXT_BYTES)) + 600;

/** The largest value, in bytes of JSON, that goes over a relay which takes one event with `payloadBytes` of text. */
export function largestValueBytes(payloadBytes: number): number {
  return payloadBytes >= MAX_TEXT_BYTES ? MAX_PAYLOAD_BYTES : payloadBytes;
}

/** For people, from what was seen of the relay so far. */
export function largestValueSeen({ acceptedBytes, refusedBytes }: EventLimits): string {
  if ((acceptedBytes ?? 0) >= LARGEST_EVENT_BYTES) return `${MAX_PAYLOAD_BYTES} B`;
  if (refusedBytes !== null && refusedBytes <= LARGEST_EVENT_BYTES) return `an event under ${refusedBytes} B`;
  // Of a value in pieces the pieces were seen, and these are smaller.
  return acceptedBytes === null ? 'not seen yet' : `an event of ${acceptedBytes} B`;
}
