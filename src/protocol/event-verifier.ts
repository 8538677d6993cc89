/** The EventVerifier port on real cryptography. */

import type { Primitives } from '../crypto/primitives.ts';
import { createSchnorrVerifier } from '../crypto/schnorr.ts';
import { type EventVerifier, isHex32, serializeEvent } from './event.ts';

/** Fastest when one instance sees one author: see `createSchnorrVerifier`. */
export function createEventVerifier(primitives: Primitives): EventVerifier {
  const verify = createSchnorrVerifier();
  return {
    hash: (event) => primitives.sha256Hex(serializeEvent(event)),
    // BIP-340 signs messages of any length, an event's is its id.
    verifySignature: ({ id, pubkey, sig }) => isHex32(id) && verify(sig, id, pubkey),
  };
}
