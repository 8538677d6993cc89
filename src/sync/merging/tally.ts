/** How many merges of a category were written in a row, and what the app is told of merges that come to no end or cannot be made. */

import { isNostrSyncError, NostrSyncError } from '../../errors.ts';
import { categoryOf, type Address, type EventId } from '../../protocol/address.ts';
import { MAX_MERGES_IN_A_ROW } from '../../protocol/limits.ts';
import type { Emitter } from '../events.ts';

export interface MergeTally {
  /** By how much waits are longer than the first. */
  factorOf(dTag: Address): number;
  /** A merge was written, as this event: upon `before`, the own write until then. */
  written(dTag: Address, before: EventId | undefined, id: EventId): void;
  succeeded(dTag: Address): void;
  failed(dTag: Address, cause: unknown): void;
  /** The app has edited: what follows is no answer of devices to each other. */
  edited(dTag: Address): void;
}

export function createMergeTally(emitter: Pick<Emitter, 'emit'>): MergeTally {
  /** By category: the last merge that was written, and how many in a row were, without an edit of the app. */
  const streaks = new Map<Address, { readonly id: EventId; readonly times: number }>();
  /** Categories of which it was told that they cannot be merged as they are. */
  const hopeless = new Set<Address>();

  /** What no try will mend, only an edit of the app. The rest is told by what reads it, or passes. */
  function failed(dTag: Address, cause: unknown): void {
    const isHopeless =
      isNostrSyncError(cause, 'PAYLOAD_TOO_LARGE') || isNostrSyncError(cause, 'INVALID_PAYLOAD');
    if (!isHopeless || hopeless.has(dTag)) return;
    hopeless.add(dTag);
    const category = categoryOf(dTag);
    const message = `What devices wrote of ${JSON.stringify(category)} apart cannot be one value: each is in the history, and an update may make it smaller`;
    emitter.emit('error', new NostrSyncError('MERGE_FAILED', message, { details: { category }, cause }));
  }

  function written(dTag: Address, before: EventId | undefined, id: EventId): void {
    const last = streaks.get(dTag);
    // What came in between the app may have written in another tab.
    const times = last?.id === before ? (last?.times ?? 0) + 1 : 1;
    streaks.set(dTag, { id, times });
    if (times !== MAX_MERGES_IN_A_ROW) return;
    const category = categoryOf(dTag);
    const message = `Devices merge ${JSON.stringify(category)} again and again: do all run one version of the app?`;
    emitter.emit('error', new NostrSyncError('MERGE_LOOP', message, { details: { category, times } }));
  }

  return {
    factorOf: (dTag) => 2 ** (streaks.get(dTag)?.times ?? 0),
    written,
    succeeded: (dTag) => void hopeless.delete(dTag),
    failed,
    edited: (dTag) => {
      streaks.delete(dTag);
      hopeless.delete(dTag);
    },
  };
}
