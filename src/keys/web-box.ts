/** Encrypting a key for this browser alone: AES-256-GCM of the platform, under a `CryptoKey`. */

import { isBytes } from '../errors.ts';

const NONCE_BYTES = 12;

export interface Sealed {
  readonly nonce: Uint8Array;
  readonly box: Uint8Array;
}

/** `bound` must be the same to open it. Rejects if the page has no WebCrypto: it comes neither by https nor from this computer. */
export async function seal(wrap: CryptoKey, key: Uint8Array, bound: Uint8Array): Promise<Sealed> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const box = await subtle().encrypt(terms(nonce, bound), wrap, Uint8Array.from(key));
  return { nonce, box: new Uint8Array(box) };
}

/** Rejects if it was sealed under another key, bound to something else, or changed. */
export async function unseal(
  wrap: CryptoKey,
  { nonce, box }: Sealed,
  bound: Uint8Array,
): Promise<Uint8Array> {
  return new Uint8Array(await subtle().decrypt(terms(nonce, bound), wrap, Uint8Array.from(box)));
}

export function isSealed(value: object): value is Sealed {
  const { nonce, box } = value as Partial<Sealed>;
  return isBytes(nonce) && isBytes(box);
}

/** WebCrypto's part that browsers withhold from pages that others on the way could change. */
export function subtle(): SubtleCrypto {
  // The types do not know that it may be missing.
  const found = crypto.subtle as SubtleCrypto | undefined;
  if (found !== undefined) return found;
  throw new Error('this page has no crypto.subtle: it must come by https, or from localhost');
}

/** Random, to tell two boxes apart. */
export function randomMark(): string {
  return crypto.randomUUID();
}

function terms(nonce: Uint8Array, bound: Uint8Array): AesGcmParams {
  return { name: 'AES-GCM', iv: Uint8Array.from(nonce), additionalData: Uint8Array.from(bound) };
}
