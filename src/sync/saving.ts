/** A write becomes an event on this device: it is encrypted, stamped, signed and saved, again as long as something newer comes in. */

import { nowSeconds, type Clock } from '../clock.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { NostrSyncError } from '../errors.ts';
import type { Address, EventId, RelayUrl, Seconds } from '../protocol/address.ts';
import { deviceHash, seenBy, vectorAt, type VersionVector } from '../protocol/causality.ts';
import type { Compression } from '../protocol/compression.ts';
import type { NostrEvent, VerifiedEvent } from '../protocol/event.ts';
import { schemaOf, tagsOf } from '../protocol/header.ts';
import {
  HOLD_MS,
  KIND_APP_DATA,
  MAX_LAPS,
  SIZES,
  SKEW_REPORT_SECONDS,
  DAY_SECONDS,
} from '../protocol/limits.ts';
import type { Schema } from '../protocol/schema.ts';
import { joinVoids, voidsAt, type Voids } from '../protocol/voids.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import { receiptOf } from './delivery-report.ts';
import { askedFor, type Compose, type Composed } from './composing.ts';
import type { Making, Wanted } from './drafts.ts';
import { containedIn, withOwn } from './heads/frontier.ts';
import { isTaken } from './heads/conflict.ts';
import { isOwnHead, readableOf, type HeadRecord } from './heads/record.ts';
import type { Replica } from './heads/replica.ts';
import type { Merger } from './merging/merger.ts';
import type { Question, FirstWrites } from './first-writes.ts';
import type { Network } from './relays/network.ts';
import { isAhead, refuseWrongClock, resetStampOf, stampOf, voidsOfReset } from './stamps.ts';
import type { Content } from './values/content.ts';
import { makePieces } from './values/pieces.ts';
import type { Hand } from './values/signing.ts';
import type { Note } from './write.ts';

/** What the app can have seen when it makes a value now; whatever comes in while it is signed is not part of it. */
export function seenOf(record: HeadRecord | undefined): VersionVector {
  if (record?.head !== undefined && (isOwnHead(record) || readableOf(record) === record.head.event))
    return containedIn(record);
  return seenBy(readableOf(record), record?.deemed);
}

export interface SavingPorts {
  readonly clock: Clock;
  readonly replica: Replica;
  readonly network: () => Network;
  readonly hand: Hand;
  readonly content: Content;
  readonly compression: Compression;
  readonly primitives: Primitives;
  readonly randomBytes: RandomBytes;
  readonly deviceId: () => string;
  /** Another device has this one's id, by an event of this category: from then on this one has another. */
  readonly onTwin: (dTag: Address, event: NostrEvent) => Promise<void>;
  readonly relays: () => readonly RelayUrl[];
  /** See `RelayTime`. */
  readonly aheadSeconds: () => number;
  readonly questions: FirstWrites;
  readonly isClosed: () => boolean;
  readonly compose: Compose;
  readonly mergerOf: (dTag: Address) => Merger | undefined;
  readonly onSaved: (dTag: Address, id: EventId, composed?: Composed) => void;
}

const tooFast = (): NostrSyncError =>
  new NostrSyncError('SIGNING_FAILED', 'Cannot publish: newer values come in faster than it is signed');

/** A reset would say again what is not the newest any more. */
export const OVERTAKEN: Error = new NostrSyncError(
  'SIGNING_FAILED',
  'Cannot reset: newer values come in faster than it is signed',
);

/**
 * Returns what saves the write that is made now, and resolves with its event.
 *
 * One closure: all steps from a call to its event look at one record, which may change under each of them.
 */
