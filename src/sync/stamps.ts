/** Which stamp the next write of a category gets, and what is from the future: functions of what is known of it, and of the time. */

import { NostrSyncError } from '../errors.ts';
import type { Seconds } from '../protocol/address.ts';
import { seenBy } from '../protocol/causality.ts';
import { DAY_SECONDS } from '../protocol/limits.ts';
import { nextStamp } from '../protocol/order.ts';
import type { Voids } from '../protocol/voids.ts';
import { stampsIn } from './heads/own-stamps.ts';
import { EMPTY_RECORD, floorOf, versionsOf, type HeadRecord } from './heads/record.ts';

/**
 * Above all that is known: a rival is above the head if that has got a lower stamp. `isReplaceable`: the head is a write that no socket has
 * carried, whose stamp may be used again, unless a rival has it too: what that is merged into must be above it, or the rival may win, and
 * its writer sees a twin in what has seen it.
 */
export function stampOf(
  record: HeadRecord | undefined,
  nowSeconds: Seconds,
  isReplaceable: boolean,
): Seconds {
  const head = record?.head?.event.created_at ?? -1;
  const own = floorOf(record);
  const rivals = (record?.rivals ?? []).map(({ stamp }) => stamp);
  if (isReplaceable && !rivals.includes(head)) return Math.max(nowSeconds, own);
  return nextStamp(nowSeconds, head, own, ...rivals);
}

/** The stamp of a reset: above what is known and is not from the future. */
export function resetStampOf(record: HeadRecord | undefined, nowSeconds: Seconds): Seconds {
  const { own, deemed } = record ?? EMPTY_RECORD;
  const known = versionsOf(record).map(({ event }) => event);
  const seen = known.flatMap((one) => [one.created_at, ...seenBy(one, deemed).values()]);
  const stamps = [...seen, ...stampsIn(own), floorOf(record)];
  return nextStamp(nowSeconds, ...stamps.map((one) => (one > nowSeconds + DAY_SECONDS ? -1 : one)));
}

/** What is known of the category and is stamped more than this ahead, in s. */
export function aheadOf(
  record: HeadRecord | undefined,
  nowSeconds: Seconds,
  seconds: Seconds = DAY_SECONDS,
): Voids {
  const known = versionsOf(record).map(({ event }) => [event.id, event.created_at] as const);
  const own = record?.own;
  // Its stamp is that of the write: the head may be stamped a little later.
  const all = own === undefined ? known : [[own.id, own.stamp] as const, ...known];
  return new Map(all.filter(([, stamp]) => stamp > nowSeconds + seconds));
}

/** What a reset voids: also what the head had seen, which a relay that was away may show again. Rivals, which it had not seen, are left. */
export function voidsOfReset(record: HeadRecord | undefined, nowSeconds: Seconds): Voids {
  const past = (record?.past ?? []).filter(({ stamp }) => stamp > nowSeconds + DAY_SECONDS);
  return new Map([...past.map(({ id, stamp }) => [id, stamp] as const), ...aheadOf(record, nowSeconds)]);
}

/** Whether the next write would be stamped more than this ahead, in s. */
export function isAhead(record: HeadRecord | undefined, nowSeconds: Seconds, seconds: Seconds): boolean {
  return aheadOf(record, nowSeconds, seconds).size > 0 || floorOf(record) > nowSeconds + seconds;
}

/**
 * Throws `CLOCK_SKEW` if this clock is a day ahead of every relay's: what is stamped a day too late is refused by all, or beats what
 * others write until then.
 */
export function refuseWrongClock(aheadSeconds: Seconds): void {
  if (aheadSeconds < DAY_SECONDS) return;
  throw new NostrSyncError(
    'CLOCK_SKEW',
    `Cannot publish: this clock is at least ${aheadSeconds} s ahead of every connected relay's`,
    { details: { aheadSeconds } },
  );
}
