/** The checks an embedded relay makes before it takes an event or believes an AUTH, as pure functions. */

import type { Clock } from '../clock.ts';
import type { EventVerifier, SignedEvent } from '../protocol/event.ts';
import type { RelayLimits, WriteRate } from './relay-options.ts';
import { isExpired } from './relay-storage.ts';

/** The kind of the event that answers an AUTH challenge (NIP-42). */
const AUTH_KIND = 22_242;

const AUTH_WINDOW_S = 600;
const encoder = new TextEncoder();

function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

/** Whether a text is more than `bytes` of UTF-8. A character is one to three of them: most texts need no count. */
export function isLongerThan(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && utf8Length(text) > bytes);
}

/** Reads an event strictly, leaving out fields that NIP-01 does not know. Returns the reason as a string. */
export function parseEvent(value: unknown): SignedEvent | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'event is not an object';
  const { id, pubkey, created_at, kind, tags, content, sig } = value as Record<string, unknown>;
  if (!isHex(id, 64)) return 'id must be 64 lower-case hex digits';
  if (!isHex(pubkey, 64)) return 'pubkey must be 64 lower-case hex digits';
  if (!isHex(sig, 128)) return 'sig must be 128 lower-case hex digits';
  if (!isIntegerBelow(created_at, Number.MAX_SAFE_INTEGER)) return 'created_at must be an integer';
  if (!isIntegerBelow(kind, 65_536)) return 'kind must be an integer between 0 and 65535';
  if (!isTags(tags)) return 'tags must be a list of lists of strings';
  if (typeof content !== 'string') return 'content must be a string';
  return { id, pubkey, created_at, kind, tags, content, sig };
}

export interface AdmissionContext {
  readonly limits: RelayLimits;
  readonly verifier: EventVerifier;
  /** Unix time in s. */
  readonly now: number;
}

/** Why a well-formed event is not taken, with its NIP-01 prefix; `undefined` if it is. */
export function refuseEvent(
  event: SignedEvent,
  { limits, verifier, now }: AdmissionContext,
): string | undefined {
  const text = JSON.stringify(event);
  if (isLongerThan(text, limits.maxEventBytes)) return `invalid: event too large: ${utf8Length(text)} bytes`;
  if (event.kind === AUTH_KIND) return 'invalid: kind 22242 belongs in AUTH';
  if (event.created_at > now + limits.createdAtUpperLimit) return 'invalid: created_at too late';
  if (event.created_at < now - limits.createdAtLowerLimit) return 'invalid: created_at too early';
  if (isExpired(event, now)) return 'invalid: event expired';
  return refuseSeal(event, verifier);
}

export interface AuthContext {
  readonly verifier: EventVerifier;
  /** Unix time in s. */
  readonly now: number;
  /** The URL by which the client reached the relay. */
  readonly url: string;
  /** The newest challenge sent on the connection, if any. */
  readonly challenge: string | undefined;
}

/** Why an AUTH is not believed (NIP-42); `undefined` if it is. */
export function refuseAuth(
  event: SignedEvent,
  { verifier, now, url, challenge }: AuthContext,
): string | undefined {
  if (event.kind !== AUTH_KIND) return `invalid: AUTH takes kind ${AUTH_KIND}`;
  if (challenge === undefined || tagValue(event, 'challenge') !== challenge)
    return 'invalid: wrong challenge';
  if (!isSameRelay(tagValue(event, 'relay'), url)) return 'invalid: wrong relay';
  if (Math.abs(event.created_at - now) > AUTH_WINDOW_S) return 'invalid: created_at is not within 10 minutes';
  return refuseSeal(event, verifier);
}

/** Returns a function that takes a token of the bucket, and says for how long its taker has to wait, in ms. */
export function createQuota(perMinute: number | null, clock: Clock): () => number {
  if (perMinute === null) return () => 0;
  const everyMs = 60_000 / perMinute;
  /** When the bucket is full again, in ms. */
  let fullAt = -Infinity;
  return () => {
    const now = clock.now();
    // The clock may have been set back.
    if (fullAt > now + 120_000) fullAt = now;
    fullAt = Math.max(fullAt, now) + everyMs;
    return Math.max(0, fullAt - now - 60_000);
  };
}

/** Returns a function that says whether `key` may write now, and counts it if so. */
export function createRateLimit(rate: WriteRate | null, clock: Clock): (key: string) => boolean {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (key) => {
    if (rate === null) return true;
    const at = clock.now();
    const bucket = buckets.get(key) ?? { tokens: rate.burst, at };
    const refill = (Math.max(0, at - bucket.at) * rate.perMinute) / 60_000;
    const tokens = Math.min(rate.burst, bucket.tokens + refill);
    const allowed = tokens >= 1;
    buckets.set(key, { tokens: allowed ? tokens - 1 : tokens, at });
    return allowed;
  };
}

function refuseSeal(event: SignedEvent, verifier: EventVerifier): string | undefined {
  if (verifier.hash(event) !== event.id) return 'invalid: bad event id';
  return verifier.verifySignature(event) ? undefined : 'invalid: bad signature';
}

function isSameRelay(claimed: string | undefined, url: string): boolean {
  try {
    return claimed !== undefined && relayKey(claimed) === relayKey(url);
  } catch {
    // One of them is no URL.
    return false;
  }
}

/** One text for all spellings of a relay's URL: only a trailing slash and the case of the host may differ. */
export function relayKey(url: string): string {
  return new URL(url).href.replace(/\/+$/, '');
}

function tagValue(event: SignedEvent, name: string): string | undefined {
  return event.tags.find((tag) => tag[0] === name)?.[1];
}

function isHex(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value);
}

function isIntegerBelow(value: unknown, bound: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < bound;
}

function isTags(value: unknown): value is string[][] {
  return (
    Array.isArray(value) &&
    value.every(
      (tag) => Array.isArray(tag) && tag.length > 0 && tag.every((item) => typeof item === 'string'),
    )
  );
}
