import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { nip19 } from 'nostr-tools';
import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import type { Signer } from '../../src/signer/signer.ts';
import { signerConformance } from '../../src/testing/signer-conformance.ts';

const secretHex = 'c0ffee'.repeat(10) + '0123';
const secretBytes = hexToBytes(secretHex);
const peer = '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798';
const template = { kind: 30_078, created_at: 1_767_225_600, tags: [['d', 'app/x/v1']], content: '…' };

/** Bytes that differ from call to call and from the key, and are the same in every run. */
function countingBytes(): (length: number) => Uint8Array {
  let calls = 0;
  return (length) => new Uint8Array(length).fill((calls += 1));
}

const createSigner = (key: Uint8Array | string = secretBytes): Signer =>
  createSecretKeySigner(nodePrimitives, countingBytes(), key);

describe('a secret key signer conforms', () => {
  test.each(signerConformance)('$name', async ({ run }) => {
    await run(createSigner());
  });
});

describe('the key', () => {
  test.each([
    ['bytes', secretBytes],
    ['hex', secretHex],
    ['hex in upper case', secretHex.toUpperCase()],
    ['an nsec', nip19.nsecEncode(secretBytes)],
  ])('may come as %s', async (_what, key) => {
    expect(await createSigner(key).getPublicKey()).toBe(await createSigner(secretHex).getPublicKey());
  });

  test('is copied: what happens to the bytes afterwards does not matter', async () => {
    const bytes = Uint8Array.from(secretBytes);
    const signer = createSigner(bytes);
    bytes.fill(0);
    const event = await signer.signEvent(template);
    expect(createEventVerifier(nodePrimitives).verifySignature(event)).toBe(true);
  });

  const nsec = nip19.nsecEncode(secretBytes);
  test.each([
    ['undefined', undefined, TypeError, 'undefined'],
    ['null', null, TypeError, 'null'],
    ['a bigint', BigInt(`0x${secretHex}`), TypeError, 'bigint'],
    ['an array of numbers', [...secretBytes], TypeError, 'object'],
    ['31 bytes', secretBytes.subarray(1), RangeError, '31 bytes'],
    ['33 bytes', new Uint8Array(33).fill(1), RangeError, '33 bytes'],
    ['0', new Uint8Array(32), RangeError, 'above 0'],
    ['a number above the order', 'ff'.repeat(32), RangeError, 'below the order'],
    ['half a hex key', secretHex.slice(32), RangeError, '32 characters'],
    ['hex with a prefix', `0x${secretHex}`, RangeError, '66 characters'],
    [
      'an nsec with a typing error',
      nsec.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q')),
      RangeError,
      '63 characters',
    ],
    ['an npub', nip19.npubEncode(peer), RangeError, '63 characters'],
  ])('is refused as %s, and the message tells nothing of it', (_what, key, type, got) => {
    let thrown: unknown;
    try {
      createSecretKeySigner(nodePrimitives, countingBytes(), key as string);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(type);
    const told = inspect(thrown, { depth: 9, showHidden: true }).replaceAll(/\n {4}at .*/g, '');
    expect(told).toContain('key must be');
    expect(told).toContain(got);
    for (const part of partsOf(key)) expect(told).not.toContain(part);
  });

  test('is in nothing that the signer prints', async () => {
    const signer = createSigner();
    await signer.nip44.encrypt(peer, 'x');
    const printed = [
      inspect(signer, { depth: 9, showHidden: true, getters: true }),
      JSON.stringify(signer),
      String(signer),
    ].join('\n');
    for (const part of partsOf(secretBytes)) expect(printed).not.toContain(part);
  });
});

/** Pieces of a key that would give it away, in the forms in which it could be printed. */
function partsOf(key: unknown): readonly string[] {
  if (typeof key === 'string') return [key.slice(0, 16), key.slice(-16)];
  if (typeof key === 'bigint') return [String(key).slice(0, 16)];
  if (!(key instanceof Uint8Array)) return Array.isArray(key) ? [key.slice(0, 4).join(', ')] : [];
  return [
    bytesToHex(key).slice(0, 16),
    [...key.subarray(0, 4)].join(', '),
    [...key.subarray(0, 4)].join(','),
  ];
}

describe('encryption', () => {
  test('two signers share one conversation', async () => {
    const [alice, bob] = [createSigner('01'.repeat(32)), createSigner('02'.repeat(32))];
    const [a, b] = await Promise.all([alice.getPublicKey(), bob.getPublicKey()]);
    expect(await bob.nip44.decrypt(a, await alice.nip44.encrypt(b, 'hello'))).toBe('hello');
  });

  test('changing peers back and forth keeps conversations apart', async () => {
    const signer = createSigner();
    const self = await signer.getPublicKey();
    const toSelf = await signer.nip44.encrypt(self, 'to self');
    const toPeer = await signer.nip44.encrypt(peer, 'to peer');
    expect(await signer.nip44.decrypt(self, toSelf)).toBe('to self');
    expect(await signer.nip44.decrypt(peer, toPeer)).toBe('to peer');
    await expect(signer.nip44.decrypt(peer, toSelf)).rejects.toThrow('invalid MAC');
  });

  test('an invalid peer rejects, and leaves the conversation with the last one', async () => {
    const signer = createSigner();
    const payload = await signer.nip44.encrypt(peer, 'x');
    await expect(signer.nip44.encrypt('ff'.repeat(32), 'x')).rejects.toThrow(Error);
    expect(await signer.nip44.decrypt(peer, payload)).toBe('x');
  });
});

describe('wipe', () => {
  test('makes every call reject with SIGNER_NOT_SET', async () => {
    const signer = createSigner();
    const payload = await signer.nip44.encrypt(peer, 'x');
    signer.wipe?.();
    for (const call of [
      () => signer.getPublicKey(),
      () => signer.signEvent(template),
      () => signer.nip44.encrypt(peer, 'x'),
      () => signer.nip44.decrypt(peer, payload),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    }
  });

  test('may be called twice', () => {
    const signer = createSigner();
    signer.wipe?.();
    expect(() => signer.wipe?.()).not.toThrow();
  });

  test('zeroes the keys that the signer held', async () => {
    const seen: Uint8Array[] = [];
    const spying = {
      ...nodePrimitives,
      hmacSha256: (key: Uint8Array, ...parts: Uint8Array[]) => {
        seen.push(key);
        return nodePrimitives.hmacSha256(key, ...parts);
      },
    };
    const copying = vi.spyOn(Uint8Array, 'from');
    const signer = createSecretKeySigner(spying, countingBytes(), secretBytes);
    const copy = copying.mock.results[0]?.value as Uint8Array;
    copying.mockRestore();
    await signer.nip44.encrypt(peer, 'x');
    const conversation = seen[0] ?? new Uint8Array();
    expect(copy).toEqual(secretBytes);
    expect(conversation.some((byte) => byte !== 0)).toBe(true);
    signer.wipe?.();
    expect(copy).toEqual(new Uint8Array(32));
    expect(conversation).toEqual(new Uint8Array(32));
  });
});
