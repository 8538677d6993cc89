/** What things are named by: namespace and category ↔ d-tag, `{namespace}/{category}/v1`; and the types of these names. */

import { misuse, NostrSyncError, type ErrorCode } from '../errors.ts';
import { MAX_D_TAG_BYTES } from './limits.ts';

declare const name: unique symbol;

/**
 * A string of which the compiler knows what it names, so that no name stands in another one's place: nor does a plain string. What
 * comes from outside is made one by what checks it; the types that apps see are plain.
 */
type Name<Of extends string> = string & { readonly [name]: Of };

/** As the app says it: made by `categoryOf`, checked by `toDTag`. */
export type Category = Name<'category'>;
/** The d-tag of a category (`toDTag`) or of a piece of its value (`pieceDTag`). */
export type Address = Name<'address'>;
/** 32 bytes, lower-case hex: what `parseEvent` and the hash of an event give. */
export type EventId = Name<'event'>;
/** In the one form that `canonicalRelayUrl` gives. */
export type RelayUrl = Name<'relay'>;

/** Unix time, or a duration. Not marked: sums of marked numbers would have to be marked again, by a cast each. */
export type Seconds = number;
/** Milliseconds since 1970, or a duration. */
export type Ms = number;

const VERSION_SUFFIX = '/v1';
const FORBIDDEN = /[/\p{Cc}\p{Surrogate}]/u;
/** Two names that look the same must be the same: what turns the direction of text, or takes no place in it. */
const UNSEEN = /[\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const encoder = new TextEncoder();

function checkPart(
  code: 'INVALID_NAMESPACE' | 'INVALID_CATEGORY',
  name: string,
  value: unknown,
  room: number,
): asserts value is string {
  const fail = (expected: string): never => {
    throw new NostrSyncError(code satisfies ErrorCode, misuse(name, expected, value));
  };
  if (typeof value !== 'string') fail('a string');
  else if (value === '') fail('a non-empty string');
  else if (FORBIDDEN.test(value)) fail('no "/", no control characters and well-formed Unicode');
  else if (UNSEEN.test(value)) fail('no characters that cannot be seen');
  else if (value !== value.normalize()) fail(`the normal form NFC, ${JSON.stringify(value.normalize())}`);
  else if (encoder.encode(value).length > room)
    fail(`at most ${room} bytes of UTF-8 here (the whole d-tag: ${MAX_D_TAG_BYTES})`);
}

/** Throws `INVALID_NAMESPACE` unless it can stand in a d-tag with at least one byte of category. */
export function checkNamespace(namespace: unknown): asserts namespace is string {
  checkPart('INVALID_NAMESPACE', 'namespace', namespace, MAX_D_TAG_BYTES - VERSION_SUFFIX.length - 2);
}

/** The d-tag of a category. Throws `INVALID_CATEGORY`. */
export function toDTag(namespace: string, category: unknown): Address {
  const prefix = `${namespace}/`;
  const room = MAX_D_TAG_BYTES - VERSION_SUFFIX.length - encoder.encode(prefix).length;
  checkPart('INVALID_CATEGORY', 'category', category, room);
  return `${prefix}${category}${VERSION_SUFFIX}` as Address;
}

/** Whether it is the d-tag of a category of this namespace. */
export function isCategoryIn(namespace: string, dTag: string): dTag is Address {
  try {
    return toDTag(namespace, categoryOf(asAddress(dTag))) === dTag;
  } catch {
    return false;
  }
}

/** The category of a d-tag made by `toDTag`. */
export function categoryOf(dTag: Address): Category {
  return dTag.slice(dTag.indexOf('/') + 1, -VERSION_SUFFIX.length) as Category;
}

/** What stands in the place of an address. That it is one has to show: events are asked for by it, and checked against it. */
export function asAddress(text: string): Address {
  return text as Address;
}
