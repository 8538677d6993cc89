/** An event becomes a value: decrypted, tried again if the signer fails, and reported if it cannot be read. */

import { nowSeconds, toIso, type Clock } from '../clock.ts';
import { isNostrSyncError, NostrSyncError, type AnyNostrSyncError, type ErrorCode } from '../errors.ts';
import { categoryOf, type Address, type EventId } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { deviceIdOf, isExpired, isTombstone, schemaOf } from '../protocol/header.ts';
import { MAX_READS } from '../protocol/limits.ts';
import { doublingMs } from '../relay/backoff.ts';
import type { Emitter, FetchResult, Removal } from './events.ts';
import type { OwnWrite } from './heads/record.ts';
import type { Replica } from './heads/replica.ts';
import { createAgenda } from './relays/agenda.ts';
import type { Content } from './values/content.ts';

type Source = FetchResult['source'];

/** What is shown in the place of this head, if it is not what that says. */
export type ViewOf = (
  dTag: Address,
  head: EventId,
) => { readonly id: EventId; readonly value: unknown } | undefined;

export interface Reading {
  /**
   * The value of one event. Throws `UNDECODABLE`, `INCOMPLETE`, `STORE_FAILED`, `SIGNER_NOT_SET`, or if the signer has
   * failed `DECRYPTION_FAILED` or `SIGNER_CHANGED`: then it is tried again.
   */
  decode(event: VerifiedEvent, dTag: Address, source: Source): Promise<FetchResult>;
  /** The value of a head as the device shows it: what its rivals hold may be part of it. Throws as `decode`. */
  shown(head: VerifiedEvent, dTag: Address, source: Source): Promise<FetchResult>;
  /** Whether this is a value of the head, as it is or as it is shown. */
  isOfHead(dTag: Address, result: Pick<FetchResult, 'eventId'>): boolean;
  /**
   * What the device shows for a category: the head, or while that cannot be read, the last good value.
   * `null`: there is none. Throws `UNDECODABLE` if there is one and nothing of it can be read.
   */
  valueOf(dTag: Address, source: Source): Promise<FetchResult | null>;
  /** Another signer may be able to read what the former one failed to. Returns the categories of that. */
  retry(): Address[];
  close(): void;
}

const isOneOf = (error: unknown, codes: readonly ErrorCode[]): boolean =>
  codes.some((code) => isNostrSyncError(error, code));

/** The signer failed, which says nothing about the value. */
const isSignersFault = (error: unknown): boolean => isOneOf(error, ['DECRYPTION_FAILED', 'SIGNER_CHANGED']);

/** What says nothing about the value itself. */
export const isPassing = (error: unknown): boolean =>
  isSignersFault(error) || isOneOf(error, ['SIGNER_NOT_SET', 'INCOMPLETE', 'STORE_FAILED', 'CLOSED']);

/** Of one value alone, and reported. */
const isUnreadable = (error: unknown): boolean =>
  isOneOf(error, ['UNDECODABLE', 'INCOMPLETE', 'DECRYPTION_FAILED']);

/** `undefined` for what cannot be read: one bad category never fails the rest. */
export function unlessUnreadable(error: unknown): undefined {
  if (!isUnreadable(error)) throw error;
}

/** What is known of a value without reading it. */
export function writtenBy(
  event: VerifiedEvent,
  dTag: Address,
  source: Source,
  own: OwnWrite | undefined,
): Omit<Removal, 'payload' | 'deleted'> {
  const schema = schemaOf(event);
  return {
    category: categoryOf(dTag),
    updatedAt: toIso(event.created_at * 1000),
    deviceId: deviceIdOf(event),
    eventId: event.id,
    source,
    ...(schema && { schema }),
    ...(own?.id === event.id && !own.acknowledged && ({ pending: true } as const)),
  };
}

