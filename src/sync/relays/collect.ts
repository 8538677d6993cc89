/** Asks one relay for pieces: checks what comes, and leaves it to the caller what that means. */

import type { Address } from '../../protocol/address.ts';
import { checkEvent, type EventFault, type EventVerifier, type VerifiedEvent } from '../../protocol/event.ts';
import { MAX_PIECES_PER_REQ } from '../../protocol/limits.ts';
import { categoryRequests, type Filter } from '../../protocol/message.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd, RequestHandlers } from '../../relay/requests.ts';

/** What one relay has of some pieces. */
export interface Collected {
  /** Whether it answered completely: then what is absent is not there. */
  readonly isComplete: boolean;
  /** By d-tag: genuine events, pieces or tombstones of these. */
  readonly events: ReadonlyMap<Address, VerifiedEvent>;
}

interface Ports {
  readonly pubkey: string;
  readonly verifier: EventVerifier;
}

/** `dTags`: of the pieces. */
export async function collect(
  relay: Pick<RelayConnection, 'request'>,
  dTags: readonly Address[],
  ports: Ports,
): Promise<Collected> {
  const events = new Map<Address, VerifiedEvent>();
  const ends: Promise<RequestEnd>[] = [];
  for (let start = 0; start < dTags.length; start += MAX_PIECES_PER_REQ)
    ends.push(collectInto(events, relay, dTags.slice(start, start + MAX_PIECES_PER_REQ), ports));
  return { isComplete: (await Promise.all(ends)).every((end) => end === 'complete'), events };
}

/** By one REQ. */
function collectInto(
  events: Map<Address, VerifiedEvent>,
  relay: Pick<RelayConnection, 'request'>,
  dTags: readonly Address[],
  { pubkey, verifier }: Ports,
): Promise<RequestEnd> {
  const asked: ReadonlySet<string> = new Set(dTags);
  const isAsked = (dTag: string): dTag is Address => asked.has(dTag);
  const known = (dTag: Address): VerifiedEvent | undefined => events.get(dTag);
  const onEvent = (value: unknown): EventFault | 'useful' | 'useless' => {
    const check = checkEvent(value, { pubkey, isAsked, known, verifier });
    if (check.type === 'rejected') return check.fault;
    if (check.type !== 'new') return 'useless';
    events.set(check.dTag, check.event);
    return 'useful';
  };
  return request(relay, categoryRequests(pubkey, dTags)[0]!.filters, dTags.length, onEvent);
}

/** One REQ, until its end. */
export function request(
  relay: Pick<RelayConnection, 'request'>,
  filters: readonly Filter[],
  size: number,
  onEvent: RequestHandlers['onEvent'],
): Promise<RequestEnd> {
  return new Promise((resolve) => {
    relay.request(filters, size, { onEvent }, resolve);
  });
}
