/** Who hears of what happens in a session, and in which order. A new part of the engine is one more entry of the list. */

import type { Address, RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import type { NostrEvent } from '../protocol/event.ts';
import type { RelayConnection } from '../relay/connection.ts';
import type { Change } from './heads/replica.ts';
import type { Notices } from './notices.ts';
import type { Network } from './relays/network.ts';
import type { TabNetwork } from './tabs/network.ts';

/** What a part of a session may hear of. */
export interface Consumer {
  /** A record changed. */
  changed(change: Change): void;
  /** A relay's answer to an own head. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): void;
  /** Another signer was set: what waited for one goes on. */
  signerChanged(): void;
  /** This relay was added, opened, closed or asked for AUTH; `undefined`: one was removed, or those of another tab changed. */
  relaysChanged(relay?: RelayConnection): void;
  close(): void;
}

/** The parts of one session. What a part has of a `Consumer` is called. */
export interface Parts {
  readonly tabNetwork: Pick<TabNetwork, 'saved'> | undefined;
  readonly network: Pick<Network, 'recordChanged' | 'relayChanged' | 'retry'>;
  readonly notices: Notices;
  readonly content: Partial<Consumer>;
  readonly reader: Partial<Consumer>;
  readonly writer: Partial<Consumer>;
  readonly deletions: Partial<Consumer>;
  readonly garbage: Partial<Consumer>;
  readonly merging: Partial<Consumer>;
  readonly carrying: Partial<Consumer>;
  readonly renewals: Partial<Consumer>;
  readonly relayTime: Partial<Consumer>;
  readonly voidEvents: Partial<Consumer>;
  readonly onProgress: () => void;
}

/** All parts as one: they hear of everything in the order of this list, and are closed from the last to the first. */
export function createConsumers(parts: Parts): Consumer {
  const { network, notices, onProgress } = parts;
  const consumers: readonly Partial<Consumer>[] = [
    // The other tabs are told in the turn of the save, before any listener of the app can fail or take its time.
    { changed: (change) => change.isNewInStore && parts.tabNetwork?.saved(change.dTag) },
    // What is owed is known before the app hears of a change: a listener that asks for the status is told the truth. The network is
    // not closed here: what is still being saved is told to the other tabs by it.
    {
      changed: ({ dTag }) => network.recordChanged(dTag),
      signerChanged: () => network.retry(),
      relaysChanged: (relay) => relay && network.relayChanged(relay),
    },
    // Pieces are looked for before values are read that may lack them.
    parts.content,
    // What is wrong with a value is told before the value.
    { changed: notices.warn },
    parts.reader,
    // A step is told before the `publish` that waits for it resolves.
    { changed: notices.step },
    parts.writer,
    // What the engine does without a call of the app comes after all that a call waits for.
    parts.deletions,
    parts.garbage,
    parts.merging,
    parts.carrying,
    parts.renewals,
    parts.relayTime,
    parts.voidEvents,
    // A listener that writes again because of this goes by what the relay has just said of the time.
    { answered: notices.answered },
    // Last: whether nothing is owed any more is asked once all of these know.
    { changed: onProgress, relaysChanged: onProgress },
  ];

  const tell =
    <K extends keyof Consumer>(name: K, order = consumers) =>
    (...news: Parameters<Consumer[K]>): void => {
      for (const consumer of order) {
        // That the method of a name takes the news of that name is more than the compiler follows.
        const hear = consumer[name] as ((...news: Parameters<Consumer[K]>) => void) | undefined;
        hear?.(...news);
      }
    };

  return {
    changed: tell('changed'),
    answered: tell('answered'),
    signerChanged: tell('signerChanged'),
    relaysChanged: tell('relaysChanged'),
    close: tell('close', [...consumers].reverse()),
  };
}
