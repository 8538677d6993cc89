/** When the head of a category, and so its pieces, may go out to relays: not while it is held, nor faster than it is paced. */

import type { Clock } from '../../clock.ts';
import type { Address, Ms } from '../../protocol/address.ts';
import { holdOf } from '../heads/owed.ts';
import { newPiecesOf, type HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Pacer } from './pacer.ts';

export type Release =
  | { readonly type: 'now'; readonly record: HeadRecord }
  | { readonly type: 'later'; readonly waitMs: Ms }
  /** Its record is about to change: that decides again. */
  | { readonly type: 'changing' }
  | { readonly type: 'no-head' };

export function createRelease(ports: {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get' | 'apply'>;
  readonly pacer: Pacer;
}): (dTag: Address) => Release {
  const { clock, replica, pacer } = ports;
  return (dTag) => {
    const record = replica.get(dTag);
    if (record?.head === undefined) return { type: 'no-head' };
    const { id } = record.head.event;
    const hold = holdOf(record, clock.now());
    if (hold === 'over') {
      void replica.apply(dTag, { type: 'explored', id, isBlind: true });
      return { type: 'changing' };
    }
    const waitMs = hold === 'none' ? pacer(dTag, id, 1 + newPiecesOf(record)) : hold;
    return waitMs > 0 ? { type: 'later', waitMs } : { type: 'now', record };
  };
}
