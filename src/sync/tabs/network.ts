/**
 * The network of several engines on one store: one leads and owns the relays; the others save what they write, tell the
 * leader, and learn from it what was saved. Safety comes from the store's transactions alone; leadership saves
 * connections. A tab that follows now may lead a moment later, so what was asked and not answered is asked again.
 *
 *     joining ──told by the leader──▶ following ──the leader's lock is free, or stolen──▶ reloading ──▶ leading
 *        └──────────────────────no tab leads───────────────────────────────────────────────▲             │
 *                                         ▲──────────────the lock was stolen─────────────────────────────┘
 *
 * Every engine holds two locks or waits for them: the leader's, and one of its own, by which the leader learns that it died.
 * Here is the change of leadership; the lock, the channel and the two roles have files of their own.
 */

import type { Address, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { SignedAuth } from '../../relay/auth.ts';
import type { EventTemplate, NostrEvent } from '../../protocol/event.ts';
import { KIND_AUTH } from '../../protocol/limits.ts';
import type { RelayState } from '../../relay/connection.ts';
import type { Tabs } from '../../tabs/tabs.ts';
import type { Replica } from '../heads/replica.ts';
import type { Network } from '../relays/network.ts';
import { createTabChannel } from './channel.ts';
import { createTabFollower, type TabFollowerPorts } from './follower.ts';
import { createTabLeader, type TabLeader, type TabLeaderPorts } from './leader.ts';
import { createLeadership } from './leadership.ts';
import type { TabMessage } from './messages.ts';
import { createReloading } from './reloading.ts';

export interface TabNetwork extends Network {
  isLeading(): boolean;
  /** Whether this engine leads, or knows what the leader's relays do. */
  isSettled(): boolean;
  /** Resolves once what `relays` says is of now: see `TabFollower.told`. */
  told(): Promise<void>;
  /** The store says that another leads: then this engine sends nothing more. */
  deposed(): void;
  /** This engine has saved a change of this category. */
  saved(dTag: Address): void;
  /** A relay answered to a write that another engine may have made. */
  answered(dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer): void;
  /** The app added or removed a relay here. */
  relayListChanged(url: RelayUrl, isAdded: boolean): void;
  /** Connections may be dead without a close. */
  wake(): void;
  /** If this engine leads: has AUTH signed by one that has the signer. */
  signElsewhere(template: EventTemplate): Promise<SignedAuth> | undefined;
}

export type TabNetworkPorts = Omit<TabFollowerPorts, 'post' | 'onSilence'> &
  Omit<TabLeaderPorts, 'post' | 'network' | 'onDeath'> & {
    readonly tabs: Tabs;
    readonly replica: Replica;
    /** Of the store, the namespace and the identity. */
    readonly name: string;
    /** Begins to lead: connects, and makes the network over the connections. */
    readonly open: () => Network;
    /** Drops the connections. */
    readonly shut: () => void;
    /** Of the connections of this engine. */
    readonly ownRelays: () => readonly RelayState[];
    /** This engine leads from now on. */
    readonly onLead: () => void;
  };

/** One closure: which tab leads is one state, and each call goes by it. */
export function createTabNetwork(ports: TabNetworkPorts): TabNetwork {
  const { tabs, name, self, replica } = ports;
  let leader: TabLeader | undefined;
  const follower = createTabFollower({
    ...ports,
    post: (message) => channel.post(message),
    onSilence: () => leadership.steal(),
  });
  const channel = createTabChannel(tabs, name, {
    onPing: sayRelays,
    onLeaderHeard: follower.heard,
    receive,
  });
  const leadership = createLeadership(tabs, name, {
    onHeld: () => {
      sayRelays();
      channel.inOrder(lead);
    },
    onLost: stepDown,
  });
  const { post, inOrder, isClosed } = channel;
  const { reload, ...reloading } = createReloading({
    ...ports,
    again: () => inOrder(() => (leadership.lock() === 'none' || leader !== undefined ? reload() : lead())),
  });
  leadership.wait();
  const leave = tabs.hold(`${name}/${self}`, follower.present);

  /** Another leads. Before anything else the sockets go: what that one writes must not leave by them. */
  function stepDown(): void {
    if (isClosed()) return;
    const former = leader;
    leader = undefined;
    leadership.lost();
    replica.resign();
    if (former !== undefined) {
      ports.shut();
      follower.giveWay();
      former.close();
    }
    leadership.wait();
  }

  function sayRelays(): void {
    if (leadership.lock() !== 'none') channel.post({ type: 'relays', relays: ports.ownRelays() });
  }

  async function lead(): Promise<void> {
    const isStolen = leadership.lock() === 'stolen';
    try {
      await replica.lead(isStolen ? self : undefined, () => leadership.lock() !== 'none');
    } catch {
      // The tab that it was stolen from may wake up, and could find out only by the store.
      if (isStolen) return reloading.tryAgain();
    }
    // The former leader may have died between saving and telling.
    await reload();
    if (isClosed() || leadership.lock() === 'none' || leader !== undefined) return;
    leader = createTabLeader({ ...ports, network: ports.open(), post, onDeath });
    follower.takeOver(leader);
    ports.onLead();
  }

  function onDeath(of: string, act: () => void): () => void {
    return tabs.hold(`${name}/${of}`, () =>
      inOrder(() => {
        act();
        // It may have died between saving and telling.
        return reload();
      }),
    );
  }

  function receive(message: TabMessage): Promise<void> | void {
    // The channel has no addresses: every tab hears what is for one.
    if ('to' in message && message.to !== self) return;
    if (message.type === 'changed') return reload(message.dTags);
    if (message.type !== 'sign') return (leader ?? follower).receive(message);
    const { from: to, id, template } = message;
    if (template.kind !== KIND_AUTH) return;
    // Not waited for: a person may take minutes.
    void ports.signAuth(template).then((event) => post({ type: 'signed', to, id, event }));
  }

  return {
    isLeading: () => leader !== undefined,
    isSettled: () => leader !== undefined || follower.isTold(),
    ask: follower.ask,
    collect: follower.collect,
    told: follower.told,
    deposed: () => {
      if (leader !== undefined) stepDown();
    },
    watch: follower.watch,
    recordChanged: (dTag) => leader?.recordChanged(dTag),
    relayChanged: (relay) => leader?.relayChanged(relay),
    relayRemoved: (url) => leader?.relayRemoved(url),
    relays: () => (leader ?? follower).relays(),
    retry: () => (leader ?? follower).retry(),
    hangUp: (url) => (leader ?? follower).hangUp(url),
    follow: (...deletion) => (leader ?? follower).follow(...deletion),
    answered: (dTag, relay, event, answer) => {
      post({ type: 'answer', dTag, relay, event, answer });
      leader?.tell();
    },
    saved: (dTag) => {
      channel.saved(dTag);
      leader?.tell();
    },
    relayListChanged: (url, isAdded) => {
      if (leader === undefined) follower.relayListChanged(url, isAdded);
      else leader.tell();
    },
    wake: () => {
      if (leader === undefined) post({ type: 'wake' });
    },
    signElsewhere: (template) => (isClosed() ? undefined : leader?.signElsewhere(template)),
    close: () => {
      if (isClosed()) return;
      channel.close();
      reloading.close();
      leader?.close();
      leadership.giveUp();
      leave();
      follower.close();
    },
  };
}
