import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import { conversationKey, paddedLength } from '../../src/crypto/nip44.ts';
import { nip44Vectors } from './vectors.ts';

describe('conversation keys', () => {
  const { valid, invalid } = nip44Vectors;

  test.each(valid.get_conversation_key)('$conversation_key', ({ sec1, pub2, conversation_key }) => {
    expect(bytesToHex(conversationKey(hexToBytes(sec1), pub2))).toBe(conversation_key);
  });

  test.each(invalid.get_conversation_key)('$note: refused', ({ sec1, pub2 }) => {
    expect(() => conversationKey(hexToBytes(sec1), pub2)).toThrow(Error);
  });

  test.each(['', '02', 'G'.repeat(64), 'AB'.repeat(32), 'ab'.repeat(33)])(
    'public key "%s": refused',
    (peer) => {
      expect(() => conversationKey(new Uint8Array(32).fill(1), peer)).toThrow('public key');
    },
  );

  test('a secret key of another length is refused', () => {
    const peer = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';
    for (const length of [0, 31, 33]) {
      expect(() => conversationKey(new Uint8Array(length).fill(1), peer)).toThrow(Error);
    }
  });

  test('errors do not tell the secret key', () => {
    const secret = new Uint8Array(32).fill(0xff);
    const peer = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';
    let told = '';
    try {
      conversationKey(secret, peer);
    } catch (error) {
      told = String(error);
    }
    expect(told).not.toBe('');
    expect(told).not.toMatch(/ffff|255|1157920892/i);
  });
});

describe('padding', () => {
  test.each(nip44Vectors.valid.calc_padded_len)('%i bytes pad to %i', (length, expected) => {
    expect(paddedLength(length)).toBe(expected);
  });

  // From 2 ** 31 + 1 on, the next power of two no longer fits into 32 bits.
  test('lengths of the longer prefix pad to what 32 bits cannot hold', () => {
    expect(paddedLength(2 ** 31)).toBe(2 ** 31);
    expect(paddedLength(2 ** 31 + 1)).toBe(2 ** 31 + 2 ** 29);
    expect(paddedLength(2 ** 32 - 1)).toBe(2 ** 32);
  });
});
