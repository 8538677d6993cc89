/** Overwrites pieces that no value has any more by tombstones, and asks for both to be deleted. When: garbage.ts. */

import { nowSeconds, type Clock } from '../../clock.ts';
import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import { pieceDTag } from '../../protocol/chunks.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { deletionTags, pieceTombstoneTags } from '../../protocol/header.ts';
import { KIND_APP_DATA, KIND_DELETION, TOMBSTONE_SECONDS } from '../../protocol/limits.ts';
import type { Network } from '../relays/network.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Hand } from './signing.ts';

interface Ports {
  readonly clock: Clock;
  readonly replica: Replica;
  readonly hand: Hand;
  readonly network: () => Network;
  readonly relays: () => readonly RelayUrl[];
  /** Sends an event to every relay; their answers. */
  readonly send: (event: NostrEvent) => Promise<readonly Answer[]>;
}

/** Buries these pieces, under the stamp of the head. Resolves whether every relay has heard of all. */
export async function buryPieces(
  ports: Ports,
  dTag: Address,
  record: HeadRecord,
  names: readonly string[],
): Promise<boolean> {
  const { clock, replica, hand, send } = ports;
  const { created_at } = record.head!.event;
  const expiration = nowSeconds(clock) + TOMBSTONE_SECONDS;
  const content = await hand.encrypt('null');
  const buried: { readonly name: string; readonly address: Address; readonly id: EventId }[] = [];
  let isHeard = true;
  const late = await lateOnes(
    ports,
    names.map((name) => pieceDTag(dTag, name)),
    record,
  );
  if (late === undefined) return false;
  for (const name of names) {
    const address = pieceDTag(dTag, name);
    let id = late.get(address);
    if (id === undefined) {
      const tags = pieceTombstoneTags(address, expiration);
      const tombstone = await hand.sign({ kind: KIND_APP_DATA, created_at, tags, content });
      isHeard = isTaken(await send(tombstone));
      if (!isHeard) break;
      ({ id } = tombstone);
    }
    buried.push({ name, address, id });
  }
  if (buried.length > 0) {
    const tags = deletionTags({
      author: hand.pubkey,
      addresses: buried.map(({ address }) => address),
      ids: buried.map(({ id }) => id),
      expiration,
    });
    await send(await hand.sign({ kind: KIND_DELETION, created_at, tags, content: '' }));
    await replica.apply(dTag, { type: 'collected', names: new Set(buried.map(({ name }) => name)) });
  }
  return isHeard;
}

/**
 * After a reset, the ids of pieces whose stamps are still to come, by d-tag: no tombstone is above these, and they are deleted
 * themselves. `undefined`: a relay has not said what it has.
 */
async function lateOnes(
  ports: Ports,
  dTags: readonly Address[],
  { voids, head }: HeadRecord,
): Promise<ReadonlyMap<Address, EventId> | undefined> {
  const ids = new Map<Address, EventId>();
  for (const relay of voids.size === 0 ? [] : ports.relays()) {
    const { isComplete, events } = await ports.network().collect(relay, dTags);
    if (!isComplete) return undefined;
    for (const [dTag, { id, created_at }] of events)
      if (created_at > head!.event.created_at) ids.set(dTag, id);
  }
  return ids;
}

/** Whether every relay has answered for good. */
function isTaken(answers: readonly Answer[]): boolean {
  return answers.every(({ type }) => ['acknowledged', 'superseded', 'refused', 'too-large'].includes(type));
}
