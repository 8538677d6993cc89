/** NIP-01 filters as a relay reads them; written apart from the engine's own, so that neither hides the other's faults. */

import type { SignedEvent } from '../protocol/event.ts';

export interface RelayFilter {
  readonly ids?: ReadonlySet<string>;
  readonly authors?: ReadonlySet<string>;
  readonly kinds?: ReadonlySet<number>;
  readonly since?: number;
  readonly until?: number;
  readonly limit?: number;
  /** `#x` conditions by letter; an event must meet all of them. */
  readonly tags: ReadonlyMap<string, ReadonlySet<string>>;
}

const hex64 = /^[0-9a-f]{64}$/;

/** Reads a filter strictly. Returns the reason as a string if it is malformed. */
export function parseFilter(value: unknown): RelayFilter | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'filter is not an object';
  const filter: { -readonly [K in keyof RelayFilter]: RelayFilter[K] } = { tags: new Map() };
  const tags = new Map<string, ReadonlySet<string>>();
  for (const [key, condition] of Object.entries(value)) {
    if (key === 'ids' || key === 'authors') {
      if (!isListOf(condition, (item) => typeof item === 'string' && hex64.test(item))) {
        return `${key} must be a list of 64 lower-case hex digits`;
      }
      filter[key] = new Set(condition as string[]);
    } else if (key === 'kinds') {
      if (!isListOf(condition, isUnsigned)) return 'kinds must be a list of integers';
      filter.kinds = new Set(condition as number[]);
    } else if (key === 'since' || key === 'until' || key === 'limit') {
      if (!isUnsigned(condition)) return `${key} must be an integer`;
      filter[key] = condition;
    } else if (/^#[a-zA-Z]$/.test(key)) {
      if (!isListOf(condition, (item) => typeof item === 'string')) return `${key} must be a list of strings`;
      tags.set(key.slice(1), new Set(condition as string[]));
    } else {
      return `unrecognised filter item ${JSON.stringify(key.slice(0, 32))}`;
    }
  }
  filter.tags = tags;
  return filter;
}

export function matchesFilter(filter: RelayFilter, event: SignedEvent): boolean {
  if (filter.ids && !filter.ids.has(event.id)) return false;
  if (filter.authors && !filter.authors.has(event.pubkey)) return false;
  if (filter.kinds && !filter.kinds.has(event.kind)) return false;
  if (filter.since !== undefined && event.created_at < filter.since) return false;
  if (filter.until !== undefined && event.created_at > filter.until) return false;
  for (const [name, wanted] of filter.tags) {
    if (!event.tags.some((tag) => tag[0] === name && tag[1] !== undefined && wanted.has(tag[1])))
      return false;
  }
  return true;
}

/** The order in which relays serve: newest first, then lowest id. */
export function byNewest(a: SignedEvent, b: SignedEvent): number {
  if (a.created_at !== b.created_at) return b.created_at - a.created_at;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** What a REQ with `filters` gets: each event once, newest first, at most `maxLimit` per filter. `candidates`: what may match a filter. */
export function selectEvents(
  candidates: (filter: RelayFilter) => readonly SignedEvent[],
  filters: readonly RelayFilter[],
  maxLimit: number,
): SignedEvent[] {
  const selected = new Set<SignedEvent>();
  for (const filter of filters) {
    const limit = Math.min(filter.limit ?? maxLimit, maxLimit);
    if (limit === 0) continue;
    const matching = candidates(filter).filter((event) => matchesFilter(filter, event));
    for (const event of matching.sort(byNewest).slice(0, limit)) selected.add(event);
  }
  return [...selected].sort(byNewest);
}

function isListOf(value: unknown, accepts: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(accepts);
}

function isUnsigned(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
