/** The primitives in plain JavaScript, for any runtime: the noble libraries, base64 by the platform if it can. */

import { chacha20 } from '@noble/ciphers/chacha.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { base64Decode, base64Encode } from './base64.ts';
import type { Primitives } from './primitives.ts';

export const noblePrimitives: Primitives = {
  sha256Hex: (text) => bytesToHex(sha256(utf8ToBytes(text))),

  hmacSha256: (key, ...parts) => {
    const mac = hmac.create(sha256, key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  },

  chacha20: (key, nonce, data) => chacha20(key, nonce, data),
  base64Encode,
  base64Decode,
};
