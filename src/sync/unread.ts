/** What could not be read: counted, tried again by and by, and reported once. */

import type { Clock } from '../clock.ts';
import { isNostrSyncError, NostrSyncError, type AnyNostrSyncError, type ErrorCode } from '../errors.ts';
import { categoryOf, type Address, type EventId } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { MAX_READS } from '../protocol/limits.ts';
import { doublingMs } from '../relay/backoff.ts';
import type { Emitter } from './events.ts';
import type { Replica } from './heads/replica.ts';
import { createAgenda } from './relays/agenda.ts';

export interface Unread {
  /** Counts and reports it. Returns what is thrown: `UNDECODABLE`, or the cause if that says nothing about the value. */
  failed(event: VerifiedEvent, dTag: Address, cause: unknown): unknown;
  /** Returns whether it could not be read before. */
  succeeded(id: EventId): boolean;
  /** See `Reading`. */
  retry(): Address[];
  close(): void;
}

export const isOneOf = (error: unknown, codes: readonly ErrorCode[]): boolean =>
  codes.some((code) => isNostrSyncError(error, code));

/** The signer failed, which says nothing about the value. */
const isSignersFault = (error: unknown): boolean => isOneOf(error, ['DECRYPTION_FAILED', 'SIGNER_CHANGED']);

/** What says nothing about the value itself. */
export const isPassing = (error: unknown): boolean =>
  isSignersFault(error) || isOneOf(error, ['SIGNER_NOT_SET', 'INCOMPLETE', 'STORE_FAILED', 'CLOSED']);

export function createUnread(ports: {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get' | 'apply'>;
  /** See `Signer.isLocal`. */
  readonly isLocal: () => boolean;
  readonly emitter: Emitter;
  /** The signer has failed to read something of these categories a while ago. */
  readonly onAgain: (dTag: Address) => void;
}): Unread {
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

  return {
    failed,
    succeeded: (id) => unread.delete(id),
    retry: () => {
      for (const one of unread.values()) one.count = 0;
      return [...unread.values()].map(({ dTag }) => dTag);
    },
    close: agenda.stop,
  };
}
