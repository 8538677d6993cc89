/** Messages between client and relay (NIP-01, NIP-42, NIP-77): unknown text → a typed message, and back. */

import type { Address, Seconds } from './address.ts';
import type { NostrEvent } from './event.ts';
import {
  KIND_APP_DATA,
  MAX_D_TAGS_PER_FILTER,
  MAX_FILTERS_PER_REQ,
  MAX_REASON_CHARS,
  MAX_REQ_BYTES,
} from './limits.ts';

export interface Filter {
  readonly authors?: readonly string[];
  readonly kinds?: readonly number[];
  readonly '#d'?: readonly Address[];
  /** Public keys. */
  readonly '#p'?: readonly string[];
  readonly ids?: readonly string[];
  readonly limit?: number;
  /** created_at at most. */
  readonly until?: Seconds;
}

export type ClientMessage =
  | readonly ['EVENT', NostrEvent]
  | readonly ['REQ', string, ...Filter[]]
  | readonly ['CLOSE', string]
  | readonly ['AUTH', NostrEvent]
  /** The last text is a message of `negentropy.ts`. */
  | readonly ['NEG-OPEN', string, Filter, string]
  | readonly ['NEG-MSG', string, string]
  | readonly ['NEG-CLOSE', string];

export type RelayMessage =
  /** `event` is anything at all: it is checked by `checkEvent`. */
  | { readonly type: 'EVENT'; readonly subscription: string; readonly event: unknown }
  | { readonly type: 'EOSE'; readonly subscription: string }
  | { readonly type: 'CLOSED'; readonly subscription: string; readonly reason: string }
  | { readonly type: 'OK'; readonly id: string; readonly accepted: boolean; readonly reason: string }
  | { readonly type: 'AUTH'; readonly challenge: string }
  | { readonly type: 'NEG-MSG'; readonly subscription: string; readonly message: string }
  | { readonly type: 'NEG-ERR'; readonly subscription: string; readonly reason: string }
  | { readonly type: 'NOTICE'; readonly reason: string };

/** Text of a relay made fit to show: bounded, and without characters that act on a terminal, hide, or turn the line around. */
export function forPeople(text: unknown): string {
  return typeof text === 'string'
    ? text.slice(0, MAX_REASON_CHARS).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
    : '';
}

/** A relay's message, or `undefined` if the text is none. Never throws. */
export function parseRelayMessage(text: string): RelayMessage | undefined {
  // Most junk ends here, before the cost of a parse and of the exception it would throw.
  if (text.charCodeAt(0) !== 0x5b) return undefined;
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(frame) || typeof frame[1] !== 'string') return undefined;
  const [type, first, second, third] = frame as [unknown, string, unknown, unknown];
  switch (type) {
    case 'EVENT':
      return { type, subscription: first, event: second };
    case 'EOSE':
      return { type, subscription: first };
    case 'CLOSED':
    case 'NEG-ERR':
      return { type, subscription: first, reason: forPeople(second) };
    case 'NEG-MSG':
      return typeof second === 'string' ? { type, subscription: first, message: second } : undefined;
    case 'OK':
      return typeof second === 'boolean'
        ? { type, id: first, accepted: second, reason: forPeople(third) }
        : undefined;
    case 'AUTH':
      return { type, challenge: first };
    case 'NOTICE':
      return { type, reason: forPeople(first) };
    default:
      return undefined;
  }
}

/** A filter that no event matches. Some relays answer an author's questions about the author's own values alone. */
export const nothingOf = (pubkey: string): Filter => ({
  ...{ authors: [pubkey], kinds: [KIND_APP_DATA], ids: ['0'.repeat(64)] },
});

/** The filters for events of one author by their ids, split as those for categories are. Some relays refuse a filter without an author. */
export function idRequests(
  pubkey: string,
  ids: readonly string[],
): { ids: readonly string[]; filters: Filter[] }[] {
  // An id with its quotes and the comma.
  const most = Math.floor(MAX_REQ_BYTES / 70 / MAX_D_TAGS_PER_FILTER) * MAX_D_TAGS_PER_FILTER;
  const parts = <T>(all: readonly T[], size: number): T[][] =>
    Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
  return parts(ids, most).map((some) => ({
    ids: some,
    filters: parts(some, MAX_D_TAGS_PER_FILTER).map((part) => ({
      ...{ authors: [pubkey], kinds: [KIND_APP_DATA], ids: part },
    })),
  }));
}

/** The filters for some categories of one author, split over as many REQs as relays' limits on size and results ask for. */
export function categoryRequests(
  pubkey: string,
  dTags: readonly Address[],
): { dTags: Address[]; filters: Filter[] }[] {
  const requests: { dTags: Address[]; filters: Filter[] }[] = [];
  let bytes = Infinity;
  let groups: Address[][] = [];
  for (const dTag of dTags) {
    const size = JSON.stringify(dTag).length * 3 + 1;
    if (
      bytes + size > MAX_REQ_BYTES ||
      (groups.length === MAX_FILTERS_PER_REQ && groups.at(-1)!.length === MAX_D_TAGS_PER_FILTER)
    ) {
      groups = [];
      requests.push({ dTags: [], filters: [] });
      bytes = 0;
    }
    if (groups.length === 0 || groups.at(-1)!.length === MAX_D_TAGS_PER_FILTER) {
      const group: Address[] = [];
      groups.push(group);
      requests.at(-1)!.filters.push({ authors: [pubkey], kinds: [KIND_APP_DATA], '#d': group });
    }
    groups.at(-1)!.push(dTag);
    requests.at(-1)!.dTags.push(dTag);
    bytes += size;
  }
  return requests;
}
