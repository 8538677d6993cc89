/** What a stored record says, read without a line of the engine's code (docs/STORE.md). */

import type { SignedEvent } from '../../src/protocol/event.ts';
import { formatIn } from './tags.ts';

/** To how many relays a stored record still owes its head; `undefined` for one in pieces, which is more than a look. */
export function owedTo(
  raw: string,
  urls: readonly string[],
): { readonly id: string; readonly urls: readonly string[] } | undefined {
  const { head, deliveries } = JSON.parse(raw) as {
    head?: { readonly event: SignedEvent };
    deliveries: Record<string, string>;
  };
  if (head === undefined) return { id: '', urls: [] };
  if (formatIn(head.event) === 'chunked/1') return undefined;
  return {
    id: head.event.id,
    urls: urls.filter((url) => (deliveries[url] ?? 'pending') === 'pending'),
  };
}

/** What of a stored record none of these relays has confirmed, head or piece, nor refused for good; `undefined` where all is. */
export function unprovenOn(
  raw: string,
  urls: readonly string[],
  mayRefuse: (url: string, head: SignedEvent) => boolean,
): string | undefined {
  type Deliveries = Readonly<Record<string, string>>;
  const record = JSON.parse(raw) as {
    head?: { readonly event: SignedEvent; readonly pieces?: readonly { readonly deliveries: Deliveries }[] };
    own?: { readonly id: string };
    deliveries: Deliveries;
  };
  if (record.head === undefined) return undefined;
  const { event, pieces } = record.head;
  // A device that has not read a value in pieces has nothing to send: who wrote or read it brings it to the relays.
  if (formatIn(event)?.startsWith('chunked/') === true && pieces === undefined)
    return record.own?.id === event.id ? `${event.id.slice(0, 8)} is its own, without its pieces` : undefined;
  for (const { deliveries } of [record, ...(pieces ?? [])]) {
    const url = urls.find(
      (one) => deliveries[one] !== 'confirmed' && !(deliveries[one] === 'refused' && mayRefuse(one, event)),
    );
    if (url !== undefined) return `${event.id.slice(0, 8)} is ${deliveries[url] ?? 'pending'} on ${url}`;
  }
  return undefined;
}

/** Whether a stored record has its head with all its pieces: without them the device cannot give it to a relay. */
export function isWholeIn(raw: string): boolean {
  const { head } = JSON.parse(raw) as { head?: { readonly event: SignedEvent; readonly pieces?: unknown } };
  return head?.pieces !== undefined || (head !== undefined && formatIn(head.event) !== 'chunked/1');
}

/** Ids of what the head of a stored record has not seen. */
export function rivalsIn(raw: string | undefined): readonly string[] {
  if (raw?.includes('"rivals":[{') !== true) return [];
  const { rivals = [] } = JSON.parse(raw) as { rivals?: readonly { readonly id: string }[] };
  return rivals.map(({ id }) => id);
}

/** Ids of what its newest own write has taken in: the save that brought it may have been the first to name them. */
export function takenIn(raw: string): readonly string[] {
  if (!raw.includes('"taken":{"rivals":[{')) return [];
  type Own = { readonly taken?: { readonly rivals: readonly { readonly id: string }[] } };
  const { own } = JSON.parse(raw) as { own?: Own };
  return (own?.taken?.rivals ?? []).map(({ id }) => id);
}
