/** An event becomes a value: decrypted, tried again if the signer fails, and reported if it cannot be read. */

import { nowSeconds, toIso, type Clock } from '../clock.ts';
import { isNostrSyncError } from '../errors.ts';
import { categoryOf, type Address, type EventId } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { deviceIdOf, isExpired, isTombstone, schemaOf } from '../protocol/header.ts';
import type { Emitter, FetchResult, Removal } from './events.ts';
import type { OwnWrite } from './heads/record.ts';
import type { Replica } from './heads/replica.ts';
import { createUnread, isOneOf } from './unread.ts';
import type { Content } from './values/content.ts';

export { isPassing } from './unread.ts';

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
  const { clock, replica } = ports;
  const unread = createUnread(ports);

  async function decode(event: VerifiedEvent, dTag: Address, source: Source): Promise<FetchResult> {
    const about = writtenBy(event, dTag, source, replica.get(dTag)?.own);
    if (isTombstone(event)) return { ...about, payload: null, deleted: true };
    try {
      const payload = await ports.content.payloadOf(event, dTag);
      void replica.apply(dTag, { type: 'read', id: event.id });
      if (unread.succeeded(event.id)) ports.onReadable(dTag);
      return { ...about, payload };
    } catch (cause) {
      // Another tab may have replaced it, and taken its pieces away.
      await ports.lookInStore([dTag]);
      throw unread.failed(event, dTag, cause);
    }
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
    retry: unread.retry,
    close: unread.close,
  };
}
