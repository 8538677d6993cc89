/** One identity at work: replica, network, reader and writer of one public key, wired together. */

import type { Clock } from '../clock.ts';
import type { Primitives } from '../crypto/primitives.ts';
import type { Address, RelayUrl } from '../protocol/address.ts';
import type { Compression } from '../protocol/compression.ts';
import type { EventTemplate, EventVerifier, NostrEvent } from '../protocol/event.ts';
import { isTombstone } from '../protocol/header.ts';
import { MAX_LAPS } from '../protocol/limits.ts';
import type { SignedAuth } from '../relay/auth.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import type { RelayConnection } from '../relay/connection.ts';
import type { RelayPool } from '../relay/pool.ts';
import type { Signer } from '../signer/signer.ts';
import type { Store } from '../store/store.ts';
import type { Tabs } from '../tabs/tabs.ts';
import { createCarrying, type Carrying } from './carrying.ts';
import { createComposing } from './composing.ts';
import { createConsumers } from './consumers.ts';
import { createDeletions } from './deletion.ts';
import { createSealing, loadSealed, type CarriedValue } from './values/carried-values.ts';
import { createContent } from './values/content.ts';
import type { Emitter } from './events.ts';
import { createNetwork, type Network } from './relays/network.ts';
import type { Opened } from './inside.ts';
import { rowsOf, type CategoryRow } from './inspecting.ts';
import { createGarbage } from './values/garbage.ts';
import type { Pacing } from './relays/token-bucket.ts';
import { createReader, type Reader } from './reader.ts';
import type { Subscription } from './telling.ts';
import { createCount } from './heads/count.ts';
import { createKeys } from './heads/keys.ts';
import type { Keeping } from './heads/past.ts';
import { isOwed } from './heads/owed.ts';
import { isPending } from './heads/record.ts';
import { createNotices } from './notices.ts';
import { createRelayTime } from './relays/relay-time.ts';
import { createRenewals } from './values/renewal.ts';
import { openReplica } from './heads/replica.ts';
import { createHand, type Hand } from './values/signing.ts';
import type { Merger } from './merging/merger.ts';
import type { Merging, MergingPorts } from './merging/merging.ts';
import { createTabNetwork, type TabNetwork } from './tabs/network.ts';
import { createVoidEvents } from './values/void-events.ts';
import { createWriter, type Writer } from './writer.ts';

/** What the app says of a category. */
export interface CategorySettings {
  readonly merge?: Merger | undefined;
  readonly settle?: 'auto' | 'on-edit' | undefined;
  readonly keeping: Keeping;
}

export interface Session {
  readonly pubkey: string;
  readonly hand: Hand;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly network: Network;
  /** Resolves once `network.relays()` is of now: at once, unless another tab leads and has not been heard for long. */
  told(): Promise<void>;
  /** What is known of each category, by shape alone. */
  rows(): readonly CategoryRow[];
  readonly opened: Opened;
  /** Every value that this device shows, for another key. Rejects if one cannot be read now. */
  valuesToCarry(): Promise<readonly CarriedValue[]>;
  /** Whether there is any, by shape alone. */
  hasValues(): boolean;
  /** What values of another key have to wait for. */
  readonly carrying: Pick<Carrying, 'carry' | 'decideBy' | 'dTags'>;
  /** (category, relay) pairs that are not final. */
  depth(): number;
  /** What is not final at some relay, and values of another key that wait. */
  owed(): number;
  /** Own writes that no relay has. */
  pendingChanges(): number;
  /** The signer that works for this identity, or none. */
  signer(): Signer | undefined;
  /** With `undefined` nothing more is asked of the former one; with another one all goes on that waited for it. */
  setSigner(next: Signer | undefined): void;
  /** Signs AUTH (NIP-42) with the signer of this tab, or of another one. */
  signAuth(template: EventTemplate): Promise<SignedAuth>;
  /** The app added or removed a relay: the other tabs follow. */
  relayListChanged(url: RelayUrl, isAdded: boolean): void;
  /** A connection may be dead without a close. If another tab leads, that tab finds out. */
  wake(): void;
  /** The set of subscriptions changed. */
  rewatch(): void;
  /** The app has said more of its categories. */
  categoriesChanged(): void;
  relayChanged(relay: RelayConnection): void;
  /** Also forgets what the relay had said: if it is added again, it starts from nothing. */
  relayRemoved(url: RelayUrl): Promise<void>;
  close(): Promise<void>;
}

