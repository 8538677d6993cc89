/** Whether a head is to be said again, and why. Pure. */

import type { Seconds } from '../../protocol/address.ts';
import { seenBy } from '../../protocol/causality.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { isExpired, voidsOf } from '../../protocol/header.ts';
import {
  DAY_SECONDS,
  END_MARGIN_SECONDS,
  MAX_AHEAD_SECONDS,
  MAX_CONTRADICTIONS,
  MAX_RENEWAL_SECONDS,
  RELAYS_TAKE_SECONDS,
  SKEW_REPORT_SECONDS,
} from '../../protocol/limits.ts';
import { renewedBy } from '../../protocol/renewal.ts';
import { NOTHING } from '../heads/own-stamps.ts';
import { isOwnHead, type HeadRecord } from '../heads/record.ts';

/**
 * Why a head is to be said again. `tie`: a relay keeps another event of the same stamp, against NIP-01. `end`: it has ended
 * (NIP-40), relays forget it, and what it had replaced must not come back. `late`: no relay has it, since its stamp is still
 * to come, as this clock says too. `void`: its writer had not heard of a reset, so it does not tell others of that.
 */
export type Need = 'tie' | 'end' | 'late' | 'void';

/**
 * What a record needs; `undefined`: nothing, as far as this device knows. `isLate`: every relay finds its stamp too late. `isMerged`: its
 * rivals are merged.
 */
export function needOf(
  record: HeadRecord<NostrEvent> | undefined,
  nowSeconds: Seconds,
  isLate: boolean,
  isMerged = false,
): Need | undefined {
  const head = record?.head?.event;
  if (head === undefined) return undefined;
  if (isLate && pastStampOf(record!, nowSeconds) !== undefined) return 'late';
  // Nothing is signed so far ahead.
  if (head.created_at - nowSeconds >= MAX_AHEAD_SECONDS) return undefined;
  if (isExpired(head, nowSeconds)) {
    // This clock may be ahead: a relay that does not hold the value agrees that it has ended.
    const isAgreed = [...record!.deliveries.values()].some((one) => one === 'pending' || one === 'refused');
    // What it has not seen may be merged with it first: a removal ends that as well.
    const isAlone = !isMerged || record!.rivals.length === 0;
    return (isAgreed && isAlone) || isExpired(head, nowSeconds - END_MARGIN_SECONDS) ? 'end' : undefined;
  }
  if (renewedBy(head) >= MAX_RENEWAL_SECONDS) return undefined;
  if (record!.contradictions >= MAX_CONTRADICTIONS) return 'tie';
  const told = voidsOf(head);
  const isUntold = [...record!.voids].some(([id, stamp]) => stamp > head.created_at && !told.has(id));
  return isUntold ? 'void' : undefined;
}

/** The stamp that a write from the future should have: just above what it is above. `undefined`: it is not, or follows such a one. */
export function pastStampOf(record: HeadRecord<NostrEvent>, nowSeconds: Seconds): Seconds | undefined {
  const { head, own, former } = record;
  const latest = nowSeconds + SKEW_REPORT_SECONDS;
  if (!isOwnHead(record) || own!.acknowledged || head!.event.created_at <= latest) return undefined;
  const { above = former.slice(0, 1).map(({ event }) => event.created_at) } = own!;
  if ((above[0] ?? NOTHING) >= latest) return undefined;
  // What it has taken in of others it stays above: its vector may name nothing later than itself, and their signers may be late.
  const seen = [...seenBy(head!.event)].flatMap(([device, stamp]) => (device === own!.device ? [] : [stamp]));
  const known = [...above, ...seen, ...(own!.taken?.rivals ?? []).map(({ stamp }) => stamp)];
  const counting = known.filter((one) => one < latest);
  // What is a little ahead relays may have, whatever is heard of that: it is not gone below.
  const isTaken = known.some((one) => one >= latest && one <= nowSeconds + RELAYS_TAKE_SECONDS);
  if (isTaken || (counting.length === 0 && known.length > 0)) return undefined;
  // What no socket of this device has carried a copy of the store may have sent.
  const past = (own!.past ?? []).filter((one) => one < latest);
  const floor = Math.max(NOTHING, ...counting, ...past);
  return (floor === NOTHING ? nowSeconds - DAY_SECONDS : floor) + 1;
}
