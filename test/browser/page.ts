/** What runs in the page: the built package as an app would bundle it, and what the tests ask of it. */

import * as entry from 'nostr-sync';
import { passkeyKeyStore } from 'nostr-sync/passkey';
import * as tauri from 'nostr-sync/tauri';
import { signerConformance, storeConformance } from 'nostr-sync/testing';
import type * as browser from '../../src/browser.ts';
import { conversationKey, decrypt, encrypt } from '../../src/crypto/nip44.ts';
import { noblePrimitives } from '../../src/crypto/noble-primitives.ts';
import { createSchnorrVerifier, publicKeyOf, sign } from '../../src/crypto/schnorr.ts';
import { keyStoreSuite } from '../keys/suite.ts';
import type { Bip340Vector, Nip44Vectors } from '../crypto/vectors.ts';

// TypeScript sees the entry of Node, the bundler takes the browser's.
const nostrSync = entry as unknown as typeof browser;

interface App {
  readonly nostrSync: typeof browser;
  /** The bindings, here outside of Tauri. */
  readonly tauri: typeof tauri;
  /** What `nostr-sync/testing` has for pages. */
  readonly suites: { readonly stores: typeof storeConformance; readonly signers: typeof signerConformance };
  readonly passkeyKeyStore: typeof passkeyKeyStore;
  readonly keyStoreSuite: typeof keyStoreSuite;
  sync: browser.NostrSync;
  /** Payloads that came by `updated` and by a subscription to `settings`, and codes of errors. */
  readonly updated: unknown[];
  readonly subscribed: unknown[];
  readonly errors: string[];
  /** From now on nothing that waits for half a second or longer comes: no retry, no ping, no poll. */
  freezeTimers(): void;
  start(relay: string, key: string): Promise<void>;
  /** Writes to another database of the site until nothing fits any more; `emptyStorage` makes room again. */
  fillStorage(): Promise<void>;
  emptyStorage(): Promise<void>;
  /** Deletes every database of the site. */
  clearStorage(): Promise<void>;
  /** Every key and value of every database of the site. */
  dumpStorage(): Promise<string>;
  checkNip44(vectors: Nip44Vectors): Promise<number>;
  checkBip340(vectors: readonly Bip340Vector[]): number;
}

declare global {
  interface Window {
    app: App;
  }
}

let isFrozen = false;
const clock: browser.Clock = {
  now: () => Date.now(),
  after: (ms, callback) =>
    nostrSync.systemClock.after(ms, () => {
      if (!isFrozen || ms < 500) callback();
    }),
};

const hexToBytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const bytesToHex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

function assert(fact: boolean, what: string): void {
  if (!fact) throw new Error(`Vector failed: ${what}`);
}

function refuses(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch {
    return true;
  }
}

async function sha256(text: string): Promise<string> {
  return bytesToHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('failed')));
  });
}

/** Whether `bytes` more of ballast were stored. */
function addBallast(database: IDBDatabase, bytes: number): Promise<boolean> {
  let transaction: IDBTransaction;
  try {
    transaction = database.transaction('ballast', 'readwrite', { durability: 'strict' });
  } catch {
    return Promise.resolve(false);
  }
  // Nothing that could be compressed.
  const blocks = Array.from({ length: Math.ceil(bytes / 65_536) }, () =>
    crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536))),
  );
  transaction.objectStore('ballast').add(blocks);
  return new Promise((resolve) => {
    transaction.addEventListener('complete', () => resolve(true));
    transaction.addEventListener('abort', () => resolve(false));
  });
}

