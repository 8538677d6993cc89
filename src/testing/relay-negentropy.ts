/** What an embedded relay does for NEG-OPEN, NEG-MSG and NEG-CLOSE (NIP-77). */

import { createResponder } from '../protocol/negentropy.ts';
import type { SignedEvent } from '../protocol/event.ts';
import type { Client } from './relay-client.ts';
import { matchesFilter, parseFilter, type RelayFilter } from './relay-filter.ts';
import type { Outgoing } from './relay-outgoing.ts';

/** Of one connection at a time. */
const MAX_RECONCILIATIONS = 20;

/** Returns what takes such a frame, whether it is one or not. `refuse`: why a client may not read what matches, if it may not. */
export function createNegentropy(ports: {
  readonly send: Outgoing['send'];
  /** All that may match and that the client may read. */
  readonly served: (client: Client, filter: RelayFilter) => readonly SignedEvent[];
  readonly refuse: (client: Client, filter: RelayFilter) => string | undefined;
}): (client: Client, frame: readonly unknown[]) => void {
  function open(client: Client, id: string, filter: RelayFilter | string): void {
    if (typeof filter === 'string') return fail(client, id, `invalid: ${filter}`);
    const reason = ports.refuse(client, filter);
    if (reason !== undefined) return fail(client, id, reason);
    if (!client.reconciliations.has(id) && client.reconciliations.size >= MAX_RECONCILIATIONS)
      return fail(client, id, 'blocked: too many reconciliations');
    const events = ports.served(client, filter).filter((event) => matchesFilter(filter, event));
    client.reconciliations.set(
      id,
      createResponder(events.map(({ id: eventId, created_at }) => ({ id: eventId, created_at }))),
    );
  }

  function fail(client: Client, id: string, reason: string): void {
    client.reconciliations.delete(id);
    ports.send(client, 'NEG-ERR', id, reason);
  }

  function answer(client: Client, id: string, message: unknown): void {
    const respond = client.reconciliations.get(id);
    if (respond === undefined) return fail(client, id, 'closed: no such reconciliation');
    const said = typeof message === 'string' ? respond(message) : undefined;
    if (said?.type === 'answer') ports.send(client, 'NEG-MSG', id, said.message);
    else fail(client, id, `invalid: expected ${said?.expected ?? 'a text'}`);
  }

  return (client, [type, id, ...rest]) => {
    if (typeof id !== 'string') return;
    if (type === 'NEG-CLOSE') return void client.reconciliations.delete(id);
    if (type === 'NEG-MSG') return answer(client, id, rest[0]);
    open(client, id, parseFilter(rest[0]));
    if (client.reconciliations.has(id)) answer(client, id, rest[1]);
  };
}
