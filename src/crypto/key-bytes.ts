/** What counts as a secret key: 32 bytes, as a big-endian number above 0 and below the order of secp256k1. */

import { isBytes } from '../errors.ts';
import { publicKeyOf } from './schnorr.ts';

export function isSecretKey(bytes: Uint8Array): boolean {
  try {
    publicKeyOf(bytes);
    return true;
  } catch {
    return false;
  }
}

/** A copy of `key`, in this realm. Throws `TypeError` or `RangeError`: "Cannot {doing}: …", with types and lengths alone. */
export function checkedKey(key: unknown, doing: string): Uint8Array {
  if (!isBytes(key)) throw new TypeError(`Cannot ${doing}: key must be a Uint8Array, got type ${typeof key}`);
  const copy = Uint8Array.from(key);
  if (isSecretKey(copy)) return copy;
  throw new RangeError(`Cannot ${doing}: key must be the 32 bytes of a secret key, got ${copy.length}`);
}
