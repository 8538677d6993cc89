/** `nostr-sync/passkey`: a key in the browser that only the user's passkey opens (WebAuthn's PRF extension). */

import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { checkedKey, isSecretKey } from '../crypto/key-bytes.ts';
import { describe, isBytes } from '../errors.ts';
import { checkNamespace } from '../protocol/address.ts';
import { askToKeep, mayBeEvicted } from './browser-storage.ts';
import { createKeyDatabase, keyStoreFailed, type Box } from './key-database.ts';
import { isSameKey, keyExists, type KeyStore } from './key-store.ts';
import { isSealed, randomMark, seal, subtle, unseal, type Sealed } from './web-box.ts';

/** Raised with any change: another salt makes another key. */
const SALT = 'nostr-sync/passkey/1/';
/** ECDSA with P-256, RSA with SHA-256: what every authenticator has. */
const ALGORITHMS = [-7, -257];
const RANDOM_BYTES = 32;

/** Which passkey opens the key. */
export interface PasskeyOptions {
  readonly namespace: string;
  /** What the browser shows as the name of the passkey, such as the app's. */
  readonly name: string;
}

/** A box that a passkey has closed. */
interface PasskeyBox extends Box, Sealed {
  readonly credentialId: Uint8Array;
}

/**
 * Like `browserKeyStore`, but `load` and `save` ask the user for a passkey of this site: after a restart, the key cannot be read without it.
 *
 * The key is **wrapped** by what the passkey gives, never derived from it: if that ever changes (it did, between versions of iOS), the box
 * does not open, and words or another device bring the key back. So show the words first. A passkey that does not open its own box at once
 * is not used: `KEY_STORE_FAILED`, and nothing is kept. The passkey itself stays with the user's password manager when the key is cleared.
 * Not every authenticator has PRF. Throws `INVALID_NAMESPACE`, `TypeError`.
 */
export function passkeyKeyStore(options: PasskeyOptions): Required<KeyStore> {
  const { namespace, name } = options;
  checkNamespace(namespace);
  if (typeof name !== 'string' || name === '')
    throw new TypeError(`Cannot keep a key: name must be a text that people know, got ${describe(name)}`);
  const database = createKeyDatabase(namespace, 'passkey');
  const salt = sha256(utf8ToBytes(SALT + namespace));

  async function opened(box: Box): Promise<Uint8Array> {
    try {
      if (!isPasskeyBox(box)) throw new Error('what is kept is no key');
      const key = await unseal(await wrapKey(box.credentialId, salt), box, box.credentialId);
      if (!isSecretKey(key)) throw new Error('what is kept is no key');
      return key;
    } catch (cause) {
      throw keyStoreFailed('open the key with a passkey', cause);
    }
  }

  /** Closed by a passkey, and opened again by it. */
  async function sealed(key: Uint8Array, known: Uint8Array | undefined): Promise<PasskeyBox> {
    try {
      const credentialId = known ?? (await createPasskey(name, salt));
      const wrap = await wrapKey(credentialId, salt);
      const box = { mark: randomMark(), credentialId, ...(await seal(wrap, key, credentialId)) };
      // By another answer of the authenticator: a passkey that says something else each time would lose the key.
      const again = await unseal(await wrapKey(credentialId, salt), box, credentialId);
      if (!isSameKey(again, key)) throw new Error('the passkey does not open what it has closed');
      return box;
    } catch (cause) {
      throw keyStoreFailed('close the key with a passkey', cause);
    }
  }

  return {
    load: async () => {
      const box = await database.read();
      return box === undefined ? undefined : opened(box);
    },
    save: async (key, former) => {
      const own = checkedKey(key, 'save a key');
      const box = await database.read();
      const current = box === undefined ? undefined : await opened(box);
      if (isSameKey(current, own)) return;
      if (!isSameKey(current, former)) throw keyExists('this browser');
      const known = box !== undefined && isPasskeyBox(box) ? box.credentialId : undefined;
      // A person was asked meanwhile, so another tab may have saved.
      if (!(await database.replace(box, await sealed(own, known)))) throw keyExists('this browser');
      own.fill(0);
      await askToKeep();
    },
    clear: database.clear,
    mayBeEvicted,
  };
}

async function createPasskey(name: string, salt: Uint8Array): Promise<Uint8Array> {
  const credential = await navigator.credentials.create({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)),
      rp: { name },
      user: { id: crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)), name, displayName: name },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      extensions: { prf: { eval: { first: Uint8Array.from(salt) } } },
    },
  });
  const made = credential as PublicKeyCredential;
  if (made.getClientExtensionResults().prf?.enabled !== true)
    throw new Error('this authenticator has no PRF extension');
  return new Uint8Array(made.rawId);
}

/** Asks the user. The same for the same passkey and salt, unless an authenticator breaks its promise. */
async function wrapKey(credentialId: Uint8Array, salt: Uint8Array): Promise<CryptoKey> {
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)),
      allowCredentials: [{ type: 'public-key', id: Uint8Array.from(credentialId) }],
      userVerification: 'required',
      extensions: { prf: { eval: { first: Uint8Array.from(salt) } } },
    },
  });
  const output = (credential as PublicKeyCredential).getClientExtensionResults().prf?.results?.first;
  if (output === undefined) throw new Error('the passkey gave nothing: its PRF extension is missing');
  const material = await subtle().importKey('raw', output, 'HKDF', false, ['deriveKey']);
  const terms = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(0),
    info: Uint8Array.from(utf8ToBytes('wrap')),
  };
  return subtle().deriveKey(terms, material, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
}

function isPasskeyBox(box: Box): box is PasskeyBox {
  return isSealed(box) && isBytes(box['credentialId']);
}
