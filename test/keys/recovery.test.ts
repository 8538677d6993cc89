/** Keys as words: the vectors of BIP-39, what people type, and what an error tells of it. */

import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import fc from 'fast-check';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import type { AnyNostrSyncError } from '../../src/errors.ts';
import { generateKey } from '../../src/node.ts';
import { fromRecoveryPhrase, nearestWords, toRecoveryPhrase } from '../../src/keys/recovery.ts';

const KEY = '7f7ff03d123792d6ac594bfa67bf6d0c0ab55b6b1fdb6249303fe861f1ccba9a';
const WORDS =
  'legal zebra aunt caught junior hero ramp city whip digital swap blossom prize pumpkin property window girl end avocado speak business town tuna frog';

/** Of 32 bytes, by Trezor's vectors.json, to which BIP-39 refers. */
const VECTORS = [
  [
    '7f'.repeat(32),
    'legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title',
  ],
  [
    '80'.repeat(32),
    'letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless',
  ],
  [
    '68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c',
    'hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length',
  ],
  [
    '9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863',
    'panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol speed nation flash devote level hobby quick inner drive ghost inside',
  ],
  [
    '066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad',
    'all hour make first leader extend hole alien behind guard gospel lava path output census museum junior mass reopen famous sing advance salt reform',
  ],
  [
    'f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f',
    'void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space point ten exist slush involve unfold',
  ],
  [KEY, WORDS],
] as const;

function failureOf(text: string): AnyNostrSyncError {
  try {
    fromRecoveryPhrase(text);
  } catch (error) {
    return error as AnyNostrSyncError;
  }
  throw new Error('The words were taken');
}

const replaced = (position: number, word: string): string =>
  WORDS.split(' ')
    .with(position - 1, word)
    .join(' ');

test.each(VECTORS)('the words of %s are those of BIP-39', (hex, words) => {
  expect(toRecoveryPhrase(hexToBytes(hex))).toBe(words);
  expect(bytesToHex(fromRecoveryPhrase(words))).toBe(hex);
});

test('every key has the words that @scure/bip39 gives it, and comes back from them', () => {
  fc.assert(
    fc.property(fc.constant(undefined).map(generateKey), (key) => {
      expect(toRecoveryPhrase(key)).toBe(entropyToMnemonic(key, wordlist));
      expect(fromRecoveryPhrase(toRecoveryPhrase(key))).toEqual(key);
    }),
  );
});

test('24 words of the list are a key if @scure/bip39 says so, and no other', () => {
  const phrases = fc.array(fc.constantFrom(...wordlist), { minLength: 24, maxLength: 24 });
  const keyOr = (read: () => Uint8Array): string | undefined => {
    try {
      return bytesToHex(read());
    } catch {
      return undefined;
    }
  };
  let taken = 0;
  fc.assert(
    fc.property(phrases, (words) => {
      const found = keyOr(() => fromRecoveryPhrase(words.join(' ')));
      if (found !== undefined) taken++;
      expect(found).toBe(keyOr(() => mnemonicToEntropy(words.join(' '), wordlist)));
    }),
    { numRuns: 1_000, seed: 7 },
  );
  expect(taken).toBeGreaterThan(0);
});

test('words are taken as people write them down', () => {
  const words = WORDS.split(' ');
  for (const typed of [
    WORDS.toUpperCase(),
    `\n  ${words.join('  \n')}\t`,
    words.map((word, i) => `${i + 1}. ${word}`).join('\n'),
    words.map((word, i) => `${i + 1}.${word}`).join(' '),
    words.map((word, i) => `${i + 1}) ${word}`).join(', '),
    `${words.join(', ')}.`,
    words.map((word) => word.slice(0, 4)).join(' '),
    // As a keyboard for Chinese or Japanese writes Latin letters.
    WORDS.replaceAll(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)),
  ])
    expect(bytesToHex(fromRecoveryPhrase(typed))).toBe(KEY);
});

test('four letters are enough for each word, and no five are taken for another', () => {
  expect(new Set(wordlist.map((word) => word.slice(0, 4))).size).toBe(2_048);
  expect(failureOf(replaced(1, 'legalx'))).toMatchObject({ code: 'RECOVERY_WORD' });
  expect(failureOf(replaced(2, 'zeb'))).toMatchObject({ code: 'RECOVERY_WORD' });
});

