/** What this device knows of its categories, for tools: nothing is decrypted, and no signature is checked. */

import type { RelayUrl } from '../protocol/address.ts';
import { deviceIdOf, expirationOf, isTombstone, schemaOf } from '../protocol/header.ts';
import type { Schema } from '../protocol/schema.ts';
import { reportOf } from './delivery-report.ts';
import type { DeliveryReport } from './events.ts';
import { keptIn } from './heads/frontier.ts';
import { isOwnHead } from './heads/record.ts';
import type { Replica } from './heads/replica.ts';
import { isWhole, type Reading } from './heads/version.ts';

/** One category, as this device has it: its newest value, and how far that has come. */
export interface CategoryRow<C extends string = string> extends DeliveryReport<C> {
  /** The device that wrote it; the sync pubkey if it did not say. */
  readonly deviceId: string;
  /** This device wrote it. */
  readonly isOwn: boolean;
  /** The newest value is a removal. */
  readonly isRemoval: boolean;
  /** When it ends (NIP-40), Unix time in s. */
  readonly expiration?: number;
  /** Which version of the app's data it says that it is; none is the first. */
  readonly schema?: Schema;
  /** Of its event as JSON, without the pieces of a large value. */
  readonly bytes: number;
  /** Whether all pieces of a large value are here. Until then what was before it is shown. */
  readonly isWhole: boolean;
  /** `'unreadable'`: it could not be decrypted or parsed, and what was before it is shown. `'unread'`: not tried yet. */
  readonly reading: Reading;
  /** Values of other devices that the newest has not seen. */
  readonly rivals: number;
  /** Values that `history` gives beside the newest, the rivals among them. */
  readonly kept: number;
}

/** In the order of their names. `relays`: those that are configured. */
export function rowsOf(
  replica: Pick<Replica, 'dTags' | 'peek'>,
  relays: readonly RelayUrl[],
): readonly CategoryRow[] {
  const rows = [...replica.dTags()].flatMap((dTag): CategoryRow[] => {
    const record = replica.peek(dTag);
    if (record?.head === undefined) return [];
    const { event, reading } = record.head;
    const expiration = expirationOf(event);
    const schema = schemaOf(event);
    return [
      {
        ...reportOf(dTag, record, relays)!,
        ...{ deviceId: deviceIdOf(event), isOwn: isOwnHead(record), isRemoval: isTombstone(event) },
        ...(expiration !== undefined && { expiration }),
        ...(schema !== undefined && { schema }),
        ...{ bytes: JSON.stringify(event).length, isWhole: isWhole(record.head), reading },
        ...{ rivals: record.rivals.length, kept: keptIn(record).length },
      },
    ];
  });
  return rows.sort((a, b) => (a.category < b.category ? -1 : 1));
}
