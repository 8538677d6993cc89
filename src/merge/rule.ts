/** What a rule is: the types of all rules, and the check of those that an app passes in. */

import { misuse } from '../errors.ts';
import { MAX_PAYLOAD_DEPTH } from '../protocol/limits.ts';
import type { JsonValue } from '../protocol/payload.ts';
import { isRecord } from './json.ts';

/** What stands at one place of a document: nothing, if it is `undefined`. */
export type Value = JsonValue | undefined;

/** What three parties have at one place. */
export interface Sides {
  /** What both sides have seen, the joint one first; behind it, if several were the newest, each of these. Never empty. */
  readonly bases: readonly Value[];
  readonly mine: Value;
  /** The head's: it wins if nothing else decides. */
  readonly theirs: Value;
}

/**
 * Why a clash is told: `'both-changed'`, each side in its own way; `'uncertain'`, what both sides had seen is not known
 * exactly, or was several values, so that an edit may look like none; `'rule-failed'`, the app's function threw or returned no JSON.
 */
export type ClashReason = 'both-changed' | 'uncertain' | 'rule-failed';

/** Where a merge may have given something up. A side that has nothing there has no member here. */
export interface Clash {
  /** Names of fields, and ids of items, from the outside in. Empty: the whole value. */
  readonly path: readonly string[];
  readonly reason: ClashReason;
  readonly base?: JsonValue;
  readonly mine?: JsonValue;
  readonly theirs?: JsonValue;
  /** What the app's function threw, or what its result is instead of JSON. */
  readonly error?: unknown;
}

/** What a rule of this library may ask of the merge that it is part of. */
export interface Place {
  /** Whether all that both sides have in common is known. */
  readonly isExact: boolean;
  /** Lists a clash at this place. */
  clash(sides: Sides, reason: ClashReason): void;
  /** Merges what stands one level deeper, under `name`. */
  within(name: string, sides: Sides, rules: AnyRules | undefined): Value;
}

/** The key under which a rule of this library has its function. Registered: an app may hold two copies of the package. */
export const RULE: unique symbol = Symbol.for('nostr-sync.merge-rule') as typeof RULE;

/** A rule of this library for values of type `T`. */
export interface Rule<in T> {
  /** What it makes of two sides. */
  readonly [RULE]: (sides: Sides, place: Place) => Value;
  /** Never there. It ties the rule to the type of its field. */
  readonly accepts?: (value: T) => void;
}

/** What an app's own function may ask and tell. */
export interface MergeContext<T> {
  /** Names of fields, and ids of items, from the outside in. */
  readonly path: readonly string[];
  /** Whether `base` is the newest value that both sides have seen. If not, it is an older one, or unknown. */
  readonly isExact: boolean;
  /** Lists this place as a clash. Returns `theirs`, so that a function may end with `return context.clash()`. */
  clash(): T | undefined;
}

/**
 * An app's own rule: of the value that both sides have seen, and theirs, makes one. `undefined`: nothing is there. `theirs` is
 * the newer one. It gets copies. It must be quick, and best depends on nothing but its arguments. It may return `undefined`
 * only if one side has nothing. If it throws, or returns no JSON, `whole` decides and a clash tells of it.
 */
export type MergeFunction<T> = (
  base: T | undefined,
  mine: T | undefined,
  theirs: T | undefined,
  context: MergeContext<T>,
) => T | undefined;

/**
 * How values of type `T` are merged: a rule, a function, or rules by field, of which `'*'` is for any other field. A field without
 * a rule is merged by its fields, if both sides are objects, and as a whole otherwise.
 */
export type MergeRules<T = unknown> = unknown extends T
  ? AnyRules
  : RuleOf<T> | MergeFunction<T> | RulesByField<T>;

/** Of a union, a rule for any of its members: the others are merged as a whole. */
type RuleOf<T> = T extends unknown ? Rule<T> : never;

type RulesByField<T> = T extends string | number | boolean | null | undefined | readonly unknown[]
  ? never
  : { readonly [K in keyof T]?: MergeRules<Exclude<T[K], undefined>> } & {
      readonly '*'?: MergeRules<Exclude<T[keyof T], undefined>>;
    };

/** Rules for values of which no type is known. */
export type AnyRules = Rule<never> | MergeFunction<unknown> | { readonly [field: string]: AnyRules };

/** The rule of one field. Own members only: a field may be named `constructor`. */
export function ruleFor(rules: AnyRules | undefined, field: string): AnyRules | undefined {
  const byField = rules as { readonly [field: string]: AnyRules } | undefined;
  if (byField === undefined) return undefined;
  if (Object.hasOwn(byField, field)) return byField[field];
  return Object.hasOwn(byField, '*') ? byField['*'] : undefined;
}

export function isRule(rules: AnyRules | undefined): rules is Rule<never> {
  return isRecord(rules) && RULE in rules;
}

/**
 * Checks the rules that an app passes in; `what` is their name in the message. Throws `TypeError` at the first member that is no
 * rule, no function, and no object of rules by field.
 */
export function checkRules(rules: unknown, what = 'merge', depth = 0): asserts rules is AnyRules {
  if (typeof rules === 'function' || isRule(rules as AnyRules)) return;
  if (!isRecord(rules) || depth > MAX_PAYLOAD_DEPTH) {
    const expected =
      depth > MAX_PAYLOAD_DEPTH
        ? `at most ${MAX_PAYLOAD_DEPTH} levels of rules`
        : 'a rule of nostr-sync/merge, a function, or an object of rules by field';
    throw new TypeError(misuse(what, expected, rules));
  }
  for (const [field, inner] of Object.entries(rules)) checkRules(inner, `${what}.${field}`, depth + 1);
}
