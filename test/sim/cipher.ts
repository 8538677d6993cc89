/** Signers and verifiers of a history: cheap and deterministic ones for volume, the real ones for one history in a hundred. */

import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import {
  serializeEvent,
  type EventTemplate,
  type EventVerifier,
  type NostrEvent,
} from '../../src/protocol/event.ts';
import { encryptedLength } from '../../src/protocol/payload.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import type { Chance } from './chance.ts';

/** A key as the model of a signer uses it. */
export interface Key {
  readonly pubkey: string;
  sign(template: EventTemplate): Promise<NostrEvent>;
  encrypt(plaintext: string): Promise<string>;
  decrypt(ciphertext: string): Promise<string>;
}

export interface Cipher {
  readonly verifier: EventVerifier;
  /** The user's key, and a stranger's. */
  readonly user: Key;
  readonly stranger: Key;
}

const { sha256Hex } = nodePrimitives;

/** Real hashes; a signature is a hash that anyone in this process could make, but hostile relays here do not. */
function createFakeCipher(name: string): Cipher {
  const seal = (id: string, pubkey: string): string => sha256Hex(`${pubkey}${id}`) + sha256Hex(id);
  const hash: EventVerifier['hash'] = (event) => sha256Hex(serializeEvent(event));
  let count = 0;

  function createKey(who: string): Key {
    const pubkey = sha256Hex(`${name}/${who}`);
    const plaintexts = new Map<string, string>();
    return {
      pubkey,
      sign: async (template) => {
        const { kind, created_at, tags, content } = template;
        const id = hash({ ...template, pubkey });
        return { id, pubkey, created_at, kind, tags, content, sig: seal(id, pubkey) };
      },
      // Of the right shape and length, and a number in a table.
      encrypt: async (plaintext) => {
        const ciphertext = `Ag${String(++count).padStart(12, '0')}`.padEnd(encryptedLength(plaintext), 'A');
        plaintexts.set(ciphertext, plaintext);
        return ciphertext;
      },
      decrypt: async (ciphertext) => {
        const plaintext = plaintexts.get(ciphertext);
        if (plaintext === undefined) throw new Error('not encrypted by this key');
        return plaintext;
      },
    };
  }

  return {
    verifier: { hash, verifySignature: ({ id, pubkey, sig }) => sig === seal(id, pubkey) },
    user: createKey('user'),
    stranger: createKey('stranger'),
  };
}

async function createRealCipher(chance: Chance): Promise<Cipher> {
  async function createKey(): Promise<Key> {
    // Any 32 bytes below the curve's order are a key; a leading zero makes them so.
    const secret = chance.bytes(32).with(0, 0);
    const signer = createSecretKeySigner(nodePrimitives, (length) => chance.bytes(length), secret);
    const pubkey = await signer.getPublicKey();
    return {
      pubkey,
      sign: (template) => signer.signEvent(template),
      encrypt: (plaintext) => signer.nip44.encrypt(pubkey, plaintext),
      decrypt: (ciphertext) => signer.nip44.decrypt(pubkey, ciphertext),
    };
  }
  return {
    verifier: createEventVerifier(nodePrimitives),
    user: await createKey(),
    stranger: await createKey(),
  };
}

export async function createCipher(isReal: boolean, chance: Chance): Promise<Cipher> {
  return isReal ? createRealCipher(chance) : createFakeCipher(String(chance.int(0, 2 ** 31)));
}
