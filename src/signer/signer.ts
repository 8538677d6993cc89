/** The Signer port: the shape of NIP-07 (`window.nostr`), so that a browser extension or NIP-46 client fits as it is. */

import type { EventTemplate, SignedEvent } from '../protocol/event.ts';

/**
 * Holds a key and works with it. A signer may take minutes (a person clicks), throw, hang or lie:
 * the engine bounds, catches and verifies whatever it returns.
 */
export interface Signer {
  /** The public key: 32 bytes in lower-case hex. */
  getPublicKey(): Promise<string>;
  /** Adds `id` and `sig` (NIP-01), and `pubkey` if the template does not say it: the engine's do. */
  signEvent(template: EventTemplate & { readonly pubkey?: string }): Promise<SignedEvent>;
  readonly nip44: {
    /** NIP-44 v2 from this key to `peer` (hex). Returns base64. */
    encrypt(peer: string, plaintext: string): Promise<string>;
    /** What `peer` has encrypted for this key, or this key for `peer`. */
    decrypt(peer: string, ciphertext: string): Promise<string>;
  };
  /**
   * Whether texts reach the key in events, as with a bunker (NIP-46): a text is then encrypted twice, and must be smaller
   * to fit.
   */
  readonly isRemote?: boolean;
  /**
   * Whether it holds one key for good and asks no person. Any other signer is asked one thing at a time. It is asked for its
   * public key before and after each encryption, and sometimes to decrypt what it has encrypted.
   */
  readonly isLocal?: boolean;
  /** The object that really answers, if it is another one. All engines ask signers of one provider one thing at a time. */
  provider?(): object | undefined;
  /** Wipes what key material this signer holds; every later call rejects. Signers without one have nothing to wipe. */
  wipe?(): void;
}
