/** Nostr events (NIP-01): types, serialisation, and the one way from unknown bytes to a `VerifiedEvent`. */

export interface EventTemplate {
  readonly kind: number;
  /** Unix time in s. */
  readonly created_at: number;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
}

export interface NostrEvent extends EventTemplate {
  /** SHA-256 of the serialised event, lower-case hex. */
  readonly id: string;
  /** 32 bytes, lower-case hex. */
  readonly pubkey: string;
  /** BIP-340 signature, 64 bytes, lower-case hex. */
  readonly sig: string;
}

/** The text whose SHA-256 is the event's id (NIP-01). */
export function serializeEvent(event: EventTemplate & { readonly pubkey: string }): string {
  return JSON.stringify([0, event.pubkey, event.created_at, event.kind, event.tags, event.content]);
}

/** The two costly checks of an event, as a port so that a simulator can replace them. */
export interface EventVerifier {
  /** The id that the event should have: SHA-256 of `serializeEvent`, lower-case hex. */
  hash(event: EventTemplate & { readonly pubkey: string }): string;
  /** Whether `sig` is a valid BIP-340 signature of `id` by `pubkey`. Never throws. The id itself is not recomputed. */
  verifySignature(event: NostrEvent): boolean;
}
