/**
 * The part of the engine that merges. The engine knows its interface alone: a merger, as `mergeBy(rules)` of `nostr-sync/merge` makes it,
 * brings it along. So an app that merges nothing carries none of it.
 */

import { nowSeconds, type Clock } from '../../clock.ts';
import type { Primitives } from '../../crypto/primitives.ts';
import type { Address, EventId } from '../../protocol/address.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { isExpired } from '../../protocol/header.ts';
import { MAX_WRITTEN_CHARS } from '../../protocol/limits.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import { textOf, type Compose } from '../composing.ts';
import type { Consumer } from '../consumers.ts';
import type { Wanted } from '../drafts.ts';
import type { Emitter } from '../events.ts';
import { readableOf } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Reading } from '../reading.ts';
import type { Content } from '../values/content.ts';
import { createRecent } from '../../recent.ts';
import type { BasedOn, Published, Write } from '../write.ts';
import { countOf, createMergeComposing, type Merged } from './composing.ts';
import { createJoining } from './joining.ts';
import type { Merger } from './merger.ts';
import { createMergeNews } from './news.ts';
import { createSettling, type Settling } from './settling.ts';
import { createShowing, type Showing } from './showing.ts';

export interface Merging extends Pick<Consumer, 'changed' | 'signerChanged' | 'relaysChanged' | 'close'> {
  /** A call of the app. `add` gives it its turn, together with what the app had when it made the value. */
  asked(
    dTag: Address,
    wanted: Wanted,
    add: (wanted: Wanted) => Promise<VerifiedEvent>,
  ): Promise<VerifiedEvent>;
  readonly compose: Compose;
  /** How many of these calls, in their order, one write may be made of. */
  countOf(wanted: readonly Wanted[]): number;
  /** See `Showing`. */
  readonly viewOf: Showing['viewOf'];
  /** What is here as plaintext. */
  forget(): void;
}

export interface MergingPorts {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly primitives: Pick<Primitives, 'sha256Hex'>;
  readonly replica: Pick<Replica, 'get' | 'dTags' | 'peek' | 'version' | 'apply'>;
  readonly content: Pick<Content, 'payloadOf' | 'gather'>;
  readonly emitter: Emitter;
  readonly deviceId: () => string;
  readonly decode: Reading['decode'];
  /** A value that another device has a part in is the newest here. */
  readonly announce: (dTag: Address) => Promise<void>;
  /** What is shown of a head has changed. */
  readonly onShown: (dTag: Address) => void;
  /** `undefined`: the category is not merged. */
  readonly mergerOf: (dTag: Address) => Merger | undefined;
  /** Whether rivals of a category are merged without a call of the app. */
  readonly isSettled: (dTag: Address) => boolean;
  readonly hasSigner: () => boolean;
  /** Whether this engine has the relays: one of several tabs merges. */
  readonly isSender: () => boolean;
  /** See `Writer.merge`. */
  readonly merge: (dTag: Address) => Promise<VerifiedEvent>;
}

export type CreateMerging = (ports: MergingPorts) => Merging;

export const createMerging: CreateMerging = (ports) => {
  const { replica } = ports;
  /** By category, the value that the app has published and that is not saved yet: its next one is made of that. */
  const given = new Map<Address, Published>();
  const joining = createJoining(ports);
  const settling: Settling = createSettling({
    ...ports,
    gather,
    show: (dTag) => showing.show(dTag),
    isMerged: (dTag) => ports.mergerOf(dTag) !== undefined,
  });
  const news = createMergeNews(ports);
  /** What was written or shown, by its id: the app may have made its next value of that. */
  const written = createRecent<Pick<Merged, 'text' | 'isRemoval'>>(
    () => MAX_WRITTEN_CHARS,
    ({ text }) => text.length,
  );
  const showing = createShowing({
    ...ports,
    joining,
    isDue: (dTag, id) => settling.isDue(dTag, id),
    onShown: (dTag, { id, value }, isNews) => {
      written.set(id, textOf(value));
      if (isNews) ports.onShown(dTag);
    },
  });
  const compose = createMergeComposing({
    ...{ ...ports, joining, written: written.get, isDue: settling.isDue },
  });

  /** What the app had when it made a whole value. */
  function basisOf(dTag: Address, { basedOn }: Write): BasedOn {
    const call = basedOn === undefined ? given.get(dTag) : undefined;
    if (call !== undefined) return { type: 'call', call };
    const head = readableOf(replica.get(dTag))?.id;
    const id = basedOn ?? (head && (showing.viewOf(dTag, head)?.id ?? head));
    return id === undefined ? undefined : { type: 'event', id };
  }

  /** Of these rivals, those whose pieces are not all here get them. */
  async function gather(dTag: Address, ids: ReadonlySet<EventId>): Promise<void> {
    for (const { id, isInPieces, pieces } of replica.get(dTag)?.rivals ?? []) {
      if (!ids.has(id) || !isInPieces || pieces !== undefined) continue;
      const event = await replica.version(dTag, id);
      if (event === undefined || isExpired(event, nowSeconds(ports.clock))) continue;
      await replica.apply(dTag, { type: 'gathered', id, made: await ports.content.gather(event, dTag) });
    }
  }

  return {
    asked: async (dTag, wanted, add) => {
      settling.edited(dTag);
      const { write } = wanted;
      const { edit } = write;
      if (edit?.type !== 'whole') {
        given.delete(dTag);
        return add(wanted);
      }
      const call = { ...edit, basedOn: basisOf(dTag, write), isLost: false };
      given.set(dTag, call);
      try {
        return await add({ ...wanted, write: { ...write, edit: call } });
      } catch (error) {
        call.isLost = true;
        throw error;
      } finally {
        // From then on the head says what the app has.
        if (given.get(dTag) === call) given.delete(dTag);
      }
    },
    countOf,
    compose: async (dTag, wanted) => {
      const merged = await compose(dTag, wanted);
      if (merged === undefined || 'refused' in merged) return merged;
      const onDone = (saved: VerifiedEvent): void => {
        const { text, isRemoval } = merged;
        if (merged.settles === undefined) written.set(saved.id, { text, isRemoval });
        void news.merged(dTag, merged, saved).then(async () => ports.announce(dTag));
      };
      return { ...merged, onDone };
    },
    viewOf: showing.viewOf,
    forget: () => {
      written.clear();
      showing.forget();
    },
    changed: (change) => {
      showing.changed(change);
      settling.changed(change);
    },
    signerChanged: () => {
      news.signerChanged();
      settling.signerChanged();
    },
    relaysChanged: settling.relaysChanged,
    close: settling.close,
  };
};