export function createSaving(ports: SavingPorts): (dTag: Address, making: Making) => Promise<VerifiedEvent> {
  const { clock, replica, hand, questions } = ports;

  /** Of the calls that can be written, and that wait for it. Rejects if none is left. */
  async function composedOf(
    dTag: Address,
    making: Making,
  ): Promise<{ readonly composed: Composed | undefined; readonly last: Wanted | undefined }> {
    for (;;) {
      const wanted = [...making.wanted];
      const on = replica.get(dTag)?.head?.event.id;
      const overtaken = wanted.find(
        ({ write }) => write.isReset && (wanted.length > 1 || write.again !== on),
      );
      if (overtaken !== undefined) {
        making.refuse(overtaken, OVERTAKEN);
        if (wanted.length === 1) throw OVERTAKEN;
        continue;
      }
      const composed = await ports.compose(dTag, wanted).catch((error: unknown) => {
        // It was taken back or replaced while it was read, and its pieces are gone: the value is made of what there is now.
        if (replica.get(dTag)?.head?.event.id !== on) return 'moved' as const;
        throw error;
      });
      making.signal.throwIfAborted();
      if (composed === 'moved') continue;
      if (composed !== undefined && 'refused' in composed) {
        making.refuse(composed.refused, composed.error);
        if (making.wanted.length === 0) throw composed.error;
        // A call that waits no longer must not be part of it.
      } else if (making.wanted.length === wanted.length) {
        if (composed !== undefined) making.isOfAll();
        return { composed, last: askedFor(wanted).at(-1) };
      }
    }
  }

  /**
   * Each lap has a higher stamp: something newer came in while it was signed. `undefined`: what it was composed on is not the head any
   * more, so it says something else now.
   */
  async function makeOnce(
    dTag: Address,
    making: Making,
    asked: Question | undefined,
  ): Promise<VerifiedEvent | undefined> {
    const asking = { signal: making.signal };
    asking.signal.throwIfAborted();
    refuseWrongClock(ports.aheadSeconds());
    const { composed, last } = await composedOf(dTag, making);
    if (composed?.settles !== undefined) return settle(dTag, composed, composed.settles);
    const said = composed ?? (last && { ...last.write, seen: last.seen });
    // What was to be merged went with a write that was withdrawn.
    if (said === undefined) throw new Error('nothing to merge');
    const { text, seen, isRemoval, expiration } = said;
    const schema = isRemoval ? undefined : schemaFor(dTag, composed, last);
    const isReset = making.wanted.some((one) => one.write.isReset);
    const layout = await ports.content.layOut(dTag, text, isReset);
    const content = await hand.encrypt(layout.text, asking);
    const ciphertexts = new Map<string, string>();
    for (let lap = 0; lap < MAX_LAPS; lap++) {
      if (hasMoved(dTag, composed)) return undefined;
      const record = replica.get(dTag);
      // Another has reset it meanwhile, or what was ahead was stamped again: what was written since stays.
      if (isReset && making.wanted.length === 1 && !isAhead(record, nowSeconds(clock), DAY_SECONDS))
        return record!.head!.event;
      if (isReset && making.wanted.some(({ write }) => write.again !== record?.head?.event.id))
        throw OVERTAKEN;
      // Also if it ended before it had another id: under one id it would say to have seen all that the other writes.
      if (record !== undefined && isTaken(record, deviceHash(ports.deviceId())))
        await ports.onTwin(dTag, record.head!.event);
      const voids = isReset ? voidsOfReset(replica.get(dTag), nowSeconds(clock)) : undefined;
      const stamp = nextStampOf(dTag, voids);
      const deviceId = ports.deviceId();
      const device = deviceHash(deviceId);
      const allVoids = joinVoids(replica.get(dTag)?.voids ?? new Map(), voids ?? new Map());
      const tags = tagsOf({
        address: dTag,
        deviceId,
        expiration,
        isRemoval,
        format: layout.format,
        schema,
        // What a reset replaces may be from the future.
        vector: vectorAt(isReset ? seen : withOwn(record, seen), device, stamp),
        voids: voidsAt(allVoids, stamp),
      });
      const event = await hand.sign({ kind: KIND_APP_DATA, created_at: stamp, tags, content }, asking);
      const pieces = await makePieces(ports, dTag, layout, event.created_at, ciphertexts, asking);
      if (ports.isClosed()) throw new NostrSyncError('CLOSED', 'Cannot publish: the engine was closed');
      asking.signal.throwIfAborted();
      making.saving();
      const along = (record: HeadRecord): ReturnType<Note> => {
        const saved = receiptOf(dTag, event, record, ports.relays());
        return making.wanted.flatMap((one) => one.write.note?.(saved, { text, isRemoval }) ?? []);
      };
      const heldUntil = asked?.isOpen === true ? clock.now() + HOLD_MS : undefined;
      const isBlind = heldUntil === undefined && asked?.isAnswered === false;
      // What has come since every relay had answered is told by whoever wrote it.
      const isFirst = asked !== undefined && (!asked.isAnswered || asked.found.has(dTag));
      const effects = await replica.apply(dTag, {
        type: 'write',
        event,
        device,
        isRead: hand.isProven(content),
        isFirst,
        isBlind,
        heldUntil,
        voids,
        along,
        ...pieces,
        ...(composed && { on: composed.on ?? null }),
      });
      if (effects.some((effect) => effect.type === 'stale')) {
        making.notSaved();
        continue;
      }
      ports.onSaved(dTag, event.id, composed);
      composed?.onDone?.(event);
      // The answer may have come before there was anything to let go.
      if (heldUntil !== undefined && !asked!.isOpen) void questions.release(dTag, asked!);
      return event;
    }
    throw tooFast();
  }

  async function make(dTag: Address, making: Making, asked: Question | undefined): Promise<VerifiedEvent> {
    for (let moves = 0; moves <= MAX_LAPS; moves++) {
      const event = await makeOnce(dTag, making, asked);
      if (event !== undefined) return event;
    }
    throw tooFast();
  }

  const hasMoved = (dTag: Address, composed: Composed | undefined): boolean =>
    composed !== undefined && replica.get(dTag)?.head?.event.id !== composed.on;

  /** Of what is written over this. Throws what the app's definition says of it. */
  function schemaFor(
    dTag: Address,
    composed: Composed | undefined,
    last: Wanted | undefined,
  ): Schema | undefined {
    // What is written again is as it was.
    if (last !== undefined && last.write.edit === undefined) return last.write.schema;
    const head = replica.get(dTag)?.head?.event;
    const under = composed === undefined ? head && schemaOf(head) : composed.schema;
    return ports.mergerOf(dTag)?.schemaOver?.(under) ?? composed?.schema;
  }

  /** What is merged adds nothing to the head: it is part of that from now on. */
  async function settle(
    dTag: Address,
    composed: Composed,
    { head, ids }: NonNullable<Composed['settles']>,
  ): Promise<VerifiedEvent | undefined> {
    await replica.apply(dTag, { type: 'settled', id: head.id, ids, seen: composed.seen });
    if (hasMoved(dTag, composed)) return undefined;
    composed.onDone?.(head);
    return head;
  }

  /** `voids`: of a reset, which is above the rest alone. */
  function nextStampOf(dTag: Address, voids: Voids | undefined): Seconds {
    const record = replica.get(dTag);
    return voids === undefined
      ? stampOf(record, nowSeconds(clock), replica.isUncarried(dTag))
      : resetStampOf(record, nowSeconds(clock));
  }

  return async (dTag, making) => {
    const asked = questions.explore(dTag);
    if (isAhead(replica.get(dTag), nowSeconds(clock), SKEW_REPORT_SECONDS))
      await questions.lookForReset(dTag);
    for (let left = SIZES.length; ; left--) {
      const sizes = hand.sizes();
      try {
        return await make(dTag, making, asked);
      } catch (error) {
        // The signer finds it too large: the value is laid out again, in smaller parts.
        if (hand.sizes() === sizes || left === 0) throw error;
      }
    }
  };
}
