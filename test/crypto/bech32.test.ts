/** Our reading of an nsec against @scure/base, on valid, damaged and odd ones. */

import { bech32 } from '@scure/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeNsec } from '../../src/crypto/bech32.ts';

function reference(text: string): Uint8Array | undefined {
  try {
    const { prefix, bytes } = bech32.decodeToBytes(text);
    return prefix === 'nsec' && bytes.length === 32 ? bytes : undefined;
  } catch {
    return undefined;
  }
}

const nsecs = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => bech32.encodeFromBytes('nsec', bytes));

test("NIP-19's own example", () => {
  const bytes = decodeNsec('nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5');
  expect(Buffer.from(bytes!).toString('hex')).toBe(
    '67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa',
  );
});

test('every nsec is read, in lower and in upper case', () => {
  fc.assert(
    fc.property(nsecs, (nsec) => {
      expect(decodeNsec(nsec)).toEqual(reference(nsec));
      expect(decodeNsec(nsec.toUpperCase())).toEqual(reference(nsec));
    }),
  );
});

test('a changed character, another prefix, another length and mixed case are refused as the reference refuses them', () => {
  const damaged = fc
    .tuple(nsecs, fc.nat(62), fc.constantFrom(...'qpzry9x8gf2tvdw0s3jn54khce6mua7lb1oNQ '))
    .map(([nsec, at, character]) => nsec.slice(0, at) + character + nsec.slice(at + 1));
  const others = fc
    .tuple(fc.constantFrom('npub', 'nsec', 'n'), fc.uint8Array({ minLength: 30, maxLength: 34 }))
    .map(([prefix, bytes]) => bech32.encodeFromBytes(prefix, bytes));
  fc.assert(
    fc.property(fc.oneof(damaged, others, fc.string()), (text) => {
      expect(decodeNsec(text)).toEqual(reference(text));
    }),
    { numRuns: 500 },
  );
});

test('bits beyond the key must be zero', () => {
  const words = [...bech32.toWords(new Uint8Array(32))];
  words[51] = 1;
  const text = bech32.encode('nsec', words);
  expect(reference(text)).toBeUndefined();
  expect(decodeNsec(text)).toBeUndefined();
});
