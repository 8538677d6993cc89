/** App → replica: publish and remove. A write is encrypted, stamped, signed, saved; then its callers are told how far it came. */

import { toIso, type Clock } from '../clock.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { NostrSyncError } from '../errors.ts';
import { categoryOf } from '../protocol/address.ts';
import { CHUNKED, pieceDTag, sealPiece, type Layout } from '../protocol/chunks.ts';
import type { Compression } from '../protocol/compression.ts';
import type { Answer } from '../protocol/answer.ts';
import { deviceHash, seenBy, vectorAt, type VersionVector } from '../protocol/causality.ts';
import { deletionOf, type NostrEvent, type VerifiedEvent } from '../protocol/event.ts';
import { isTombstone, tagsOf } from '../protocol/header.ts';
import {
  DAY_SECONDS,
  FIRST_WRITE_MS,
  HOLD_MS,
  KIND_APP_DATA,
  MAX_LAPS,
  PUBLISH_TIMEOUT_MS,
  SIGNER_TURN_MS,
  SIZES,
  SKEW_REPORT_SECONDS,
} from '../protocol/limits.ts';
import { nextStamp } from '../protocol/order.ts';
import { restampOf } from '../protocol/renewal.ts';
import { joinVoids, voidsAt, type Voids } from '../protocol/voids.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import type { Content } from './values/content.ts';
import { callListener, type DeliveryReport, type Receipt } from './events.ts';
import type { Network } from './relays/network.ts';
import {
  deliveryOf,
  EMPTY_RECORD,
  floorOf,
  isHeld,
  isOwnHead,
  readableOf,
  stageOf,
  type HeadRecord,
  type Piece,
  type Stage,
} from './heads/record.ts';
import type { Change, Replica } from './heads/replica.ts';
import type { Asking } from './values/asking.ts';
import type { Hand } from './values/signing.ts';

/**
 * Makes entries of the store that are saved together with a write, and removed together with it if it is withdrawn: both
 * or nothing. May be called more than once, always with the same keys.
 */
export type Note = (saved: Receipt) => readonly (readonly [key: string, text: string])[];

export interface Write {
  /** JSON text. */
  readonly text: string;
  /** NIP-40, Unix time in s. */
  readonly expiration: number | undefined;
  readonly isRemoval: boolean;
  /** Below what is from the future, which does not count any more. */
  readonly isReset?: boolean;
  readonly waitFor: Stage;
  /** Stops the waiting, not a write that was saved. */
  readonly signal: AbortSignal | undefined;
  /** Told as soon as the write is saved. */
  readonly onSaved: ((receipt: Receipt) => void) | undefined;
  readonly note?: Note | undefined;
}

export interface Writer {
  publish(dTag: string, write: Write): Promise<Receipt>;
  changed(change: Change): void;
  /** A relay's answer to an own head: what it refuses for good, and why. */
  answered(dTag: string, relay: string, event: NostrEvent, answer: Answer): void;
  /** Whether what is written next would be stamped more than a day ahead, because something is. */
  isAhead(dTag: string): boolean;
  /** Relays came or went: what can no longer be delivered is not waited for. */
  relaysChanged(): void;
  report(dTag: string, record: HeadRecord): DeliveryReport | undefined;
  close(): void;
}

/** A call whose write is not saved yet. */
interface Settler {
  readonly write: Write;
  readonly seen: VersionVector;
  resolve(saved: VerifiedEvent): void;
  reject(error: Error): void;
}

/** What is saved next: the write of the last of these calls, which settles all of them, and their notes go with it. */
interface Draft {
  readonly settlers: Settler[];
  /** Ends what the signer is asked for it: no call waits for it any more, or a newer write has waited for too long. */
  readonly abandon: AbortController;
  /** From here on it may be on the medium. */
  isSaving: boolean;
  /** Ends a newer write's patience with it. */
  cancelPatience: (() => void) | undefined;
}

/** What the first writes of one turn ask together, so that many are a handful of REQs. */
interface Question {
  readonly dTags: Set<string>;
  isOpen: boolean;
  /** Every configured relay has said what it has, completely. */
  isAnswered: boolean;
}

/** There is no relay to ask. */
const UNASKED: Question = { dTags: new Set(), isOpen: false, isAnswered: false };

