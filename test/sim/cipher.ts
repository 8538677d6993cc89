/** Signers and verifiers of a history: cheap and deterministic ones for volume, the real ones for one history in a hundred. */

import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import {
  serializeEvent,
  type EventTemplate,
  type EventVerifier,
  type SignedEvent,
} from '../../src/protocol/event.ts';
import { encryptedLength } from '../../src/protocol/payload.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import type { Chance } from './chance.ts';

/** A key as the model of a signer uses it. */
export interface Key {
  readonly pubkey: string;
  sign(template: EventTemplate): Promise<SignedEvent>;
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

/** What tells the ciphertexts of a fake key apart. */
const START_CHARS = 14;

type Unsigned = Omit<SignedEvent, 'id' | 'sig'>;

/** Whether two events are the same in all that an id is made of. */
function isSame(a: Unsigned, b: Unsigned): boolean {
  return (
    a.pubkey === b.pubkey &&
    a.created_at === b.created_at &&
    a.kind === b.kind &&
    a.content === b.content &&
    a.tags.length === b.tags.length &&
    a.tags.every((tag, i) => {
      const other = b.tags[i]!;
      return tag.length === other.length && tag.every((value, j) => value === other[j]);
    })
  );
}

/** Real hashes; a signature is a hash that anyone in this process could make, but hostile relays here do not. */
function createFakeCipher(name: string): Cipher {
  const seal = (id: string, pubkey: string): string => sha256Hex(`${pubkey}${id}`) + sha256Hex(id);
  /** Signed here, by id. What is the same in all that the id is made of needs no hash. */
  const made = new Map<string, SignedEvent>();
  const hash = (event: Unsigned & { readonly id?: string }): string => {
    const same = event.id === undefined ? undefined : made.get(event.id);
    return same !== undefined && isSame(same, event) ? same.id : sha256Hex(serializeEvent(event));
  };
  let count = 0;

  function createKey(who: string): Key {
    const pubkey = sha256Hex(`${name}/${who}`);
    /** By how its ciphertext begins. */
    const plaintexts = new Map<string, { readonly ciphertext: string; readonly plaintext: string }>();
    return {
      pubkey,
      sign: async (template) => {
        const { kind, created_at, tags, content } = template;
        const id = hash({ ...template, pubkey });
        const event = { id, pubkey, created_at, kind, tags, content, sig: seal(id, pubkey) };
        made.set(id, event);
        return event;
      },
      // Of the right shape and length, and a number in a table.
      encrypt: async (plaintext) => {
        const start = `Ag${String(++count).padStart(START_CHARS - 2, '0')}`;
        const ciphertext = start.padEnd(encryptedLength(plaintext), 'A');
        plaintexts.set(start, { ciphertext, plaintext });
        return ciphertext;
      },
      decrypt: async (ciphertext) => {
        const known = plaintexts.get(ciphertext.slice(0, START_CHARS));
        if (known?.ciphertext !== ciphertext) throw new Error('not encrypted by this key');
        return known.plaintext;
      },
    };
  }

  return {
    verifier: {
      hash,
      verifySignature: ({ id, pubkey, sig }) => {
        const own = made.get(id);
        return sig === (own?.pubkey === pubkey ? own.sig : seal(id, pubkey));
      },
    },
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
  const verifier = createEventVerifier(nodePrimitives);
  /** Whether a signature is valid does not change from one device to the next. */
  const verdicts = new Map<string, boolean>();
  return {
    verifier: {
      hash: verifier.hash,
      verifySignature: (event) => {
        const key = `${event.id} ${event.pubkey} ${event.sig}`;
        const isValid = verdicts.get(key) ?? verifier.verifySignature(event);
        verdicts.set(key, isValid);
        return isValid;
      },
    },
    user: await createKey(),
    stranger: await createKey(),
  };
}

export async function createCipher(isReal: boolean, chance: Chance): Promise<Cipher> {
  return isReal ? createRealCipher(chance) : createFakeCipher(String(chance.int(0, 2 ** 31)));
}
