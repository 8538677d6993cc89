/** NIP-44 against two implementations that nobody here wrote: what each writes the others read, to the byte. */

import {
  loadWasmSync,
  NIP44Version,
  nip44Decrypt,
  nip44Encrypt,
  PublicKey,
  SecretKey,
} from '@rust-nostr/nostr-sdk';
import { bytesToHex } from '@noble/hashes/utils.js';
import * as theirs from 'nostr-tools/nip44';
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { conversationKey, decrypt, encrypt, paddedLength } from '../../src/crypto/nip44.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { noblePrimitives } from '../../src/crypto/noble-primitives.ts';
import { publicKeyOf } from '../../src/crypto/schnorr.ts';

const PAYLOADS = 1_000;
const MAX_RUST_PLAINTEXT_BYTES = 65_408;

const secretKey = bytesOf('secret key', 32);
const peer = publicKeyOf(bytesOf('peer', 32));
const key = conversationKey(secretKey, peer);

/** The same bytes in every run, unlike those of any other label. */
function bytesOf(label: string, length: number): Uint8Array {
  return createHash('shake256', { outputLength: length }).update(label).digest();
}

/** Text of `index`: 1 to 400 characters of one to four bytes each, long ones rare. */
function textOf(index: number): string {
  const bytes = bytesOf(`text ${index}`, 1 + ((index * 7_919) % 400));
  const alphabet = [
    'a',
    '"',
    '\\',
    '\n',
    '\0',
    '\u007f',
    'ä',
    'ß',
    '\u07ff',
    '\u0800',
    '好',
    '\uffff',
    '🦩',
    '👩‍👧',
    '\u{10ffff}',
  ];
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('');
}

/** The lengths at which the padding grows, and those right after. */
function paddingBorders(): readonly number[] {
  const borders = [1];
  for (let length = 1; length < MAX_RUST_PLAINTEXT_BYTES; length += 1) {
    if (paddedLength(length) !== paddedLength(length + 1)) borders.push(length, length + 1);
  }
  return [...borders, MAX_RUST_PLAINTEXT_BYTES];
}

describe('nostr-tools', () => {
  test('derives the same conversation keys', () => {
    for (let index = 0; index < 50; index += 1) {
      const secret = bytesOf(`secret ${index}`, 32);
      const other = publicKeyOf(bytesOf(`other ${index}`, 32));
      expect(bytesToHex(conversationKey(secret, other))).toBe(
        bytesToHex(theirs.getConversationKey(secret, other)),
      );
    }
  });

  test.each([
    ['node', nodePrimitives],
    ['noble', noblePrimitives],
  ])(`writes the same ${PAYLOADS} payloads and reads ours (%s)`, (_name, primitives) => {
    for (let index = 0; index < PAYLOADS; index += 1) {
      const text = textOf(index);
      const nonce = bytesOf(`nonce ${index}`, 32);
      const payload = encrypt(primitives, text, key, nonce);
      expect(payload).toBe(theirs.encrypt(text, key, nonce));
      expect(theirs.decrypt(payload, key)).toBe(text);
      expect(decrypt(primitives, payload, key)).toBe(text);
    }
  });

  test('pads alike at every border', () => {
    for (const length of paddingBorders()) {
      const text = 'x'.repeat(length);
      const nonce = bytesOf(`border ${length}`, 32);
      expect(encrypt(nodePrimitives, text, key, nonce) === theirs.encrypt(text, key, nonce)).toBe(true);
    }
    for (let length = 1; length < 500_000; length += 1) {
      const expected = theirs.v2.utils.calcPaddedLen(length);
      if (paddedLength(length) !== expected) expect.fail(`${length} bytes pad to ${expected}`);
    }
  });

  test.each([65_536, 65_537, 131_073, 409_600])(
    'writes the longer prefix for %i bytes, and we read it',
    (length) => {
      const text = 'x'.repeat(length);
      expect(decrypt(nodePrimitives, theirs.encrypt(text, key), key) === text).toBe(true);
    },
  );
});

describe('the Rust implementation', () => {
  let secret: SecretKey;
  let author: PublicKey;
  const rustEncrypt = (text: string): string => nip44Encrypt(secret, author, text, NIP44Version.V2);
  const rustDecrypt = (payload: string): string => nip44Decrypt(secret, author, payload);

  beforeAll(() => {
    loadWasmSync();
    secret = SecretKey.parse(bytesToHex(secretKey));
    author = PublicKey.parse(peer);
  });

  test(`${PAYLOADS} payloads in both directions`, { timeout: 60_000 }, () => {
    for (let index = 0; index < PAYLOADS; index += 1) {
      const text = textOf(index);
      expect(rustDecrypt(encrypt(nodePrimitives, text, key, bytesOf(`nonce ${index}`, 32)))).toBe(text);
      expect(decrypt(nodePrimitives, rustEncrypt(text), key)).toBe(text);
    }
  });

  test('every border of the padding, up to the most that it can encrypt', () => {
    for (const length of paddingBorders()) {
      const text = 'x'.repeat(length);
      const fromRust = rustEncrypt(text);
      const ours = encrypt(nodePrimitives, text, key, bytesOf(`border ${length}`, 32));
      expect(fromRust).toHaveLength(ours.length);
      expect(decrypt(nodePrimitives, fromRust, key) === text).toBe(true);
      expect(rustDecrypt(ours) === text).toBe(true);
    }
    expect(() => rustEncrypt('x'.repeat(MAX_RUST_PLAINTEXT_BYTES + 1))).toThrow('too long');
  });

  test('a leading U+FEFF survives both ways', () => {
    expect(rustDecrypt(encrypt(nodePrimitives, '\ufeffx', key, bytesOf('mark', 32)))).toBe('\ufeffx');
    expect(decrypt(nodePrimitives, rustEncrypt('\ufeffx'), key)).toBe('\ufeffx');
  });
});
