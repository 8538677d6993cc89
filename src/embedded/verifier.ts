/** The EventVerifier port on the program's libsecp256k1. */

import { type EventVerifier, isHex32, serializeEvent } from '../protocol/event.ts';
import { native, wellFormed } from './native.ts';

export function createEventVerifier(): EventVerifier {
  return {
    hash: (event) => native.sha256Hex(wellFormed(serializeEvent(event))),
    verifySignature: ({ id, pubkey, sig }) =>
      isHex32(id) && isHex32(pubkey) && typeof sig === 'string' && native.verify(wellFormed(sig), id, pubkey),
  };
}
