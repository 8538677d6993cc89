/** Nostr events (NIP-01): types, serialisation, and the one way from unknown bytes to a `VerifiedEvent`. */

import type { Address, EventId, Seconds } from './address.ts';
import { deletionTags, dTagOf } from './header.ts';
import {
  KIND_APP_DATA,
  KIND_DELETION,
  MAX_CONTENT_CHARS,
  MAX_STAMP,
  MAX_TAG_CHARS,
  MAX_TAGS,
} from './limits.ts';
import { compareEvents } from './order.ts';

/** An event of Nostr (NIP-01) before it is signed. */
export interface EventTemplate {
  readonly kind: number;
  /** Unix time. */
  readonly created_at: Seconds;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
}

/** An event as ports give and take it: nothing of it is checked. Apps know it as `NostrEvent`. */
export interface SignedEvent extends EventTemplate {
  /** SHA-256 of the serialised event, lower-case hex. */
  readonly id: string;
  /** 32 bytes, lower-case hex. */
  readonly pubkey: string;
  /** BIP-340 signature, 64 bytes, lower-case hex. */
  readonly sig: string;
}

/** An event by shape: `parseEvent`. */
export interface NostrEvent extends SignedEvent {
  readonly id: EventId;
}

declare const verified: unique symbol;

/** An event whose id and signature were checked here. A type, not a flag: no copy of a flag can forge it. */
export type VerifiedEvent = NostrEvent & { readonly [verified]: true };

/** The two costly checks of an event, as a port so that a simulator can replace them. */
export interface EventVerifier {
  /** The id that the event should have: SHA-256 of `serializeEvent`, lower-case hex. */
  hash(event: EventTemplate & { readonly pubkey: string }): string;
  /** Whether `sig` is a valid BIP-340 signature of `id` by `pubkey`. Never throws. The id itself is not recomputed. */
  verifySignature(event: SignedEvent): boolean;
}

/** A request to delete one event, by its id alone (NIP-09). */
export function deletionOf(id: EventId, created_at: Seconds): EventTemplate {
  return { kind: KIND_DELETION, created_at, tags: deletionTags({ ids: [id] }), content: '' };
}

/** The text whose SHA-256 is the event's id (NIP-01). */
export function serializeEvent(event: EventTemplate & { readonly pubkey: string }): string {
  return JSON.stringify([0, event.pubkey, event.created_at, event.kind, event.tags, event.content]);
}

const HEX_32 = /^[0-9a-f]{64}$/;
const HEX_64 = /^[0-9a-f]{128}$/;

export function isHex32(value: unknown): value is string {
  return typeof value === 'string' && HEX_32.test(value);
}

function isInteger(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isTag(tag: unknown): tag is readonly string[] {
  return (
    Array.isArray(tag) &&
    // NIP-01: one or more strings. The Rust SDK refuses the whole event if one is empty.
    tag.length > 0 &&
    tag.length <= MAX_TAGS &&
    tag.every((v) => typeof v === 'string' && v.length <= MAX_TAG_CHARS)
  );
}

/** An event by shape alone, or `undefined`: types, lengths and ranges; fields that NIP-01 does not know are dropped. */
export function parseEvent(value: unknown): NostrEvent | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, pubkey, sig, kind, created_at, tags, content } = value as Record<string, unknown>;
  if (!isHex32(id) || !isHex32(pubkey) || typeof sig !== 'string' || !HEX_64.test(sig)) return undefined;
  if (!isInteger(kind, 65_535) || !isInteger(created_at, MAX_STAMP)) return undefined;
  if (typeof content !== 'string' || content.length > MAX_CONTENT_CHARS) return undefined;
  if (!Array.isArray(tags) || tags.length > MAX_TAGS || !tags.every(isTag)) return undefined;
  return { id: id as EventId, pubkey, created_at, kind, tags, content, sig };
}

/** Why an event is not taken. Each is counted in the health of the relay that sent it. */
export type EventFault = 'shape' | 'author' | 'kind' | 'd-tag' | 'id' | 'signature';

export type EventCheck =
  /** A genuine event, above what was known. */
  | { readonly type: 'new'; readonly event: VerifiedEvent; readonly dTag: Address }
  /** What was known: that very object. */
  | { readonly type: 'known'; readonly event: VerifiedEvent; readonly dTag: Address }
  /** A reset has voided it: it does not count. Its signature was not checked. */
  | { readonly type: 'void'; readonly event: NostrEvent; readonly dTag: Address }
  /** Below what was known. Its signature was not checked: do not take it for an event of the user. */
  | { readonly type: 'old'; readonly event: NostrEvent; readonly dTag: Address }
  | { readonly type: 'rejected'; readonly fault: EventFault };

/**
 * The checks of a received event in the order of docs/PROTOCOL.md section 4: cheap first, the signature last. No signature is
 * checked of an event below the `known` one, or a relay that replays old versions would take a whole core; nor of an exact
 * copy of the known one. The id is recomputed before that, so that a forged copy suppresses nothing.
 */
export function checkEvent(
  value: unknown,
  expected: {
    readonly pubkey: string;
    readonly isAsked: (dTag: string) => dTag is Address;
    /** The greatest verified event of the address. */
    readonly known: (dTag: Address) => VerifiedEvent | undefined;
    readonly isVoid?: (dTag: Address, event: NostrEvent) => boolean;
    readonly verifier: EventVerifier;
  },
): EventCheck {
  const rejected = (fault: EventFault): EventCheck => ({ type: 'rejected', fault });
  const event = parseEvent(value);
  if (event === undefined) return rejected('shape');
  if (event.pubkey !== expected.pubkey) return rejected('author');
  if (event.kind !== KIND_APP_DATA) return rejected('kind');
  const dTag = dTagOf(event);
  if (dTag === undefined || !expected.isAsked(dTag)) return rejected('d-tag');
  if (expected.verifier.hash(event) !== event.id) return rejected('id');
  if (expected.isVoid?.(dTag, event) === true) return { type: 'void', event, dTag };
  const known = expected.known(dTag);
  const order = known === undefined ? 1 : compareEvents(event, known);
  if (order < 0) return { type: 'old', event, dTag };
  const isCopy = order === 0 && event.sig === known!.sig;
  if (!isCopy && !expected.verifier.verifySignature(event)) return rejected('signature');
  return order === 0
    ? { type: 'known', event: known!, dTag }
    : { type: 'new', event: event as VerifiedEvent, dTag };
}
