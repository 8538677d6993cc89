/** NIP-49: a secret key under a passphrase. Salt and nonce are passed in. */

import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { scryptAsync } from '@noble/hashes/scrypt.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { decodeBech32, encodeBech32 } from './bech32.ts';

const PREFIX = 'ncryptsec';
const VERSION = 2;
export const SALT_BYTES = 16;
export const NONCE_BYTES = 24;
/** Version, log_n, salt, nonce, key security byte, 32 bytes of key, a tag of 16. */
const LENGTH = 2 + SALT_BYTES + NONCE_BYTES + 1 + 32 + 16;

/** What an ncryptsec says before any work is done on it. */
export interface Ncryptsec {
  readonly version: number;
  /** The work: scrypt with N = 2^logN takes 2^logN × 1,024 bytes of memory. */
  readonly logN: number;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  /** 0: the key was handled insecurely; 1: it was not; 2: not known. */
  readonly security: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** `undefined` if the text is no ncryptsec. */
export function parseNcryptsec(text: string): Ncryptsec | undefined {
  const bytes = decodeBech32(PREFIX, LENGTH, text);
  if (bytes === undefined) return undefined;
  const nonceAt = 2 + SALT_BYTES;
  const securityAt = nonceAt + NONCE_BYTES;
  return {
    version: bytes[0]!,
    logN: bytes[1]!,
    salt: bytes.slice(2, nonceAt),
    nonce: bytes.slice(nonceAt, securityAt),
    security: bytes.slice(securityAt, securityAt + 1),
    ciphertext: bytes.slice(securityAt + 1),
  };
}

/** The key in it; `undefined` if the passphrase is another one. */
export async function openNcryptsec(box: Ncryptsec, passphrase: string): Promise<Uint8Array | undefined> {
  return withWrapKey(passphrase, box, (key) => {
    try {
      return xchacha20poly1305(key, box.nonce, box.security).decrypt(box.ciphertext);
    } catch {
      return undefined;
    }
  });
}

/** `key` (32 bytes) as an ncryptsec. `salt` and `nonce` are random, and never used twice. */
export async function sealNcryptsec(
  key: Uint8Array,
  passphrase: string,
  terms: Pick<Ncryptsec, 'logN' | 'salt' | 'nonce' | 'security'>,
): Promise<string> {
  const { logN, salt, nonce, security } = terms;
  const ciphertext = await withWrapKey(passphrase, terms, (wrap) =>
    xchacha20poly1305(wrap, nonce, security).encrypt(key),
  );
  return encodeBech32(PREFIX, concatBytes(Uint8Array.of(VERSION, logN), salt, nonce, security, ciphertext));
}

/** Lets `use` work with the key that the passphrase makes, and wipes it. The same passphrase may be typed in several ways: NFKC. */
async function withWrapKey<T>(
  passphrase: string,
  { logN, salt }: Pick<Ncryptsec, 'logN' | 'salt'>,
  use: (key: Uint8Array) => T,
): Promise<T> {
  const bytes = utf8ToBytes(passphrase.normalize('NFKC'));
  const key = await scryptAsync(bytes, salt, { N: 2 ** logN, r: 8, p: 1, dkLen: 32 });
  try {
    return use(key);
  } finally {
    bytes.fill(0);
    key.fill(0);
  }
}