/**
 * One closure: the parts name each other, and nothing is here but their wiring. Who hears of what, and in which order: `consumers.ts`.
 */
export async function openSession(ports: {
  readonly pubkey: string;
  readonly namespace: string;
  readonly deviceId: () => string;
  /** See `SavingPorts`. */
  readonly onTwin: (dTag: Address, event: NostrEvent) => Promise<void>;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly verifier: EventVerifier;
  readonly compression: Compression;
  readonly primitives: Primitives;
  readonly store: Store;
  readonly pool: RelayPool;
  /** Given if other engines may have this store open. */
  readonly tabs: Tabs | undefined;
  readonly pacing: Pacing;
  /** What the app says of single categories. */
  readonly categories: ReadonlyMap<Address, CategorySettings>;
  readonly emitter: Emitter;
  readonly subscriptions: ReadonlySet<Subscription>;
  /** The outbox may have come nearer to empty. */
  readonly onProgress: () => void;
}): Promise<Session> {
  const { emitter, pool, clock, pubkey } = ports;
  let signer: Signer | undefined;
  let isClosed = false;
  /** What the network was last told to watch, as text. */
  let watched: string | undefined;
  let isToWatch = false;

  const keepingOf = (dTag: Address): Keeping | undefined => ports.categories.get(dTag)?.keeping;
  const replica = await openReplica({
    ...ports,
    // Without leadership any tab on the store may put this one's writes on a socket.
    isAlone: ports.store.sharedName === undefined,
    keepingOf,
    onDeposed: () => tabNetwork?.deposed(),
    onChange: (change) => {
      // Known before a listener asks for the status.
      depth.changed(change.dTag);
      unsent.changed(change.dTag);
      consumers.changed(change);
    },
    onError: (error) => emitter.emit('error', error),
  });
  const keys = createKeys(pubkey, ports.namespace);
  const sealed = await loadSealed({ ...ports, keys }, (error) => emitter.emit('error', error));
  const hand = createHand({ ...ports, current: () => (isClosed ? undefined : signer) });
  const canRead = (): boolean => signer !== undefined && !isClosed;
  const content = createContent({ ...ports, replica, hand, canRead, network: () => network });
  const relays = (): RelayUrl[] => [...pool.connections.keys()];
  const depth = createCount(
    replica,
    relays,
    (record, urls) => urls.filter((url) => isOwed(record, url)).length,
  );
  const unsent = createCount(replica, relays, (record, urls) => Number(isPending(record, urls)));
  const mergerOf = (dTag: Address): Merger | undefined => ports.categories.get(dTag)?.merge;
  const isMerged = (dTag: Address): boolean => mergerOf(dTag) !== undefined;
  /** Empty until there is a category that merges, which may be later than the session. */
  const merging: Partial<Merging> = {};
  const mergingOf = (dTag: Address): Merging | undefined => mergerOf(dTag) && (merging as Merging);
  const writer: Writer = createWriter({
    ...ports,
    replica,
    hand,
    content,
    network: () => network,
    relays,
    isReachable: () =>
      // A tab that does not know yet which tab leads counts relays as reachable: the leader may have them.
      tabNetwork?.isSettled() === false ||
      network.relays().some((relay) => ['open', 'connecting'].includes(relay.state)),
    aheadSeconds: () => relayTime.aheadSeconds(),
    mergingOf,
    mergerOf,
    compose: createComposing({ clock, replica, content, mergingOf }),
    onSaved: (dTag, id, composed) => {
      if (composed?.isNews !== true) reader.wrote(dTag, id);
    },
  });
  const reader: Reader = createReader({
    ...ports,
    replica,
    content,
    network: () => network,
    canRead,
    isLocal: hand.isLocal,
    carried: (dTag) => carrying.waiting(dTag),
    viewOf: (dTag, head) => merging.viewOf?.(dTag, head),
    isMerged: (dTag, theirs) =>
      isMerged(dTag) && (!isTombstone(theirs) || ports.categories.get(dTag)!.keeping.doEditsSurvive),
  });
  /**
   * What the app has subscribed to, and what is merged: of that, what other devices have written must be known before it is overwritten.
   */
  const wanted = (): readonly Address[] => {
    const subscribed = [...ports.subscriptions].flatMap((subscription) => [...subscription.dTags]);
    const merged = [...ports.categories.keys()].filter((dTag) => mergerOf(dTag) !== undefined);
    return [...new Set([...subscribed, ...merged])].sort();
  };
  const openNetwork = (): Network => {
    pool.start();
    return createNetwork({
      ...ports,
      ...{ replica, keepingOf },
      watched: wanted(),
      onAnswer: (dTag, relay, event, answer) => {
        consumers.answered(dTag, relay, event, answer);
        tabNetwork?.answered(dTag, relay, event, answer);
      },
      onVoid: (relay, id) => voidEvents.shown(relay, id),
    });
  };
  const tabNetwork: TabNetwork | undefined =
    ports.tabs &&
    createTabNetwork({
      tabs: ports.tabs,
      name: `nostr-sync/${ports.store.sharedName}/${ports.namespace}/${pubkey}`,
      self: ports.randomBytes(16).join('.'),
      clock,
      replica,
      open: openNetwork,
      shut: pool.stop,
      ownRelays: () => [...pool.connections.values()].map((relay) => relay.info()),
      urls: relays,
      addRelay: pool.add,
      removeRelay: (url) => {
        pool.remove(url);
        network.relayRemoved(url);
        consumers.relaysChanged();
      },
      wake: pool.wake,
      onRelays: (infos, former) => {
        for (const info of infos) {
          const before = former.find(({ url }) => url === info.url);
          if (before?.state !== info.state || before.auth !== info.auth) emitter.emit('relay-status', info);
        }
        consumers.relaysChanged();
      },
      onLead: () => consumers.relaysChanged(),
      onAnswer: (...answer) => consumers.answered(...answer),
      hasSigner: () => signer !== undefined,
      signAuth,
    });
  const voidEvents = createVoidEvents({ clock, hand });
  const network: Network = tabNetwork ?? openNetwork();

  const garbage = createGarbage({
    clock,
    replica,
    hand,
    relays,
    network: () => network,
    isSender: () => tabNetwork?.isLeading() !== false,
    send: (event) => Promise.all([...pool.connections.values()].map((relay) => relay.publish(event))),
  });

  const startMerging = (): void => {
    if (merging.compose !== undefined) return;
    const [merger] = [...ports.categories.values()].flatMap(({ merge }) => merge ?? []);
    Object.assign(merging, merger?.createMerging(mergingPorts));
  };
  const mergingPorts: MergingPorts = {
    ...ports,
    ...{
      replica,
      content,
      decode: reader.decode,
      announce: reader.announce,
      onShown: reader.again,
      mergerOf,
    },
    // A person is not asked to sign what no person has asked for.
    isSettled: (dTag) =>
      isMerged(dTag) &&
      (ports.categories.get(dTag)!.settle ?? (hand.isLocal() ? 'auto' : 'on-edit')) === 'auto',
    hasSigner: hand.isSet,
    isSender: () => tabNetwork?.isLeading() !== false,
    merge: (dTag) => writer.merge(dTag),
  };
  startMerging();
  const carrying = createCarrying({
    ...ports,
    replica,
    content,
    sealing: createSealing({ ...ports, keys, replica, content, hand }, sealed),
    network: () => network,
    relays,
    hasSigner: hand.isSet,
    mergerOf,
    write: async (dTag, what) => {
      await (typeof what === 'function' ? writer.update(dTag, what) : writer.overwrite(dTag, what));
      await reader.announce(dTag);
    },
    onDecided: ports.onProgress,
  });
  const notices = createNotices({ ...ports, relays });
  const relayTime = createRelayTime({ clock, relays: () => network.relays() });
  const renewals = createRenewals({ ...ports, replica, hand, network: () => network, isMerged });

  async function signAuth(template: EventTemplate): Promise<SignedAuth> {
    const asked = signer;
    return hand
      .sign(template, { isUrgent: true })
      .catch(() => (asked === undefined || asked !== signer ? undefined : 'declined'));
  }

  const consumers = createConsumers({
    ...{ tabNetwork, network, content, notices, reader, writer },
    ...{ garbage, merging, carrying, renewals, relayTime, voidEvents },
    deletions: createDeletions({ hand, network: () => network }),
    onProgress: ports.onProgress,
  });

  const heads = (): string =>
    [...replica.dTags()].flatMap((dTag) => replica.peek(dTag)?.head?.event.id ?? []).join();

  async function valuesToCarry(): Promise<readonly CarriedValue[]> {
    for (let lap = 0; ; lap++) {
      const before = heads();
      const values = await reader.toCarry([...new Set([...replica.dTags(), ...carrying.dTags()])]);
      // What was being saved meanwhile comes along.
      if (heads() === before || lap === MAX_LAPS) return values;
    }
  }

  function watchWanted(): void {
    isToWatch = false;
    const dTags = wanted();
    const text = JSON.stringify(dTags);
    // Other tabs are not told again.
    if (isClosed || text === watched) return;
    watched = text;
    network.watch(dTags);
  }

  const session: Session = {
    pubkey,
    hand,
    reader,
    writer: {
      ...writer,
      publish: async (dTag, write, signedIn, read) => {
        const decided = async (): Promise<void> => {
          await signedIn;
          // It is made of what there is, and that is not known yet.
          if (write.edit?.type === 'update' && carrying.waiting(dTag) !== undefined)
            await carrying.decided(dTag);
        };
        const ready = decided();
        ready.catch(() => undefined);
        return writer.publish(dTag, write, ready, read);
      },
    },
    network,
    told: async () => tabNetwork?.told(),
    rows: () => rowsOf(replica, relays()),
    opened: { ...ports, replica, content, hand, relays, valuesToCarry },
    valuesToCarry,
    hasValues: () => carrying.dTags().length > 0 || heads() !== '',
    carrying,
    depth: depth.total,
    owed: () => depth.total() + carrying.dTags().length,
    pendingChanges: () => carrying.dTags().length + unsent.total(),
    signer: () => signer,
    setSigner: (next) => {
      signer = next;
      hand.drop();
      content.forget();
      merging.forget?.();
      if (next !== undefined) consumers.signerChanged();
    },
    signAuth: async (template) => {
      return signer === undefined ? tabNetwork?.signElsewhere(template) : signAuth(template);
    },
    relayListChanged: (url, isAdded) => tabNetwork?.relayListChanged(url, isAdded),
    wake: () => {
      pool.wake();
      tabNetwork?.wake();
    },
    rewatch: () => {
      // A page may open many categories in one turn: all of them are one REQ.
      if (isToWatch) return;
      isToWatch = true;
      queueMicrotask(watchWanted);
    },
    categoriesChanged: () => {
      startMerging();
      merging.relaysChanged?.();
      session.rewatch();
    },
    relayChanged: consumers.relaysChanged,
    relayRemoved: async (url) => {
      network.relayRemoved(url);
      await Promise.all(
        [...replica.dTags()].map((dTag) => replica.apply(dTag, { type: 'forget-relay', relay: url })),
      );
      consumers.relaysChanged();
    },
    close: async () => {
      isClosed = true;
      consumers.close();
      // In this order: what is being saved is still told to the other tabs.
      await replica.close();
      network.close();
    },
  };
  session.rewatch();
  carrying.relaysChanged();
  return session;
}
