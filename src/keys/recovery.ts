/** `nostr-sync/recovery`: a key as 24 English words (BIP-39) to write down. The words are the key itself, not a seed of one. */

import { sha256 } from '@noble/hashes/sha2.js';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { NostrSyncError } from '../errors.ts';
import { checkedKey, isSecretKey } from '../crypto/key-bytes.ts';

const WORDS = 24;
/** The first four letters tell every word of the list from all others. */
const SHORT_LETTERS = 4;
/** The longest of the list has 8. */
const MAX_WORD_LENGTH = 12;

/**
 * The 24 words of a key, in lower case with a space between each two. They are no wallet's phrase: say so where you show
 * them. Throws `TypeError` or `RangeError` if `key` is not 32 bytes above 0 and below the order of secp256k1.
 */
export function toRecoveryPhrase(key: Uint8Array): string {
  return phraseOf(checkedKey(key, 'write words'));
}

/**
 * The 32-byte key of 24 words. Takes upper case, line breaks, commas, the words' numbers, and words cut to four letters.
 *
 * `RECOVERY_LENGTH`: not 24 words. `RECOVERY_WORD`: some are not in the list; `details.positions` says which, from 1, and
 * `nearestWords` what they may have been. `RECOVERY_CHECKSUM`: all are in the list, and together they are no key: one is
 * another than was written down, or two have changed places.
 * No error holds a word. `TypeError` if `text` is no string.
 */
export function fromRecoveryPhrase(text: string): Uint8Array {
  const typed = wordsOf(text);
  if (typed.length !== WORDS)
    throw new NostrSyncError(
      'RECOVERY_LENGTH',
      `Cannot read the words: expected ${WORDS}, got ${typed.length}`,
      {
        details: { words: typed.length },
      },
    );
  const found = typed.map(listed);
  const positions = found.flatMap((word, i) => (word === undefined ? [i + 1] : []));
  if (positions.length > 0)
    throw new NostrSyncError(
      'RECOVERY_WORD',
      `Cannot read the words: not in the list: ${positions.join(', ')}`,
      {
        details: { positions },
      },
    );
  // The first 256 bits, of 11 a word. The 8 that follow are a checksum: it fits if the key has these words.
  const bits = found.map((word) => wordlist.indexOf(word!).toString(2).padStart(11, '0')).join('');
  const key = Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(bits.slice(8 * i, 8 * i + 8), 2));
  if (phraseOf(key) === found.join(' ') && isSecretKey(key)) return key;
  throw new NostrSyncError('RECOVERY_CHECKSUM', 'Cannot read the words: one is wrong, or two are swapped');
}

/**
 * The words of the list that word number `position` of `text` may have been meant to be: a letter or two are different, too many, too few
 * or swapped.
 */
export function nearestWords(text: string, position = 1): readonly string[] {
  const own = shortened(wordsOf(text)[position - 1]?.slice(0, MAX_WORD_LENGTH) ?? '');
  return wordlist.filter((word) => shortened(word).some((part) => own.includes(part)));
}

/**
 * BIP-39: 11 bits a word, of the key and the first byte of its SHA-256. The library's own way would be a twentieth more for an app to load.
 */
function phraseOf(key: Uint8Array): string {
  const bytes = [...key, sha256(key)[0]!];
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits
    .match(/.{11}/g)!
    .map((index) => wordlist[Number.parseInt(index, 2)])
    .join(' ');
}

function wordsOf(text: unknown): string[] {
  if (typeof text !== 'string')
    throw new TypeError(`Cannot read the words: text must be a string, got type ${typeof text}`);
  const parts = text
    .normalize('NFKC')
    .toLowerCase()
    .split(/[\s,;|.):]+/);
  // Not the numbers before the words.
  return parts.filter((part) => /\D/.test(part));
}

/** The word of the list that this is, or of which it is the first four letters. */
function listed(typed: string): string | undefined {
  return wordlist.find((word) => typed === word || typed === word.slice(0, SHORT_LETTERS));
}

/** The word, and what is left of it without one of its letters. */
function shortened(word: string): string[] {
  return [word, ...Array.from(word, (_, i) => word.slice(0, i) + word.slice(i + 1))];
}