test('a typo is found by its place, every one of them', () => {
  expect(failureOf(replaced(7, 'rampp'))).toMatchObject({
    code: 'RECOVERY_WORD',
    details: { positions: [7] },
    message: 'Cannot read the words: not in the list: 7',
  });
  expect(nearestWords(replaced(7, 'rampp'), 7)).toContain('ramp');
  const twice = replaced(24, 'fr0g').replace('legal', 'leggal');
  expect(failureOf(twice)).toMatchObject({ details: { positions: [1, 24] } });
});

test.each([
  ['a letter too many', 'rampp', 'ramp'],
  ['a letter too few', 'pupkin', 'pumpkin'],
  ['another letter', 'avocato', 'avocado'],
  ['two that have changed places', 'buisness', 'business'],
  ['a letter that is another by optical reading', 'B1ossom', 'blossom'],
])('%s: the word that was meant is among the few that are near', (_what, typed, meant) => {
  expect(nearestWords(typed)).toContain(meant);
  expect(nearestWords(typed).length).toBeLessThan(8);
});

test('a word of the list is near itself, and to nonsense none is', () => {
  expect(nearestWords('Frog')).toContain('frog');
  expect(nearestWords('xxxxxxxxxxxxxxxx')).toEqual([]);
  expect(nearestWords('')).toEqual([]);
  expect(nearestWords('frog', 2)).toEqual([]);
  expect(nearestWords('a'.repeat(1_000_000))).toEqual([]);
});

test.each([
  ['another word of the list', replaced(3, 'uncle')],
  ['two words that have changed places', WORDS.replace('legal zebra', 'zebra legal')],
])('%s does not fit the rest', (_what, typed) => {
  expect(failureOf(typed)).toMatchObject({ code: 'RECOVERY_CHECKSUM' });
});

test.each([
  ['none', '', 0],
  ['23', WORDS.slice(0, WORDS.lastIndexOf(' ')), 23],
  ['a wallet’s twelve', WORDS.split(' ').slice(12).join(' '), 12],
  ['25', `${WORDS} frog`, 25],
  ['a book', 'frog '.repeat(100_000), 100_000],
])('%s of 24 words are counted', (_what, typed, words) => {
  expect(failureOf(typed)).toMatchObject({ code: 'RECOVERY_LENGTH', details: { words } });
});

test('0 and what is not below the order of the curve are no keys, in either direction', () => {
  for (const phrase of [`${'abandon '.repeat(23)}art`, `${'zoo '.repeat(23)}vote`])
    expect(failureOf(phrase)).toMatchObject({ code: 'RECOVERY_CHECKSUM' });
  const order = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141';
  for (const hex of ['00'.repeat(32), order])
    expect(() => toRecoveryPhrase(hexToBytes(hex))).toThrow(RangeError);
  const last = hexToBytes(order.replace(/1$/, '0'));
  expect(fromRecoveryPhrase(toRecoveryPhrase(last))).toEqual(last);
});

test.each([
  ['a string as a key', () => toRecoveryPhrase(KEY as never), 'key must be a Uint8Array, got type string'],
  [
    '31 bytes',
    () => toRecoveryPhrase(new Uint8Array(31)),
    'key must be the 32 bytes of a secret key, got 31',
  ],
  [
    'bytes as words',
    () => fromRecoveryPhrase(hexToBytes(KEY) as never),
    'text must be a string, got type object',
  ],
])('%s is misuse, told without what was given', (_what, act, message) => {
  expect(act).toThrow(message);
  expect(act).not.toThrow(KEY.slice(0, 8));
});

test('no error holds a word', () => {
  for (const typed of [replaced(7, 'pumpkinn'), replaced(3, 'uncle'), WORDS.slice(6), `${WORDS} frog`]) {
    const text = inspect(failureOf(typed), { depth: 10, showHidden: true }).replace(/\n\s+at .*/g, '');
    for (const word of ['pumpkin', 'uncle', 'zebra', 'avocado', 'frog']) expect(text).not.toContain(word);
  }
});
