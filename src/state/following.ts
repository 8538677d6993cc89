/** What an engine tells of one category: its values, whether there is any, and who is signed in. */

import type { AnyNostrSyncError } from '../errors.ts';
import { isNostrSyncError } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { DeliveryReport, FetchResult } from '../sync/events.ts';
import type { MergeClash } from '../sync/merging/merger.ts';

export interface Heard {
  /** The public key of the signer, or `null`. Also told first, once it is known. */
  signer(pubkey: string | null): void;
  /** The newest value. */
  value(result: FetchResult): void;
  /** Every relay says that there is none. */
  absent(): void;
  /** Nothing is here, and no relay has answered. */
  unreachable(): void;
  /** The newest value cannot be read. */
  unreadable(error: AnyNostrSyncError): void;
  delivery(report: DeliveryReport): void;
  clashes(clashes: readonly MergeClash[]): void;
}

export interface Following {
  /** Asks for the newest value again. */
  refresh(): void;
  stop(): void;
}

/** Follows the category from now on: also its values if `isShared`, and else who is signed in alone. */
export function follow(
  category: string,
  isShared: boolean,
  sync: Pick<NostrSync, 'on' | 'subscribe' | 'fetch'>,
  heard: Heard,
): Following {
  let signer: string | null | undefined;
  let connected = 0;
  let stopValues = (): void => undefined;
  /** Whether nothing is known, and asking again may help. */
  let isUnknown = false;
  /** Of several questions the last one counts, and what was told meanwhile counts more. */
  let asked = 0;

  function value(result: FetchResult): void {
    asked++;
    isUnknown = false;
    heard.value(result);
  }

  function refresh(): void {
    const mine = ++asked;
    void sync.fetch(category).then(
      (result) => {
        if (mine !== asked) return;
        isUnknown = false;
        if (result === null) heard.absent();
        else heard.value(result);
      },
      (error: unknown) => {
        if (mine !== asked || !isNostrSyncError(error)) return;
        isUnknown = isNostrSyncError(error, 'NO_RELAYS_REACHABLE');
        if (isUnknown) heard.unreachable();
        else if (!isNostrSyncError(error, 'SIGNER_NOT_SET') && !isNostrSyncError(error, 'CLOSED'))
          heard.unreadable(error);
      },
    );
  }

  function enter(pubkey: string | null): void {
    stopValues();
    asked++;
    isUnknown = false;
    signer = pubkey;
    heard.signer(pubkey);
    if (pubkey === null || !isShared) return;
    // A new one: what it was given before it is given again.
    stopValues = sync.subscribe([category], value);
    refresh();
  }

  const stops = [
    sync.on('status', ({ pubkey, connectedRelayCount }) => {
      const isMore = connectedRelayCount > connected;
      connected = connectedRelayCount;
      if (pubkey !== signer) enter(pubkey);
      else if (isMore && isUnknown) refresh();
    }),
    sync.on('delivery', (report) => report.category === category && heard.delivery(report)),
    sync.on('merged', (one) => {
      if (one.category === category && one.clashes.length > 0) heard.clashes(one.clashes);
    }),
    sync.on('conflict', (one) => {
      // Those of a merge were told with it.
      if (one.category !== category || one.clashes !== undefined) return;
      const [mine, theirs] = [one.mine.payload, one.theirs.payload];
      heard.clashes([{ path: [], reason: 'both-changed', mine, theirs }]);
    }),
  ];

  return {
    refresh,
    stop: () => {
      asked++;
      stopValues();
      for (const stop of stops) stop();
    },
  };
}
