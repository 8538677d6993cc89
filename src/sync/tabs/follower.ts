/**
 * What an engine needs of the tab that leads: it says what it is there for, keeps the leader's list of relays, asks, and
 * notices that the leader has fallen silent. While it leads itself, only the asking is left: what was not answered goes on
 * over its own connections.
 */

import type { Clock } from '../../clock.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { ASK_LEADER_MS, LEADER_TICK_MS, MAX_SILENT_TICKS } from '../../protocol/limits.ts';
import type { RelayInfo } from '../../relay/connection.ts';
import type { Answers } from '../../relay/pool.ts';
import type { Collected } from '../relays/inbox.ts';
import type { Network } from '../relays/network.ts';
import { isOwed } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { TabMessage } from './messages.ts';

export interface TabFollowerPorts {
  /** Tells this engine from the others. */
  readonly self: string;
  readonly clock: Clock;
  readonly replica: Replica;
  readonly urls: () => readonly string[];
  readonly addRelay: (url: string) => void;
  readonly removeRelay: (url: string) => void;
  /** The leader's word on its relays came, or changed; the list of this engine already agrees. */
  readonly onRelays: (relays: readonly RelayInfo[], former: readonly RelayInfo[]) => void;
  readonly onAnswer: (dTag: string, relay: string, event: NostrEvent, answer: Answer) => void;
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
  relayListChanged(url: string, isAdded: boolean): void;
  /** This engine leads from now on: this network over its connections is to watch, and to answer what has not been answered. */
  takeOver(network: Network): void;
  /** Another leads from now on. */
  giveWay(): void;
}

/** What was asked and is not answered. */
interface Request<T> {
  readonly send: (id: number, settle: (value: T) => void) => void;
  readonly settle: (value: T) => void;
}

export function createTabFollower(ports: TabFollowerPorts): TabFollower {
  const { self, replica, urls, post } = ports;
  const nothing: Collected = { isComplete: false, events: new Map() };
  const unanswered = (): Answers => ({ complete: [], incomplete: urls() });
  let leading: Network | undefined;
  let isClosed = false;
  let isPresent = false;
  let watched: readonly string[] = [];
  /** The relays by the leader's word. */
  let told: readonly RelayInfo[] | undefined;
  /** Relays that the app added (`true`) or removed here and that the leader has not confirmed. */
  const unconfirmed = new Map(urls().map((url) => [url, true]));
  /** Looks at the leader since it last said something, and when it did. */
  let silentTicks = 0;
  let heardAt = -Infinity;
  let cancelTick = (): void => undefined;
  const waiting = new Set<() => void>();
  let nextId = 0;
  const asks = new Map<number, Request<Answers>>();
  const collects = new Map<number, Request<Collected>>();

  function introduce(): void {
    if (!isPresent || leading !== undefined) return;
    post({ type: 'here', from: self, watched, hasSigner: ports.hasSigner(), relays: [...unconfirmed] });
  }

  /** Resolves with what `settle` is given; with `otherwise` after a time: perhaps no tab leads just now, or the leader hangs. */
  function request<T>(requests: Map<number, Request<T>>, otherwise: T, send: Request<T>['send']): Promise<T> {
    return new Promise((resolve) => {
      if (isClosed) return resolve(otherwise);
      const id = nextId++;
      const settle = (value: T): void => {
        cancel();
        requests.delete(id);
        resolve(value);
      };
      const cancel = ports.clock.after(ASK_LEADER_MS, () => settle(otherwise));
      requests.set(id, { send, settle });
      send(id, settle);
    });
  }

  function tick(): void {
    cancelTick = ports.clock.after(LEADER_TICK_MS, () => {
      silentTicks++;
      if (silentTicks >= MAX_SILENT_TICKS) {
        silentTicks = 0;
        ports.onSilence();
      } else if (silentTicks > 1) post({ type: 'ping' });
      tick();
    });
  }

  function settleWaiting(): void {
    for (const resolve of waiting) resolve();
    waiting.clear();
  }

  function askAgain(): void {
    for (const [id, { send, settle }] of asks) send(id, settle);
  }

  /** The leader's list is everybody's, but for what the app has just changed here. */
  function receiveRelays(relays: readonly RelayInfo[]): void {
    const former = told ?? [];
    told = relays;
    const listed = new Set(relays.map(({ url }) => url));
    for (const [url, isAdded] of unconfirmed) if (listed.has(url) === isAdded) unconfirmed.delete(url);
    const own = new Set(urls());
    for (const url of listed) if (!own.has(url) && !unconfirmed.has(url)) ports.addRelay(url);
    for (const url of own) if (!listed.has(url) && !unconfirmed.has(url)) ports.removeRelay(url);
    ports.onRelays(relays, former);
    settleWaiting();
  }

  tick();
  return {
    isTold: () => told !== undefined,
    present: () => {
      isPresent = true;
      introduce();
    },
    receive: (message) => {
      switch (message.type) {
        case 'lead':
          introduce();
          return askAgain();
        case 'relays':
          return receiveRelays(message.relays);
        case 'answer':
          return ports.onAnswer(message.dTag, message.relay, message.event, message.answer);
        case 'asked':
          return asks.get(message.id)?.settle(message.answers);
        case 'collected':
          return collects.get(message.id)?.settle(message.collected);
        default:
          return;
      }
    },
    heard: () => {
      silentTicks = 0;
      heardAt = ports.clock.now();
    },
    told: async () => {
      const isFresh = Math.abs(ports.clock.now() - heardAt) < LEADER_TICK_MS * MAX_SILENT_TICKS;
      if (told === undefined || isFresh || leading !== undefined || isClosed) return;
      post({ type: 'ping' });
      await new Promise<void>((resolve) => waiting.add(resolve));
    },
    takeOver: (network) => {
      leading = network;
      told = undefined;
      // From here on its list is everybody's, and changes by what others say.
      unconfirmed.clear();
      cancelTick();
      settleWaiting();
      network.watch(watched);
      askAgain();
    },
    giveWay: () => {
      if (leading === undefined) return;
      leading = undefined;
      tick();
      introduce();
      askAgain();
    },
    ask: (dTags, waitFor) =>
      request(asks, unanswered(), (id, settle) => {
        if (leading === undefined) return post({ type: 'ask', from: self, id, dTags, waitFor });
        const asked = leading;
        // What breaks off because another leads now is asked of that one.
        void asked.ask(dTags, waitFor).then((answers) => leading === asked && settle(answers));
      }),
    // Asked once: the caller that wants the pieces asks again, and another relay.
    collect: (relay, dTags) =>
      leading === undefined || isClosed
        ? request(collects, nothing, (id) => post({ type: 'collect', from: self, id, relay, dTags }))
        : leading.collect(relay, dTags),
    watch: (dTags) => {
      watched = dTags;
      leading?.watch(dTags);
      introduce();
    },
    relays: () => told ?? [],
    retry: introduce,
    /** What its outbox would count if it led. */
    depth: () => {
      let pairs = 0;
      for (const dTag of replica.dTags()) {
        const record = replica.peek(dTag);
        pairs += urls().filter((url) => isOwed(record, url)).length;
      }
      return pairs;
    },
    follow: (dTag, tombstone, deletion) => post({ type: 'follow', dTag, tombstone, deletion }),
    relayListChanged: (url, isAdded) => {
      unconfirmed.set(url, isAdded);
      introduce();
    },
    close: () => {
      isClosed = true;
      cancelTick();
      settleWaiting();
      for (const { settle } of asks.values()) settle(unanswered());
      for (const { settle } of collects.values()) settle(nothing);
    },
  };
}
