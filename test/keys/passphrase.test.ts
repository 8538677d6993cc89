/** Keys under a passphrase (NIP-49): the vector of the NIP, nostr-tools as the other side, and what is refused before any work. */

import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { bech32 } from '@scure/base';
import { decrypt, encrypt } from 'nostr-tools/nip49';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { openNcryptsec, parseNcryptsec, sealNcryptsec } from '../../src/crypto/ncryptsec.ts';
import type { AnyNostrSyncError } from '../../src/errors.ts';
import { fromNcryptsec, toNcryptsec } from '../../src/keys/passphrase.ts';

/** Of the NIP: passphrase `nostr`, log_n 16. */
const NIP49 =
  'ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm8623nsl8xn9j4jdzz84zm3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p';
const NIP49_KEY = '3501454135014541350145413501453fefb02227e449e57cf4d3a3ce05378683';
const KEY = hexToBytes('7f7ff03d123792d6ac594bfa67bf6d0c0ab55b6b1fdb6249303fe861f1ccba9a');
const PASSPHRASE = 'correct horse battery staple';

const failure = async (call: Promise<unknown>): Promise<AnyNostrSyncError> =>
  call.then(
    () => expect.fail('It was taken'),
    (error: unknown) => error as AnyNostrSyncError,
  );

/** The NIP's ncryptsec with some bytes changed, and a checksum that fits. */
function changed(change: (bytes: Uint8Array) => void): string {
  const bytes = bech32.fromWords(bech32.decode(NIP49, 1_000).words);
  change(bytes);
  return bech32.encode('ncryptsec', bech32.toWords(bytes), 1_000);
}

test('the vector of the NIP is read, and written byte for byte', { timeout: 90_000 }, async () => {
  expect(bytesToHex(await fromNcryptsec(NIP49, 'nostr'))).toBe(NIP49_KEY);
  expect(bytesToHex(await fromNcryptsec(NIP49.toUpperCase(), 'nostr'))).toBe(NIP49_KEY);
  const box = parseNcryptsec(NIP49)!;
  expect(box).toMatchObject({ version: 2, logN: 16 });
  expect(await sealNcryptsec(hexToBytes(NIP49_KEY), 'nostr', box)).toBe(NIP49);
});

test('nostr-tools reads what is written here', { timeout: 90_000 }, async () => {
  const text = await toNcryptsec(KEY, PASSPHRASE);
  expect(text).toMatch(/^ncryptsec1[02-9ac-hj-np-z]{152}$/);
  expect(parseNcryptsec(text)).toMatchObject({ version: 2, logN: 16, security: Uint8Array.of(2) });
  expect(decrypt(text, PASSPHRASE)).toEqual(KEY);
  expect(await toNcryptsec(KEY, PASSPHRASE)).not.toBe(text);
});

test.each([
  [1, 0],
  [4, 1],
  [10, 2],
] as const)(
  'what nostr-tools writes is read here: log_n %i, key security byte %i',
  async (logN, security) => {
    const text = encrypt(KEY, PASSPHRASE, logN, security);
    expect(await fromNcryptsec(text, PASSPHRASE)).toEqual(KEY);
  },
);

test('one passphrase typed in two ways is one: NFKC, as the NIP says', async () => {
  const typed = '\u212B\u2126\u1E9B\u0323';
  const normal = '\u00C5\u03A9\u1E69';
  expect(typed).not.toBe(normal);
  expect(await fromNcryptsec(encrypt(KEY, typed, 2), normal)).toEqual(KEY);
  expect(await fromNcryptsec(encrypt(KEY, normal, 2), typed)).toEqual(KEY);
});

test.each(['nostr ', 'Nostr', '', 'nostrnostr'])('the passphrase %j is another one', async (passphrase) => {
  const text = encrypt(KEY, 'nostr', 2);
  expect(await failure(fromNcryptsec(text, passphrase))).toMatchObject({ code: 'WRONG_PASSPHRASE' });
});

