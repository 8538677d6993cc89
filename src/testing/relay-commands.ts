/** What an embedded relay does for EVENT, REQ, CLOSE and AUTH; for NIP-77: `relay-negentropy.ts`. */

import type { SignedEvent } from '../protocol/event.ts';
import { parseEvent, refuseAuth } from './relay-admission.ts';
import type { Client } from './relay-client.ts';
import { matchesFilter, parseFilter, selectEvents, type RelayFilter } from './relay-filter.ts';
import type { RelayFaults } from './relay-options.ts';
import type { Outgoing } from './relay-outgoing.ts';
import { createNegentropy } from './relay-negentropy.ts';
import { refusalOf, type RelayPolicy, type RelayRules } from './relay-policy.ts';
import { isExpired, type EventStorage } from './relay-storage.ts';

export const MAX_SUBSCRIPTION_ID_LENGTH = 64;

export interface Commands {
  handle(client: Client, frame: readonly unknown[]): void;
  /** Sends an event to live subscribers. */
  broadcast(event: SignedEvent): void;
  /** Says why something is refused that has no other answer. */
  notice(client: Client, reason: string): void;
}

export function createCommands(
  { clock, verifier, flavour, limits, negentropy }: RelayRules,
  policy: RelayPolicy,
  storage: EventStorage,
  clients: ReadonlySet<Client>,
  faults: () => RelayFaults,
  send: Outgoing['send'],
): Commands {
  const now = (): number => Math.floor(clock.now() / 1_000);
  const refusal = (reason: string): string => refusalOf(flavour, reason);
  const close = (client: Client, id: string, reason: string): void =>
    send(client, 'CLOSED', id, refusal(reason));
  const notice = (client: Client, reason: string): void => send(client, 'NOTICE', refusal(reason));

  function broadcast(event: SignedEvent): void {
    if (faults().serve !== undefined || isExpired(event, now())) return;
    for (const client of [...clients]) {
      if (!policy.mayRead(client, event)) continue;
      for (const [id, filters] of [...client.subscriptions]) {
        if (filters.some((filter) => matchesFilter(filter, event))) send(client, 'EVENT', id, event);
      }
    }
  }

  function takeEvent(client: Client, value: unknown): void {
    const event = parseEvent(value);
    if (typeof event === 'string') return rejectMalformed(client, value, event);
    const { accepted, message, live } = policy.judge(client, event);
    send(client, 'OK', event.id, accepted, message);
    if (live) broadcast(event);
  }

  function takeAuth(client: Client, value: unknown): void {
    const event = parseEvent(value);
    if (typeof event === 'string') return rejectMalformed(client, value, event);
    const context = { verifier, now: now(), url: client.view.url, challenge: client.challenge };
    const reason = refuseAuth(event, context);
    if (reason === undefined) client.pubkeys.add(event.pubkey);
    send(client, 'OK', event.id, reason === undefined, reason === undefined ? '' : refusal(reason));
  }

  function rejectMalformed(client: Client, value: unknown, reason: string): void {
    const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
    if (typeof id === 'string') send(client, 'OK', id, false, refusal(`invalid: ${reason}`));
    else notice(client, `invalid: ${reason}`);
  }

  function takeReq(client: Client, id: unknown, values: readonly unknown[]): void {
    if (typeof id !== 'string' || id === '' || id.length > MAX_SUBSCRIPTION_ID_LENGTH) {
      return notice(client, 'invalid: bad subscription id');
    }
    const isSurplus = !client.subscriptions.has(id) && client.subscriptions.size >= limits.maxSubscriptions;
    // Whatever becomes of the new REQ, it takes the place of the old one (NIP-01).
    client.subscriptions.delete(id);
    const filters = parseFilters(values, limits.maxFilters);
    if (typeof filters === 'string') return close(client, id, filters);
    const reason = policy.refuseReq(client, filters);
    if (reason !== undefined && flavour.strangersReq === 'notice') return notice(client, reason);
    if (reason !== undefined) return close(client, id, reason);
    if (isSurplus && flavour.surplusReq === 'closed')
      return close(client, id, 'error: too many subscriptions');
    if (isSurplus) notice(client, 'error: too many concurrent REQs');
    if (isSurplus && flavour.surplusReq === 'notice') return;
    if (!isSurplus) client.subscriptions.set(id, filters);

    const candidates = (filter: RelayFilter): readonly SignedEvent[] => served(client, filter);
    for (const event of selectEvents(candidates, filters, limits.maxLimit)) send(client, 'EVENT', id, event);
    send(client, 'EOSE', id);
  }

  const served = (client: Client, filter: RelayFilter): readonly SignedEvent[] =>
    faults().serve ?? storage.candidates(filter, now()).filter((event) => policy.mayRead(client, event));
  const reconcile = createNegentropy({
    send,
    served,
    refuse: (client, filter) => {
      const reason = policy.refuseReq(client, [filter]);
      return reason === undefined ? undefined : refusal(reason);
    },
  });

  /** A relay that has no NIP-77 says so, or nothing at all. */
  function takeNeg(client: Client, frame: readonly unknown[]): void {
    if (negentropy === 'answers') reconcile(client, frame);
    else if (negentropy === 'notice') notice(client, 'error: bad msg: negentropy disabled');
  }

  return {
    handle: (client, frame) => {
      const [type, first, ...rest] = frame;
      if (type === 'EVENT') takeEvent(client, first);
      else if (type === 'REQ') takeReq(client, first, rest);
      else if (type === 'CLOSE' && typeof first === 'string') client.subscriptions.delete(first);
      else if (type === 'AUTH') takeAuth(client, first);
      else if (type === 'NEG-OPEN' || type === 'NEG-MSG' || type === 'NEG-CLOSE') takeNeg(client, frame);
      else notice(client, 'error: unknown command');
    },
    broadcast,
    notice,
  };
}

/** The filters of a REQ, or the reason of a CLOSED. */
function parseFilters(values: readonly unknown[], most: number): RelayFilter[] | string {
  if (values.length === 0) return 'invalid: no filter';
  if (values.length > most) return 'error: too many filters';
  const filters: RelayFilter[] = [];
  for (const value of values) {
    const filter = parseFilter(value);
    if (typeof filter === 'string') return `invalid: ${filter}`;
    filters.push(filter);
  }
  return filters;
}
