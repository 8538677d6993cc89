/** What a session asks of its relays. Implemented here over real connections, in `tabs/follower.ts` by asking the leading tab. */

import type { Clock } from '../../clock.ts';
import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { EventVerifier, NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import type { Answers, RelayPool } from '../../relay/pool.ts';
import type { RelayConnection, RelayState } from '../../relay/connection.ts';
import type { Collected } from './collect.ts';
import { createInbox } from './inbox.ts';
import { createOutbox } from './outbox.ts';
import type { Pacing } from './token-bucket.ts';
import type { Known } from '../heads/plan.ts';
import type { Replica } from '../heads/replica.ts';

/** Whether every relay that could be reached has answered completely, and there was one. */
export function isFromAll({ complete, incomplete }: Answers): boolean {
  return complete.length > 0 && incomplete.length === 0;
}

/** Whether every relay that is configured, and there is one, has answered completely, those that cannot be reached as well. */
export function isFromEvery({ complete }: Answers, relays: readonly RelayUrl[]): boolean {
  return relays.length > 0 && relays.every((url) => complete.includes(url));
}

export interface Network {
  /**
   * Brings the replica up to date with the relays. Resolves with who answered, at the latest when the
   * EOSE deadline is over: once all have ended, or with `'known'` soon after the first complete answer if every category has
   * a head by then. With that, a relay whose live subscription shows all that is new counts as one that answers.
   */
  ask(dTags: readonly Address[], waitFor: 'known' | 'all'): Promise<Answers>;
  /** Asks one relay, by URL, for pieces, by their d-tags. Of an unknown relay: nothing, incompletely. */
  collect(relay: RelayUrl, dTags: readonly Address[]): Promise<Collected>;
  /** Keeps these categories, and only these, up to date by live subscriptions. */
  watch(dTags: readonly Address[]): void;
  /** A record of the replica changed. */
  recordChanged(dTag: Address): void;
  /** A relay was added, opened, closed or asked for AUTH. */
  relayChanged(relay: RelayConnection): void;
  relayRemoved(url: RelayUrl): void;
  /** A signer was set: what waited for AUTH goes on. */
  retry(): void;
  relays(): readonly RelayState[];
  /** This relay is connected, and never answers completely: it is disconnected for a while. */
  hangUp(url: RelayUrl): void;
  /** See `Outbox.follow`. */
  follow(dTag: Address, tombstone: EventId, deletion: NostrEvent): void;
  close(): void;
}

export function createNetwork(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly pubkey: string;
  readonly verifier: EventVerifier;
  readonly replica: Replica;
  /** See `Known`. */
  readonly keepingOf?: Known['keepingOf'];
  readonly pool: RelayPool;
  readonly pacing: Pacing;
  /** See `Network.watch`. A relay is asked for these before it is sent anything. */
  readonly watched: readonly Address[];
  readonly onAnswer: (dTag: Address, relay: RelayUrl, event: VerifiedEvent, answer: Answer) => void;
  readonly onVoid: (relay: RelayConnection, id: EventId) => void;
}): Network {
  const { pool } = ports;
  const inbox = createInbox({
    ...ports,
    relays: () => [...pool.connections.keys()],
    onShown: (relay, dTag, id) => outbox.shown(relay, dTag, id),
    onLoss: (relay) => outbox.lost(relay),
  });
  const outbox = createOutbox({ ...ports, ...inbox });
  let { watched } = ports;
  const watches = new Map<RelayUrl, () => void>();

  function watch(relay: RelayConnection): void {
    watches.get(relay.url)?.();
    watches.set(relay.url, inbox.watch(relay, watched));
  }

  const network: Network = {
    ask: (dTags, waitFor) =>
      pool.gather(
        (relay) => (waitFor === 'known' ? inbox.askNews : inbox.ask)(relay, dTags),
        () => waitFor === 'known' && dTags.every((dTag) => ports.replica.get(dTag)?.head !== undefined),
      ),
    collect: async (url, dTags) => {
      const relay = pool.connections.get(url);
      return relay === undefined ? { isComplete: false, events: new Map() } : inbox.collect(relay, dTags);
    },
    watch: (dTags) => {
      // A second subscription to what is watched already costs the relays nothing.
      if (JSON.stringify(dTags) === JSON.stringify(watched)) return;
      watched = dTags;
      for (const relay of pool.connections.values()) watch(relay);
    },
    recordChanged: outbox.recordChanged,
    relayChanged: (relay) => {
      if (!watches.has(relay.url)) watch(relay);
      outbox.relayChanged(relay);
    },
    relayRemoved: (url) => {
      watches.get(url)?.();
      watches.delete(url);
      outbox.relayRemoved(url);
    },
    retry: () => {
      pool.retryAuth();
      outbox.retry();
    },
    relays: () => [...pool.connections.values()].map((relay) => relay.info()),
    hangUp: (url) => pool.connections.get(url)?.hangUp('does not answer completely'),
    follow: outbox.follow,
    close: () => {
      outbox.close();
      for (const stop of watches.values()) stop();
      watches.clear();
    },
  };
  for (const relay of pool.connections.values()) network.relayChanged(relay);
  return network;
}
