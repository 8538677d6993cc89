/** What every implementation of the primitives must do, and NIP-44 on top of it. */

import { schnorr } from '@noble/curves/secp256k1.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { conversationKey, decrypt, encrypt, messageKeys } from '../../src/crypto/nip44.ts';
import type { Primitives } from '../../src/crypto/primitives.ts';
import { nip44Vectors } from './vectors.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const key = new Uint8Array(32).fill(3);
const nonce = new Uint8Array(32).fill(4);

/** A payload of any plaintext bytes and any length prefix, made without the code under test's own padding. */
function seal(primitives: Primitives, padded: Uint8Array, version = 2): string {
  const { chachaKey, chachaNonce, hmacKey } = messageKeys(primitives, key, nonce);
  const ciphertext = primitives.chacha20(chachaKey, chachaNonce, padded);
  const mac = primitives.hmacSha256(hmacKey, nonce, ciphertext);
  return Buffer.concat([Uint8Array.of(version), nonce, ciphertext, mac]).toString('base64');
}

/** `prefix`, `text` and zeros up to `paddedTo` bytes after the prefix. */
function padded(prefix: readonly number[], text: Uint8Array, paddedTo: number): Uint8Array {
  const bytes = new Uint8Array(prefix.length + paddedTo);
  bytes.set(prefix);
  bytes.set(text, prefix.length);
  return bytes;
}

const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);

export function testPrimitives(primitives: Primitives): void {
  describe('primitives', () => {
    test('sha256Hex hashes the UTF-8 bytes', () => {
      expect(primitives.sha256Hex('')).toBe(
        'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      );
      expect(primitives.sha256Hex('ä🦩')).toBe(sha256('ä🦩'));
    });

    test('hmacSha256 is that of RFC 4231, over all parts in their order', () => {
      const key = new TextEncoder().encode('Jefe');
      const parts = ['what do ya ', 'want ', 'for nothing?'].map((part) => new TextEncoder().encode(part));
      expect(bytesToHex(primitives.hmacSha256(key, ...parts))).toBe(
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      );
      const none = createHmac('sha256', key).digest('hex');
      expect(bytesToHex(primitives.hmacSha256(key))).toBe(none);
    });

    test('chacha20 starts at block 0, as in RFC 8439 appendix A.1', () => {
      const keystream = primitives.chacha20(new Uint8Array(32), new Uint8Array(12), new Uint8Array(128));
      expect(bytesToHex(keystream)).toBe(
        '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7' +
          'da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586' +
          '9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed' +
          '29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f',
      );
    });

    test('results are plain Uint8Arrays', () => {
      const bytes = new Uint8Array(32);
      for (const result of [
        primitives.hmacSha256(bytes),
        primitives.chacha20(bytes, new Uint8Array(12), bytes),
        primitives.base64Decode('AAAA'),
      ]) {
        expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype);
      }
    });

    test('base64 is that of RFC 4648', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          const text = primitives.base64Encode(bytes);
          expect(text).toBe(Buffer.from(bytes).toString('base64'));
          expect(primitives.base64Decode(text)).toEqual(bytes);
        }),
      );
    });

    test('base64Encode takes a view into a larger buffer', () => {
      expect(primitives.base64Encode(Uint8Array.of(1, 2, 3, 4, 5).subarray(1, 4))).toBe('AgME');
    });

    test.each([
      ['a missing padding', 'AA'],
      ['half a padding', 'AA='],
      ['too much padding', 'AAA=='],
      ['nothing but padding', '===='],
      ['padding in the middle', 'AA==AAAA'],
      ['a single digit', 'A'],
      ['trailing bits after one byte', 'AB=='],
      ['trailing bits after two bytes', 'AAB='],
      ['a space', 'AAAA AAAA'],
      ['a line feed at the end', 'AAAA\n'],
      ['a tab, with a length of 4', 'AAA\t'],
      ['a character of the URL alphabet', 'AA-_'],
      ['a character outside of ASCII', 'AAAÄ'],
      ['a character that is an A modulo 256', 'AAA\u0141'],
      ['a NUL', 'AAA\0'],
    ])('base64Decode refuses %s', (_what, text) => {
      expect(() => primitives.base64Decode(text)).toThrow();
    });

    test('base64Decode takes nothing that base64Encode would not have written', () => {
      const unit = fc.constantFrom(...'ABCgw019+/= \n-');
      fc.assert(
        fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
          let bytes: Uint8Array;
          try {
            bytes = primitives.base64Decode(text);
          } catch {
            expect(Buffer.from(text, 'base64').toString('base64')).not.toBe(text);
            return;
          }
          expect(primitives.base64Encode(bytes)).toBe(text);
        }),
        { numRuns: 2_000 },
      );
    });
  });
}

