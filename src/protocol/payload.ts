/** JSON ↔ plaintext: what a payload may be, and the bounds on what is taken back. */

import { describe, NostrSyncError } from '../errors.ts';
import { MAX_PAYLOAD_DEPTH } from './limits.ts';

/**
 * `T` with `never` in the place of what JSON cannot hold, such as a function or the methods of a `Date`. A parameter of type
 * `T & Json<T>` takes JSON only; interfaces need no index signature. `unknown` passes: it is checked when it is written.
 */
export type Json<T> = unknown extends T
  ? T
  : // Most types are done here. Without it, types that contain themselves would be taken apart for ever.
    T extends JsonValue
    ? T
    : T extends bigint | symbol | undefined | ((...args: never) => unknown)
      ? never
      : T extends readonly (infer Item)[]
        ? readonly Json<Item>[]
        : { readonly [K in keyof T]: Json<T[K]> | Extract<T[K], undefined> };

/** What JSON can hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

const encoder = new TextEncoder();
const LONE_SURROGATE = /\p{Surrogate}/u;

function invalid(path: string, what: string): NostrSyncError {
  return new NostrSyncError(
    'INVALID_PAYLOAD',
    `Invalid payload: expected a JSON value, got ${what} at ${path}`,
  );
}

function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Throws `INVALID_PAYLOAD`, with the place as `path` says it, for what is no JSON value, or nests too deep where `depth` levels are
 * around it. A lone surrogate, which JSON text can hold and UTF-8 cannot, is let through only if `isRead`: others may have written it.
 */
export function checkJson(
  value: unknown,
  path: string,
  depth = 0,
  isRead = false,
  within: readonly object[] = [],
): void {
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'string') {
    if (!isRead && LONE_SURROGATE.test(value)) throw invalid(path, 'a string with a lone surrogate');
    return;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid(path, String(value));
    return;
  }
  if (typeof value !== 'object')
    throw invalid(path, typeof value === 'bigint' ? 'a BigInt' : describe(value));
  if (within.includes(value)) throw invalid(path, 'a cycle');
  if (depth === MAX_PAYLOAD_DEPTH) throw invalid(path, `more than ${MAX_PAYLOAD_DEPTH} levels of nesting`);
  const inside = [...within, value];
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) checkJson(value[i], `${path}[${i}]`, depth + 1, isRead, inside);
    return;
  }
  if (!isPlainObject(value)) throw invalid(path, `a ${value.constructor?.name || 'class'} instance`);
  for (const [key, member] of Object.entries(value)) {
    if (!isRead && LONE_SURROGATE.test(key)) throw invalid(path, 'a key with a lone surrogate');
    // An absent and an undefined property are the same to JSON, and to most code that writes them.
    if (member !== undefined) checkJson(member, `${path}[…]`, depth + 1, isRead, inside);
  }
}

/**
 * The JSON text of a payload. Throws `INVALID_PAYLOAD` for what JSON cannot hold (no silent change: `undefined` is
 * allowed only as the value of a property, and means absence), `PAYLOAD_TOO_LARGE` above `limit` bytes of UTF-8.
 */
export function encodePayload(
  payload: unknown,
  limit: { readonly bytes: number; readonly why: string },
): string {
  checkJson(payload, 'payload');
  const text = JSON.stringify(payload);
  const size = encoder.encode(text).length;
  if (size > limit.bytes) {
    throw new NostrSyncError(
      'PAYLOAD_TOO_LARGE',
      `Payload too large: ${size} bytes of JSON, at most ${limit.bytes} (${limit.why})`,
      { details: { size, limit: limit.bytes } },
    );
  }
  return text;
}

/** Characters of the NIP-44 v2 ciphertext of a text: base64 of version, nonce, MAC and the padded text. */
export function encryptedLength(plaintext: string): number {
  const size = encoder.encode(plaintext).length;
  const nextPower = 2 ** Math.ceil(Math.log2(Math.max(size, 1)));
  const chunk = nextPower <= 256 ? 32 : nextPower / 8;
  const padded = size <= 32 ? 32 : chunk * Math.ceil(size / chunk);
  return 4 * Math.ceil((1 + 32 + 2 + padded + 32) / 3);
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (c === 0x5d || c === 0x7d) depth--;
  }
  return deepest;
}

/** The payload of a decrypted text. Throws a plain `Error`, which does not show the text, if the text is no JSON or nests too deep. */
export function decodePayload(text: string): unknown {
  if (depthOf(text) > MAX_PAYLOAD_DEPTH) throw new Error(`more than ${MAX_PAYLOAD_DEPTH} levels of nesting`);
  try {
    return JSON.parse(text);
  } catch {
    // The message of the JavaScript engine would quote the text.
    throw new Error('not JSON');
  }
}
