/** Genuine events in bulk, as the engine writes them. */

import { randomBytes } from 'node:crypto';
import { schnorr } from '@noble/curves/secp256k1.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { conversationKey, encrypt } from '../../dist/crypto/nip44.js';
import { nodePrimitives } from '../../dist/crypto/node-primitives.js';
import { publicKeyOf } from '../../dist/crypto/schnorr.js';
import { serializeEvent } from '../../dist/protocol/event.js';

export const NAMESPACE = 'bench';
export const categories = (count) => Array.from({ length: count }, (_, i) => `category-${i}`);
export const dTagOf = (category) => `${NAMESPACE}/${category}/v1`;

/** A typical settings object: some 200 bytes of JSON. */
export function smallPayload(i) {
  return {
    theme: i % 2 === 0 ? 'dark' : 'light',
    fontSize: 12 + (i % 8),
    sidebar: { open: true, width: 240 + i },
    recent: [`/notes/${i}.md`, `/notes/${i + 1}.md`],
    locale: 'de-CH',
    shortcuts: { save: 'ctrl+s', find: 'ctrl+f' },
    revision: i,
  };
}

/**
 * Signs with nonces that follow each other, ten times as fast as a careful signer. It gives the key away to anybody who
 * sees two signatures: for throw-away keys only.
 */
function createBulkSigner(secretKey, pubkey) {
  const { BASE, Fn } = schnorr.Point;
  const secret = Fn.fromBytes(secretKey);
  const isOdd = (BASE.multiply(secret).toAffine().y & 1n) === 1n;
  const d = isOdd ? Fn.neg(secret) : secret;
  let k = Fn.create(BigInt(`0x${randomBytes(31).toString('hex')}`) + 1n);
  let R = BASE.multiply(k);
  return (id) => {
    k = Fn.add(k, 1n);
    R = R.add(BASE);
    const { x, y } = R.toAffine();
    const r = x.toString(16).padStart(64, '0');
    const hash = schnorr.utils.taggedHash('BIP0340/challenge', hexToBytes(r + pubkey + id));
    const e = Fn.create(BigInt(`0x${bytesToHex(hash)}`));
    const s = Fn.add((y & 1n) === 0n ? k : Fn.neg(k), Fn.mul(e, d));
    return r + s.toString(16).padStart(64, '0');
  };
}

/** Makes events of one author: each call the next value of a category. */
export function createAuthor(secretKey) {
  const pubkey = publicKeyOf(secretKey);
  const sharedKey = conversationKey(secretKey, pubkey);
  const sign = createBulkSigner(secretKey, pubkey);
  const now = Math.floor(Date.now() / 1_000);

  /** `changes`: fields that are to be different; the id and the signature fit them. */
  function event(category, i = 0, changes = {}) {
    const createdAt = now - 100_000 + i;
    const unsigned = {
      kind: 30_078,
      created_at: createdAt,
      tags: [
        ['d', dTagOf(category)],
        ['device_id', '6f1c2a52-0b0e-4a5e-9b43-5b6f0c1d2e3f'],
        ['vv', `0a1b2c3d:${createdAt}`],
      ],
      content: encrypt(
        nodePrimitives,
        JSON.stringify(smallPayload(i)),
        sharedKey,
        new Uint8Array(randomBytes(32)),
      ),
      pubkey,
      ...changes,
    };
    const id = nodePrimitives.sha256Hex(serializeEvent(unsigned));
    return { ...unsigned, id, sig: sign(id) };
  }

  return { secretKey, pubkey, sharedKey, event };
}