test.each([
  ['nothing', ''],
  ['an nsec', bech32.encodeFromBytes('nsec', KEY)],
  ['one letter changed', NIP49.replace('qgg9947', 'qgg9948')],
  ['one letter too few', NIP49.slice(0, -1)],
  ['upper and lower case mixed', NIP49.replace('qgg', 'QGG')],
  ['a letter that bech32 has not', NIP49.replace('qgg', 'qbg')],
  ['fewer bytes', bech32.encode('ncryptsec', bech32.toWords(new Uint8Array(90)), 1_000)],
  ['a version of the future', changed((bytes) => bytes.fill(3, 0, 1))],
])('%s is no ncryptsec', async (_what, text) => {
  expect(await failure(fromNcryptsec(text, 'nostr'))).toMatchObject({ code: 'NCRYPTSEC_INVALID' });
});

test.each([0, 21, 22, 63, 255])(
  'one that asks for 2^%i rounds is refused before any of them',
  async (logN) => {
    const start = performance.now();
    const refused = failure(
      fromNcryptsec(
        changed((bytes) => bytes.fill(logN, 1, 2)),
        'nostr',
      ),
    );
    expect(await refused).toMatchObject({ code: 'NCRYPTSEC_TOO_COSTLY', details: { logN, max: 20 } });
    expect(performance.now() - start).toBeLessThan(1_000);
  },
);

test('what is in it and is no key is not handed out', async () => {
  const terms = { ...parseNcryptsec(NIP49)!, logN: 2 };
  for (const number of [new Uint8Array(32), new Uint8Array(32).fill(255)]) {
    const text = await sealNcryptsec(number, 'nostr', terms);
    expect(await openNcryptsec(parseNcryptsec(text)!, 'nostr')).toEqual(number);
    expect(await failure(fromNcryptsec(text, 'nostr'))).toMatchObject({ code: 'INVALID_KEY' });
  }
});

test.each([
  ['no bytes', () => toNcryptsec('ab' as never, 'x'), 'key must be a Uint8Array, got type string'],
  [
    '31 bytes',
    () => toNcryptsec(new Uint8Array(31), 'x'),
    'key must be the 32 bytes of a secret key, got 31',
  ],
  ['0', () => toNcryptsec(new Uint8Array(32), 'x'), 'key must be the 32 bytes of a secret key, got 32'],
  [
    'no passphrase',
    () => toNcryptsec(KEY, undefined as never),
    'passphrase must be a string, got type undefined',
  ],
  ['an empty one', () => toNcryptsec(KEY, ''), 'passphrase must not be empty'],
  ['half a character', () => toNcryptsec(KEY, 'a\uD800'), 'lone surrogate'],
  ['a book', () => fromNcryptsec(NIP49, 'x'.repeat(1_025)), 'at most 1024 characters, got 1025'],
  ['too little work', () => toNcryptsec(KEY, 'x', { logN: 15 }), 'an integer from 16 to 20, got 15'],
  ['too much work', () => toNcryptsec(KEY, 'x', { logN: 21 }), 'an integer from 16 to 20, got 21'],
  ['half a step', () => toNcryptsec(KEY, 'x', { logN: 16.5 }), 'got 16.5'],
  ['bytes as text', () => fromNcryptsec(KEY as never, 'x'), 'ncryptsec must be a string, got type object'],
])('%s is misuse', async (_what, act, message) => {
  await expect(act()).rejects.toThrow(message);
});

test('no error holds the key, the passphrase or the text', async () => {
  const text = encrypt(KEY, PASSPHRASE, 2);
  const errors = await Promise.all([
    failure(fromNcryptsec(text, `${PASSPHRASE}x`)),
    failure(fromNcryptsec(`${text}q`, PASSPHRASE)),
    failure(toNcryptsec(KEY, `${PASSPHRASE}\uDC00`)),
  ]);
  expect(inspect(errors, { depth: 10, showHidden: true })).not.toMatch(/horse|ncryptsec1|7f7ff03d/);
});