interface Waiter {
  readonly dTag: string;
  /** Another one if the write got another stamp. */
  event: VerifiedEvent;
  readonly write: Write;
  /** Relays that were configured at any time since: one that was removed may have it. */
  readonly asked: Set<string>;
  /** The time is over, or the call was aborted: what is known then is the answer. */
  isDue: boolean;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: NostrSyncError) => void;
}

const STAGES: readonly Stage[] = ['saved', 'delivered', 'replicated'];

export function createWriter(ports: {
  readonly clock: Clock;
  readonly replica: Replica;
  readonly network: () => Network;
  readonly hand: Hand;
  readonly content: Content;
  readonly compression: Compression;
  readonly primitives: Primitives;
  readonly randomBytes: RandomBytes;
  readonly deviceId: () => string;
  /** Configured relays, and whether there is a hope that one of them answers soon. */
  readonly relays: () => readonly string[];
  readonly isReachable: () => boolean;
  /** See `RelayTime`. */
  readonly aheadSeconds: () => number;
  readonly onSaved: (dTag: string, id: string) => void;
}): Writer {
  const { clock, replica, hand } = ports;
  const drafts = new Map<string, Draft>();
  const running = new Map<string, Draft>();
  /** By d-tag, how often in a row a write was abandoned for a newer one: a signer that is slow must come to its end. */
  const abandoned = new Map<string, number>();
  const waiters = new Set<Waiter>();
  /** Why relays refused an own head, by d-tag. */
  const refusals = new Map<string, { readonly id: string; readonly reasons: Map<string, string> }>();
  /** By d-tag: the last write whose `publish` has resolved. It is never withdrawn, even if another caller still waits when every relay refuses it. */
  const told = new Map<string, string>();
  /** Categories of which every relay has said what it has. */
  const explored = new Set<string>();
  /** What the first writes of this turn ask. */
  let question: Question | undefined;
  let closed = false;

  // Saving

  function draft(dTag: string, write: Write): Promise<VerifiedEvent> {
    // What the app can have seen when it made this value; whatever comes in while it is signed is not part of it.
    const record = replica.get(dTag);
    const basis = record !== undefined && isOwnHead(record) ? record.event : readableOf(record);
    const seen = seenBy(basis, record?.deemed);
    return new Promise((resolve, reject) => {
      const abort = (): void => leave(dTag, settler);
      const settled = (): void => write.signal?.removeEventListener('abort', abort);
      const settler: Settler = {
        ...{ write, seen },
        resolve: (event) => {
          settled();
          resolve(event);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      write.signal?.addEventListener('abort', abort);
      enqueue(dTag, [settler]);
      beImpatient(dTag);
      if (!running.has(dTag)) void run(dTag);
    });
  }

  /** After those that wait, or before them. */
  function enqueue(dTag: string, settlers: readonly Settler[], areOlder = false): void {
    const waiting = drafts.get(dTag)?.settlers ?? [];
    drafts.set(dTag, {
      settlers: areOlder ? [...settlers, ...waiting] : [...waiting, ...settlers],
      abandon: new AbortController(),
      isSaving: false,
      cancelPatience: undefined,
    });
  }

  /** A popup may have been closed without a word: a newer write does not wait for that one to the end. */
  function beImpatient(dTag: string): void {
    const current = running.get(dTag);
    if (current === undefined || current.isSaving) return;
    const times = abandoned.get(dTag) ?? 0;
    current.cancelPatience ??= clock.after(SIGNER_TURN_MS * 2 ** times, () => {
      abandoned.set(dTag, times + 1);
      current.abandon.abort();
    });
  }

  /** The caller waits no longer. What it wrote is not written, unless it may be saved by now: then `publish` tells. */
  function leave(dTag: string, settler: Settler): void {
    for (const draft of [drafts.get(dTag), running.get(dTag)]) {
      const at = draft?.settlers.indexOf(settler) ?? -1;
      if (draft === undefined || at < 0 || draft.isSaving) continue;
      const isItsWrite = at === draft.settlers.length - 1;
      draft.settlers.splice(at, 1);
      if (drafts.get(dTag) === draft && draft.settlers.length === 0) drafts.delete(dTag);
      // Others whose place it had taken are settled by what they wrote themselves.
      if (isItsWrite) draft.abandon.abort();
      settler.reject(settler.write.signal?.reason as Error);
    }
  }

  /** One write of a category at a time: a signer may ask a person, and is not asked for what is outdated already. */
  async function run(dTag: string): Promise<void> {
    for (let next = drafts.get(dTag); next !== undefined; next = drafts.get(dTag)) {
      drafts.delete(dTag);
      running.set(dTag, next);
      try {
        const event = await save(dTag, next);
        abandoned.delete(dTag);
        for (const settler of next.settlers) settler.resolve(event);
      } catch (error) {
        if (next.abandon.signal.aborted && !closed && hand.isSet()) {
          if (next.settlers.length > 0) enqueue(dTag, next.settlers, true);
        } else for (const settler of next.settlers) settler.reject(error as Error);
      }
      next.cancelPatience?.();
    }
    running.delete(dTag);
  }

  async function save(dTag: string, draft: Draft): Promise<VerifiedEvent> {
    const asked = explore(dTag);
    if (isAhead(dTag, SKEW_REPORT_SECONDS)) await lookForReset(dTag);
    for (let left = SIZES.length; ; left--) {
      const sizes = hand.sizes();
      try {
        return await make(dTag, draft, asked);
      } catch (error) {
        // The signer finds it too large: the value is laid out again, in smaller parts.
        if (hand.sizes() === sizes || left === 0) throw error;
      }
    }
  }

  async function make(dTag: string, draft: Draft, asked: Question | undefined): Promise<VerifiedEvent> {
    const asking = { signal: draft.abandon.signal };
    asking.signal.throwIfAborted();
    const { settlers } = draft;
    const { write, seen } = settlers.at(-1)!;
    refuseWrongClock();
    const isReset = settlers.some((one) => one.write.isReset);
    const layout = await ports.content.layOut(dTag, write.text, isReset);
    const content = await hand.encrypt(layout.text, asking);
    const ciphertexts = new Map<string, string>();
    // Each lap has a higher stamp: something newer came in while it was signed.
    for (let lap = 0; lap < MAX_LAPS; lap++) {
      const voids = isReset ? aheadOf(dTag) : undefined;
      const stamp = stampOf(dTag, voids);
      const deviceId = ports.deviceId();
      const device = deviceHash(deviceId);
      const tags = tagsOf({
        address: dTag,
        deviceId,
        expiration: write.expiration,
        isRemoval: write.isRemoval,
        format: layout.format,
        vector: vectorAt(seen, device, stamp),
        voids: voidsAt(joinVoids(replica.get(dTag)?.voids ?? new Map(), voids ?? new Map()), stamp),
      });
      const event = await hand.sign({ kind: KIND_APP_DATA, created_at: stamp, tags, content }, asking);
      const before = replica.get(dTag)?.event;
      const pieces = await makePieces(dTag, layout, event.created_at, ciphertexts, asking);
      if (closed) throw new NostrSyncError('CLOSED', 'Cannot publish: the engine was closed');
      asking.signal.throwIfAborted();
      draft.isSaving = true;
      draft.cancelPatience?.();
      const along = (record: HeadRecord): ReturnType<Note> =>
        settlers.flatMap((settler) => settler.write.note?.(receiptOf({ dTag, event }, record)) ?? []);
      const heldUntil = asked?.isOpen === true ? clock.now() + HOLD_MS : undefined;
      const isBlind = heldUntil === undefined && asked?.isAnswered === false;
      const effects = await replica.apply(dTag, {
        type: 'write',
        event,
        device,
        isRead: hand.isProven(content),
        isBlind,
        heldUntil,
        voids,
        along,
        ...pieces,
      });
      if (effects.some((effect) => effect.type === 'stale')) {
        draft.isSaving = false;
        for (const settler of [...settlers]) if (settler.write.signal?.aborted === true) leave(dTag, settler);
        continue;
      }
      ports.onSaved(dTag, event.id);
      if (write.isRemoval) void requestDeletion(dTag, event, before);
      // The answer may have come before there was anything to let go.
      if (heldUntil !== undefined && !asked!.isOpen) void release(dTag, asked!);
      return event;
    }
    throw new NostrSyncError(
      'SIGNING_FAILED',
      'Cannot publish: newer values come in faster than it is signed',
    );
  }

  /** Signs those pieces of a value that the one before it does not share, under the stamp of the value. */
  async function makePieces(
    dTag: string,
    layout: Layout,
    stamp: number,
    ciphertexts: Map<string, string>,
    asking: Asking,
  ): Promise<{ made?: ReadonlyMap<string, VerifiedEvent>; names?: readonly string[] }> {
    if (layout.format !== CHUNKED) return {};
    const record = replica.get(dTag);
    const known = new Set(
      [...(record?.pieces ?? []), ...(record?.piecesBefore ?? [])].map(({ name }) => name),
    );
    const made = new Map<string, VerifiedEvent>();
    const names = [...new Set(layout.manifest.parts)];
    for (const name of names) {
      if (known.has(name)) continue;
      const content =
        ciphertexts.get(name) ?? (await sealPiece(layout.pieces.get(name)!, layout.manifest, ports));
      ciphertexts.set(name, content);
      layout.pieces.delete(name);
      const tags = tagsOf({ address: pieceDTag(dTag, name) });
      made.set(name, await hand.sign({ kind: KIND_APP_DATA, created_at: stamp, tags, content }, asking));
    }
    return { made, names };
  }

  /**
   * A device that knows nothing of a category asks, so that it does not write below what exists. What it writes is saved at
   * once, and held until the question is over. `undefined`: it knows what there is.
   */
  function explore(dTag: string): Question | undefined {
    if (explored.has(dTag) || replica.get(dTag) !== undefined) return undefined;
    if (!ports.isReachable()) return UNASKED;
    question ??= openQuestion();
    question.dTags.add(dTag);
    return question;
  }

  function openQuestion(): Question {
    const asked: Question = { dTags: new Set(), isOpen: true, isAnswered: false };
    const end = (isAnswered: boolean): void => {
      if (!asked.isOpen) return;
      asked.isOpen = false;
      asked.isAnswered = isAnswered;
      for (const dTag of asked.dTags) {
        if (isAnswered) explored.add(dTag);
        void release(dTag, asked);
      }
    };
    queueMicrotask(() => {
      question = undefined;
      const cancel = clock.after(FIRST_WRITE_MS, () => end(false));
      void ports
        .network()
        .ask([...asked.dTags], 'all')
        .then((answers) => {
          cancel();
          end(ports.relays().every((url) => answers.complete.includes(url)));
        });
    });
    return asked;
  }

  /** The question is over: what was held for it may go out, above all that has turned up. */
  async function release(dTag: string, { isAnswered }: Question): Promise<void> {
    for (let lap = 0; lap < MAX_LAPS && !closed; lap++) {
      const record = replica.get(dTag);
      if (record?.event === undefined || !isHeld(record)) return;
      const { event } = record;
      const isBeaten = floorOf(record) > event.created_at;
      // Without a signer it goes out as it is, and its loss is told.
      const again = isBeaten ? await restamp(dTag, event).catch(() => undefined) : undefined;
      const end = { type: 'explored', id: event.id, isBlind: !isAnswered, again } as const;
      // What the store does not take goes out as it is when the hold is over.
      await replica.apply(dTag, end).catch(() => undefined);
      if (again !== undefined && replica.get(dTag)?.event?.id === again.id) restamped(dTag, event, again);
    }
  }

  /** The same write, with what the app had seen at the call. */
  function restamp(dTag: string, event: VerifiedEvent): Promise<VerifiedEvent> {
    return hand.sign(restampOf(event, replica.get(dTag)!.own!.device, stampOf(dTag)));
  }

  function restamped(dTag: string, former: VerifiedEvent, again: VerifiedEvent): void {
    ports.onSaved(dTag, again.id);
    if (told.get(dTag) === former.id) told.set(dTag, again.id);
    for (const waiter of waiters) if (waiter.event.id === former.id) waiter.event = again;
    // What turned up meanwhile is what it removes.
    if (isTombstone(again)) void requestDeletion(dTag, again, replica.get(dTag)?.before);
  }

  /** What is stamped a day too late is refused by all, or beats what others write until then. */
  function refuseWrongClock(): void {
    const aheadSeconds = ports.aheadSeconds();
    if (aheadSeconds < DAY_SECONDS) return;
    throw new NostrSyncError(
      'CLOCK_SKEW',
      `Cannot publish: this clock is at least ${aheadSeconds} s ahead of every connected relay's`,
      { details: { aheadSeconds } },
    );
  }

  function isAhead(dTag: string, seconds: number): boolean {
    return aheadOf(dTag, seconds).size > 0 || floorOf(replica.get(dTag)) > nowSeconds() + seconds;
  }

  /** Somebody may have reset what this write would be above, and it would be in the future again. */
  function lookForReset(dTag: string): Promise<void> {
    return new Promise((resolveLook) => {
      if (!ports.isReachable()) return resolveLook();
      const cancel = clock.after(FIRST_WRITE_MS, resolveLook);
      const done = (): void => {
        cancel();
        resolveLook();
      };
      ports.network().ask([dTag], 'all').then(done, done);
    });
  }

  const nowSeconds = (): number => Math.floor(clock.now() / 1000);

  /** What is known of the category and is stamped more than this ahead, in s. */
  function aheadOf(dTag: string, seconds = DAY_SECONDS): Voids {
    const { event, before, fallback, own } = replica.get(dTag) ?? EMPTY_RECORD;
    const known = [event, before, fallback].map((one) => [one?.id ?? '', one?.created_at ?? 0] as const);
    // Its stamp is that of the write: the head may be stamped a little later.
    const all = own === undefined ? known : [[own.id, own.stamp] as const, ...known];
    return new Map(all.filter(([, stamp]) => stamp > nowSeconds() + seconds));
  }

  /** `voids`: of a reset, which is above the rest alone. */
  function stampOf(dTag: string, voids?: Voids): number {
    const record = replica.get(dTag);
    const now = nowSeconds();
    if (voids !== undefined) {
      const { event, before, fallback, own, deemed } = record ?? EMPTY_RECORD;
      const heads = [event, before, fallback];
      const seen = heads.flatMap((one) => [one?.created_at, ...seenBy(one, deemed).values()]);
      const stamps = [...seen, own?.stamp, own?.floor, ...(own?.past ?? [])];
      return nextStamp(now, ...stamps.map((one = -1) => (one > now + DAY_SECONDS ? -1 : one)));
    }
    const head = record?.event?.created_at ?? -1;
    const own = floorOf(record);
    const isReplaceable = replica.isUncarried(dTag);
    return isReplaceable ? Math.max(now, own) : nextStamp(now, head, own);
  }

  /**
   * NIP-09, best effort. By id alone: one by address deletes all up to its stamp, and if this clock is ahead relays would take nothing
   * of the address until then. Below the tombstone, which must stay: it is what tells the other devices.
   */
  async function requestDeletion(
    dTag: string,
    tombstone: VerifiedEvent,
    removed: VerifiedEvent | undefined,
  ): Promise<void> {
    if (removed === undefined) return;
    try {
      const deletion = await hand.sign(deletionOf(removed.id, tombstone.created_at - 1));
      ports.network().follow(dTag, tombstone.id, deletion);
    } catch {
      // The tombstone is what removes the value; relays may forget the old ciphertext or not.
    }
  }

  // Waiting

  function report(dTag: string, record: HeadRecord): DeliveryReport | undefined {
    if (record.event === undefined) return undefined;
    const relays = ports.relays();
    return {
      category: categoryOf(dTag),
      eventId: record.event.id,
      updatedAt: toIso(record.event.created_at * 1000),
      stage: stageOf(record, relays),
      relays: Object.fromEntries(relays.map((relay) => [relay, deliveryOf(record, relay)])),
      ...(record.pieces === undefined ? {} : { pieces: progressOf(record.pieces, relays) }),
    };
  }

  function progressOf(
    pieces: readonly Piece[],
    relays: readonly string[],
  ): Required<DeliveryReport>['pieces'] {
    const on = (relay: string): number => pieces.filter(({ deliveries }) => deliveries.has(relay)).length;
    return { total: pieces.length, done: Object.fromEntries(relays.map((relay) => [relay, on(relay)])) };
  }

  function receiptOf(
    { dTag, event }: Pick<Waiter, 'dTag' | 'event'>,
    record: HeadRecord = replica.get(dTag)!,
  ): Receipt {
    const now = report(dTag, record)!;
    if (now.eventId === event.id) return now;
    const updatedAt = toIso(event.created_at * 1000);
    return { ...now, eventId: event.id, updatedAt, supersededBy: now.eventId };
  }

  function check(waiter: Waiter): void {
    const record = replica.get(waiter.dTag);
    if (record?.event === undefined) return reject(waiter, {});
    const relays = ports.relays();
    const stage = stageOf(record, relays);
    if (STAGES.indexOf(stage) >= STAGES.indexOf(waiter.write.waitFor)) return resolve(waiter);
    for (const relay of relays) waiter.asked.add(relay);
    const areRefusals =
      isOwnHead(record) &&
      !record.own!.acknowledged &&
      relays.length > 0 &&
      [...waiter.asked].every((relay) => deliveryOf(record, relay) === 'refused');
    // An earlier write that it had replaced is the head again then, and goes on.
    if (areRefusals && record.event.id === waiter.event.id)
      return told.get(waiter.dTag) === waiter.event.id
        ? resolve(waiter)
        : void withdraw(waiter.dTag, record.event);
    if (stage === 'saved' && !ports.isReachable()) resolve(waiter);
  }

  function resolve(waiter: Waiter): void {
    if (!waiters.delete(waiter)) return;
    told.set(waiter.dTag, waiter.event.id);
    waiter.resolve(receiptOf(waiter));
  }

  function reject(waiter: Waiter, reasons: Record<string, string>): void {
    if (!waiters.delete(waiter)) return;
    waiter.reject(
      new NostrSyncError('NO_RELAYS_ACCEPTED', 'Cannot publish: every relay refused it for good', {
        details: { reasons },
      }),
    );
  }

  /** With the notes of all who wait for it, and for all of them. */
  async function withdraw(dTag: string, { id }: VerifiedEvent): Promise<void> {
    const refused = refusals.get(dTag);
    const reasons = Object.fromEntries(
      ports.relays().map((relay) => [relay, refused?.reasons.get(relay) ?? 'refused']),
    );
    const those = [...waiters].filter(({ event }) => event.id === id);
    for (const waiter of those) waiters.delete(waiter);
    const notes = those.flatMap((waiter) => waiter.write.note?.(receiptOf(waiter)) ?? []);
    const along = notes.map(([key]) => [key, null] as const);
    // What could not be taken back stays saved, and goes to whatever relay is added.
    const effects = await replica
      .apply(dTag, { type: 'withdraw', id, along: () => along })
      .catch(() => undefined);
    for (const waiter of those) {
      waiters.add(waiter);
      if (effects?.some(({ type }) => type === 'withdrawn') === true) reject(waiter, reasons);
      // A newer write was saved before that, and would bring this one back if it is withdrawn itself.
      else if (effects === undefined || waiter.isDue || closed) resolve(waiter);
      else check(waiter);
    }
  }

  return {
    publish: async (dTag, write) => {
      write.signal?.throwIfAborted();
      const event = await draft(dTag, write);
      return new Promise((resolveReceipt, rejectReceipt) => {
        const settled = (): void => {
          cancel();
          write.signal?.removeEventListener('abort', stop);
        };
        const waiter: Waiter = {
          dTag,
          event,
          write,
          asked: new Set(),
          isDue: false,
          resolve: (receipt) => {
            settled();
            resolveReceipt(receipt);
          },
          reject: (error) => {
            settled();
            rejectReceipt(error);
          },
        };
        const stop = (): void => {
          waiter.isDue = true;
          resolve(waiter);
        };
        const cancel = clock.after(PUBLISH_TIMEOUT_MS, stop);
        write.signal?.addEventListener('abort', stop);
        waiters.add(waiter);
        if (write.onSaved !== undefined) callListener(write.onSaved, receiptOf(waiter));
        check(waiter);
        if (write.signal?.aborted === true || closed) stop();
      });
    },
    changed: ({ dTag }) => {
      for (const waiter of waiters) if (waiter.dTag === dTag) check(waiter);
    },
    answered: (dTag, relay, event, answer) => {
      if (answer.type !== 'refused' && answer.type !== 'too-large') return;
      const known = refusals.get(dTag);
      const reasons = known?.id === event.id ? known.reasons : new Map<string, string>();
      refusals.set(dTag, { id: event.id, reasons: reasons.set(relay, answer.reason) });
    },
    relaysChanged: () => {
      for (const waiter of waiters) check(waiter);
    },
    report,
    isAhead: (dTag) => isAhead(dTag, DAY_SECONDS),
    close: () => {
      closed = true;
      for (const waiter of waiters) resolve(waiter);
    },
  };
}
