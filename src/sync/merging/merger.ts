/** The port of merging: `mergeBy(rules)` of `nostr-sync/merge` is one. The engine itself knows neither rules nor what is done with them. */

import type { Schema } from '../../protocol/schema.ts';
import type { CreateMerging } from './merging.ts';

/** Where a merge may have given something up. */
export interface MergeClash {
  /** Names of fields, and ids of items, from the outside in. Empty: the whole value. */
  readonly path: readonly string[];
  /**
   * `'both-changed'`; `'uncertain'`: what both sides had seen is not known exactly, or was several values; `'rule-failed'`: the app's
   * function threw.
   */
  readonly reason: string;
  readonly base?: unknown;
  readonly mine?: unknown;
  readonly theirs?: unknown;
  readonly error?: unknown;
}

/** What was written apart, and what it was made of. */
export interface MergeSides {
  /** The newest value that both sides have seen; `undefined`: there was none, or with `isExact: false` it is not known. */
  readonly base: unknown;
  /** If several are the newest: all of these. */
  readonly bases: readonly unknown[];
  /** `undefined`: the value was removed. */
  readonly mine: unknown;
  /** The newer of the two. */
  readonly theirs: unknown;
  readonly isExact: boolean;
}

/** How values of a category are merged, as `mergeBy` of `nostr-sync/merge` and `defineCategory` make it. */
export interface Merger {
  /** Throws for nothing but what is no JSON. */
  merge(sides: MergeSides): { readonly value: unknown; readonly clashes: readonly MergeClash[] };
  /** Whether both say the same. */
  isEqual(a: unknown, b: unknown): boolean;
  /** Of what the app writes over a value of that version; `undefined`: over none, or the first. Throws `SCHEMA_NEWER` if it must not. */
  readonly schemaOver?: (under: Schema | undefined) => Schema;
  /** Makes the form of this version out of that of another one. */
  readonly upgrade?: (value: unknown, version: number) => unknown;
  /** The part of the engine that merges. It is the same in all of them, and made once for an identity. */
  readonly createMerging: CreateMerging;
}
