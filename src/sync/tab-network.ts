/**
 * The network of several engines on one store: one leads and owns the relays; the others save what they write, tell the
 * leader, and learn from it what was saved. Safety comes from the store's transactions alone; leadership saves
 * connections. Whoever follows today may lead a moment later, so what was asked and not answered is asked again.
 */

import type { Clock } from '../clock.ts';
import type { Answer } from '../protocol/answer.ts';
import type { EventTemplate, NostrEvent } from '../protocol/event.ts';
import { ASK_LEADER_MS } from '../protocol/limits.ts';
import type { RelayInfo } from '../relay/connection.ts';
import type { Tabs } from '../tabs/tabs.ts';
import type { Network } from './network.ts';
import { deliveryOf } from './record.ts';
import type { Replica } from './replica.ts';

type Message =
  /** To all: these categories changed in the store. */
  | { readonly type: 'changed'; readonly dTags: readonly string[] }
  /** To all, from who begins to lead, and again when somebody joins. */
  | { readonly type: 'lead' }
  | { readonly type: 'join' }
  /** From the leader. */
  | { readonly type: 'relays'; readonly relays: readonly RelayInfo[] }
  /** From the leader: a relay's answer to a write, for whoever made it. */
  | { readonly type: 'answer'; readonly dTag: string; readonly relay: string; readonly event: NostrEvent; readonly answer: Answer }
  /** To all: the user changed the list of relays. */
  | { readonly type: 'relay'; readonly url: string; readonly isAdded: boolean }
  /** To the leader. */
  | { readonly type: 'watch'; readonly from: string; readonly dTags: readonly string[] }
  | { readonly type: 'gone'; readonly from: string }
  | { readonly type: 'retry' }
  | { readonly type: 'follow'; readonly dTag: string; readonly tombstone: string; readonly deletion: NostrEvent }
  | { readonly type: 'ask'; readonly from: string; readonly id: number; readonly dTags: readonly string[] }
  /** The leader to one: `isDone` false at the first complete answer of a relay. */
  | { readonly type: 'asked'; readonly to: string; readonly id: number; readonly isDone: boolean; readonly isAnswered: boolean }
  /** From a leader without a signer to all, and back from who has one. */
  | { readonly type: 'sign'; readonly id: number; readonly template: EventTemplate }
  | { readonly type: 'signed'; readonly id: number; readonly event: NostrEvent };

interface Ask {
  readonly dTags: readonly string[];
  readonly onAnswer: () => void;
  readonly resolve: (isAnswered: boolean) => void;
}

export interface TabNetwork extends Network {
  readonly isLeading: boolean;
  /** This engine has saved a change of this category. */
  saved(dTag: string): void;
  /** A relay answered to a write that another engine may have made. */
  answered(dTag: string, relay: string, event: NostrEvent, answer: Answer): void;
  /** The app added or removed a relay here. */
  relayListChanged(url: string, isAdded: boolean): void;
  /** Has AUTH signed by an engine that has the signer. */
  signElsewhere(template: EventTemplate): Promise<NostrEvent | undefined>;
}

/** What a follower's outbox would count if it led. */
function pendingPairs(replica: Replica, urls: readonly string[]): number {
  let pairs = 0;
  for (const dTag of replica.dTags()) {
    const record = replica.peek(dTag);
    if (record?.event === undefined) continue;
    pairs += urls.filter((url) => deliveryOf(record, url) === 'pending').length;
  }
  return pairs;
}

