/** What an embedded relay keeps of one client while it is connected. */

import type { Clock } from '../clock.ts';
import { createQuota } from './relay-admission.ts';
import type { createResponder } from '../protocol/negentropy.ts';
import type { RelayFilter } from './relay-filter.ts';
import type { RelayConnection, RelayLimits } from './relay-options.ts';
import type { RelayPeer } from './relay-port.ts';

export interface Client {
  /** As the hooks of `RelayFaults` see it. */
  readonly view: RelayConnection;
  readonly peer: RelayPeer;
  readonly subscriptions: Map<string, readonly RelayFilter[]>;
  /** Reconciliations (NIP-77) that are open, by their id. */
  readonly reconciliations: Map<string, ReturnType<typeof createResponder>>;
  readonly pubkeys: Set<string>;
  /** What `delayMs` holds back, in order. */
  readonly held: (() => void)[];
  /** Takes the turn of one more REQ: how long that has to wait, in ms. */
  readonly reqWaitMs: () => number;
  /** Frames that came in while a REQ waited for its turn, in order; `undefined` while none does. */
  backlog: string[] | undefined;
  challenge: string | undefined;
  /** `deaf`: still handled, but no longer answered, because it is about to be closed. */
  state: 'open' | 'deaf' | 'closed';
}

export function createClient(
  id: number,
  url: string,
  peer: RelayPeer,
  limits: RelayLimits,
  clock: Clock,
): Client {
  const subscriptions = new Map<string, readonly RelayFilter[]>();
  const pubkeys = new Set<string>();
  return {
    view: { id, url, subscriptions: () => [...subscriptions.keys()], pubkeys: () => [...pubkeys] },
    peer,
    subscriptions,
    reconciliations: new Map(),
    pubkeys,
    held: [],
    reqWaitMs: createQuota(limits.reqsPerMinute, clock),
    backlog: undefined,
    challenge: undefined,
    state: 'open',
  };
}
