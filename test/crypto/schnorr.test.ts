import { schnorr } from '@noble/curves/secp256k1.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSchnorrVerifier, publicKeyOf, secretKeyFromSeed, sign } from '../../src/crypto/schnorr.ts';
import { bip340Vectors } from './vectors.ts';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const FIELD = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn;
const hex = (value: bigint): string => value.toString(16).padStart(64, '0');

/** More verifications of one author than its table waits for. */
const WARM_UP = 20;

describe('BIP-340 vectors', () => {
  test.each(bip340Vectors)(
    '$index: verified as $isValid $comment',
    ({ signature, message, publicKey, isValid }) => {
      const verify = createSchnorrVerifier();
      for (let time = 0; time < WARM_UP; time += 1)
        expect(verify(signature, message, publicKey)).toBe(isValid);
    },
  );

  test.each(bip340Vectors.filter(({ secretKey }) => secretKey !== ''))('$index: signed', (vector) => {
    const secretKey = hexToBytes(vector.secretKey);
    expect(publicKeyOf(secretKey)).toBe(vector.publicKey);
    expect(sign(vector.message, secretKey, hexToBytes(vector.auxRand))).toBe(vector.signature);
  });

  test('one verifier for all authors in turn', () => {
    const verify = createSchnorrVerifier();
    for (let round = 0; round < 3; round += 1) {
      for (const { signature, message, publicKey, isValid } of bip340Vectors) {
        expect(verify(signature, message, publicKey)).toBe(isValid);
      }
    }
  });
});

describe('the verifier', () => {
  const secretKey = new Uint8Array(32).fill(7);
  const publicKey = publicKeyOf(secretKey);
  const message = 'ab'.repeat(32);
  const signature = sign(message, secretKey, new Uint8Array(32));
  const [r, s] = [signature.slice(0, 64), signature.slice(64)];

  /** Once as on the first event of an author, once with its table. */
  const verifiers = [createSchnorrVerifier(), createSchnorrVerifier()] as const;
  for (let time = 0; time < WARM_UP; time += 1) verifiers[1](signature, message, publicKey);
  const verifyBoth = (...args: Parameters<(typeof verifiers)[0]>): boolean => {
    const [cold, warm] = verifiers.map((verify) => verify(...args));
    expect(cold).toBe(warm);
    return warm ?? false;
  };

  test('agrees with noble on signatures with any one bit changed', () => {
    expect(verifyBoth(signature, message, publicKey)).toBe(true);
    const bits = fc.integer({ min: 0, max: 64 * 8 - 1 });
    fc.assert(
      fc.property(bits, (bit) => {
        const bytes = hexToBytes(signature);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(verifyBoth(bytesToHex(bytes), message, publicKey)).toBe(false);
        expect(schnorr.verify(bytes, hexToBytes(message), hexToBytes(publicKey))).toBe(false);
      }),
    );
  });

  test('signatures of any key and message are valid, and only of them', () => {
    const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const anyMessage = fc.uint8Array({ maxLength: 80 }).map((bytes) => bytesToHex(bytes));
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 48, maxLength: 48 }),
        anyMessage,
        bytes32,
        (seed, text, auxRand) => {
          const key = secretKeyFromSeed(seed);
          const made = sign(text, key, auxRand);
          const verify = createSchnorrVerifier();
          expect(verify(made, text, publicKeyOf(key))).toBe(true);
          expect(verify(made, `${text}00`, publicKeyOf(key))).toBe(false);
          expect(verify(made, text, publicKey)).toBe(false);
        },
      ),
      { numRuns: 30 },
    );
  });

  test.each([
    ['r + p where that fits into 32 bytes', hex(FIELD) + s, message, publicKey],
    ['s = n', r + hex(ORDER), message, publicKey],
    [
      's + n, which is the same number modulo n',
      r + hex(BigInt(`0x${s}`) + ORDER).slice(-64),
      message,
      publicKey,
    ],
    ['r = 0', hex(0n) + s, message, publicKey],
    ['s = 0', r + hex(0n), message, publicKey],
    ['-s', r + hex(ORDER - BigInt(`0x${s}`)), message, publicKey],
    ['a public key of 0', signature, message, hex(0n)],
    ['a public key of p', signature, message, hex(FIELD)],
    ['an empty signature', '', message, publicKey],
    ['a signature that is too short', signature.slice(2), message, publicKey],
    ['a signature that is too long', `${signature}00`, message, publicKey],
    ['a signature in upper case', signature.toUpperCase(), message, publicKey],
    ['a public key in upper case', signature, message, publicKey.toUpperCase()],
    ['a message in upper case', signature, message.toUpperCase(), publicKey],
    ['a message of half bytes', signature, message.slice(1), publicKey],
    ['a line feed after the signature', `${signature}\n`, message, publicKey],
    ['a line feed after the message', signature, `${message}\n`, publicKey],
    ['a public key with a sign byte', signature, message, `02${publicKey}`],
  ])('refuses %s', (_what, signature, message, publicKey) => {
    expect(verifyBoth(signature, message, publicKey)).toBe(false);
  });

  test('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (...args) => {
        expect(verifyBoth(...(args as [string, string, string]))).toBe(false);
      }),
    );
    const inArrays = [[signature], [message], [publicKey]] as unknown as [string, string, string];
    expect(verifyBoth(...inArrays)).toBe(false);
  });

  test('a signature whose R is the point at infinity is refused', () => {
    // s·G - e·P is infinite when s = e·d; the challenge does not depend on s, so that s can be computed.
    const challenge = schnorr.utils.taggedHash('BIP0340/challenge', hexToBytes(r + publicKey + message));
    const { Fn, BASE } = schnorr.Point;
    const secret = Fn.fromBytes(secretKey);
    const d = BASE.multiply(secret).y % 2n === 0n ? secret : Fn.neg(secret);
    const e = Fn.create(BigInt(`0x${bytesToHex(challenge)}`));
    expect(verifyBoth(r + hex(Fn.mul(e, d)), message, publicKey)).toBe(false);
  });
});

describe('secret keys', () => {
  test.each([
    ['0', hex(0n)],
    ['the order', hex(ORDER)],
    ['the largest number', 'ff'.repeat(32)],
    ['31 bytes', '01'.repeat(31)],
    ['33 bytes', '01'.repeat(33)],
  ])('%s is none', (_what, key) => {
    expect(() => publicKeyOf(hexToBytes(key))).toThrow(Error);
    expect(() => sign('ab'.repeat(32), hexToBytes(key), new Uint8Array(32))).toThrow(Error);
  });

  test.each([
    ['zeros', 0n, 1n],
    ['n - 2', ORDER - 2n, ORDER - 1n],
    ['n - 1', ORDER - 1n, 1n],
    ['n', ORDER, 2n],
  ])('a seed of %s makes a valid one', (_what, seed, key) => {
    const bytes = hexToBytes(seed.toString(16).padStart(96, '0'));
    expect(bytesToHex(secretKeyFromSeed(bytes))).toBe(hex(key));
  });
});
