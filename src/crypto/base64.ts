/** Base64 (RFC 4648 section 4) by the platform: `Uint8Array.fromBase64` if it is there, else `atob`. */

/** ECMAScript 2026, not yet in TypeScript's library. */
interface Native {
  readonly fromBase64?: (text: string, options: { readonly lastChunkHandling: 'strict' }) => Uint8Array;
  readonly prototype: { readonly toBase64?: (this: Uint8Array) => string };
}

const native = Uint8Array as Native;
/** Arguments that every runtime takes in one call. */
const CHUNK = 8_192;

export function base64Encode(bytes: Uint8Array): string {
  if (native.prototype.toBase64 !== undefined) return native.prototype.toBase64.call(bytes);
  let binary = '';
  for (let i = 0; i < bytes.length; i += CHUNK)
    binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return btoa(binary);
}

/** Throws on everything that `base64Encode` would not have written; both platform functions are more lenient. */
export function base64Decode(text: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Error('not base64');
  if (native.fromBase64 !== undefined) return native.fromBase64(text, { lastChunkHandling: 'strict' });
  const binary = atob(text);
  // Bits that the padding cuts off must be zero, or one content would have several texts.
  if (btoa(binary.slice(-(binary.length % 3 || 3))) !== text.slice(-4)) throw new Error('not base64');
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
