/** What another tab has saved, as effects: what `reconcile` would have told if this tab had done it. */

import { compareEvents } from '../../protocol/order.ts';
import { isRenewalOf } from '../../protocol/renewal.ts';
import { beatenUnseen, isLostTo } from './conflict.ts';
import type { Effect } from './input.ts';
import { isOwnHead, type HeadRecord } from './record.ts';
import { isWhole } from './version.ts';

export function newsOf(previous: HeadRecord | undefined, record: HeadRecord | undefined): readonly Effect[] {
  const head = record?.head?.event;
  const mine = previous?.head?.event;
  // A head that both tabs had is news if the other tab has found its pieces.
  const isFound = previous !== undefined && !isWhole(previous.head) && isWhole(record?.head);
  const beaten = beatenUnseen(previous, record);
  if (head === undefined || (head.id === mine?.id && !isFound)) return beaten;
  const { own } = record!;
  // A write that was stamped again: no two have the same ciphertext.
  const isAgain =
    mine !== undefined && isOwnHead(previous!) && isOwnHead(record!) && head.content === mine.content;
  const renews = mine && (isAgain || isRenewalOf(head, mine)) ? mine.id : undefined;
  const advanced: Effect = { type: 'advanced', event: head, ...(renews !== undefined && { renews }) };
  // If the head went back, another tab has withdrawn the write; and what overwrote it may be overwritten since.
  const isLost = own?.lost === true && isLostTo(mine, own, head);
  return isLost && mine !== undefined && compareEvents(head, mine) > 0
    ? [advanced, { type: 'conflict', mine, theirs: head }, ...beaten]
    : [advanced, ...beaten];
}
