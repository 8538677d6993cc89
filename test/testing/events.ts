/** Events signed by nostr-tools, an implementation that is not ours, at the standing time of the tests' clock. */

import { finalizeEvent, generateSecretKey, getPublicKey, type NostrEvent } from 'nostr-tools/pure';

export const alice: Uint8Array = generateSecretKey();
export const bob: Uint8Array = generateSecretKey();
export const alicePubkey: string = getPublicKey(alice);
export const bobPubkey: string = getPublicKey(bob);

/** Unix time in s at which `createTestClock()` starts. */
export const START: number = Date.UTC(2026, 0, 1) / 1_000;

export interface Draft {
  readonly kind?: number;
  readonly created_at?: number;
  readonly tags?: string[][];
  readonly content?: string;
  readonly by?: Uint8Array;
}

export function sign({
  kind = 1,
  created_at = START,
  tags = [],
  content = '',
  by = alice,
}: Draft = {}): NostrEvent {
  const { id, pubkey, sig } = finalizeEvent({ kind, created_at, tags, content }, by);
  // Without the symbol by which nostr-tools marks an event as verified.
  return { id, pubkey, created_at, kind, tags, content, sig };
}

/** An addressable event of the kind that this library writes. */
export function value(content: string, more: Draft = {}): NostrEvent {
  return sign({ kind: 30_078, tags: [['d', 'app/settings/v1']], content, ...more });
}

/** Two values with one stamp, the one with the lower id first. */
export function tiedValues(): readonly [NostrEvent, NostrEvent] {
  const [a, b] = [value('a'), value('b')];
  return a.id < b.id ? [a, b] : [b, a];
}
