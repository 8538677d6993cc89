/**
 * What an engine needs of the tab that leads: it says what it is there for, keeps the leader's list of relays, asks, and
 * notices that the leader has fallen silent. While it leads itself, only the asking is left: what was not answered goes on
 * over its own connections.
 */

import type { Clock } from '../../clock.ts';
import type { Address, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import type { Answers } from '../../relay/pool.ts';
import type { Collected } from '../relays/collect.ts';
import type { Network } from '../relays/network.ts';
import type { TabMessage } from './messages.ts';
import { createQuestions } from './questions.ts';
import { createRelayList, type RelayListPorts } from './relay-list.ts';
import { createSilence } from './silence.ts';

export interface TabFollowerPorts extends RelayListPorts {
  /** Tells this engine from the others. */
  readonly self: string;
  readonly clock: Clock;
  readonly onAnswer: (dTag: Address, relay: RelayUrl, event: NostrEvent, answer: Answer) => void;
  readonly hasSigner: () => boolean;
  /** The leader answers nothing: it may be suspended, and holds its lock all the same. */
  readonly onSilence: () => void;
  readonly post: (message: TabMessage) => void;
}

export interface TabFollower extends Omit<Network, 'recordChanged' | 'relayChanged' | 'relayRemoved'> {
  /** Whether it knows what the leader's relays do. */
  isTold(): boolean;
  /** This engine holds its own lock: without it the leader would take it for dead. */
  present(): void;
  receive(message: TabMessage): void;
  /** Something came that the leader alone says. */
  heard(): void;
  /** Resolves once what `relays` says is not older than the time in which a leader that is silent loses its place. */
  told(): Promise<void>;
  /** The app added or removed a relay here. */
  relayListChanged(url: RelayUrl, isAdded: boolean): void;
  /** This engine leads from now on: this network over its connections is to watch, and to answer what has not been answered. */
  takeOver(network: Network): void;
  /** Another leads from now on. */
  giveWay(): void;
}

const NOTHING: Collected = { isComplete: false, events: new Map() };

export function createTabFollower(ports: TabFollowerPorts): TabFollower {
  const { self, clock, urls, post } = ports;
  let leading: Network | undefined;
  let isClosed = false;
  let isPresent = false;
  let watched: readonly Address[] = [];
  /** Callers that wait for the leader's word on its relays. */
  const waiting = new Set<() => void>();
  const list = createRelayList(ports);
  const ping = (): void => post({ type: 'ping' });
  const silence = createSilence({ clock, ping, onSilence: ports.onSilence });
  const asks = createQuestions<Answers>(clock, () => ({ complete: [], incomplete: urls() }));
  const collects = createQuestions<Collected>(clock, () => NOTHING);

  function introduce(): void {
    if (!isPresent || leading !== undefined) return;
    post({ type: 'here', from: self, watched, hasSigner: ports.hasSigner(), ...list.said() });
  }

  function settleWaiting(): void {
    for (const resolve of waiting) resolve();
    waiting.clear();
  }

  function receive(message: TabMessage): void {
    switch (message.type) {
      case 'lead':
        introduce();
        return asks.askAgain();
      case 'relays':
        list.receive(message.relays, message.taken?.[self]);
        return settleWaiting();
      case 'answer':
        return ports.onAnswer(message.dTag, message.relay, message.event, message.answer);
      case 'asked':
        return asks.settle(message.id, message.answers);
      case 'collected':
        return collects.settle(message.id, message.collected);
      default:
        return;
    }
  }

  silence.listen();
  return {
    isTold: () => list.told() !== undefined,
    present: () => {
      isPresent = true;
      introduce();
    },
    receive,
    heard: silence.heard,
    told: async () => {
      if (list.told() === undefined || silence.isFresh() || leading !== undefined || isClosed) return;
      ping();
      await new Promise<void>((resolve) => waiting.add(resolve));
    },
    takeOver: (network) => {
      leading = network;
      list.takeOver();
      silence.stop();
      settleWaiting();
      network.watch(watched);
      asks.askAgain();
    },
    giveWay: () => {
      if (leading === undefined) return;
      leading = undefined;
      silence.listen();
      introduce();
      asks.askAgain();
    },
    ask: (dTags, waitFor) =>
      asks.ask((id, settle) => {
        if (leading === undefined) return post({ type: 'ask', from: self, id, dTags, waitFor });
        const asked = leading;
        // What breaks off because another leads now is asked of that one.
        void asked.ask(dTags, waitFor).then((answers) => leading === asked && settle(answers));
      }),
    // Asked once: the caller that wants the pieces asks again, and another relay.
    collect: (relay, dTags) =>
      leading === undefined || isClosed
        ? collects.ask((id) => post({ type: 'collect', from: self, id, relay, dTags }))
        : leading.collect(relay, dTags),
    watch: (dTags) => {
      watched = dTags;
      leading?.watch(dTags);
      introduce();
    },
    relays: () => list.told() ?? [],
    retry: introduce,
    hangUp: (relay) => post({ type: 'hangUp', relay }),
    follow: (dTag, tombstone, deletion) => post({ type: 'follow', dTag, tombstone, deletion }),
    relayListChanged: (url, isAdded) => {
      list.changed(url, isAdded);
      introduce();
    },
    close: () => {
      isClosed = true;
      silence.stop();
      settleWaiting();
      asks.close();
      collects.close();
    },
  };
}
