/** What an embedded relay keeps: events, the newest of each address (NIP-01), and what was deleted (NIP-09). */

import type { SignedEvent } from '../protocol/event.ts';
import { byNewest, type RelayFilter } from './relay-filter.ts';
import type { TieRule } from './relay-options.ts';

/** `stale`: something newer has that address. `deleted`: its author asked for its deletion. */
export type PutOutcome = 'stored' | 'duplicate' | 'stale' | 'deleted';

export interface EventStorage {
  /** Stores an event under the rules of NIP-01 and NIP-09. `now` in s. */
  put(event: SignedEvent, tie: TieRule, now: number): PutOutcome;
  /** Everything that has not expired at `now` (s), newest first. */
  list(now: number): SignedEvent[];
  /** What may match the filter and has not expired: those with its ids or d-tags, if it names any. In no order. */
  candidates(filter: RelayFilter, now: number): SignedEvent[];
  /** Forgets everything and keeps exactly `events`, even two of one address. */
  restore(events: readonly SignedEvent[]): void;
}

export function createEventStorage(): EventStorage {
  const events = new Map<string, SignedEvent>();
  const heads = new Map<string, SignedEvent>();
  /** By the value of a d-tag, those that have it. */
  const byDTag = new Map<string, Set<SignedEvent>>();
  const deletedIds = new Set<string>();
  const deletedAddresses = new Map<string, number>();

  function remove(event: SignedEvent): void {
    events.delete(event.id);
    for (const dTag of dTagsOf(event)) {
      const same = byDTag.get(dTag);
      if (same?.delete(event) === true && same.size === 0) byDTag.delete(dTag);
    }
    const address = addressOf(event);
    if (address !== undefined && heads.get(address)?.id === event.id) heads.delete(address);
  }

  function isDeleted(event: SignedEvent): boolean {
    if (deletedIds.has(`${event.pubkey}:${event.id}`)) return true;
    const address = addressOf(event);
    return address !== undefined && event.created_at <= (deletedAddresses.get(address) ?? -1);
  }

  function applyDeletion(request: SignedEvent): void {
    // NIP-09: a deletion request against a deletion request has no effect.
    const removeIfDeleted = (event: SignedEvent | undefined): void => {
      if (event !== undefined && event.kind !== 5 && isDeleted(event)) remove(event);
    };
    for (const [name, value = ''] of request.tags) {
      if (name === 'e') {
        deletedIds.add(`${request.pubkey}:${value}`);
        removeIfDeleted(events.get(value));
      } else if (name === 'a' && value.split(':')[1] === request.pubkey) {
        deletedAddresses.set(value, Math.max(request.created_at, deletedAddresses.get(value) ?? -1));
        // Without a d-tag it is of a kind of which a user has one event, or of an event that has none.
        const dTag = value.split(':').slice(2).join(':');
        for (const event of [...(dTag === '' ? events.values() : (byDTag.get(dTag) ?? []))])
          removeIfDeleted(event);
      }
    }
  }

  function add(event: SignedEvent): void {
    events.set(event.id, event);
    for (const dTag of dTagsOf(event)) {
      const same = byDTag.get(dTag) ?? new Set();
      byDTag.set(dTag, same.add(event));
    }
    const address = addressOf(event);
    if (address !== undefined) heads.set(address, event);
    if (event.kind === 5) applyDeletion(event);
  }

  return {
    put(event, tie, now) {
      if (events.has(event.id)) return 'duplicate';
      if (event.kind !== 5 && isDeleted(event)) return 'deleted';
      const address = addressOf(event);
      const head = address === undefined ? undefined : heads.get(address);
      if (head !== undefined) {
        if (!isExpired(head, now) && !wins(event, head, tie)) return 'stale';
        remove(head);
      }
      add(event);
      return 'stored';
    },

    list: (now) => [...events.values()].filter((event) => !isExpired(event, now)).sort(byNewest),

    candidates: ({ ids, tags }, now) => {
      const found = new Set<SignedEvent>();
      const find = (event: SignedEvent | undefined): unknown => event && found.add(event);
      const dTags = tags.get('d');
      if (ids !== undefined) for (const id of ids) find(events.get(id));
      else if (dTags !== undefined) for (const dTag of dTags) byDTag.get(dTag)?.forEach(find);
      const all = (ids ?? dTags) ? found : events.values();
      return [...all].filter((event) => !isExpired(event, now));
    },

    restore(kept) {
      events.clear();
      byDTag.clear();
      heads.clear();
      deletedIds.clear();
      deletedAddresses.clear();
      // Oldest first, so that the newest of an address becomes its head.
      for (const event of [...kept].sort(byNewest).reverse()) add(event);
    },
  };
}

/** Whether the event's `expiration` tag (NIP-40) has passed. `now` in s. */
export function isExpired(event: SignedEvent, now: number): boolean {
  const expiration = event.tags.find(([name]) => name === 'expiration')?.[1];
  return expiration !== undefined && /^\d+$/.test(expiration) && Number(expiration) <= now;
}

const dTagsOf = ({ tags }: SignedEvent): string[] =>
  tags.flatMap(([name, value]) => (name === 'd' && value !== undefined ? [value] : []));

/** Kinds that are sent to live subscribers and never stored (NIP-01). */
export function isEphemeral(kind: number): boolean {
  return kind >= 20_000 && kind < 30_000;
}

/** `kind:pubkey:d` of a replaceable or addressable event, as in `a` tags; `undefined` for the other kinds. */
function addressOf(event: SignedEvent): string | undefined {
  const { kind, pubkey } = event;
  if (kind === 0 || kind === 3 || (kind >= 10_000 && kind < 20_000)) return `${kind}:${pubkey}:`;
  if (kind < 30_000 || kind >= 40_000) return undefined;
  return `${kind}:${pubkey}:${event.tags.find(([name]) => name === 'd')?.[1] ?? ''}`;
}

function wins(challenger: SignedEvent, head: SignedEvent, tie: TieRule): boolean {
  if (challenger.created_at !== head.created_at) return challenger.created_at > head.created_at;
  switch (tie) {
    case 'lowest-id':
      return challenger.id < head.id;
    case 'first':
      return false;
    case 'last':
      return true;
  }
}
