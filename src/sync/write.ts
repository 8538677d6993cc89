/** What a call of `publish`, `remove` or `reset` asks to be written, and when it is answered. */

import type { Receipt } from './events.ts';
import type { Schema } from '../protocol/schema.ts';
import type { EventId } from '../protocol/address.ts';
import type { Stage } from './heads/record.ts';

/**
 * Makes entries of the store that are saved together with a write, and removed together with it if it is withdrawn: both
 * or nothing. May be called more than once, always with the same keys. `written` is what the event says, which may be more than this
 * call asked for: several can become one event, and what other devices wrote can be merged into it. Without `written` the keys
 * alone count: the write is withdrawn.
 */
export type Note = (saved: Receipt, written?: Written) => readonly (readonly [key: string, text: string])[];

/**
 * The key of an option that only adapters in this package use, and nothing that comes as JSON can name. Registered: an app may hold two
 * copies of it.
 */
export const NOTE: unique symbol = Symbol.for('nostr-sync.note') as typeof NOTE;

/** A value as JSON text; of a removal `'null'`. */
export type Written = Pick<Write, 'text' | 'isRemoval'>;

/** What the app had when it made a value: what was given to it under this id, or what it had just published; `undefined`: nothing. */
export type BasedOn =
  | { readonly type: 'event'; readonly id: EventId }
  | { readonly type: 'call'; readonly call: Published }
  | undefined;

/** A call of `publish` that is not settled yet. */
export interface Published {
  readonly payload: unknown;
  readonly basedOn: BasedOn;
  /** It was rejected: its value is not here. */
  isLost: boolean;
}

/** What a call does to the value, for the writes of which it is not known what the value is when they are made. */
export type Edit =
  | { readonly type: 'whole'; readonly payload: unknown; readonly basedOn: BasedOn }
  /** Gets a copy. May be called again if another value comes in before this one is saved. */
  | {
      readonly type: 'update';
      readonly change: (now: unknown) => unknown;
      /** The app does not know what it makes. */
      readonly isNews?: boolean;
    }
  | { readonly type: 'remove' }
  | { readonly type: 'merge' };

export interface Write {
  /** JSON text; of an `edit` that is no `'whole'`, nothing yet. */
  readonly text: string;
  readonly edit?: Edit;
  /** The id of the event that the value was made of, if the app says so. */
  readonly basedOn?: EventId | undefined;
  /** How large the value may be. */
  readonly limit?: { readonly bytes: number; readonly why: string };
  /** NIP-40, Unix time in s. */
  readonly expiration: number | undefined;
  readonly isRemoval: boolean;
  /** Of a value that is written again as it was. */
  readonly schema?: Schema | undefined;
  /** Below what is from the future, which does not count any more. */
  readonly isReset?: boolean;
  /** Of a reset: the head of which it says the value again. */
  readonly again?: EventId | undefined;
  readonly waitFor: Stage;
  /** Stops the waiting, not a write that was saved. */
  readonly signal: AbortSignal | undefined;
  /** Told as soon as the write is saved. */
  readonly onSaved: ((receipt: Receipt) => void) | undefined;
  readonly note?: Note | undefined;
}
