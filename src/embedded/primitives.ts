/** The cryptographic primitives, chance and deflate, by the program. */

import { base64Encode } from '../crypto/base64.ts';
import type { Primitives } from '../crypto/primitives.ts';
import type { Compression } from '../protocol/compression.ts';
import type { RandomBytes } from '../relay/backoff.ts';
import { native, toBinary, wellFormed } from './native.ts';

export const primitives: Primitives = {
  sha256Hex: (text) => native.sha256Hex(wellFormed(text)),
  hmacSha256: (key, ...parts) => native.hmacSha256(toBinary(key), parts.map(toBinary).join('')),
  chacha20: (key, nonce, data) => native.chacha20(toBinary(key), toBinary(nonce), toBinary(data)),
  base64Encode,
  base64Decode: (text) => {
    const bytes = native.base64Decode(wellFormed(text));
    if (bytes === undefined) throw new Error('Cannot decode base64: the text is not canonical');
    return bytes;
  },
};

export const randomBytes: RandomBytes = (length) => native.randomBytes(length);

export const compression: Compression = {
  deflate: async (bytes) => native.deflate(toBinary(bytes)),
  inflate: async (bytes, maxBytes) => {
    const inflated = native.inflate(toBinary(bytes), maxBytes);
    if (inflated === undefined) throw new Error(`no deflate stream of at most ${maxBytes} bytes`);
    return inflated;
  },
};
