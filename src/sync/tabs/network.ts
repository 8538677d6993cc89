/**
 * The network of several engines on one store: one leads and owns the relays; the others save what they write, tell the
 * leader, and learn from it what was saved. Safety comes from the store's transactions alone; leadership saves
 * connections. A tab that follows now may lead a moment later, so what was asked and not answered is asked again.
 *
 *     joining ──told by the leader──▶ following ──the leader's lock is free, or stolen──▶ reloading ──▶ leading
 *        └──────────────────────nobody leads───────────────────────────────────────────────▲             │
 *                                         ▲──────────────the lock was stolen─────────────────────────────┘
 *
 * A leader that the system suspends keeps its lock. It loses it to the first tab that notices, and learns of that when it
 * wakes up, or from the store, whichever comes first.
 * Every engine holds two locks or waits for them: the leader's, and one of its own, by which the leader learns that it died.
 * Here are the locks, the order of messages, what was saved, and the change of leadership; the two roles have files of their own.
 */

import type { Answer } from '../../protocol/answer.ts';
import type { SignedAuth } from '../../relay/auth.ts';
import type { EventTemplate, NostrEvent } from '../../protocol/event.ts';
import { KIND_AUTH, STORE_RETRY_MS } from '../../protocol/limits.ts';
import type { RelayInfo } from '../../relay/connection.ts';
import type { Tabs } from '../../tabs/tabs.ts';
import type { Network } from '../relays/network.ts';
import { createTabFollower, type TabFollowerPorts } from './follower.ts';
import { createTabLeader, type TabLeader, type TabLeaderPorts } from './leader.ts';
import { OF_LEADER, type TabMessage } from './messages.ts';

export interface TabNetwork extends Network {
  isLeading(): boolean;
  /** Whether this engine leads, or knows what the leader's relays do. */
  isSettled(): boolean;
  /** Resolves once what `relays` says is of now: see `TabFollower.told`. */
  told(): Promise<void>;
  /** The store says that another leads: then this engine sends nothing more. */
  deposed(): void;
  /** This engine has saved a change of this category. */
  saved(dTag: string): void;
  /** A relay answered to a write that another engine may have made. */
  answered(dTag: string, relay: string, event: NostrEvent, answer: Answer): void;
  /** The app added or removed a relay here. */
  relayListChanged(url: string, isAdded: boolean): void;
  /** Connections may be dead without a close. */
  wake(): void;
  /** If this engine leads: has AUTH signed by one that has the signer. */
  signElsewhere(template: EventTemplate): Promise<SignedAuth> | undefined;
}

