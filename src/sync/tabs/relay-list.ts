/** The list of relays in a tab that follows: the leading tab's, but for what the app has just changed here. */

import type { RelayUrl } from '../../protocol/address.ts';
import type { RelayState } from '../../relay/connection.ts';

/** What the app added (`true`) or removed here and the leader has not confirmed. */
export type Unconfirmed = readonly (readonly [url: RelayUrl, isAdded: boolean])[];

export interface RelayListPorts {
  /** Those that this engine has. */
  readonly urls: () => readonly RelayUrl[];
  readonly addRelay: (url: RelayUrl) => void;
  readonly removeRelay: (url: RelayUrl) => void;
  /** The leader's word on its relays came, or changed; the list of this engine already agrees. */
  readonly onRelays: (relays: readonly RelayState[], former: readonly RelayState[]) => void;
}

export interface RelayList {
  /** The relays by the leader's word; `undefined` before it said anything. */
  told(): readonly RelayState[] | undefined;
  /** For the leader, until it has taken it in. */
  said(): { readonly relays: Unconfirmed; readonly changes: number };
  /** The app added or removed a relay here. */
  changed(url: RelayUrl, isAdded: boolean): void;
  /** The leader's word. `taken`: after which change here, if it knows of any. */
  receive(relays: readonly RelayState[], taken: number | undefined): void;
  /** This engine leads from now on: its list is that of all tabs, and changes by what others say. */
  takeOver(): void;
}

export function createRelayList(ports: RelayListPorts): RelayList {
  const { urls } = ports;
  let told: readonly RelayState[] | undefined;
  const unconfirmed = new Map(urls().map((url) => [url, true]));
  let changes = 0;
  return {
    told: () => told,
    said: () => ({ relays: [...unconfirmed], changes }),
    changed: (url, isAdded) => {
      changes += 1;
      unconfirmed.set(url, isAdded);
    },
    receive: (relays, taken) => {
      const former = told ?? [];
      told = relays;
      const listed = new Set(relays.map(({ url }) => url));
      // That it lists a relay proves nothing: what was removed here and added again, it may be about to remove.
      if (taken === changes) unconfirmed.clear();
      const own = new Set(urls());
      for (const url of listed) if (!own.has(url) && !unconfirmed.has(url)) ports.addRelay(url);
      for (const url of own) if (!listed.has(url) && !unconfirmed.has(url)) ports.removeRelay(url);
      ports.onRelays(relays, former);
    },
    takeOver: () => {
      told = undefined;
      unconfirmed.clear();
    },
  };
}
