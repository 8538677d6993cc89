/** One identity at work: replica, network, reader and writer of one public key, wired together. */

import type { Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import { categoryOf } from '../protocol/address.ts';
import { deviceHash } from '../protocol/causality.ts';
import type { EventVerifier } from '../protocol/event.ts';
import { SKEW_REPORT_SECONDS } from '../protocol/limits.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import type { RelayConnection } from '../relay/connection.ts';
import type { RelayPool } from '../relay/pool.ts';
import type { Signer } from '../signer/signer.ts';
import type { Store } from '../store/store.ts';
import type { Emitter } from './events.ts';
import { createNetwork, type Network } from './network.ts';
import type { Pacing } from './pacer.ts';
import { createReader, type Reader, type Subscription } from './reader.ts';
import { isOwnHead } from './record.ts';
import { openReplica, type Change } from './replica.ts';
import { createHand, type Hand } from './signing.ts';
import { createWriter, type Writer } from './writer.ts';

export interface Session {
  readonly pubkey: string;
  readonly hand: Hand;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly network: Network;
  /** The signer that works for this identity, or none. */
  signer: Signer | undefined;
  /** The set of subscriptions changed. */
  rewatch(): void;
  relayChanged(relay: RelayConnection): void;
  /** Also forgets what the relay had said: added again, it starts anew. */
  relayRemoved(url: string): Promise<void>;
  close(): Promise<void>;
}

export async function openSession(ports: {
  readonly pubkey: string;
  readonly namespace: string;
  readonly deviceId: string;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly verifier: EventVerifier;
  readonly store: Store;
  readonly pool: RelayPool;
  readonly pacing: Pacing;
  readonly emitter: Emitter;
  readonly subscriptions: ReadonlySet<Subscription>;
  /** The outbox may have come nearer to empty. */
  readonly onProgress: () => void;
}): Promise<Session> {
  const { emitter, pool, clock, pubkey } = ports;
  let signer: Signer | undefined;
  let isClosed = false;

  const replica = await openReplica({
    ...ports,
    onChange: (change) => changed(change),
    onError: (error) => emitter.emit('error', error),
  });
  const hand = createHand({ pubkey, current: () => (isClosed ? undefined : signer), verifier: ports.verifier, clock });
  const relays = (): string[] => [...pool.connections.keys()];
  const writer: Writer = createWriter({
    ...ports,
    replica,
    hand,
    device: deviceHash(ports.deviceId),
    network: () => network,
    relays,
    isReachable: () => [...pool.connections.values()].some((relay) => ['open', 'connecting'].includes(relay.info().state)),
    onSaved: (dTag, id) => reader.wrote(dTag, id),
  });
  const reader: Reader = createReader({
    ...ports,
    replica,
    hand,
    network: () => network,
    canRead: () => signer !== undefined && !isClosed,
  });
  const network: Network = createNetwork({
    ...ports,
    replica,
    onAnswer: (dTag, relay, event, answer) => {
      writer.answered(dTag, relay, event, answer);
      if (answer.type !== 'clock') return;
      const aheadSeconds = event.created_at - Math.floor(clock.now() / 1000);
      emitter.emit(
        'error',
        new NostrSyncError('CLOCK_SKEW', `${relay} finds the write of ${JSON.stringify(categoryOf(dTag))} too far ahead: ${answer.reason}`, {
          details: { aheadSeconds },
        }),
      );
    },
  });

  function changed(change: Change): void {
    const { dTag, previous, record, effects } = change;
    network.recordChanged(dTag);
    for (const effect of effects) if (effect.type === 'advanced') reportSkew(dTag, effect.event.created_at);
    reader.changed(change);
    if (record !== undefined && record !== previous && isOwnHead(record)) {
      const report = writer.report(dTag, record);
      if (report !== undefined) emitter.emit('delivery', report);
    }
    writer.changed(change);
    ports.onProgress();
  }

  function reportSkew(dTag: string, stamp: number): void {
    const aheadSeconds = stamp - Math.floor(clock.now() / 1000);
    if (aheadSeconds <= SKEW_REPORT_SECONDS) return;
    const message = `The newest value of ${JSON.stringify(categoryOf(dTag))} is stamped ${aheadSeconds} s ahead of this clock`;
    emitter.emit('error', new NostrSyncError('CLOCK_SKEW', message, { details: { aheadSeconds } }));
  }

  const session: Session = {
    pubkey,
    hand,
    reader,
    writer,
    network,
    get signer() {
      return signer;
    },
    set signer(next) {
      signer = next;
      reader.forget();
      if (next === undefined) return;
      network.retry();
      for (const subscription of ports.subscriptions) reader.present(subscription);
    },
    rewatch: () => network.watch([...new Set([...ports.subscriptions].flatMap((subscription) => [...subscription.dTags]))].toSorted()),
    relayChanged: (relay) => {
      network.relayChanged(relay);
      writer.relaysChanged();
      ports.onProgress();
    },
    relayRemoved: async (url) => {
      network.relayRemoved(url);
      await Promise.all([...replica.dTags()].map((dTag) => replica.apply(dTag, { type: 'forget-relay', relay: url })));
      writer.relaysChanged();
      ports.onProgress();
    },
    close: async () => {
      writer.close();
      isClosed = true;
      reader.forget();
      network.close();
      await replica.close();
    },
  };
  session.rewatch();
  return session;
}
