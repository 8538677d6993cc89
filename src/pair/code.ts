/**
 * The typed code, for a device without a camera. It fetches the invitation: both devices derive one key of it, the mailbox, and talk
 * from that key to itself. So only a device that knows the code can answer it.
 *
 * `XXXX-XXXX-XXXX` in Crockford's base32: 10 characters are 50 random bits, 2 are a check.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { SECRET_KEY_SEED_BYTES, secretKeyFromSeed } from '../crypto/schnorr.ts';
import { badCode } from './ending.ts';
import type { RandomBytes } from '../relay/backoff.ts';

/** Raised with any change of the derivation. */
const SALT = 'nostr-sync/pair-code/1/';
/** scrypt's parameters (RFC 7914) and the length of what it gives: some 0.1 s and 32 MiB for each guess. */
const WORK: Work = { N: 2 ** 15, r: 8, p: 1, dkLen: SECRET_KEY_SEED_BYTES };

type Work = Readonly<Record<'N' | 'r' | 'p' | 'dkLen', number>>;

/** scrypt: a second of work on a phone, which must not stop a page. */
export type Scrypt = (password: Uint8Array, salt: Uint8Array, work: Work) => Promise<Uint8Array>;

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const DATA_CHARS = 10;
const CODE = new RegExp(`^[${ALPHABET}]{12}$`);

/** The first 10 bits of a hash: of a thousand typos one is not told at once. */
function checkOf(data: string): string {
  const [first = 0, second = 0] = sha256(utf8ToBytes(`${SALT}check/${data}`));
  return `${ALPHABET[first >> 3]}${ALPHABET[((first & 7) << 2) | (second >> 6)]}`;
}

/** A new code, as it is shown. */
export function createCode(randomBytes: RandomBytes): string {
  // 256 is a multiple of 32: no character is likelier than another.
  const data = Array.from(randomBytes(DATA_CHARS), (byte) => ALPHABET[byte & 31]).join('');
  return (data + checkOf(data)).replace(/(.{4})(?=.)/g, '$1-');
}

/**
 * The 10 characters of data of a code as a person types it: in any case, with or without dashes and spaces, I and L for 1, O for 0.
 * Throws `PAIRING_BAD_CODE`, which does not show the code.
 */
export function parseCode(text: string): string {
  const code = text.toUpperCase().replace(/[\s-]/g, '').replace(/[IL]/g, '1').replaceAll('O', '0');
  if (!CODE.test(code)) throw badCode('code: expected 12 letters and digits, as in XXXX-XXXX-XXXX');
  const data = code.slice(0, DATA_CHARS);
  if (data + checkOf(data) !== code) throw badCode('code: there is a typing error in it');
  return data;
}

/** The key of the mailbox of a code in an app, from the data of the code: 32 bytes. */
export async function mailboxKey(scrypt: Scrypt, data: string, namespace: string): Promise<Uint8Array> {
  const seed = await scrypt(utf8ToBytes(data), utf8ToBytes(`${SALT}${namespace}`), WORK);
  const key = secretKeyFromSeed(seed);
  seed.fill(0);
  return key;
}
