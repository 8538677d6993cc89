/** What a relay's OK or CLOSED means for what we asked, whatever relay wrote it. */

export type Answer =
  /** The relay has received it. Not a proof that it stored it: a read-back is. */
  | { readonly type: 'acknowledged' }
  /** The relay says that it has something newer. */
  | { readonly type: 'superseded' }
  /** The stamp is too far ahead for the relay's clock. */
  | { readonly type: 'clock'; readonly reason: string }
  | { readonly type: 'rate-limited'; readonly reason: string }
  | { readonly type: 'auth-required'; readonly reason: string }
  /** The event is larger than the relay takes. */
  | { readonly type: 'too-large'; readonly reason: string }
  /** Refused for good, until relay settings change or a newer value replaces it. */
  | { readonly type: 'refused'; readonly reason: string }
  /** No yes and no clear no: try again. */
  | { readonly type: 'retry'; readonly reason: string };

const NEWER = /have newer|newest event|newer event/i;
const TOO_LATE = /created_at too late|(too far|in) (in )?the future|too new|out of the acceptable range/i;
const OF_TIME = /created_at|timestamp|clock|too (old|early|late)|within \d+ (seconds|minutes)/i;
const TOO_LARGE =
  /too (large|big|long)|(size|length|bytes).*(limit|exceed|max)|(exceed|max).*(size|length|bytes)/i;

/** Whether a relay or a signer gives the size as its reason for a no. */
export function saysTooLarge(reason: string): boolean {
  return TOO_LARGE.test(reason);
}

/** Whether a relay gives the time as the reason for a no to AUTH. */
export function saysWrongTime(reason: string): boolean {
  return OF_TIME.test(reason) || TOO_LATE.test(reason);
}

const FINAL = new Set(['blocked', 'restricted', 'pow', 'invalid', 'deleted', 'rejected']);

/** The machine-readable word that a reason begins with (NIP-01), or none. strfry puts `ERROR: ` before it. */
export function prefixOf(reason: string): string {
  return /^(?:error: *)?([a-z-]+):/i.exec(reason)?.[1]!.toLowerCase() ?? '';
}

/**
 * Classifies an OK by the table of docs/PROTOCOL.md section 5. Words count only if relays disagree on the prefix.
 * `isLarge`: whether the event is one that a relay may find too large.
 */
export function classifyAnswer(accepted: boolean, reason: string, isLarge = false): Answer {
  if (accepted) return { type: 'acknowledged' };
  const prefix = prefixOf(reason);
  if (prefix === 'replaced' || NEWER.test(reason)) return { type: 'superseded' };
  switch (prefix) {
    case 'duplicate':
      return { type: 'acknowledged' };
    case 'rate-limited':
    case 'auth-required':
      return { type: prefix, reason };
    default:
      if (isLarge && saysTooLarge(reason)) return { type: 'too-large', reason };
      if (TOO_LATE.test(reason)) return { type: 'clock', reason };
      return { type: FINAL.has(prefix) ? 'refused' : 'retry', reason };
  }
}
