/**
 * Reading and writing bech32 (BIP-173) of bytes, as NIP-19 and NIP-49 use it: all of bech32 that a browser has to carry for this library.
 */

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM_DIGITS = 6;
const NSEC_BYTES = 32;

/** Over the high bits of the prefix's letters, 0, their low bits, and the digits. */
function checksum(prefix: string, digits: readonly number[]): number {
  const codes = Array.from(prefix, (letter) => letter.charCodeAt(0));
  let sum = 1;
  for (const value of [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...digits]) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, term] of GENERATOR.entries()) if ((top >>> bit) & 1) sum ^= term;
  }
  return sum;
}

/** The `length` bytes of `text`, in lower or upper case; `undefined` if it is not that many under this prefix. */
export function decodeBech32(prefix: string, length: number, text: string): Uint8Array | undefined {
  const lower = text === text.toUpperCase() ? text.toLowerCase() : text;
  const digits = Array.from(lower.slice(prefix.length + 1), (digit) => ALPHABET.indexOf(digit));
  if (!lower.startsWith(`${prefix}1`) || digits.includes(-1) || checksum(prefix, digits) !== 1)
    return undefined;
  const bytes: number[] = [];
  let bits = 0;
  let rest = 0;
  for (const digit of digits.slice(0, -CHECKSUM_DIGITS)) {
    rest = (rest << 5) | digit;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(rest >> bits);
    rest &= 2 ** bits - 1;
  }
  // What the last digit has beyond the bytes must be zero, and no digit.
  return bytes.length === length && bits < 5 && rest === 0 ? Uint8Array.from(bytes) : undefined;
}

/** `bytes` under `prefix`, in lower case. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const digits = bits.match(/.{1,5}/g)!.map((digit) => Number.parseInt(digit.padEnd(5, '0'), 2));
  const sum = checksum(prefix, [...digits, 0, 0, 0, 0, 0, 0]) ^ 1;
  const check = Array.from({ length: CHECKSUM_DIGITS }, (_, i) => (sum >>> (5 * (5 - i))) & 31);
  return `${prefix}1${[...digits, ...check].map((digit) => ALPHABET[digit]).join('')}`;
}

/** The 32 bytes of an nsec (NIP-19); `undefined` if the text is none. */
export function decodeNsec(text: string): Uint8Array | undefined {
  return decodeBech32('nsec', NSEC_BYTES, text);
}

/** 32 bytes as an nsec. */
export function encodeNsec(bytes: Uint8Array): string {
  return encodeBech32('nsec', bytes);
}
