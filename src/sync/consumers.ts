/** Who hears of what happens in a session, and in which order. A new part of the engine is one more entry of the list. */

import type { Address, RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import type { NostrEvent } from '../protocol/event.ts';
import type { RelayConnection } from '../relay/connection.ts';
import type { Change } from './heads/replica.ts';
import type { Notices } from './notices.ts';
import type { Reader } from './reader.ts';
import type { Network } from './relays/network.ts';
import type { RelayTime } from './relays/relay-time.ts';
import type { TabNetwork } from './tabs/network.ts';
import type { Content } from './values/content.ts';
import type { Garbage } from './values/garbage.ts';
import type { Renewals } from './values/renewal.ts';
import type { VoidEvents } from './values/void-events.ts';
import type { Writer } from './writer.ts';

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

/** The parts of one session. */
export interface Parts {
  readonly tabNetwork: Pick<TabNetwork, 'saved'> | undefined;
  readonly network: Pick<Network, 'recordChanged' | 'relayChanged' | 'retry'>;
  readonly content: Pick<Content, 'retry' | 'forget' | 'close'>;
  readonly notices: Notices;
  readonly reader: Pick<Reader, 'changed' | 'retry' | 'close'>;
  readonly writer: Pick<Writer, 'changed' | 'answered' | 'relaysChanged' | 'close'>;
  readonly garbage: Garbage;
  readonly renewals: Renewals;
  readonly relayTime: Pick<RelayTime, 'answered' | 'close'>;
  readonly voidEvents: Pick<VoidEvents, 'close'>;
  readonly onProgress: () => void;
}

/** All parts as one: they hear of everything in the order of this list, and are closed from the last to the first. */
export function createConsumers(parts: Parts): Consumer {
  const { network, content, notices, reader, writer, garbage, renewals, relayTime, onProgress } = parts;
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
    {
      signerChanged: content.retry,
      relaysChanged: (relay) => relay?.info().connected && content.retry(),
      close: () => {
        content.forget();
        content.close();
      },
    },
    // What is wrong with a value is told before the value.
    { changed: notices.warn },
    { changed: reader.changed, signerChanged: reader.retry, close: reader.close },
    // A step is told before the `publish` that waits for it resolves.
    { changed: notices.step },
    {
      changed: ({ dTag }) => writer.changed(dTag),
      answered: writer.answered,
      relaysChanged: writer.relaysChanged,
      close: writer.close,
    },
    // What the engine does without a call of the app comes after all that a call waits for.
    { changed: ({ dTag }) => garbage.changed(dTag), signerChanged: garbage.retry, close: garbage.close },
    {
      changed: ({ dTag }) => renewals.changed(dTag),
      answered: renewals.answered,
      signerChanged: renewals.retry,
      relaysChanged: (relay) => relay?.info().connected && renewals.retry(),
      close: renewals.close,
    },
    {
      answered: (_, relay, { created_at }, answer) => relayTime.answered(relay, created_at, answer),
      close: relayTime.close,
    },
    { close: parts.voidEvents.close },
    // A listener that writes again because of this goes by what the relay has just said of the time.
    { answered: notices.answered },
    // Last: whether nothing is owed any more is asked once all of these know.
    { changed: onProgress, relaysChanged: onProgress },
  ];

  return {
    changed: (change) => {
      for (const consumer of consumers) consumer.changed?.(change);
    },
    answered: (...answer) => {
      for (const consumer of consumers) consumer.answered?.(...answer);
    },
    signerChanged: () => {
      for (const consumer of consumers) consumer.signerChanged?.();
    },
    relaysChanged: (relay) => {
      for (const consumer of consumers) consumer.relaysChanged?.(relay);
    },
    close: () => {
      for (const consumer of [...consumers].reverse()) consumer.close?.();
    },
  };
}
