/**
 * What an engine that leads does for the tabs that follow: its relays serve what all of them watch and ask, their list is
 * everybody's, and any of them may sign AUTH.
 */

import type { Clock } from '../../clock.ts';
import type { EventTemplate } from '../../protocol/event.ts';
import type { SignedAuth } from '../../relay/auth.ts';
import { FIND_SIGNER_MS, SIGNER_TIMEOUT_MS } from '../../protocol/limits.ts';
import type { Network } from '../relays/network.ts';
import type { Here, TabMessage } from './messages.ts';

export interface TabLeaderPorts {
  /** Tells this engine from the others. */
  readonly self: string;
  readonly clock: Clock;
  /** Over the connections of this engine. */
  readonly network: Network;
  readonly urls: () => readonly string[];
  readonly addRelay: (url: string) => void;
  readonly removeRelay: (url: string) => void;
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
  readonly settle: (event: SignedAuth) => void;
}

export function createTabLeader(ports: TabLeaderPorts): TabLeader {
  const { self, clock, network, urls, post } = ports;
  let watched: readonly string[] = [];
  /** What the relays were last told to watch for all engines, as text. */
  let watchedByAll: string | undefined;
  let isTelling = false;
  let nextId = 0;
  const followers = new Map<string, Follower>();
  const signings = new Map<number, Signing>();

  function watchAll(): void {
    const wanted = new Set(watched);
    for (const follower of followers.values()) for (const dTag of follower.watched) wanted.add(dTag);
    const all = [...wanted].sort();
    const text = JSON.stringify(all);
    if (text === watchedByAll) return;
    watchedByAll = text;
    network.watch(all);
  }

  function tell(): void {
    if (isTelling) return;
    isTelling = true;
    queueMicrotask(() => {
      isTelling = false;
      post({ type: 'relays', relays: network.relays() });
    });
  }

  function meet({ from, hasSigner, relays, ...here }: Here): void {
    const known = followers.get(from);
    const forget = known?.forget ?? ports.onDeath(from, () => bury(from));
    followers.set(from, { watched: here.watched, hasSigner, forget });
    const own = new Set(urls());
    for (const [url, isAdded] of relays) {
      if (isAdded === own.has(url)) continue;
      if (isAdded) ports.addRelay(url);
      else ports.removeRelay(url);
    }
    watchAll();
    tell();
    if (!hasSigner || known?.hasSigner === true) return;
    for (const [id, signing] of signings) if (signing.to === undefined) assign(id, signing);
    network.retry();
  }

  function bury(from: string): void {
    followers.get(from)?.forget();
    followers.delete(from);
    watchAll();
    for (const [id, signing] of signings) {
      if (signing.to === from && !assign(id, signing)) signing.settle(undefined);
    }
  }

  /** Asks one follower at a time: no person is asked twice for one signature. */
  function assign(id: number, signing: Signing): boolean {
    const found = [...followers].find(([, { hasSigner }]) => hasSigner);
    signing.to = found?.[0];
    if (signing.to === undefined) return false;
    post({ type: 'sign', to: signing.to, from: self, id, template: signing.template });
    return true;
  }

  post({ type: 'lead' });
  tell();
  return {
    ...network,
    tell,
    receive: (message) => {
      switch (message.type) {
        case 'here':
          return meet(message);
        case 'wake':
          return ports.wake();
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
        case 'signed': {
          const signing = signings.get(message.id);
          if (signing === undefined) return;
          if (message.event !== undefined) return signing.settle(message.event);
          // Its signer is gone: the next one is asked.
          const follower = followers.get(signing.to!);
          if (follower !== undefined) follower.hasSigner = false;
          return assign(message.id, signing) ? undefined : signing.settle(undefined);
        }
        default:
          return;
      }
    },
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
      for (const { to, template, settle } of signings.values()) {
        if (to === undefined) void ports.signAuth(template).then(settle);
      }
    },
    signElsewhere: (template) =>
      new Promise((resolve) => {
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
      network.close();
      for (const { forget } of followers.values()) forget();
      for (const { settle } of signings.values()) settle(undefined);
    },
  };
}