export function testNip44(primitives: Primitives): void {
  describe('NIP-44', () => {
    describe('official vectors', () => {
      const { valid, invalid } = nip44Vectors;

      test('message keys', () => {
        for (const { nonce, chacha_key, chacha_nonce, hmac_key } of valid.get_message_keys.keys) {
          const conversation = hexToBytes(valid.get_message_keys.conversation_key);
          const { chachaKey, chachaNonce, hmacKey } = messageKeys(
            primitives,
            conversation,
            hexToBytes(nonce),
          );
          const got = [chachaKey, chachaNonce, hmacKey].map((bytes) => bytesToHex(bytes));
          expect(got).toEqual([chacha_key, chacha_nonce, hmac_key]);
        }
      });

      test.each(valid.encrypt_decrypt)('encrypts and decrypts $payload', (vector) => {
        const theirs = bytesToHex(schnorr.getPublicKey(hexToBytes(vector.sec2)));
        const conversation = conversationKey(hexToBytes(vector.sec1), theirs);
        expect(bytesToHex(conversation)).toBe(vector.conversation_key);
        expect(encrypt(primitives, vector.plaintext, conversation, hexToBytes(vector.nonce))).toBe(
          vector.payload,
        );
        expect(decrypt(primitives, vector.payload, conversation)).toBe(vector.plaintext);
      });

      test.each(valid.encrypt_decrypt_long_msg)('encrypts and decrypts $pattern, $repeat times', (vector) => {
        const plaintext = vector.pattern.repeat(vector.repeat);
        const conversation = hexToBytes(vector.conversation_key);
        expect(sha256(plaintext)).toBe(vector.plaintext_sha256);
        const payload = encrypt(primitives, plaintext, conversation, hexToBytes(vector.nonce));
        expect(sha256(payload)).toBe(vector.payload_sha256);
        expect(decrypt(primitives, payload, conversation)).toBe(plaintext);
      });

      // Of these lengths all but 0 exceed what the 2-byte prefix can say; we never write the longer one.
      test.each(invalid.encrypt_msg_lengths)('does not encrypt %i bytes', (length) => {
        expect(() => encrypt(primitives, 'x'.repeat(length), key, nonce)).toThrow(RangeError);
      });

      test.each(invalid.decrypt)('does not decrypt: $note', ({ conversation_key, payload, note }) => {
        // Each implementation of base64 has its own words.
        const told = note === 'invalid base64' ? Error : note;
        expect(() => decrypt(primitives, payload, hexToBytes(conversation_key))).toThrow(told);
      });
    });

    test('whatever is encrypted is decrypted', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), (text) => {
          expect(decrypt(primitives, encrypt(primitives, text, key, nonce), key)).toBe(text);
        }),
      );
    });

    test('a leading U+FEFF is part of the text', () => {
      expect(decrypt(primitives, encrypt(primitives, '\ufeffx', key, nonce), key)).toBe('\ufeffx');
    });

    test('a change of any one bit is noticed', () => {
      const bytes = Buffer.from(encrypt(primitives, 'authenticated', key, nonce), 'base64');
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const changed = Uint8Array.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => decrypt(primitives, Buffer.from(changed).toString('base64'), key)).toThrow(
          'Cannot decrypt',
        );
      }
    });

    test('another key does not decrypt', () => {
      const payload = encrypt(primitives, 'x', key, nonce);
      expect(() => decrypt(primitives, payload, new Uint8Array(32))).toThrow('invalid MAC');
    });

    test('a nonce of the wrong length is refused', () => {
      expect(() => encrypt(primitives, 'x', key, nonce.subarray(1))).toThrow(RangeError);
    });

    test.each([
      ['65,536 bytes, the first with the longer prefix', 65_536, 65_536],
      ['65,537 bytes', 65_537, 81_920],
      ['409,600 bytes', 409_600, 458_752],
    ])('reads the longer prefix: %s', (_what, length, paddedTo) => {
      const text = 'x'.repeat(length);
      const payload = seal(primitives, padded([0, 0, ...u32(length)], Buffer.from(text), paddedTo));
      expect(decrypt(primitives, payload, key)).toBe(text);
    });

    test.each([
      [
        'the longer prefix where the short one will do',
        padded([0, 0, ...u32(65_535)], new Uint8Array(0), 65_536),
      ],
      ['the longer prefix with a length of 0', padded([0, 0, ...u32(0)], new Uint8Array(0), 32)],
      [
        'the longer prefix with a length beyond the payload',
        padded([0, 0, ...u32(2 ** 32 - 1)], new Uint8Array(0), 65_536),
      ],
      ['a length beyond the payload', padded([0, 33], new Uint8Array(0), 32)],
      ['a length with less padding than it must have', padded([0, 33], new Uint8Array(33), 33)],
      ['a length with more padding than it must have', padded([0, 32], new Uint8Array(32), 64)],
    ])('does not decrypt %s', (_what, bytes) => {
      expect(() => decrypt(primitives, seal(primitives, bytes), key)).toThrow('invalid padding');
    });

    test('does not decrypt what is not UTF-8', () => {
      const payload = seal(primitives, padded([0, 2], Uint8Array.of(0xc3, 0x28), 32));
      expect(() => decrypt(primitives, payload, key)).toThrow(TypeError);
    });

    test('does not decrypt another version, however authentic', () => {
      const bytes = padded([0, 1], Uint8Array.of(120), 32);
      expect(decrypt(primitives, seal(primitives, bytes), key)).toBe('x');
      expect(() => decrypt(primitives, seal(primitives, bytes, 1), key)).toThrow(
        'unknown encryption version 1',
      );
    });

    test('refuses what is too long before it does any work', () => {
      const refuseWork = (): never => {
        throw new Error('worked');
      };
      const idle: Primitives = {
        sha256Hex: refuseWork,
        hmacSha256: refuseWork,
        chacha20: refuseWork,
        base64Encode: refuseWork,
        base64Decode: refuseWork,
      };
      expect(() => decrypt(idle, 'A'.repeat(611_764), key)).toThrow('worked');
      expect(() => decrypt(idle, 'A'.repeat(611_768), key)).toThrow('invalid payload length');
    });
  });
}
