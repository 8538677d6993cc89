/** Keys as text that people can copy: `nsec` (NIP-19). */

import { decodeNsec, encodeNsec } from '../crypto/bech32.ts';
import { isBytes } from '../errors.ts';

// The messages tell types and lengths at most: either could hold the key.

/** A 32-byte secret key as an `nsec` (NIP-19). Throws `TypeError` or `RangeError`. */
export function nsecEncode(key: Uint8Array): string {
  if (!isBytes(key))
    throw new TypeError(`Cannot encode a key: key must be a Uint8Array, got type ${typeof key}`);
  if (key.length !== 32) throw new RangeError(`Cannot encode a key: key must be 32 bytes, got ${key.length}`);
  return encodeNsec(key);
}

/** The 32 bytes of an `nsec` (NIP-19), in lower or upper case. Throws `TypeError` or `RangeError`. */
export function nsecDecode(nsec: string): Uint8Array {
  if (typeof nsec !== 'string')
    throw new TypeError(`Cannot decode a key: nsec must be a string, got type ${typeof nsec}`);
  const key = decodeNsec(nsec);
  if (key === undefined)
    throw new RangeError(
      `Cannot decode a key: nsec must be "nsec1" and 58 more characters whose checksum fits, got a string of ${nsec.length}`,
    );
  return key;
}
