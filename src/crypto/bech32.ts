/** Reading and writing an `nsec` (NIP-19: bech32, BIP-173): all of bech32 that a browser has to carry for this library. */

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
/** What the checksum takes of "nsec": the high bits of its letters, 0, their low bits. */
const PREFIX = [3, 3, 3, 3, 0, 14, 19, 5, 3];
/** 32 bytes are 52 digits, and a checksum has 6. */
const NSEC = /^nsec1[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{58}$/;

function checksum(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, term] of GENERATOR.entries()) if ((top >>> bit) & 1) sum ^= term;
  }
  return sum;
}

/** The 32 bytes of an nsec, in lower or upper case; `undefined` if the text is none. */
export function decodeNsec(text: string): Uint8Array | undefined {
  const nsec = text === text.toUpperCase() ? text.toLowerCase() : text;
  if (!NSEC.test(nsec)) return undefined;
  const digits = Array.from({ length: 58 }, (_, i) => ALPHABET.indexOf(nsec.charAt(5 + i)));
  if (checksum([...PREFIX, ...digits]) !== 1) return undefined;
  const bits = digits
    .slice(0, -6)
    .map((digit) => digit.toString(2).padStart(5, '0'))
    .join('');
  // 52 digits of 5 bits: 4 more than 32 bytes have, and those must be zero.
  if (bits.slice(256).includes('1')) return undefined;
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(bits.slice(8 * i, 8 * i + 8), 2));
}

/** 32 bytes as an nsec, in lower case. */
export function encodeNsec(bytes: Uint8Array): string {
  const bits = `${[...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')}0000`;
  const digits = Array.from({ length: 52 }, (_, i) => Number.parseInt(bits.slice(5 * i, 5 * i + 5), 2));
  const sum = checksum([...PREFIX, ...digits, 0, 0, 0, 0, 0, 0]) ^ 1;
  const check = Array.from({ length: 6 }, (_, i) => (sum >>> (5 * (5 - i))) & 31);
  return `nsec1${[...digits, ...check].map((digit) => ALPHABET[digit]).join('')}`;
}
