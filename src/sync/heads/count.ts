/** A sum over all categories that is asked for again and again: one that changes costs no look at the others. */

import type { Address, RelayUrl } from '../../protocol/address.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import type { HeadRecord } from './record.ts';
import type { Replica } from './replica.ts';

export interface Count {
  /** The record of a category changed. */
  changed(dTag: Address): void;
  total(): number;
}

/** `of`: what one category adds, by the relays that are configured. */
export function createCount(
  replica: Pick<Replica, 'dTags' | 'peek'>,
  urls: () => readonly RelayUrl[],
  of: (record: HeadRecord<NostrEvent> | undefined, urls: readonly RelayUrl[]) => number,
): Count {
  /** By category, what it has added, if that is anything. */
  const parts = new Map<Address, number>();
  let sum = 0;
  /** The relays by which all were counted. */
  let countedBy: string | undefined;

  function changed(dTag: Address): void {
    const part = of(replica.peek(dTag), urls());
    sum += part - (parts.get(dTag) ?? 0);
    parts.set(dTag, part);
    if (part === 0) parts.delete(dTag);
  }

  return {
    changed,
    total: () => {
      const by = urls().join();
      if (by !== countedBy) for (const dTag of replica.dTags()) changed(dTag);
      countedBy = by;
      return sum;
    },
  };
}
