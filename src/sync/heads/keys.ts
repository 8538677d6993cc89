/** Under which keys of the store what is known of one identity in one namespace stands: docs/STORE.md. */

import { asAddress, type Address, type EventId } from '../../protocol/address.ts';
import { pieceDTag } from '../../protocol/chunks.ts';

export interface Keys {
  /** All records. */
  readonly prefix: string;
  record(dTag: Address): string;
  dTagOf(recordKey: string): Address;
  piece(dTag: Address, name: string): string;
  /** The event of a version that is not the head any more, or never was. */
  version(dTag: Address, id: EventId): string;
  /** A value of another key that waits to be carried over. */
  carried(dTag: Address): string;
  /** All of these. */
  readonly carriedPrefix: string;
  /** The mark of the tab that leads. */
  readonly leader: string;
  /** What stood under a key of a record, and could not be read. */
  unreadable(recordKey: string): string;
}

export function createKeys(pubkey: string, namespace: string): Keys {
  const prefix = `head/${pubkey}/`;
  return {
    prefix: `${prefix}${namespace}/`,
    record: (dTag) => prefix + dTag,
    dTagOf: (recordKey) => asAddress(recordKey.slice(prefix.length)),
    piece: (dTag, name) => `piece/${pubkey}/${pieceDTag(dTag, name)}`,
    version: (dTag, id) => `version/${pubkey}/${dTag}/${id}`,
    carried: (dTag) => `carried/${pubkey}/${dTag}`,
    carriedPrefix: `carried/${pubkey}/${namespace}/`,
    leader: `leader/${pubkey}/${namespace}`,
    unreadable: (recordKey) => `unreadable/${recordKey}`,
  };
}
