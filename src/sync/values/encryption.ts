/**
 * Encryption by a signer. Which account works behind a provider can change between any two calls, and what it encrypts does not tell
 * whose it is: it could replace a good value by one that can never be read. So a ciphertext is used only if the account was
 * ours before and after it was made, and if the first one, and the first after a pause, could be read again.
 */

import type { Clock } from '../../clock.ts';
import { isNostrSyncError, NostrSyncError } from '../../errors.ts';
import type { Ms } from '../../protocol/address.ts';
import { SIGNER_TRUST_MS } from '../../protocol/limits.ts';
import { encryptedLength } from '../../protocol/payload.ts';
import type { Signer } from '../../signer/signer.ts';
import { signerChanged, type Account } from './account.ts';
import type { Asking } from './asking.ts';
import type { SignerSizes } from './signer-sizes.ts';

export interface Encryption {
  encrypt(plaintext: string, asking?: Asking): Promise<string>;
  /** What this key has encrypted, or `peer` to it. */
  decrypt(ciphertext: string, peer?: string): Promise<string>;
  /** Whether it is certain that what was just encrypted can be read: the key is here, or the signer has read this very text back. */
  isProven(ciphertext: string): boolean;
  /** Nothing is proven of another signer. */
  forget(): void;
}

/** A signer that hands the text back would have us publish it. */
function isCiphertextOf(plaintext: string, ciphertext: unknown): ciphertext is string {
  return (
    typeof ciphertext === 'string' &&
    ciphertext.length === encryptedLength(plaintext) &&
    /^A[g-v][A-Za-z0-9+/]+=*$/.test(ciphertext)
  );
}

export function createEncryption(ports: {
  readonly pubkey: string;
  readonly account: Account;
  readonly sizes: SignerSizes;
  readonly clock: Clock;
}): Encryption {
  const { pubkey, account, sizes, clock } = ports;
  /** When the signer last read what it had encrypted. */
  let provenAt: Ms = -Infinity;
  /** What that was. */
  let proven = '';

  /** Proves that what was encrypted can be read, unless that was proven lately. */
  async function readBack(plaintext: string, ciphertext: string, asking?: Asking): Promise<void> {
    if (account.isLocal() || Math.abs(clock.now() - provenAt) < SIGNER_TRUST_MS) return;
    const call = (signer: Signer): Promise<string> => signer.nip44.decrypt(pubkey, ciphertext);
    const text = await account.use('decrypt', 'DECRYPTION_FAILED', call, asking).catch((error: unknown) => {
      if (!isNostrSyncError(error, 'DECRYPTION_FAILED')) throw error;
      throw signerChanged(
        'encrypt',
        'it cannot read what it has just encrypted, as if the account had changed',
        error,
      );
    });
    if (text !== plaintext) throw signerChanged('encrypt', 'what it has just encrypted says something else');
    provenAt = clock.now();
    proven = ciphertext;
  }

  return {
    encrypt: async (plaintext, asking) => {
      if (!(await account.isSame(asking))) throw signerChanged('encrypt');
      const call = (signer: Signer): Promise<string> => signer.nip44.encrypt(pubkey, plaintext);
      const encrypting = account.use('encrypt', 'ENCRYPTION_FAILED', call, asking);
      const ciphertext: unknown = await sizes.learn(plaintext.length, encrypting);
      if (!isCiphertextOf(plaintext, ciphertext)) {
        throw new NostrSyncError(
          'ENCRYPTION_FAILED',
          'Cannot encrypt: what the signer returned is not NIP-44 version 2',
        );
      }
      if (!(await account.isSame(asking))) throw signerChanged('encrypt');
      await readBack(plaintext, ciphertext, asking);
      return ciphertext;
    },
    decrypt: async (ciphertext, peer = pubkey) => {
      const call = (signer: Signer): Promise<string> => signer.nip44.decrypt(peer, ciphertext);
      const plaintext: unknown = await account
        .use('decrypt', 'DECRYPTION_FAILED', call)
        .catch(async (error: unknown) => {
          if (!isNostrSyncError(error, 'DECRYPTION_FAILED')) throw error;
          // Not the value's fault then, nor if the signer does not tell its account either.
          const isAnother = !(await account.isSame().catch((other: unknown) => {
            throw isNostrSyncError(other, 'SIGNING_FAILED') ? error : other;
          }));
          throw isAnother ? signerChanged('decrypt') : error;
        });
      // NIP-44 encrypts one byte at least.
      if (typeof plaintext !== 'string' || plaintext === '')
        throw new NostrSyncError('DECRYPTION_FAILED', 'Cannot decrypt: the signer returned no text');
      return plaintext;
    },
    isProven: (ciphertext) => account.isLocal() || ciphertext === proven,
    forget: () => {
      provenAt = -Infinity;
    },
  };
}
