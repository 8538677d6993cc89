/**
 * The network of several engines on one store: one leads and owns the relays; the others save what they write, tell the
 * leader, and learn from it what was saved. Safety comes from the store's transactions alone; leadership saves
 * connections. Whoever follows today may lead a moment later, so what was asked and not answered is asked again.
 *
 *     joining ──told by the leader──▶ following ──the leader's lock is free──▶ reloading ──▶ leading
 *        └──────────────────────nobody leads────────────────────────────────────▲
 *
 * Every engine holds two locks or waits for them: the leader's, and one of its own, by which the leader learns that it died.
 */

import type { Clock } from '../clock.ts';
import type { Answer } from '../protocol/answer.ts';
import type { EventTemplate, NostrEvent } from '../protocol/event.ts';
import {
  ASK_LEADER_MS,
  FIND_SIGNER_MS,
  KIND_AUTH,
  SIGNER_TIMEOUT_MS,
  STORE_RETRY_MS,
} from '../protocol/limits.ts';
import type { RelayInfo } from '../relay/connection.ts';
import type { Tabs } from '../tabs/tabs.ts';
import type { Collected } from './inbox.ts';
import type { Network } from './network.ts';
import { isOwed } from './record.ts';
import type { Replica } from './replica.ts';

/** To the leader: what a follower needs of it. Sent whenever that changes, and again to whoever begins to lead. */
interface Here {
  readonly type: 'here';
  readonly from: string;
  readonly watched: readonly string[];
  readonly hasSigner: boolean;
  /** Relays that the app added (`true`) or removed here and that the leader has not confirmed. */
  readonly relays: readonly (readonly [url: string, isAdded: boolean])[];
}

type Message =
  /** To all: these categories changed in the store. */
  | { readonly type: 'changed'; readonly dTags: readonly string[] }
  | Here
  /** From who begins to lead: tell me who you are, and ask me what you had asked. */
  | { readonly type: 'lead' }
  /** From the leader: the relays and their state. */
  | { readonly type: 'relays'; readonly relays: readonly RelayInfo[] }
  /** From the leader: a relay's answer to a write, for whoever made it. */
  | {
      readonly type: 'answer';
      readonly dTag: string;
      readonly relay: string;
      readonly event: NostrEvent;
      readonly answer: Answer;
    }
  /** To the leader: connections may have died. */
  | { readonly type: 'wake' }
  | {
      readonly type: 'follow';
      readonly dTag: string;
      readonly tombstone: string;
      readonly deletion: NostrEvent;
    }
  | { readonly type: 'ask'; readonly from: string; readonly id: number; readonly dTags: readonly string[] }
  /** The leader to one: `isDone` false at the first complete answer of a relay. */
  | {
      readonly type: 'asked';
      readonly to: string;
      readonly id: number;
      readonly isDone: boolean;
      readonly isAnswered: boolean;
    }
  | {
      readonly type: 'collect';
      readonly from: string;
      readonly id: number;
      readonly relay: string;
      readonly dTags: readonly string[];
    }
  | { readonly type: 'collected'; readonly to: string; readonly id: number; readonly collected: Collected }
  /** A leader without a signer to one that has it, and back. */
  | {
      readonly type: 'sign';
      readonly to: string;
      readonly from: string;
      readonly id: number;
      readonly template: EventTemplate;
    }
  | {
      readonly type: 'signed';
      readonly to: string;
      readonly id: number;
      readonly event: NostrEvent | undefined;
    };

interface Ask {
  readonly dTags: readonly string[];
  readonly onAnswer: () => void;
  readonly resolve: (isAnswered: boolean) => void;
}

/** A follower, as the leader knows it. */
interface Follower {
  watched: readonly string[];
  hasSigner: boolean;
  /** Ends the wait for its death. */
  readonly forget: () => void;
}

/** AUTH that another engine is to sign. */
interface Signing {
  readonly template: EventTemplate;
  /** The follower that was asked. */
  to: string | undefined;
  readonly settle: (event: NostrEvent | undefined) => void;
}

