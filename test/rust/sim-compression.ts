/** Deflate that compresses nothing (stored blocks): two implementations of the real one need not give the same bytes, and traces have them. */

import type { Compression } from '../../src/protocol/compression.ts';

const MAX_BLOCK = 65_535;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function deflateStored(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_BLOCK) {
    const block = bytes.subarray(at, at + MAX_BLOCK);
    const isLast = at + MAX_BLOCK >= bytes.length ? 1 : 0;
    const { length } = block;
    parts.push(Uint8Array.of(isLast, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255), block);
  }
  return joined(parts);
}

export function inflateStored(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0, isLast = false; !isLast;) {
    isLast = bytes[at] === 1;
    const length = bytes[at + 1]! + bytes[at + 2]! * 256;
    if (bytes[at]! > 1 || at + 5 + length > bytes.length) throw new Error('no stream of stored blocks');
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return joined(parts);
}

export const zlibCompression: Compression = {
  deflate: async (bytes) => deflateStored(bytes),
  inflate: async (bytes, maxBytes) => {
    const inflated = inflateStored(bytes);
    if (inflated.length > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
    return inflated;
  },
};
