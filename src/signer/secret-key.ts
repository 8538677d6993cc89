/** A signer that holds the secret key itself. The key lives in a closure, so that no inspection can print it. */

import { hexToBytes } from '@noble/hashes/utils.js';
import { decodeNsec } from '../crypto/bech32.ts';
import { conversationKey, decrypt, encrypt } from '../crypto/nip44.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { publicKeyOf, sign } from '../crypto/schnorr.ts';
import { isBytes, NostrSyncError } from '../errors.ts';
import { serializeEvent } from '../protocol/event.ts';
import type { Signer } from './signer.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 32;
const AUX_RAND_BYTES = 32;
const HEX_KEY = /^[0-9a-f]{64}$/i;
const EXPECTED = 'key must be 32 bytes, 64 hex digits or an nsec';

/** What the signer knows until it is wiped. */
interface Secrets {
  readonly key: Uint8Array;
  conversation: { readonly peer: string; readonly key: Uint8Array } | undefined;
}

// The messages below tell types and lengths at most, and carry no cause: either could hold the key.

function nsecToBytes(nsec: string): Uint8Array {
  const bytes = decodeNsec(nsec);
  if (bytes === undefined) {
    throw new RangeError(`Cannot create a signer: ${EXPECTED}, got a string of ${nsec.length} characters`);
  }
  return bytes;
}

/** A copy of the key, in whatever form it came. */
function parseKey(key: unknown): Uint8Array {
  if (typeof key === 'string') return HEX_KEY.test(key) ? hexToBytes(key) : nsecToBytes(key);
  if (!isBytes(key)) {
    throw new TypeError(
      `Cannot create a signer: ${EXPECTED}, got ${key === null ? 'null' : `type ${typeof key}`}`,
    );
  }
  if (key.length !== KEY_BYTES)
    throw new RangeError(`Cannot create a signer: ${EXPECTED}, got ${key.length} bytes`);
  return Uint8Array.from(key);
}

function publicKeyInRange(key: Uint8Array): string {
  try {
    return publicKeyOf(key);
  } catch {
    throw new RangeError('Cannot create a signer: key must be above 0 and below the order of secp256k1');
  }
}

/**
 * A signer for `key`: 32 bytes (copied), 64 hex digits or an nsec (NIP-19); throws `TypeError` or `RangeError` otherwise.
 * A string cannot be wiped from memory: prefer bytes. `randomBytes` must be a cryptographic source.
 */
export function createSecretKeySigner(
  primitives: Primitives,
  randomBytes: (length: number) => Uint8Array,
  key: Uint8Array | string,
): Signer {
  const parsed = parseKey(key);
  const publicKey = publicKeyInRange(parsed);
  let secrets: Secrets | undefined = { key: parsed, conversation: undefined };

  function unwiped(): Secrets {
    if (secrets === undefined)
      throw new NostrSyncError('SIGNER_NOT_SET', 'Cannot use the signer: its key was wiped');
    return secrets;
  }

  /** Kept for the last peer only: the engine encrypts to one, itself, and the key exchange is nearly all of the cost. */
  function conversationWith(peer: string): Uint8Array {
    const held = unwiped();
    if (held.conversation?.peer !== peer) {
      const next = conversationKey(held.key, peer);
      held.conversation?.key.fill(0);
      held.conversation = { peer, key: next };
    }
    return held.conversation.key;
  }

  return {
    isLocal: true,

    getPublicKey: async () => {
      unwiped();
      return publicKey;
    },

    signEvent: async ({ kind, created_at, tags, content }) => {
      const unsigned = { kind, created_at, tags, content, pubkey: publicKey };
      const id = primitives.sha256Hex(serializeEvent(unsigned));
      return { ...unsigned, id, sig: sign(id, unwiped().key, randomBytes(AUX_RAND_BYTES)) };
    },

    nip44: {
      encrypt: async (peer, plaintext) =>
        encrypt(primitives, plaintext, conversationWith(peer), randomBytes(NONCE_BYTES)),
      decrypt: async (peer, ciphertext) => decrypt(primitives, ciphertext, conversationWith(peer)),
    },

    wipe: () => {
      secrets?.key.fill(0);
      secrets?.conversation?.key.fill(0);
      secrets = undefined;
    },
  };
}
