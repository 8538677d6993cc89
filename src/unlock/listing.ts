/** The newest event of each category of a namespace, by what relays have. Nothing is decrypted. */

import { isCategoryIn, type Address } from '../protocol/address.ts';
import { checkEvent, parseEvent, type NostrEvent, type VerifiedEvent } from '../protocol/event.ts';
import { KIND_APP_DATA, MAX_LISTED_PAGES, PAGE_EVENTS } from '../protocol/limits.ts';
import type { RelayConnection } from '../relay/connection.ts';
import type { RequestEnd, RequestHandlers } from '../relay/requests.ts';
import type { Opened } from '../sync/inside.ts';

/** `undefined` if a relay has not said all that it has. */
export async function headsOf(opened: Opened): Promise<ReadonlyMap<Address, VerifiedEvent> | undefined> {
  const found = new Map<Address, VerifiedEvent>();
  const { complete } = await opened.pool.gather(
    (relay) => listed(relay, opened, found),
    () => false,
  );
  return opened.relays().every((url) => complete.includes(url)) ? found : undefined;
}

/** Newest first and page by page: relays cap an answer at 250 to 500 events. */
async function listed(
  relay: RelayConnection,
  opened: Opened,
  found: Map<Address, VerifiedEvent>,
): Promise<RequestEnd> {
  const { pubkey, namespace, verifier } = opened;
  const seen = new Set<string>();
  let until = Infinity;
  const isAsked = (dTag: string): dTag is Address => isCategoryIn(namespace, dTag);
  /** Pieces, other apps' and other namespaces' events are no fault: they were asked for as well. */
  const take = (event: NostrEvent): void => {
    seen.add(event.id);
    until = Math.min(until, event.created_at);
    const check = checkEvent(event, { pubkey, isAsked, known: (dTag) => found.get(dTag), verifier });
    if (check.type === 'new') found.set(check.dTag, check.event);
  };
  const onEvent: RequestHandlers['onEvent'] = (value) => {
    const event = parseEvent(value);
    if (event === undefined) return 'shape';
    if (event.pubkey !== pubkey) return 'author';
    if (seen.has(event.id)) return 'useless';
    take(event);
    return 'useful';
  };
  for (let page = 0; page < MAX_LISTED_PAGES; page++) {
    const before = seen.size;
    const filter = { authors: [pubkey], kinds: [KIND_APP_DATA], limit: PAGE_EVENTS };
    const filters = [until === Infinity ? filter : { ...filter, until }];
    const end = await new Promise<RequestEnd>((resolve) => {
      relay.request(filters, PAGE_EVENTS, { onEvent }, resolve);
    });
    if (end !== 'complete' || seen.size === before) return end;
  }
  return 'incomplete';
}
