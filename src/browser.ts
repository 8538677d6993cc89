/** The entry point in browsers, webviews and workers. */

import { browserConnectivity } from './browser/connectivity.ts';
import { systemClock } from './clock.ts';
import { noblePrimitives } from './crypto/noble-primitives.ts';
import { SECRET_KEY_SEED_BYTES, secretKeyFromSeed } from './crypto/schnorr.ts';
import { streamCompression } from './protocol/compression.ts';
import { createEventVerifier } from './protocol/event-verifier.ts';
import { createEngine, type JsonPayloads, type NostrSync } from './nostr-sync.ts';
import type { NostrSyncOptions } from './options.ts';
import { openBrowserSocket } from './relay/browser-socket.ts';
import { unlock, type UnlockedSigner, type UnlockOptions } from './unlock/unlock.ts';
import { openIdentity, type Identity, type IdentityOptions } from './keys/identity.ts';
import { createSecretKeySigner } from './signer/secret-key.ts';
import type { Signer } from './signer/signer.ts';
import { indexedDbStore } from './store/indexeddb.ts';
import { webTabs } from './tabs/web-tabs.ts';

export * from './api.ts';
export { browserKeyStore } from './keys/browser-key-store.ts';
export { indexedDbStore } from './store/indexeddb.ts';

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

/**
 * Starts an engine. Without a `store` it keeps its state in IndexedDB, in a database named after the namespace.
 * Throws `STORE_FAILED` if there is no IndexedDB; `INVALID_NAMESPACE`, `INVALID_RELAY_URL`, `INVALID_PAYLOAD_LIMIT`; `TypeError` or
 * `RangeError` for other misuse.
 */
export function createNostrSync<Categories extends JsonPayloads<Categories> = Record<string, unknown>>(
  options: NostrSyncOptions = {},
): NostrSync<Categories> {
  return createEngine(options, {
    openSocket: openBrowserSocket,
    clock: systemClock,
    randomBytes,
    compression: streamCompression,
    primitives: noblePrimitives,
    verifier: createEventVerifier(noblePrimitives),
    store: (namespace) => indexedDbStore(`nostr-sync/${namespace}`),
    connectivity: browserConnectivity,
    tabs: webTabs(),
  });
}

/**
 * A signer that holds a secret key in this page: 32 bytes (copied), 64 hex digits or an `nsec` (NIP-19).
 * Use a key for syncing alone: see `deriveSyncKey`. Throws `TypeError` or `RangeError`, which never show the key.
 */
export function secretKeySigner(key: Uint8Array | string): Signer {
  return createSecretKeySigner(noblePrimitives, randomBytes, key);
}

/**
 * A new secret key for `secretKeySigner`: 32 bytes. Keep it in a place that only the user can read, and use it for
 * syncing alone: with it everything can be read and written, and without it nothing can be read.
 */
export function generateKey(): Uint8Array {
  return secretKeyFromSeed(randomBytes(SECRET_KEY_SEED_BYTES));
}

/**
 * The user's key on this device: loaded from `keyStore`, or made and kept at the first start. `INVALID_NAMESPACE`, `KEY_STORE_FAILED` and
 * what else the store rejects with; `TypeError` for misuse.
 */
export function identity(options: IdentityOptions): Promise<Identity> {
  return openIdentity(options, { generateKey, signerOf: secretKeySigner });
}

/**
 * A signer for the app `namespace`, unlocked by the person's own: one that asks a person (NIP-07, NIP-46) is asked once, to decrypt a
 * secret that is kept under their key, and not for each write. At the very first start it is also asked to encrypt and to sign that secret.
 *
 * The secret is made only if every relay was reached and has none: otherwise `NO_RELAYS_REACHABLE`, because a second secret would be a
 * second, empty place. If two devices make one all the same, both are kept and the older counts: what is under the other comes along when
 * an engine gets this signer, of two values the newer. `UNDECODABLE`: what is kept is no secret known here; it is not overwritten. It also
 * rejects as `fetch` and `publish` do.
 * `signer` stays the caller's, unwiped. Connections stay for five seconds more, so that relays which lack the secret get it.
 */
export function unlockWithSigner(signer: Signer, options: UnlockOptions): Promise<UnlockedSigner> {
  return unlock(signer, options, {
    open: createNostrSync,
    clock: systemClock,
    sha256Hex: noblePrimitives.sha256Hex,
    randomBytes,
    signerOf: secretKeySigner,
  });
}