export function createTabNetwork(ports: {
  readonly tabs: Tabs;
  /** Of the store, the namespace and the identity. */
  readonly name: string;
  /** Tells this engine from the others. */
  readonly self: string;
  readonly clock: Clock;
  readonly replica: Replica;
  /** Begins to lead: connects, and makes the network over the connections. */
  readonly open: () => Network;
  readonly urls: () => readonly string[];
  readonly addRelay: (url: string) => void;
  readonly removeRelay: (url: string) => void;
  readonly onRelays: (relays: readonly RelayInfo[], former: readonly RelayInfo[]) => void;
  readonly onAnswer: (dTag: string, relay: string, event: NostrEvent, answer: Answer) => void;
  /** Signs AUTH here; `undefined` where no signer is set. */
  readonly signAuth: (template: EventTemplate) => Promise<NostrEvent | undefined>;
}): TabNetwork {
  const { self, replica, clock } = ports;
  let local: Network | undefined;
  let isClosed = false;
  let nextId = 0;
  let watched: readonly string[] = [];
  /** What the others watch, for the leader. */
  const watchedElsewhere = new Map<string, readonly string[]>();
  const asks = new Map<number, Ask>();
  const signings = new Map<number, (event: NostrEvent | undefined) => void>();
  /** The relays by the leader's word. */
  let told: readonly RelayInfo[] = [];
  let isTelling = false;

  const channel = ports.tabs.join(ports.name, (message) => {
    // In order: a change must be in the replica before the answer that speaks of it.
    inbound = inbound.then(() => (isClosed ? undefined : receive(message as Message))).catch(() => undefined);
  });
  let inbound: Promise<void> = Promise.resolve();
  const post = (message: Message): void => {
    if (!isClosed) channel.post(message);
  };
  const giveUp = ports.tabs.lead(ports.name, () => {
    inbound = inbound.then(lead).catch(() => undefined);
  });
  post({ type: 'join' });
  for (const url of ports.urls()) post({ type: 'relay', url, isAdded: true });

  async function lead(): Promise<void> {
    if (isClosed) return;
    // The former leader may have died between saving and telling.
    await replica.reload();
    if (isClosed) return;
    local = ports.open();
    post({ type: 'lead' });
    watchAll();
    tell();
    for (const [id, ask] of asks) askHere(id, ask);
  }

  function askHere(id: number, ask: Ask): void {
    void local!.ask(ask.dTags, ask.onAnswer).then((isAnswered) => {
      if (asks.delete(id)) ask.resolve(isAnswered);
    });
  }

  function watchAll(): void {
    local?.watch([...new Set([...watched, ...[...watchedElsewhere.values()].flat()])].toSorted());
  }

  /** The leader's relays to all, once for all that changes at the same time. */
  function tell(): void {
    if (local === undefined || isTelling) return;
    isTelling = true;
    queueMicrotask(() => {
      isTelling = false;
      if (local !== undefined) post({ type: 'relays', relays: local.relays() });
    });
  }

  async function receive(message: Message): Promise<void> {
    switch (message.type) {
      case 'changed':
        return replica.reload(message.dTags);
      case 'relay':
        if (message.isAdded) ports.addRelay(message.url);
        else ports.removeRelay(message.url);
        return;
      case 'sign': {
        const event = await ports.signAuth(message.template);
        if (event !== undefined) post({ type: 'signed', id: message.id, event });
        return;
      }
      case 'signed':
        return signings.get(message.id)?.(message.event);
      default:
        return local === undefined ? receiveAsFollower(message) : receiveAsLeader(message, local);
    }
  }

  function receiveAsFollower(message: Message): void {
    switch (message.type) {
      case 'lead':
        post({ type: 'watch', from: self, dTags: watched });
        for (const [id, { dTags }] of asks) post({ type: 'ask', from: self, id, dTags });
        return;
      case 'relays': {
        const former = told;
        told = message.relays;
        return ports.onRelays(told, former);
      }
      case 'answer':
        return ports.onAnswer(message.dTag, message.relay, message.event, message.answer);
      case 'asked': {
        const ask = message.to === self ? asks.get(message.id) : undefined;
        if (ask === undefined) return;
        if (!message.isDone) return ask.onAnswer();
        asks.delete(message.id);
        return ask.resolve(message.isAnswered);
      }
      default:
        return;
    }
  }

  function receiveAsLeader(message: Message, leading: Network): void {
    switch (message.type) {
      case 'join':
        post({ type: 'lead' });
        return tell();
      case 'watch':
        watchedElsewhere.set(message.from, message.dTags);
        return watchAll();
      case 'gone':
        watchedElsewhere.delete(message.from);
        return watchAll();
      case 'retry':
        return leading.retry();
      case 'follow':
        return leading.follow(message.dTag, message.tombstone, message.deletion);
      case 'ask': {
        const { from: to, id } = message;
        const onAnswer = (): void => post({ type: 'asked', to, id, isDone: false, isAnswered: true });
        void leading
          .ask(message.dTags, onAnswer)
          .then((isAnswered) => post({ type: 'asked', to, id, isDone: true, isAnswered }));
        return;
      }
      default:
        return;
    }
  }

  return {
    get isLeading() {
      return local !== undefined;
    },
    ask: (dTags, onAnswer = () => undefined) =>
      new Promise((resolve) => {
        const id = nextId++;
        // Nobody may lead just now, or the leader may hang: then nothing is known.
        const cancel = clock.after(ASK_LEADER_MS, () => {
          if (asks.delete(id)) resolve(false);
        });
        const ask: Ask = {
          dTags,
          onAnswer,
          resolve: (isAnswered) => {
            cancel();
            resolve(isAnswered);
          },
        };
        asks.set(id, ask);
        if (local === undefined) post({ type: 'ask', from: self, id, dTags });
        else askHere(id, ask);
      }),
    watch: (dTags) => {
      watched = dTags;
      if (local === undefined) post({ type: 'watch', from: self, dTags });
      else watchAll();
    },
    recordChanged: (dTag) => local?.recordChanged(dTag),
    relayChanged: (relay) => {
      local?.relayChanged(relay);
      tell();
    },
    relayRemoved: (url) => {
      local?.relayRemoved(url);
      tell();
    },
    relays: () => local?.relays() ?? told,
    retry: () => {
      if (local === undefined) post({ type: 'retry' });
      else local.retry();
    },
    depth: () => local?.depth() ?? pendingPairs(replica, ports.urls()),
    follow: (dTag, tombstone, deletion) => {
      if (local === undefined) post({ type: 'follow', dTag, tombstone, deletion });
      else local.follow(dTag, tombstone, deletion);
    },
    answered: (dTag, relay, event, answer) => post({ type: 'answer', dTag, relay, event, answer }),
    saved: (dTag) => post({ type: 'changed', dTags: [dTag] }),
    relayListChanged: (url, isAdded) => post({ type: 'relay', url, isAdded }),
    signElsewhere: (template) =>
      new Promise((resolve) => {
        const id = nextId++;
        const settle = (event: NostrEvent | undefined): void => {
          cancel();
          signings.delete(id);
          resolve(event);
        };
        const cancel = clock.after(ASK_LEADER_MS, () => settle(undefined));
        signings.set(id, settle);
        post({ type: 'sign', id, template });
      }),
    close: () => {
      if (isClosed) return;
      post({ type: 'gone', from: self });
      isClosed = true;
      local?.close();
      giveUp();
      channel.close();
      for (const ask of asks.values()) ask.resolve(false);
      asks.clear();
    },
  };
}