export function createTabNetwork(
  ports: Omit<TabFollowerPorts, 'post' | 'onSilence'> &
    Omit<TabLeaderPorts, 'post' | 'network' | 'onDeath'> & {
      readonly tabs: Tabs;
      /** Of the store, the namespace and the identity. */
      readonly name: string;
      /** Begins to lead: connects, and makes the network over the connections. */
      readonly open: () => Network;
      /** Drops the connections. */
      readonly shut: () => void;
      /** Of the connections of this engine. */
      readonly ownRelays: () => readonly RelayInfo[];
      /** This engine leads from now on. */
      readonly onLead: () => void;
    },
): TabNetwork {
  const { tabs, name, self, replica } = ports;
  const follower = createTabFollower({ ...ports, post, onSilence: () => campaign('steal') });
  let leader: TabLeader | undefined;
  let isClosed = false;
  /** What this engine has of the leader's lock. */
  let lock: 'none' | 'held' | 'stolen' = 'none';
  let giveUp = (): void => undefined;
  let cancelRetry = (): void => undefined;
  /** Saved and not yet told: one message for all that is saved at once. */
  const unsaid = new Set<string>();
  /** Messages and changes of leadership, one after the other: a change is in the replica before what speaks of it. */
  let inbound: Promise<void> = Promise.resolve();
  const inOrder = (act: () => Promise<void> | void): void => {
    // Another version of the app may run in another tab: what cannot be understood stops nothing.
    inbound = inbound.then(() => (isClosed ? undefined : act())).catch(() => undefined);
  };

  const channel = tabs.join(name, (message) => {
    const type = (message as TabMessage | undefined)?.type;
    // At once: what this engine waits for says nothing of whether another lives.
    if (type === 'ping') return sayRelays();
    if (type !== undefined && OF_LEADER.has(type)) follower.heard();
    inOrder(() => receive(message as TabMessage));
  });
  campaign('hold');
  const leave = tabs.hold(`${name}/${self}`, follower.present);

  /** Waits for the leader's lock, or takes it. */
  function campaign(how: 'hold' | 'steal'): void {
    giveUp();
    const onHeld = (): void => {
      lock = how === 'steal' ? 'stolen' : 'held';
      sayRelays();
      inOrder(lead);
    };
    giveUp = tabs[how](name, onHeld, stepDown);
  }

  /** Another leads. Before anything else the sockets go: what that one writes must not leave by them. */
  function stepDown(): void {
    if (isClosed) return;
    const former = leader;
    leader = undefined;
    lock = 'none';
    if (former !== undefined) {
      ports.shut();
      follower.giveWay();
      former.close();
    }
    campaign('hold');
  }

  function sayRelays(): void {
    if (lock !== 'none') post({ type: 'relays', relays: ports.ownRelays() });
  }

  function post(message: TabMessage): void {
    if (isClosed) return;
    sayChanged();
    channel.post(message);
  }

  function sayChanged(): void {
    if (unsaid.size === 0 || isClosed) return;
    channel.post({ type: 'changed', dTags: [...unsaid] } satisfies TabMessage);
    unsaid.clear();
  }

  async function reload(dTags?: readonly string[]): Promise<void> {
    try {
      await replica.reload(dTags);
    } catch {
      // What another engine saved must not be missed because the store failed once.
      tryAgain();
    }
  }

  function tryAgain(): void {
    cancelRetry();
    if (isClosed) return;
    cancelRetry = ports.clock.after(STORE_RETRY_MS, () =>
      inOrder(() => (lock === 'none' || leader !== undefined ? reload() : lead())),
    );
  }

  async function lead(): Promise<void> {
    const isStolen = lock === 'stolen';
    try {
      await replica.lead(isStolen ? self : undefined);
    } catch {
      // The tab that it was stolen from may wake up, and could find out only by the store.
      if (isStolen) return tryAgain();
    }
    // The former leader may have died between saving and telling.
    await reload();
    if (isClosed || lock === 'none' || leader !== undefined) return;
    leader = createTabLeader({
      ...ports,
      network: ports.open(),
      post,
      onDeath: (of, act) =>
        tabs.hold(`${name}/${of}`, () =>
          inOrder(() => {
            act();
            // It may have died between saving and telling.
            return reload();
          }),
        ),
    });
    follower.takeOver(leader);
    ports.onLead();
  }

  function receive(message: TabMessage): Promise<void> | void {
    // The channel has no addresses: everybody hears what is for one.
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
    depth: () => (leader ?? follower).depth(),
    follow: (...deletion) => (leader ?? follower).follow(...deletion),
    answered: (dTag, relay, event, answer) => {
      post({ type: 'answer', dTag, relay, event, answer });
      leader?.tell();
    },
    saved: (dTag) => {
      if (unsaid.size === 0) queueMicrotask(sayChanged);
      unsaid.add(dTag);
      leader?.tell();
    },
    relayListChanged: (url, isAdded) => {
      if (leader === undefined) follower.relayListChanged(url, isAdded);
      else leader.tell();
    },
    wake: () => {
      if (leader === undefined) post({ type: 'wake' });
    },
    signElsewhere: (template) => (isClosed ? undefined : leader?.signElsewhere(template)),
    close: () => {
      if (isClosed) return;
      sayChanged();
      isClosed = true;
      cancelRetry();
      leader?.close();
      giveUp();
      leave();
      channel.close();
      follower.close();
    },
  };
}