const app: App = {
  passkeyKeyStore,
  keyStoreSuite,
  nostrSync,
  tauri,
  suites: { stores: storeConformance, signers: signerConformance },
  sync: undefined as unknown as browser.NostrSync,
  updated: [],
  subscribed: [],
  errors: [],
  freezeTimers: () => {
    isFrozen = true;
  },
  start: async (relay, key) => {
    app.sync = nostrSync.createNostrSync({ relays: [relay], clock });
    app.sync.on('updated', ({ payload }) => app.updated.push(payload));
    app.sync.on('error', ({ code, message }) => app.errors.push(`${code}: ${message}`));
    app.sync.subscribe(['settings'], ({ payload }) => app.subscribed.push(payload));
    await app.sync.setSigner(nostrSync.secretKeySigner(key));
  },
  fillStorage: async () => {
    for (const bytes of [1_000_000, 100_000, 20_000, 5_000]) {
      // A connection that has met the limit may be of no more use.
      const opening = indexedDB.open('ballast', 1);
      opening.addEventListener('upgradeneeded', () =>
        opening.result.createObjectStore('ballast', { autoIncrement: true }),
      );
      const database = await settled(opening);
      try {
        while (await addBallast(database, bytes));
      } finally {
        database.close();
      }
    }
  },
  emptyStorage: async () => void (await settled(indexedDB.deleteDatabase('ballast'))),
  clearStorage: async () => {
    for (const { name } of await indexedDB.databases()) await settled(indexedDB.deleteDatabase(name!));
  },
  dumpStorage: async () => {
    const found: unknown[] = [];
    for (const { name } of await indexedDB.databases()) {
      const database = await settled(indexedDB.open(name!));
      for (const store of database.objectStoreNames) {
        const entries = database.transaction(store).objectStore(store);
        found.push(await settled(entries.getAllKeys()), await settled(entries.getAll()));
      }
      database.close();
    }
    return JSON.stringify(found);
  },
  checkNip44: async ({ valid, invalid }) => {
    let count = 0;
    for (const vector of valid.get_conversation_key) {
      const key = conversationKey(hexToBytes(vector.sec1), vector.pub2);
      assert(bytesToHex(key) === vector.conversation_key, `conversation key ${count++}`);
    }
    for (const vector of valid.encrypt_decrypt) {
      const key = conversationKey(hexToBytes(vector.sec1), publicKeyOf(hexToBytes(vector.sec2)));
      const payload = encrypt(noblePrimitives, vector.plaintext, key, hexToBytes(vector.nonce));
      assert(payload === vector.payload, `encrypt ${count}`);
      assert(decrypt(noblePrimitives, payload, key) === vector.plaintext, `decrypt ${count++}`);
    }
    for (const vector of valid.encrypt_decrypt_long_msg) {
      const key = hexToBytes(vector.conversation_key);
      const plaintext = vector.pattern.repeat(vector.repeat);
      const payload = encrypt(noblePrimitives, plaintext, key, hexToBytes(vector.nonce));
      assert((await sha256(payload)) === vector.payload_sha256, `encrypt long ${count}`);
      assert(decrypt(noblePrimitives, payload, key) === plaintext, `decrypt long ${count++}`);
    }
    for (const { sec1, pub2, note } of invalid.get_conversation_key) {
      assert(
        refuses(() => conversationKey(hexToBytes(sec1), pub2)),
        note,
      );
      count++;
    }
    for (const { conversation_key, payload, note } of invalid.decrypt) {
      assert(
        refuses(() => decrypt(noblePrimitives, payload, hexToBytes(conversation_key))),
        note,
      );
      count++;
    }
    return count;
  },
  checkBip340: (vectors) => {
    const verify = createSchnorrVerifier();
    for (const vector of vectors) {
      const { index, secretKey, publicKey, auxRand, message, signature, isValid } = vector;
      assert(verify(signature, message, publicKey) === isValid, `verify ${index}`);
      if (secretKey === '') continue;
      assert(publicKeyOf(hexToBytes(secretKey)) === publicKey, `public key ${index}`);
      assert(sign(message, hexToBytes(secretKey), hexToBytes(auxRand)) === signature, `sign ${index}`);
    }
    return vectors.length;
  },
};

window.app = app;
