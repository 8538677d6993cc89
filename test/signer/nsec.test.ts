/** Keys as text: against @scure/base, and what is no key. */

import { bech32 } from '@scure/base';
import fc from 'fast-check';
import { generateKey, nsecDecode, nsecEncode, secretKeySigner } from 'nostr-sync';
import { expect, test } from 'vitest';

test('every key is written as the reference writes it, and read back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      const nsec = nsecEncode(key);
      expect(nsec).toBe(bech32.encodeFromBytes('nsec', key));
      expect(nsecDecode(nsec)).toEqual(key);
    }),
  );
});

test('a generated key is new each time, and one that a signer takes, as bytes and as text', async () => {
  const [one, other] = [generateKey(), generateKey()];
  expect(one).not.toEqual(other);
  const pubkeys = [secretKeySigner(one), secretKeySigner(nsecEncode(one))].map(async (signer) =>
    signer.getPublicKey(),
  );
  expect(new Set(await Promise.all(pubkeys)).size).toBe(1);
});

test.each([
  ['a string as bytes', () => nsecEncode('ab' as never), /must be a Uint8Array, got type string/],
  ['31 bytes', () => nsecEncode(new Uint8Array(31)), /must be 32 bytes, got 31/],
  ['bytes as text', () => nsecDecode(new Uint8Array(32) as never), /must be a string, got type object/],
  ['an npub', () => nsecDecode(bech32.encodeFromBytes('npub', new Uint8Array(32))), /got a string of 63/],
])('%s is refused, and nothing of it is told', (_what, act, message) => {
  expect(act).toThrow(message);
  expect(act).not.toThrow(/npub1/);
});
