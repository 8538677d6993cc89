/**
 * The primitives under NIP-44, event ids and the names of pieces. `noblePrimitives` runs anywhere; `node-primitives.ts` is the faster one
 * on Node.
 */

export interface Primitives {
  /** SHA-256 of the UTF-8 bytes of `text`, in lower-case hex. */
  sha256Hex(text: string): string;
  /** HMAC-SHA256 over the concatenation of `parts`. 32 bytes. */
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /** ChaCha20 (RFC 8439, counter 0): key 32 bytes, nonce 12 bytes. Same length as `data`. */
  chacha20(key: Uint8Array, nonce: Uint8Array, data: Uint8Array): Uint8Array;
  /** Standard base64 with padding (RFC 4648 section 4). */
  base64Encode(bytes: Uint8Array): string;
  /** Strict inverse: throws on any character, length or padding that `base64Encode` would not have written. */
  base64Decode(text: string): Uint8Array;
}