export interface TabNetwork extends Network {
  readonly isLeading: boolean;
  /** Whether this engine leads, or knows what the leader's relays do. */
  readonly isSettled: boolean;
  /** This engine has saved a change of this category. */
  saved(dTag: string): void;
  /** A relay answered to a write that another engine may have made. */
  answered(dTag: string, relay: string, event: NostrEvent, answer: Answer): void;
  /** The app added or removed a relay here. */
  relayListChanged(url: string, isAdded: boolean): void;
  /** Connections may have died without a word. */
  wake(): void;
  /** Has AUTH signed by an engine that has the signer. */
  signElsewhere(template: EventTemplate): Promise<NostrEvent | undefined>;
}

/** What a follower's outbox would count if it led. */
function pendingPairs(replica: Replica, urls: readonly string[]): number {
  let pairs = 0;
  for (const dTag of replica.dTags()) {
    const record = replica.peek(dTag);
    pairs += urls.filter((url) => isOwed(record, url)).length;
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
  /** Finds dead connections of this engine. */
  readonly wake: () => void;
  /** The leader's word on its relays came, or changed; the list of this engine already agrees. */
  readonly onRelays: (relays: readonly RelayInfo[], former: readonly RelayInfo[]) => void;
  /** This engine leads from now on. */
  readonly onLead: () => void;
  readonly onAnswer: (dTag: string, relay: string, event: NostrEvent, answer: Answer) => void;
  readonly hasSigner: () => boolean;
  /** Signs here; `undefined` where no signer is set or it refuses. */
  readonly signAuth: (template: EventTemplate) => Promise<NostrEvent | undefined>;
}): TabNetwork {
  const { tabs, name, self, replica, clock } = ports;
  let local: Network | undefined;
  let isClosed = false;
  let nextId = 0;
  let watched: readonly string[] = [];
  /** What the relays were last told to watch for all engines, as text. */
  let watchedByAll: string | undefined;
  const asks = new Map<number, Ask>();
  const collects = new Map<number, (collected: Collected) => void>();

  // As a follower
  /** The relays by the leader's word. */
  let told: readonly RelayInfo[] | undefined;
  const unconfirmed = new Map(ports.urls().map((url) => [url, true]));
  /** The own lock is held: without it the leader would take this engine for dead. */
  let isPresent = false;

  // As the leader
  const followers = new Map<string, Follower>();
  const signings = new Map<number, Signing>();
  let isTelling = false;

  let cancelReload = (): void => undefined;
  /** Saved and not yet told: one message for all that is saved at once. */
  const unsaid = new Set<string>();
  /** Messages and changes of leadership, one after the other: a change is in the replica before what speaks of it. */
  let inbound: Promise<void> = Promise.resolve();
  const inOrder = (act: () => Promise<void> | void): void => {
    // Another version of the app may run in another tab: what cannot be understood stops nothing.
    inbound = inbound.then(() => (isClosed ? undefined : act())).catch(() => undefined);
  };

  const channel = tabs.join(name, (message) => inOrder(() => receive(message as Message)));
  const giveUp = tabs.hold(name, () => inOrder(lead));
  const leave = tabs.hold(`${name}/${self}`, () => {
    isPresent = true;
    introduce();
  });

  function post(message: Message): void {
    if (isClosed) return;
    sayChanged();
    channel.post(message);
  }

  function sayChanged(): void {
    if (unsaid.size === 0 || isClosed) return;
    channel.post({ type: 'changed', dTags: [...unsaid] } satisfies Message);
    unsaid.clear();
  }

  async function reload(dTags?: readonly string[]): Promise<void> {
    try {
      await replica.reload(dTags);
    } catch {
      // What another engine saved must not be missed because the store failed once.
      cancelReload();
      if (!isClosed) cancelReload = clock.after(STORE_RETRY_MS, () => inOrder(() => reload()));
    }
  }

  async function lead(): Promise<void> {
    // The former leader may have died between saving and telling.
    await reload();
    if (isClosed) return;
    local = ports.open();
    unconfirmed.clear();
    post({ type: 'lead' });
    watchAll();
    tell();
    for (const [id, ask] of asks) askHere(local, id, ask);
    ports.onLead();
  }

  function askHere(leading: Network, id: number, ask: Ask): void {
    void leading.ask(ask.dTags, ask.onAnswer).then((isAnswered) => {
      if (asks.delete(id)) ask.resolve(isAnswered);
    });
  }

  function introduce(): void {
    if (!isPresent || local !== undefined) return;
    post({ type: 'here', from: self, watched, hasSigner: ports.hasSigner(), relays: [...unconfirmed] });
  }

  function watchAll(): void {
    const wanted = new Set(watched);
    for (const follower of followers.values()) for (const dTag of follower.watched) wanted.add(dTag);
    const all = [...wanted].toSorted();
    const text = JSON.stringify(all);
    if (text === watchedByAll) return;
    watchedByAll = text;
    local?.watch(all);
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

  function receive(message: Message): Promise<void> | void {
    switch (message.type) {
      case 'changed':
        return reload(message.dTags);
      case 'sign':
        if (message.to !== self || message.template.kind !== KIND_AUTH) return;
        // Not waited for: a person may take minutes.
        void ports.signAuth(message.template).then((event) => {
          post({ type: 'signed', to: message.from, id: message.id, event });
        });
        return;
      default:
        return local === undefined ? receiveAsFollower(message) : receiveAsLeader(message, local);
    }
  }

  function receiveAsFollower(message: Message): void {
    switch (message.type) {
      case 'lead':
        introduce();
        for (const [id, { dTags }] of asks) post({ type: 'ask', from: self, id, dTags });
        return;
      case 'relays':
        return receiveRelays(message.relays);
      case 'answer':
        return ports.onAnswer(message.dTag, message.relay, message.event, message.answer);
      case 'asked': {
        const ask = message.to === self ? asks.get(message.id) : undefined;
        if (ask === undefined) return;
        if (!message.isDone) return ask.onAnswer();
        asks.delete(message.id);
        return ask.resolve(message.isAnswered);
      }
      case 'collected':
        return message.to === self ? collects.get(message.id)?.(message.collected) : undefined;
      default:
        return;
    }
  }

  /** The leader's list is everybody's, but for what the app has just changed here. */
  function receiveRelays(relays: readonly RelayInfo[]): void {
    const former = told ?? [];
    told = relays;
    const listed = new Set(relays.map(({ url }) => url));
    for (const [url, isAdded] of unconfirmed) if (listed.has(url) === isAdded) unconfirmed.delete(url);
    const own = new Set(ports.urls());
    for (const url of listed) if (!own.has(url) && !unconfirmed.has(url)) ports.addRelay(url);
    for (const url of own) if (!listed.has(url) && !unconfirmed.has(url)) ports.removeRelay(url);
    ports.onRelays(relays, former);
  }

  function receiveAsLeader(message: Message, leading: Network): void {
    switch (message.type) {
      case 'here':
        return meet(message, leading);
      case 'wake':
        return ports.wake();
      case 'follow':
        return leading.follow(message.dTag, message.tombstone, message.deletion);
      case 'ask': {
        const { from: to, id } = message;
        const onAnswer = (): void => post({ type: 'asked', to, id, isDone: false, isAnswered: true });
        void leading.ask(message.dTags, onAnswer).then((isAnswered) => {
          post({ type: 'asked', to, id, isDone: true, isAnswered });
          tell();
        });
        return;
      }
      case 'collect': {
        const { from: to, id } = message;
        void leading.collect(message.relay, message.dTags).then((collected) => {
          post({ type: 'collected', to, id, collected });
        });
        return;
      }
      case 'signed': {
        const signing = message.to === self ? signings.get(message.id) : undefined;
        if (signing === undefined) return;
        if (message.event !== undefined) return signing.settle(message.event);
        // Its signer is gone, or refused: the next one is asked.
        const follower = followers.get(signing.to!);
        if (follower !== undefined) follower.hasSigner = false;
        return assign(message.id, signing) ? undefined : signing.settle(undefined);
      }
      default:
        return;
    }
  }

  function meet({ from, hasSigner, relays, ...here }: Here, leading: Network): void {
    const known = followers.get(from);
    const forget = known?.forget ?? tabs.hold(`${name}/${from}`, () => inOrder(() => bury(from)));
    followers.set(from, { watched: here.watched, hasSigner, forget });
    const own = new Set(ports.urls());
    for (const [url, isAdded] of relays) {
      if (isAdded === own.has(url)) continue;
      if (isAdded) ports.addRelay(url);
      else ports.removeRelay(url);
    }
    watchAll();
    tell();
    if (!hasSigner || known?.hasSigner === true) return;
    for (const [id, signing] of signings) if (signing.to === undefined) assign(id, signing);
    leading.retry();
  }

  function bury(from: string): Promise<void> {
    followers.get(from)?.forget();
    followers.delete(from);
    watchAll();
    for (const [id, signing] of signings) {
      if (signing.to === from && !assign(id, signing)) signing.settle(undefined);
    }
    // It may have died between saving and telling.
    return reload();
  }

  /** Asks one follower at a time: no person is asked twice for one signature. */
  function assign(id: number, signing: Signing): boolean {
    const found = [...followers].find(([, { hasSigner }]) => hasSigner);
    signing.to = found?.[0];
    if (signing.to === undefined) return false;
    post({ type: 'sign', to: signing.to, from: self, id, template: signing.template });
    return true;
  }

  return {
    get isLeading() {
      return local !== undefined;
    },
    get isSettled() {
      return local !== undefined || told !== undefined;
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
        if (isClosed) return ask.resolve(false);
        asks.set(id, ask);
        if (local === undefined) post({ type: 'ask', from: self, id, dTags });
        else askHere(local, id, ask);
      }),
    collect: (relay, dTags) =>
      new Promise((resolve) => {
        const nothing: Collected = { isComplete: false, events: new Map() };
        if (isClosed) return resolve(nothing);
        if (local !== undefined) return resolve(local.collect(relay, dTags));
        const id = nextId++;
        const settle = (collected: Collected): void => {
          cancel();
          collects.delete(id);
          resolve(collected);
        };
        // Asked once: whoever wants the pieces asks again, and another relay.
        const cancel = clock.after(ASK_LEADER_MS, () => settle(nothing));
        collects.set(id, settle);
        post({ type: 'collect', from: self, id, relay, dTags });
      }),
    watch: (dTags) => {
      watched = dTags;
      if (local === undefined) introduce();
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
    relays: () => local?.relays() ?? told ?? [],
    retry: () => {
      if (local === undefined) return introduce();
      local.retry();
      for (const { to, template, settle } of signings.values()) {
        if (to === undefined) void ports.signAuth(template).then(settle);
      }
    },
    depth: () => local?.depth() ?? pendingPairs(replica, ports.urls()),
    follow: (dTag, tombstone, deletion) => {
      if (local === undefined) post({ type: 'follow', dTag, tombstone, deletion });
      else local.follow(dTag, tombstone, deletion);
    },
    answered: (dTag, relay, event, answer) => {
      post({ type: 'answer', dTag, relay, event, answer });
      tell();
    },
    saved: (dTag) => {
      if (unsaid.size === 0) queueMicrotask(sayChanged);
      unsaid.add(dTag);
      tell();
    },
    relayListChanged: (url, isAdded) => {
      if (local !== undefined) return tell();
      unconfirmed.set(url, isAdded);
      introduce();
    },
    wake: () => {
      if (local === undefined) post({ type: 'wake' });
    },
    signElsewhere: (template) =>
      new Promise((resolve) => {
        if (isClosed) return resolve(undefined);
        const id = nextId++;
        let cancel = (): void => undefined;
        const signing: Signing = {
          template,
          to: undefined,
          settle: (event) => {
            cancel();
            signings.delete(id);
            resolve(event);
          },
        };
        cancel = clock.after(FIND_SIGNER_MS, () => {
          if (signing.to === undefined) signing.settle(undefined);
          else cancel = clock.after(SIGNER_TIMEOUT_MS, () => signing.settle(undefined));
        });
        signings.set(id, signing);
        assign(id, signing);
      }),
    close: () => {
      if (isClosed) return;
      sayChanged();
      isClosed = true;
      cancelReload();
      local?.close();
      giveUp();
      leave();
      channel.close();
      for (const { forget } of followers.values()) forget();
      for (const { resolve } of asks.values()) resolve(false);
      for (const settle of [...collects.values()]) settle({ isComplete: false, events: new Map() });
      for (const { settle } of signings.values()) settle(undefined);
      asks.clear();
    },
  };
}
