import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, test } from 'vitest';
import { publicKeyOf } from '../../src/crypto/schnorr.ts';
import { deriveSyncKey } from '../../src/signer/derive.ts';
import { readVectors } from '../crypto/vectors.ts';

interface DeriveVector {
  readonly secret: string;
  readonly namespace: string;
  readonly account: number;
  readonly key: string;
  readonly publicKey: string;
}

const vectors = JSON.parse(readVectors('derive.json')) as readonly DeriveVector[];
const secret = new Uint8Array(32).fill(1);

test.each(vectors)('$namespace/$account of $secret', ({ secret, namespace, account, key, publicKey }) => {
  const derived = deriveSyncKey(hexToBytes(secret), { namespace, account });
  expect(bytesToHex(derived)).toBe(key);
  expect(publicKeyOf(derived)).toBe(publicKey);
});

test('the secret is left as it was', () => {
  const copy = Uint8Array.from(secret);
  deriveSyncKey(copy, { namespace: 'app', account: 0 });
  expect(copy).toEqual(secret);
});

test('another namespace, account or secret gives another key', () => {
  const keys = [
    deriveSyncKey(secret, { namespace: 'app', account: 1 }),
    deriveSyncKey(secret, { namespace: 'app', account: 11 }),
    deriveSyncKey(secret, { namespace: 'app1', account: 1 }),
    deriveSyncKey(new Uint8Array(32).fill(2), { namespace: 'app', account: 1 }),
  ];
  expect(new Set(keys.map((key) => bytesToHex(key))).size).toBe(keys.length);
});

describe('refuses', () => {
  test.each([
    ['a string', 'correct horse battery staple', TypeError],
    ['nothing', undefined, TypeError],
    ['15 bytes', new Uint8Array(15), RangeError],
  ])('a secret of %s, and does not repeat it', (_what, secret, type) => {
    const derive = (): unknown => deriveSyncKey(secret as Uint8Array, { namespace: 'app', account: 0 });
    expect(derive).toThrow(type);
    expect(derive).not.toThrow(/horse/);
  });

  test.each(['', 'a/b', '/', 'a\n', '\0', 'a\x7F', 'a\uD800'])('namespace %j', (namespace) => {
    expect(() => deriveSyncKey(secret, { namespace, account: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_NAMESPACE' }),
    );
  });

  test.each([-1, 0.5, 2 ** 31, Number.NaN, Infinity, '0', undefined])('account %s', (account) => {
    expect(() => deriveSyncKey(secret, { namespace: 'app', account: account as number })).toThrow(RangeError);
  });
});
