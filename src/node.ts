/** The entry point on Node. */

import { randomBytes as nodeRandomBytes } from 'node:crypto';
import { idleClock, systemClock } from './clock.ts';
import { nodePrimitives } from './crypto/node-primitives.ts';
import { SECRET_KEY_SEED_BYTES, secretKeyFromSeed } from './crypto/schnorr.ts';
import { misuse } from './errors.ts';
import { streamCompression } from './protocol/compression.ts';
import { createEventVerifier } from './protocol/event-verifier.ts';
import { createEngine, type JsonPayloads, type NostrSync } from './nostr-sync.ts';
import type { NostrSyncOptions } from './options.ts';
import { openIdleNodeSocket, openNodeSocket } from './relay/node-socket.ts';
import { unlock, type UnlockedSigner, type UnlockOptions } from './unlock/unlock.ts';
import { openIdentity, type Identity, type IdentityOptions } from './keys/identity.ts';
import { createSecretKeySigner } from './signer/secret-key.ts';
import type { Signer } from './signer/signer.ts';
import { memoryStore } from './store/memory.ts';

export * from './api.ts';
export { fileKeyStore } from './keys/file-key-store.ts';
export { fileStore } from './store/file.ts';

const randomBytes = (length: number): Uint8Array => new Uint8Array(nodeRandomBytes(length));

/**
 * Starts an engine. Without a `store` it keeps everything in memory: what is not delivered when the process ends is lost.
 * Throws `INVALID_NAMESPACE`, `INVALID_RELAY_URL`, `INVALID_PAYLOAD_LIMIT`; `TypeError` or `RangeError` for other misuse.
 */
export function createNostrSync<Categories extends JsonPayloads<Categories> = Record<string, unknown>>(
  options: NostrSyncOptions = {},
): NostrSync<Categories> {
  // If `options` is no object at all, the engine says so.
  const { keepProcessAlive = true }: NostrSyncOptions = options ?? {};
  if (typeof keepProcessAlive !== 'boolean')
    throw new TypeError(misuse('keepProcessAlive', 'true or false', keepProcessAlive));
  const sync = createEngine<Categories>(options, {
    openSocket: keepProcessAlive ? openNodeSocket : openIdleNodeSocket,
    clock: keepProcessAlive ? systemClock : idleClock,
    randomBytes,
    compression: streamCompression,
    primitives: nodePrimitives,
    verifier: createEventVerifier(nodePrimitives),
    store: memoryStore,
  });
  return keepProcessAlive ? sync : keptAliveByCalls(sync);
}

/** The same calls; while one of them is under way, the process stays alive: its promise would never be settled. */
function keptAliveByCalls<Calls extends object>(sync: Calls): Calls {
  const kept = Object.entries(sync).map(
    ([name, call]: [string, (...args: readonly unknown[]) => unknown]) => [
      name,
      (...args: readonly unknown[]) => {
        const result = call(...args);
        if (isPromise(result)) {
          const release = systemClock.after(Number.MAX_SAFE_INTEGER, () => undefined);
          result.then(release, release);
        }
        return result;
      },
    ],
  );
  return Object.fromEntries(kept) as Calls;
}

/**
 * A signer that holds a secret key in this process: 32 bytes (copied), 64 hex digits or an `nsec` (NIP-19).
 * Use a key for syncing alone: see `deriveSyncKey`. Throws `TypeError` or `RangeError`, which never show the key.
 */
export function secretKeySigner(key: Uint8Array | string): Signer {
  return createSecretKeySigner(nodePrimitives, randomBytes, key);
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
    sha256Hex: nodePrimitives.sha256Hex,
    randomBytes,
    signerOf: secretKeySigner,
  });
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (Object(value) as Partial<PromiseLike<unknown>>).then === 'function';
}
