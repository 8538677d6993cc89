/** Derives a key for syncing from a secret that the app already has, so that the secret itself never signs for us. */

import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { SECRET_KEY_SEED_BYTES, secretKeyFromSeed } from '../crypto/schnorr.ts';
import { describe, isBytes } from '../errors.ts';
import { checkNamespace } from '../protocol/address.ts';

/** Raised with any change of the derivation: another salt gives unrelated keys. */
const SALT = 'nostr-sync/derive/1';
const MIN_SECRET_BYTES = 16;
const MAX_ACCOUNT = 2 ** 31 - 1;

/** Which of the keys of a secret it is. */
export interface SyncKeyPath {
  /** As in the engine's option of that name; `INVALID_NAMESPACE` otherwise. */
  readonly namespace: string;
  /** 0 to 2,147,483,647, as in BIP-32. */
  readonly account: number;
}

/**
 * The 32-byte secret key of one app (`namespace`) and account. The same inputs give the same key on every device,
 * and no key tells anything about another or about `secret`: at least 16 bytes of full entropy (a wallet's seed,
 * never a password).
 *
 * HKDF-SHA256 (RFC 5869): salt `nostr-sync/derive/1`, info `{namespace}/{account}` in UTF-8, 48 bytes of output;
 * read as a big-endian number, modulo n - 1, plus 1; n is the order of secp256k1.
 */
export function deriveSyncKey(secret: Uint8Array, { namespace, account }: SyncKeyPath): Uint8Array {
  // The messages never describe `secret` beyond its type and length.
  if (!isBytes(secret)) {
    throw new TypeError(`Cannot derive a key: secret must be a Uint8Array, got type ${typeof secret}`);
  }
  if (secret.length < MIN_SECRET_BYTES) {
    throw new RangeError(
      `Cannot derive a key: secret must be at least ${MIN_SECRET_BYTES} bytes, got ${secret.length}`,
    );
  }
  // A namespace without "/" makes the info unambiguous.
  checkNamespace(namespace);
  if (!Number.isInteger(account) || account < 0 || account > MAX_ACCOUNT) {
    const expected = `an integer from 0 to ${MAX_ACCOUNT}`;
    throw new RangeError(`Cannot derive a key: account must be ${expected}, got ${describe(account)}`);
  }
  const info = utf8ToBytes(`${namespace}/${account}`);
  // noble knows the Uint8Array of its own realm.
  const own = Uint8Array.from(secret);
  const seed = hkdf(sha256, own, utf8ToBytes(SALT), info, SECRET_KEY_SEED_BYTES);
  const key = secretKeyFromSeed(seed);
  own.fill(0);
  seed.fill(0);
  return key;
}
