/** Whether it is worth it to ask a relay by reconciliation (NIP-77), for what, and what this device puts into the set. Pure. */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import { EVENT_OVERHEAD_CHARS, KIND_APP_DATA, MIN_NEG_SAVING_CHARS } from '../../protocol/limits.ts';
import type { Filter } from '../../protocol/message.ts';
import type { Place } from '../../protocol/order.ts';
import { deliveryOf, isOwnHead, isTaken } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import { isInPieces } from '../heads/version.ts';

export type Heads = Pick<Replica, 'dTags' | 'peek'>;

/** For all of this key; for these categories alone; or for these, and the relay is expected to have what is here. */
export type How = 'wide' | 'named' | 'read-back';

/** A head, as it stands in the set. */
interface Head extends Place {
  readonly id: EventId;
  readonly dTag: Address;
  /** The relay has said that it has it. */
  readonly isTaken: boolean;
}

/** What is asked, and what this device has of it. */
export interface Plan {
  readonly filter: Filter;
  readonly heads: readonly Head[];
  /** Events that are of no use here, by id: those of other apps under the same key, for instance. */
  readonly strangers: ReadonlyMap<string, Stranger>;
}

export interface Stranger extends Place {
  /** As it says itself. */
  readonly dTag: string | undefined;
}

/** Of one relay. */
export interface Surroundings {
  readonly strangers: Map<string, Stranger>;
  /** The relay has too much else of this key to be asked for all of it. */
  isNarrow: boolean;
}

/** What a question and the answer that nothing has changed take, in characters. */
const FEW_HEADS = 32;
const FEW_CHARS = 300;
const MANY_CHARS = 1_000;

/** How many of the heads are here, and what an answer that shows them would take, in characters. */
function weigh(replica: Heads, dTags: readonly Address[]): readonly [known: number, chars: number] {
  let [known, chars] = [0, 0];
  for (const dTag of dTags) {
    const content = replica.peek(dTag)?.head?.event.content;
    if (content === undefined) continue;
    known++;
    chars += content.length + EVENT_OVERHEAD_CHARS;
  }
  return [known, chars];
}

/** `undefined`: a REQ costs hardly more. */
export function planFor(
  { pubkey, replica }: { readonly pubkey: string; readonly replica: Heads },
  relay: RelayUrl,
  { strangers, isNarrow }: Surroundings,
  dTags: readonly Address[],
  how: How,
): Plan | undefined {
  const [known, chars] = weigh(replica, dTags);
  // If the relay is expected to have what is here, no question follows.
  const least = how === 'read-back' ? 0 : MIN_NEG_SAVING_CHARS;
  if (known * 2 < dTags.length || chars - FEW_CHARS < least) return undefined;
  const isWide = how === 'wide' && !isNarrow && !hasPieces(replica);
  const heads: Head[] = [];
  for (const dTag of isWide ? replica.dTags() : dTags) {
    const record = replica.peek(dTag);
    const head = record?.head?.event;
    if (head === undefined) continue;
    const delivery = deliveryOf(record!, relay);
    // Only this device can have sent there what it has not taken: no relay's word for that counts without the event.
    if (isOwnHead(record!) && delivery !== 'unseen' && !isTaken(delivery)) continue;
    heads.push({ dTag, id: head.id, created_at: head.created_at, isTaken: isTaken(delivery) });
  }
  const cost = heads.length < FEW_HEADS ? FEW_CHARS : MANY_CHARS;
  const named = isWide ? 0 : JSON.stringify(dTags).length;
  if (chars - cost - named < least) return undefined;
  const asked: ReadonlySet<unknown> = new Set(dTags);
  const filter: Filter = { authors: [pubkey], kinds: [KIND_APP_DATA], ...(!isWide && { '#d': dTags }) };
  return {
    filter,
    heads,
    strangers: new Map([...strangers].filter(([, { dTag }]) => isWide && !asked.has(dTag))),
  };
}

/** Pieces are under the same key and of the same kind, and this device does not know the ids of them all. */
function hasPieces(replica: Heads): boolean {
  for (const dTag of replica.dTags()) {
    const record = replica.peek(dTag);
    if (record?.orphans.length || (record?.head && isInPieces(record.head.event))) return true;
  }
  return false;
}
