/** What an app says of a category in `defineCategory`. */

import type { MergeRules } from '../merge/rule.ts';
import type { CategoryOptions } from '../options.ts';
import type { StandardSchema } from './standard-schema.ts';

/** Makes the form of one version out of that of the version before. Pure: it gets a copy, and runs each time such a value is read. */
export type Migration = (value: unknown) => unknown;

/** Data from before the app synced, taken in once for each device and key. */
export interface Adoption<Input> {
  /** What this device had, or nothing. Called once every relay has said what it has. */
  readonly value: () => Partial<Input> | null | undefined | Promise<Partial<Input> | null | undefined>;
  /**
   * Of what is there already: `'fill'`, the default: only fields that are absent there are taken. `'theirs'`: nothing is, unless there is no value at
   * all. `'mine'`: what this device had replaces it. A function makes the value of both; `undefined`: it stays as it is.
   */
  readonly policy?:
    | 'fill'
    | 'theirs'
    | 'mine'
    | ((
        mine: Partial<Input>,
        theirs: Input,
      ) => Partial<Input> | undefined | Promise<Partial<Input> | undefined>);
}

/** The argument of `defineCategory`. */
export interface CategoryDefinition<T, Input = T> extends Omit<CategoryOptions, 'merge'> {
  /** The name of the category, as of `publish`. */
  readonly name: string;
  /** What a value must be: of zod, valibot, arktype or any other library with Standard Schema v1. Synchronous. Without one anything goes. */
  readonly schema?: StandardSchema<Input, T>;
  /** What is shown of fields that nothing was stored of. It is never written. */
  readonly default: NoInfer<Input>;
  /** The version of the form of the data. Default 1. Relays see it. */
  readonly version?: number;
  /**
   * The oldest version that may write what this one has written; an older one shows what it last could read. Default: the newest version with a
   * migration, as one without only adds something.
   */
  readonly writableBy?: number;
  /** By version: what makes it of the one before. On reading, in memory alone: nothing is written for it. */
  readonly migrate?: Readonly<Record<number, Migration>>;
  /** By field, how edits of two devices become one: rules of `nostr-sync/merge`. Default: field by field, the newer value of a field that both changed. */
  readonly merge?: MergeRules<NoInfer<Input>>;
  /** `true`: nothing of the category ever leaves this device. Names: these fields do not. What is kept on the device is encrypted all the same. */
  readonly local?: true | readonly (keyof NoInfer<Input> & string)[];
  /** While no signer is set: `'clear'`, the default, shows the defaults; `'keep'` what was shown before. */
  readonly whileLocked?: 'clear' | 'keep';
  readonly adopt?: Adoption<NoInfer<Input>>;
  /**
   * `'sparse'`, the default: only what was changed is stored. `'full'`: the first edit stores the defaults too, for programs without these defaults that
   * read the category, such as the original plugin (0.1.0-alpha.3).
   */
  readonly write?: 'sparse' | 'full';
  /** How long an edit waits for the next one before it is saved. Default 300; 0: not at all. */
  readonly debounceMs?: number;
  /** How long it waits at most while edits keep coming. Default 2,000. */
  readonly maxWaitMs?: number;
}

/**
 * What `defineCategory` returns, and `sync.state` takes. `T` is what the schema gives, `Input` what it takes.
 */
export interface Category<T, Input = T> {
  readonly name: string;
  /** What is shown before anything is known: the defaults. */
  readonly initial: T;
  /** Never there. It ties the category to the types of its value. */
  readonly types?: { readonly output: T; readonly input: Input };
}
