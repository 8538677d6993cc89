/** Raw deflate that is done when it returns, for virtual time. */

import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Compression } from '../../src/protocol/compression.ts';

export const zlibCompression: Compression = {
  deflate: async (bytes) => Uint8Array.from(deflateRawSync(bytes)),
  inflate: async (bytes, maxBytes) =>
    Uint8Array.from(inflateRawSync(bytes, { maxOutputLength: Math.max(1, maxBytes) })),
};
