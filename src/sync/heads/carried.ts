/**
 * A value that this device had under another key. It becomes the value under this one only if it is certain that there is none, and
 * otherwise gives way: what was here before joining is kept in the ring of former values. Pure.
 */

import { around, keptIn } from './frontier.ts';
import type { Input, Outcome } from './input.ts';
import { keptOf } from './kept.ts';
import { write } from './own-write.ts';
import { remember } from './past.ts';
import type { HeadRecord } from './record.ts';
import type { Piece } from './version.ts';

export function carried(
  record: HeadRecord | undefined,
  { event, device, made, isAbsent, isDecided }: Extract<Input, { readonly type: 'carried' }>,
): Outcome {
  const unchanged: Outcome = { record, effects: [] };
  const head = record?.head?.event;
  if (head === undefined) {
    // Nothing is overwritten on an unknown.
    if (!isAbsent) return unchanged;
    const pieces = made && { made, names: [...made.keys()] };
    const saved = { type: 'write', event, device, isRead: false, ...pieces } as const;
    const outcome = write(record, saved, undefined);
    const isWritten = outcome.record?.head?.event.id === event.id;
    return isWritten ? { ...outcome, effects: [{ type: 'advanced', event }] } : unchanged;
  }
  if (head.id === event.id || keptIn(record).some(({ id }) => id === event.id)) return unchanged;
  const pieces = made && [...made.keys()].map((name): Piece => ({ name, stamp: 0, deliveries: new Map() }));
  const kept = { ...keptOf({ event, pieces }, undefined, false), isBeforeJoining: true };
  const past = remember(record!.past, [kept], around(record!, record!.rivals));
  return {
    record: { ...record!, past },
    effects: isDecided ? [] : [{ type: 'gave-way', mine: event, theirs: head }],
  };
}
