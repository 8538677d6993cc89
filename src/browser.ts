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
import { createSecretKeySigner } from './signer/secret-key.ts';
import type { Signer } from './signer/signer.ts';
import { indexedDbStore } from './store/indexeddb.ts';
import { webTabs } from './tabs/web-tabs.ts';

export * from './api.ts';
export { indexedDbStore } from './store/indexeddb.ts';

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

/**
 * Starts an engine. Without a `store` it keeps its state in IndexedDB, in a database named after the namespace.
 * Throws `STORE_FAILED` if there is no IndexedDB; `INVALID_NAMESPACE`, `INVALID_RELAY_URL`, `INVALID_PAYLOAD_LIMIT`; `TypeError` or `RangeError` for other misuse.
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
