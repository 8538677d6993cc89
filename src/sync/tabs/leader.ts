/**
 * What an engine that leads does for the tabs that follow: its relays serve what all of them watch and ask, their list is
 * everybody's, and any of them may sign AUTH.
 */

import type { Clock } from '../../clock.ts';
import type { Address, RelayUrl } from '../../protocol/address.ts';
import type { EventTemplate } from '../../protocol/event.ts';
import type { SignedAuth } from '../../relay/auth.ts';
import type { Network } from '../relays/network.ts';
import { createAuthSigning } from './auth-signing.ts';
import type { Here, TabMessage } from './messages.ts';

export interface TabLeaderPorts {
  /** Tells this engine from the others. */
  readonly self: string;
  readonly clock: Clock;
  /** Over the connections of this engine. */
  readonly network: Network;
  readonly urls: () => readonly RelayUrl[];
  readonly addRelay: (url: RelayUrl) => void;
  readonly removeRelay: (url: RelayUrl) => void;
  /** Finds dead connections of this engine. */
  readonly wake: () => void;
  /** Signs here; `undefined` if no signer is set or it refuses. */
  readonly signAuth: (template: EventTemplate) => Promise<SignedAuth>;
  readonly post: (message: TabMessage) => void;
  /** Waits for the death of another engine, until the returned function is called. */
  readonly onDeath: (of: string, act: () => void) => () => void;
}

/** The network of this engine, for all tabs. */
export interface TabLeader extends Network {
  receive(message: TabMessage): void;
  /** The relays to all, once for all that changes at the same time. */
  tell(): void;
  /** Has AUTH signed by an engine that has the signer. */
  signElsewhere(template: EventTemplate): Promise<SignedAuth>;
}

/** A follower, as the leader knows it. */
interface Follower {
  readonly watched: readonly Address[];
  hasSigner: boolean;
  /** See `Here`. */
  readonly changes: number;
  /** Ends the wait for its death. */
  readonly forget: () => void;
}

export function createTabLeader(ports: TabLeaderPorts): TabLeader {
  const { self, network, urls, post } = ports;
  let watched: readonly Address[] = [];
  let isTelling = false;
  const followers = new Map<string, Follower>();
  const signing = createAuthSigning({
    ...ports,
    find: () => [...followers].find(([, { hasSigner }]) => hasSigner)?.[0],
    ask: (to, id, template) => post({ type: 'sign', to, from: self, id, template }),
    onGone: (tab) => {
      const follower = followers.get(tab);
      if (follower !== undefined) follower.hasSigner = false;
    },
  });

  function watchAll(): void {
    const wanted = new Set(watched);
    for (const follower of followers.values()) for (const dTag of follower.watched) wanted.add(dTag);
    network.watch([...wanted].sort());
  }

  function tell(): void {
    if (isTelling) return;
    isTelling = true;
    queueMicrotask(() => {
      isTelling = false;
      const taken = Object.fromEntries([...followers].map(([from, { changes }]) => [from, changes]));
      post({ type: 'relays', relays: network.relays(), taken });
    });
  }

  function meet({ relays, ...here }: Here): void {
    const { from, hasSigner } = here;
    const known = followers.get(from);
    const forget = known?.forget ?? ports.onDeath(from, () => bury(from));
    followers.set(from, { ...here, forget });
    const own = new Set(urls());
    for (const [url, isAdded] of relays) {
      if (isAdded === own.has(url)) continue;
      if (isAdded) ports.addRelay(url);
      else ports.removeRelay(url);
    }
    watchAll();
    tell();
    if (!hasSigner || known?.hasSigner === true) return;
    signing.signerFound();
    network.retry();
  }

  function bury(from: string): void {
    followers.get(from)?.forget();
    followers.delete(from);
    watchAll();
    signing.buried(from);
  }

  function receive(message: TabMessage): void {
    switch (message.type) {
      case 'here':
        return meet(message);
      case 'wake':
        return ports.wake();
      case 'hangUp':
        return network.hangUp(message.relay);
      case 'follow':
        return network.follow(message.dTag, message.tombstone, message.deletion);
      case 'ask': {
        const { from: to, id } = message;
        void network.ask(message.dTags, message.waitFor).then((answers) => {
          post({ type: 'asked', to, id, answers });
          tell();
        });
        return;
      }
      case 'collect': {
        const { from: to, id } = message;
        void network.collect(message.relay, message.dTags).then((collected) => {
          post({ type: 'collected', to, id, collected });
        });
        return;
      }
      case 'signed':
        return signing.signed(message.id, message.event);
      default:
        return;
    }
  }

  post({ type: 'lead' });
  tell();
  return {
    ...network,
    tell,
    receive,
    watch: (dTags) => {
      watched = dTags;
      watchAll();
    },
    relayChanged: (relay) => {
      network.relayChanged(relay);
      tell();
    },
    relayRemoved: (url) => {
      network.relayRemoved(url);
      tell();
    },
    retry: () => {
      network.retry();
      signing.signHere();
    },
    signElsewhere: signing.sign,
    close: () => {
      network.close();
      for (const { forget } of followers.values()) forget();
      signing.close();
    },
  };
}
