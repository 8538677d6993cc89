/** What can happen to a record, and what follows of it. */

import type { EventId, Ms, RelayUrl, Seconds } from '../../protocol/address.ts';
import type { VersionVector } from '../../protocol/causality.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import type { Voids } from '../../protocol/voids.ts';
import type { HeadRecord } from './record.ts';

/** What else is saved with an input that does what it says: of the record that comes of it. `null` removes. */
export type Along = (record: HeadRecord) => Iterable<readonly [key: string, text: string | null]>;

export type Input =
  /** A write of this device. */
  | {
      readonly type: 'write';
      readonly event: VerifiedEvent;
      readonly device: string;
      /** Of one in pieces: those that were made for it, by name, and the names of all. */
      readonly made?: ReadonlyMap<string, VerifiedEvent>;
      readonly names?: readonly string[];
      /** The head that its value was made on, `null` if there was none: if that is another by now, it is made again. */
      readonly on?: EventId | null;
      /** It is certain that this device can read it. */
      readonly isRead: boolean;
      /** Nothing was known of the category when it was asked for: what has come in since, and it has not seen, is told. */
      readonly isFirst?: boolean;
      /** See `OwnWrite.isBlind`. */
      readonly isBlind?: boolean;
      /** See `OwnWrite.heldUntil`. */
      readonly heldUntil?: Ms | undefined;
      /** Of a reset: what does not count any more. It is above the rest alone. */
      readonly voids?: Voids | undefined;
      readonly along?: Along;
    }
  /** The head `id` is whole: these are its pieces. `lacking`: relays that did not show some of them when asked. */
  | {
      readonly type: 'assembled';
      readonly id: EventId;
      readonly made: ReadonlyMap<string, VerifiedEvent>;
      readonly lacking: ReadonlyMap<RelayUrl, ReadonlySet<string>>;
    }
  /** The rival `id` is whole: these are its pieces. */
  | { readonly type: 'gathered'; readonly id: EventId; readonly made: ReadonlyMap<string, VerifiedEvent> }
  /** The store has lost a piece of the head `id`. */
  | { readonly type: 'torn'; readonly id: EventId }
  /** What a relay has of a piece of the head; `undefined`: nothing. */
  | {
      readonly type: 'piece';
      readonly relay: RelayUrl;
      readonly name: string;
      readonly delivery: 'acknowledged' | 'confirmed' | undefined;
    }
  /** What a relay had of the pieces of the head `id` does not count any more. */
  | { readonly type: 'forget-pieces'; readonly relay: RelayUrl; readonly id: EventId }
  /** A relay holds a tombstone in the place of a piece of the head `id`, or deletes all pieces up to this stamp, in s. */
  | {
      readonly type: 'buried';
      readonly relay: RelayUrl;
      readonly id: EventId;
      readonly name: string;
      readonly stamp: Seconds;
    }
  /** Pieces of the head `id`, signed above their tombstones. */
  | { readonly type: 'remade'; readonly id: EventId; readonly made: ReadonlyMap<string, VerifiedEvent> }
  /** What the head `id` says, said again without a call of the app: protocol/renewal.ts. */
  | { readonly type: 'renew'; readonly id: EventId; readonly event: VerifiedEvent }
  /** The write that is the head `id`, and the pieces that are stamped above `event`, under stamps of before it. */
  | {
      readonly type: 'restamp';
      readonly id: EventId;
      readonly event: VerifiedEvent;
      readonly made: ReadonlyMap<string, VerifiedEvent>;
    }
  /** Every relay has the head `id`: what is not part of it is an orphan since `at` (ms). */
  | { readonly type: 'replicated'; readonly id: EventId; readonly at: Ms }
  /** These orphans were collected. */
  | { readonly type: 'collected'; readonly names: ReadonlySet<string> }
  /**
   * The question for which the head `id` was held is over. `again`: the same write, stamped above what has turned up. `upTo`: the floor
   * by which that was decided, in s: if more has turned up since, it is not over yet. Without these it has been held for long enough.
   */
  | {
      readonly type: 'explored';
      readonly id: EventId;
      readonly isBlind: boolean;
      readonly again?: VerifiedEvent | undefined;
      readonly upTo?: Seconds;
    }
  /** The head `id` is in an export. */
  | { readonly type: 'exported'; readonly id: EventId }
  /** The write is given up: every relay refused it while its writer still waited. */
  | { readonly type: 'withdraw'; readonly id: EventId; readonly along?: Along }
  /** These rivals of the head `id` add nothing to it: `seen` is what it contains with them. */
  | {
      readonly type: 'settled';
      readonly id: EventId;
      readonly ids: ReadonlySet<EventId>;
      readonly seen: VersionVector;
    }
  /** A version of before, of a backup, that is below the head and is no rival of it. `made`: its pieces, by name. */
  | {
      readonly type: 'remembered';
      readonly event: VerifiedEvent;
      readonly made?: ReadonlyMap<string, VerifiedEvent> | undefined;
    }
  /**
   * A value of another key, signed with this one. `isAbsent`: every relay has said that it has none; otherwise it waits, or gives way to
   * what there is. `isDecided`: the app has decided about it already, and is not told.
   */
  | {
      readonly type: 'carried';
      readonly event: VerifiedEvent;
      readonly device: string;
      /** Its pieces by name, if it is in pieces. */
      readonly made?: ReadonlyMap<string, VerifiedEvent> | undefined;
      readonly isAbsent: boolean;
      readonly isDecided: boolean;
    }
  /** A relay showed this event; `undefined`: it is of a backup. `relays`: all that are configured. */
  | {
      readonly type: 'shown';
      readonly relay: RelayUrl | undefined;
      readonly event: VerifiedEvent;
      readonly relays: readonly RelayUrl[];
    }
  /** A relay's complete answer did not contain the head `id`. `instead`: the stamp of what it did contain, in s. */
  | {
      readonly type: 'lacking';
      readonly relay: RelayUrl;
      readonly id: EventId;
      readonly instead: Seconds | undefined;
    }
  /** A relay that had confirmed the head `id` sends, live, an event of the same stamp that loses against it: it may keep that. */
  | { readonly type: 'doubted'; readonly relay: RelayUrl; readonly id: EventId }
  /** A relay answered to the head `id`, or to one before: `event`. `superseded`: it has something newer, and did not take this. */
  | {
      readonly type: 'answered';
      readonly relay: RelayUrl;
      readonly id: EventId;
      readonly event?: VerifiedEvent;
      readonly delivery: 'acknowledged' | 'refused';
      readonly superseded?: boolean;
    }
  /** The relay was removed or its settings changed: what it said does not count any more. */
  | { readonly type: 'forget-relay'; readonly relay: RelayUrl }
  /** The head `id` was read, or could not be decrypted or parsed. */
  | { readonly type: 'read' | 'unreadable'; readonly id: EventId }
  /** Nothing new: the store failed to take the record, or holds one that cannot be used, and is asked again. */
  | { readonly type: 'resave' };

export type Effect =
  /** The write came too late: the head, or an own write, is not below it. Stamp again. */
  | { readonly type: 'stale' }
  /** The write is not the head any more, and what it had replaced is. */
  | { readonly type: 'withdrawn' }
  /** The head changed without a write of this device, or has become whole. `renews`: the id of the one before that says the same. */
  | { readonly type: 'advanced'; readonly event: VerifiedEvent; readonly renews?: EventId }
  /** A write of this device was replaced by one that had not seen it, or beats one that it had not seen: it is blind, or held. */
  | { readonly type: 'conflict'; readonly mine: VerifiedEvent; readonly theirs: VerifiedEvent }
  /** A value of another key gave way to this one's, whichever is the newer. */
  | { readonly type: 'gave-way'; readonly mine: VerifiedEvent; readonly theirs: VerifiedEvent };

export interface Outcome {
  /** The same object if nothing changed. */
  readonly record: HeadRecord | undefined;
  readonly effects: readonly Effect[];
}
