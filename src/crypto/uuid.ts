/** A random UUID: RFC 9562, version 4. Browsers make one in secure contexts alone, and tests choose the bytes. */

import { bytesToHex } from '@noble/hashes/utils.js';

/** Of 16 random bytes. */
export function uuid(bytes: Uint8Array): string {
  const hex = bytesToHex(bytes);
  const variant = '89ab'[(bytes[8]! >> 4) & 3]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
