/** The handle of a category: what `sync.state(category)` returns, and what it tells beside the value. */

import type { AnyNostrSyncError } from '../errors.ts';
import type { Readable } from '../readable.ts';
import type { MergeClash } from '../sync/merging/merger.ts';
import type { Stage } from '../sync/heads/record.ts';

/**
 * How a category stands. Of several that hold the first of this list:
 * `'locked'`: no signer is set. `'outdated'`: a newer version of the app wrote it, and said that this one must not write.
 * `'error'`: the last edit could not be saved; it is kept, and tried again. `'conflict'`: two devices changed the same field, and the app has not called
 * `acknowledge` yet. `'invalid'`: some of what is stored does not fit the schema, and is shown as its default. `'pending'`: an edit is not saved yet.
 * `'loading'`: nothing is known yet. `'local'`: what is shown is saved on this device, and no relay has it, or none has answered.
 * `'synced'`: a relay has what is shown, or all say that there is nothing; of what never leaves the device: it is saved.
 */
export type StateStatus =
  | 'locked'
  | 'outdated'
  | 'error'
  | 'conflict'
  | 'invalid'
  | 'pending'
  | 'loading'
  | 'local'
  | 'synced';

/** What is wrong with a stored value. */
export interface StateIssue {
  /** Names of fields and indexes of items, from the outside in. Empty: the whole value. */
  readonly path: readonly (string | number)[];
  /** The schema's words. */
  readonly message: string;
}

/** What is known of a value beside itself. The same object until it changes. */
export interface StateMeta {
  readonly status: StateStatus;
  /** When it was written, by the writer's clock, ISO 8601. Absent: there is none, or this device alone has it. */
  readonly updatedAt?: string;
  /** The device that wrote it. */
  readonly deviceId?: string;
  /** The device that removed the category: what is shown is its defaults. */
  readonly deletedBy?: string;
  /** Why the last edit is not saved, or why the value cannot be read. */
  readonly error?: AnyNostrSyncError;
  /** With `'invalid'`: what does not fit. It is stored as it came. */
  readonly issues?: readonly StateIssue[];
  /** With `'conflict'`: where a merge gave something up. */
  readonly clashes?: readonly MergeClash[];
}

/** What became of an edit. */
export interface EditReceipt {
  /**
   * `'saved'`, `'delivered'`, `'replicated'`: as of `publish`. `'device'`: saved on this device, which it never leaves. `'sealed'`: saved as
   * ciphertext while locked; it is made when a signer is set. `'none'`: nothing was to be changed.
   */
  readonly stage: Stage | 'device' | 'sealed' | 'none';
  /** Of the event that holds it, if there is one. */
  readonly eventId?: string;
}

/** An edit: fields to set (`undefined`: back to the default), or a function that makes the next value of a copy of the present one. */
export type Edit<Input> = Partial<Input> | ((now: Input) => Input);

/** A value of the app as it was shown, for a page that is rendered elsewhere first. JSON. */
export interface DehydratedState {
  readonly category: string;
  readonly version: number;
  readonly value: unknown;
}

/**
 * The value of one category, to show and to edit. One per category and engine. `T` is what the schema gives, `Input` what it takes: the same, unless it
 * transforms. It opens nothing until it is first subscribed to, edited, or asked for `ready`.
 */
export interface State<T, Input = T> extends Readable<T> {
  /** The name of the category. */
  readonly category: string;
  readonly meta: Readable<StateMeta>;
  /** Resolves when there is a value, or it is known that there is none, or 3 s have passed. Never rejects. One promise per handle. */
  readonly ready: Promise<void>;
  /** What is shown before a value is known: the defaults, or what `hydrate` was given. For rendering on a server, and hydration. The same object each time. */
  readonly initial: T;
  /**
   * Makes this the value: what differs from what is shown is changed, and nothing else. Shown at once, saved after the debounce. Resolves when it is saved.
   * Rejects with `INVALID_VALUE` if the schema does not take it (nothing is changed then), `SCHEMA_NEWER` if a newer app has locked this one
   * out, and as `publish` does: the edit is then kept, and tried again.
   */
  set(next: Input): Promise<EditReceipt>;
  /** The same for some fields, or by a function. Rejects with what that throws, too. */
  update(edit: Edit<Input>): Promise<EditReceipt>;
  /** Takes a field out of what is stored, so that its default is shown; without a field: all. */
  reset(field?: keyof Input & string): Promise<EditReceipt>;
  /** Saves now what waits for the debounce. Resolves when it is saved; rejects as `set` does. For relays: `sync.flush()`. */
  flush(): Promise<void>;
  /** Takes back the last edit of this handle: its fields alone, and no other device's. At most 50. With none left: `'none'`. */
  undo(): Promise<EditReceipt>;
  /** Makes again what was undone last. */
  redo(): Promise<EditReceipt>;
  /** The app has shown the clashes to a person: `'conflict'` is over. */
  acknowledge(): void;
  /** What is shown, for a page that is rendered elsewhere. It is plaintext: the app says where it goes. */
  dehydrate(): DehydratedState;
  /** Shows this until a value is known. Of another category or a newer version it is ignored. Throws `TypeError` for what `dehydrate` cannot have given. */
  hydrate(from: DehydratedState): void;
  /** Saves what waits and ends the handle: it tells no more. `sync.close()` does it too. Idempotent. */
  close(): Promise<void>;
}
