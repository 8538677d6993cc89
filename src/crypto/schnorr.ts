/** BIP-340 signatures. All events of one user have one author, so the verifier keeps that author's tables. */

import { schnorr } from '@noble/curves/secp256k1.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

/**
 * Whether `signature` (64 bytes) of `message` (any length) by `publicKey` (32 bytes, x-only) is valid; all lower-case hex.
 * Never throws: whatever is malformed is not valid.
 */
export type SchnorrVerifier = (signature: string, message: string, publicKey: string) => boolean;

const SIGNATURE = /^[0-9a-f]{128}$/;
const PUBLIC_KEY = /^[0-9a-f]{64}$/;
const BYTES = /^(?:[0-9a-f]{2})*$/;

/**
 * Tables of multiples make a verification three times as fast, and cost as much as many verifications. So they grow with the
 * number of events of one author in a row. A few events stay cheap, a device that starts with a hundred does not wait for a
 * table that pays only for thousands, and a relay that varies the author gains nothing.
 */
const TABLES = [
  { verifications: 16, windowBits: 6 },
  { verifications: 512, windowBits: 8 },
] as const;
/** What noble's table of the base point has. */
const BASE_WINDOW_BITS = 6;

/** A seed longer than a key by half leaves no measurable bias after the reduction. */
export const SECRET_KEY_SEED_BYTES = 48;

type Point = ReturnType<typeof schnorr.utils.lift_x>;

/** The x-only public key of `secretKey` (32 bytes), lower-case hex. Throws when the key is 0 or not below the curve's order. */
export function publicKeyOf(secretKey: Uint8Array): string {
  return bytesToHex(schnorr.getPublicKey(secretKey));
}

/** A secret key that is always valid, from 48 uniform bytes: as a big-endian number, modulo n - 1, plus 1. */
export function secretKeyFromSeed(seed: Uint8Array): Uint8Array {
  return schnorr.utils.randomSecretKey(seed);
}

/** Signs `message` (hex; for an event its id). `auxRand`: 32 random bytes, fresh for each signature. Returns lower-case hex. */
export function sign(message: string, secretKey: Uint8Array, auxRand: Uint8Array): string {
  return bytesToHex(schnorr.sign(hexToBytes(message), secretKey, auxRand));
}

/** `test` alone would turn whatever it is given into a string. */
function matches(pattern: RegExp, value: unknown): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function liftX(publicKey: string): Point | undefined {
  try {
    return schnorr.utils.lift_x(BigInt(`0x${publicKey}`));
  } catch {
    return undefined; // no point of the curve has this x
  }
}

/** A verifier that gets faster with the events of one author in a row. Its state is only a cache. */
export function createSchnorrVerifier(): SchnorrVerifier {
  const { Fn } = schnorr.Point;
  let base: Point = schnorr.Point.BASE;
  let author: { readonly publicKey: string; readonly point: Point; verifications: number } | undefined;

  function pointOf(publicKey: string): Point | undefined {
    if (author?.publicKey !== publicKey) {
      const point = liftX(publicKey);
      if (point === undefined) return undefined;
      author = { publicKey, point, verifications: 0 };
    }
    author.verifications += 1;
    for (const { verifications, windowBits } of TABLES) {
      if (author.verifications !== verifications) continue;
      author.point.precompute(windowBits);
      if (windowBits > BASE_WINDOW_BITS && base === schnorr.Point.BASE) {
        // A point of our own: noble's is shared by all its users.
        base = schnorr.Point.fromAffine(base.toAffine());
        base.precompute(windowBits);
      }
    }
    return author.point;
  }

  return (signature, message, publicKey) => {
    if (!matches(SIGNATURE, signature) || !matches(BYTES, message) || !matches(PUBLIC_KEY, publicKey))
      return false;
    const r = BigInt(`0x${signature.slice(0, 64)}`);
    const s = BigInt(`0x${signature.slice(64)}`);
    // BIP-340 also wants r below p. It is, if it equals x at the end.
    if (s >= Fn.ORDER) return false;
    const point = pointOf(publicKey);
    if (point === undefined) return false;

    const transcript = hexToBytes(signature.slice(0, 64) + publicKey + message);
    const hash = schnorr.utils.taggedHash('BIP0340/challenge', transcript);
    const e = Fn.create(BigInt(`0x${bytesToHex(hash)}`));
    const R = base.multiplyUnsafe(s).add(point.multiplyUnsafe(Fn.neg(e)));
    if (R.is0()) return false;
    const { x, y } = R.toAffine();
    return x === r && (y & 1n) === 0n;
  };
}
