/** NIP-44 version 2: encryption between two keys. Pure: the nonce and the primitives are passed in. */

import { schnorr } from '@noble/curves/secp256k1.js';
import { extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { equalBytes } from './equal-bytes.ts';
import type { Primitives } from './primitives.ts';

/**
 * The longest payload to read, in characters: that of a plaintext of 409,600 bytes, which pads to 458,752.
 * Anything longer is refused before its first byte is looked at.
 */
const MAX_PAYLOAD_LENGTH = 611_764;

const VERSION = 2;
const NONCE_BYTES = 32;
const MAC_BYTES = 32;
const HEADER_BYTES = 1 + NONCE_BYTES;
const MIN_PAYLOAD_LENGTH = 132;
const MIN_PADDED_BYTES = 32;
const SHORT_PREFIX_BYTES = 2;
const SHORT_PREFIX_MAX = 65_535;
const LONG_PREFIX_BYTES = 6;

const PUBLIC_KEY = /^[0-9a-f]{64}$/;

// By default a TextDecoder would replace malformed bytes and drop a leading U+FEFF, both silently.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface MessageKeys {
  readonly chachaKey: Uint8Array;
  readonly chachaNonce: Uint8Array;
  readonly hmacKey: Uint8Array;
}

/** The x of the point that `secretKey` (32 bytes) shares with `peer` (x-only, hex): ECDH, not hashed. Throws on invalid keys. */
export function sharedX(secretKey: Uint8Array, peer: string): Uint8Array {
  if (!PUBLIC_KEY.test(peer))
    throw new Error('Cannot derive a conversation key: the public key is not 32 bytes of hex');
  const { Point } = schnorr;
  return schnorr.utils.pointToBytes(Point.fromHex(`02${peer}`).multiply(Point.Fn.fromBytes(secretKey)));
}

/** The key that `secretKey` (32 bytes) shares with `peer` (x-only, hex). Symmetric; costly, so keep it. Throws on invalid keys. */
export function conversationKey(secretKey: Uint8Array, peer: string): Uint8Array {
  return extract(sha256, sharedX(secretKey, peer), utf8ToBytes('nip44-v2'));
}

/** The keys of one message: HKDF-expand of the conversation key with the nonce as info, 76 bytes. */
export function messageKeys(primitives: Primitives, key: Uint8Array, nonce: Uint8Array): MessageKeys {
  const first = primitives.hmacSha256(key, nonce, Uint8Array.of(1));
  const second = primitives.hmacSha256(key, first, nonce, Uint8Array.of(2));
  const third = primitives.hmacSha256(key, second, nonce, Uint8Array.of(3));
  return {
    chachaKey: first,
    chachaNonce: second.subarray(0, 12),
    hmacKey: concatBytes(second.subarray(12), third.subarray(0, 12)),
  };
}

/** How many bytes a plaintext of `length` bytes takes once padded, without its length prefix. */
export function paddedLength(length: number): number {
  if (length <= MIN_PADDED_BYTES) return MIN_PADDED_BYTES;
  const nextPower = 2 ** (32 - Math.clz32(length - 1));
  const chunk = Math.max(MIN_PADDED_BYTES, nextPower / 8);
  return chunk * Math.ceil(length / chunk);
}

function pad(plaintext: string): Uint8Array {
  const bytes = utf8ToBytes(plaintext);
  if (bytes.length < 1 || bytes.length > SHORT_PREFIX_MAX) {
    throw new RangeError(
      `Cannot encrypt: plaintext must be 1 to ${SHORT_PREFIX_MAX} bytes, got ${bytes.length}`,
    );
  }
  const padded = new Uint8Array(SHORT_PREFIX_BYTES + paddedLength(bytes.length));
  new DataView(padded.buffer).setUint16(0, bytes.length);
  padded.set(bytes, SHORT_PREFIX_BYTES);
  return padded;
}

function unpad(padded: Uint8Array): string {
  const view = new DataView(padded.buffer, padded.byteOffset, padded.byteLength);
  const short = view.getUint16(0);
  // A zero length is the mark of the longer prefix, which plaintexts from 65,536 bytes have since 2026-06-28.
  const isLong = short === 0;
  const length = isLong ? view.getUint32(SHORT_PREFIX_BYTES) : short;
  const start = isLong ? LONG_PREFIX_BYTES : SHORT_PREFIX_BYTES;
  if ((isLong && length <= SHORT_PREFIX_MAX) || padded.length !== start + paddedLength(length)) {
    throw new Error('Cannot decrypt: invalid padding');
  }
  return decoder.decode(padded.subarray(start, start + length));
}

/**
 * Encrypts 1 to 65,535 bytes of text (`RangeError` otherwise) into a base64 payload: all that the 2-byte prefix can
 * say. What we write on purpose is shorter, see `MAX_EVENT_PLAINTEXT_BYTES`. `nonce`: 32 random bytes, never used twice.
 */
export function encrypt(
  primitives: Primitives,
  plaintext: string,
  key: Uint8Array,
  nonce: Uint8Array,
): string {
  if (nonce.length !== NONCE_BYTES) {
    throw new RangeError(`Cannot encrypt: nonce must be ${NONCE_BYTES} bytes, got ${nonce.length}`);
  }
  const padded = pad(plaintext);
  const { chachaKey, chachaNonce, hmacKey } = messageKeys(primitives, key, nonce);
  const ciphertext = primitives.chacha20(chachaKey, chachaNonce, padded);
  const mac = primitives.hmacSha256(hmacKey, nonce, ciphertext);
  return primitives.base64Encode(concatBytes(Uint8Array.of(VERSION), nonce, ciphertext, mac));
}

/** The inverse of `encrypt`; also reads the longer prefix that others write. Throws on anything that is not an authentic payload. */
export function decrypt(primitives: Primitives, payload: string, key: Uint8Array): string {
  if (payload.startsWith('#')) throw new Error('Cannot decrypt: unknown encryption version');
  if (payload.length < MIN_PAYLOAD_LENGTH || payload.length > MAX_PAYLOAD_LENGTH) {
    throw new Error(`Cannot decrypt: invalid payload length: ${payload.length}`);
  }
  const data = primitives.base64Decode(payload);
  if (data[0] !== VERSION) throw new Error(`Cannot decrypt: unknown encryption version ${data[0]}`);
  const nonce = data.subarray(1, HEADER_BYTES);
  const ciphertext = data.subarray(HEADER_BYTES, -MAC_BYTES);
  const mac = data.subarray(-MAC_BYTES);
  const { chachaKey, chachaNonce, hmacKey } = messageKeys(primitives, key, nonce);
  if (!equalBytes(primitives.hmacSha256(hmacKey, nonce, ciphertext), mac))
    throw new Error('Cannot decrypt: invalid MAC');
  return unpad(primitives.chacha20(chachaKey, chachaNonce, ciphertext));
}