export function createReading(ports: {
  readonly clock: Clock;
  readonly replica: Replica;
  readonly content: Content;
  /** What was here under another key, if it is not decided yet what becomes of it. */
  readonly carried: (dTag: Address) => VerifiedEvent | undefined;
  readonly viewOf: ViewOf;
  /** See `Signer.isLocal`. */
  readonly isLocal: () => boolean;
  readonly emitter: Emitter;
  readonly lookInStore: (dTags: readonly Address[]) => Promise<void>;
  /** An event that could not be read was read, by whichever call: all that wait for it are told. */
  readonly onReadable: (dTag: Address) => void;
  /** The signer has failed to read something of these categories a while ago. */
  readonly onAgain: (dTag: Address) => void;
}): Reading {
  const { clock, replica, emitter } = ports;
  /** Ids of events found unreadable: each is reported once. */
  const reported = new Set<EventId>();
  /** By id of an event that could not be read, how often in a row a signer has failed to. */
  const unread = new Map<EventId, { readonly dTag: Address; count: number }>();
  /** D-tags of what is to be tried again. */
  const agenda = createAgenda<Address>(clock, 0, (dTags) => dTags.forEach(ports.onAgain));
  agenda.start();

  /**
   * The signer could not read it: a person may have said no, an extension been locked. It is tried again, by and by. Returns
   * how often it has failed.
   */
  function countFailure(dTag: Address, id: EventId): number {
    const count = (unread.get(id)?.count ?? 0) + 1;
    unread.set(id, { dTag, count });
    if (count < MAX_READS) agenda.put(dTag, doublingMs(count - 1));
    return count;
  }

  async function decode(event: VerifiedEvent, dTag: Address, source: Source): Promise<FetchResult> {
    const about = writtenBy(event, dTag, source, replica.get(dTag)?.own);
    if (isTombstone(event)) return { ...about, payload: null, deleted: true };
    try {
      const payload = await ports.content.payloadOf(event, dTag);
      void replica.apply(dTag, { type: 'read', id: event.id });
      if (unread.delete(event.id)) ports.onReadable(dTag);
      return { ...about, payload };
    } catch (cause) {
      // Another tab may have replaced it, and taken its pieces away.
      await ports.lookInStore([dTag]);
      throw failed(event, dTag, cause);
    }
  }

  /** Counts and reports it. Returns what is thrown: `UNDECODABLE`, or the cause if that says nothing about the value. */
  function failed({ id }: VerifiedEvent, dTag: Address, cause: unknown): unknown {
    const record = replica.get(dTag);
    const isOutdated = record?.head?.event.id !== id && record?.former[0]?.event.id !== id;
    if (isNostrSyncError(cause, 'INCOMPLETE') && !isOutdated && !reported.has(id)) {
      reported.add(id);
      emitter.emit('error', cause);
    }
    const isFinal = ports.isLocal() && isNostrSyncError(cause, 'DECRYPTION_FAILED');
    if (isPassing(cause) && !isFinal) {
      if (!isSignersFault(cause)) return cause;
      const count = countFailure(dTag, id);
      if (count === 1) emitter.emit('error', cause as AnyNostrSyncError);
      if (count < MAX_READS || isNostrSyncError(cause, 'SIGNER_CHANGED')) return cause;
    } else unread.set(id, { dTag, count: MAX_READS });
    const category = categoryOf(dTag);
    const message = `Cannot read the newest value of ${JSON.stringify(category)}`;
    const error = new NostrSyncError('UNDECODABLE', message, { details: { category, eventId: id }, cause });
    // What was replaced while it was read may have lost its pieces: that is no news.
    if (isOutdated) return error;
    if (!reported.has(id)) emitter.emit('error', error);
    reported.add(id);
    void replica.apply(dTag, { type: 'unreadable', id });
    return error;
  }

  function isGone(event: VerifiedEvent): boolean {
    return isTombstone(event) || isExpired(event, nowSeconds(clock));
  }

  async function shown(head: VerifiedEvent, dTag: Address, source: Source): Promise<FetchResult> {
    const result = await decode(head, dTag, source);
    const view = ports.viewOf(dTag, head.id);
    if (view === undefined) return result;
    const about = { ...writtenBy(head, dTag, source, undefined), eventId: view.id, pending: true } as const;
    return view.value === undefined
      ? { ...about, payload: null, deleted: true }
      : { ...about, payload: structuredClone(view.value) };
  }

  async function valueOf(dTag: Address, source: Source): Promise<FetchResult | null> {
    const record = replica.get(dTag);
    const carried = record?.head === undefined ? ports.carried(dTag) : undefined;
    if (carried !== undefined)
      return isGone(carried) ? null : { ...(await decode(carried, dTag, source)), pending: true };
    if (record?.head === undefined) return null;
    const { event } = record.head;
    if (isGone(event) && ports.viewOf(dTag, event.id) === undefined) return null;
    try {
      return await shown(event, dTag, source);
    } catch (error) {
      const isReplaced = replica.get(dTag)?.head?.event.id !== event.id;
      if (isReplaced && !isNostrSyncError(error, 'SIGNER_NOT_SET')) return valueOf(dTag, source);
      if (!isUnreadable(error)) throw error;
      for (const { event: older } of record.former) {
        if (isGone(older)) break;
        const value = await decode(older, dTag, source).catch(() => undefined);
        if (value !== undefined) return value;
      }
      throw error;
    }
  }

  return {
    decode,
    shown,
    isOfHead: (dTag, { eventId }) => {
      const head = replica.get(dTag)?.head?.event.id;
      return head !== undefined && [head, ports.viewOf(dTag, head)?.id].includes(eventId as EventId);
    },
    valueOf,
    retry: () => {
      for (const one of unread.values()) one.count = 0;
      return [...unread.values()].map(({ dTag }) => dTag);
    },
    close: agenda.stop,
  };
}
