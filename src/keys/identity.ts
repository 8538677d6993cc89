/** The one call by which an app has its user's key: it is loaded, or made at the first start, and kept. */

import { describe, NostrSyncError } from '../errors.ts';
import { checkNamespace } from '../protocol/address.ts';
import type { Signer } from '../signer/signer.ts';
import { isSameKey, type KeyStore } from './key-store.ts';

export interface IdentityOptions {
  /** As the engine's. */
  readonly namespace: string;
  readonly keyStore: KeyStore;
}

export interface Identity {
  /** For `createNostrSync` or `setSigner`. */
  readonly signer: Signer;
  /** 32 bytes in hex. */
  readonly pubkey: string;
  /** Whether this call has made the key: then no other device has it, and its words were never shown. */
  readonly isNew: boolean;
  /**
   * Whether the browser may delete the key without asking, as far as it was known at the start. Until there is a second device, or the
   * words are written down, the user's values are then lost with it.
   */
  readonly mayBeEvicted: boolean;
  /**
   * The key as 24 words, to show once and write down: `words(toRecoveryPhrase)`. The function comes from `nostr-sync/recovery`, so that
   * an app which shows no words does not load 2,048 of them. The key comes from its store, which may ask the user. Rejects with
   * `SIGNER_CHANGED` if another key, or none, is kept by now.
   */
  words(toRecoveryPhrase: (key: Uint8Array) => string): Promise<string>;
  /**
   * Deletes the key from this device and wipes the signer. Only for a user who asks for it here: without a second device or words, all that
   * was written under the key can never be read again.
   */
  forget(): Promise<void>;
}

/** What a platform's entry has. */
export interface IdentityPlatform {
  readonly generateKey: () => Uint8Array;
  readonly signerOf: (key: Uint8Array) => Signer;
}

/**
 * Loads the key, or makes one if it is certain that there is none. Two that start at once on one store have the same key. Rejects with what
 * the store rejects with, and with `KEY_STORE_FAILED` if the store does not give back what was saved: then nothing was written under it.
 */
export async function openIdentity(options: IdentityOptions, platform: IdentityPlatform): Promise<Identity> {
  const { namespace, keyStore } = checked(options);
  const { key, isNew } = await keptKey(keyStore, platform.generateKey);
  const signer = platform.signerOf(key);
  key.fill(0);
  const pubkey = await signer.getPublicKey();

  /** The key itself, while it is still the one that is kept. */
  async function load(): Promise<Uint8Array> {
    const current = await keyStore.load();
    if (current !== undefined) {
      const other = platform.signerOf(current);
      const isOurs = (await other.getPublicKey()) === pubkey;
      other.wipe?.();
      if (isOurs) return current;
    }
    throw new NostrSyncError(
      'SIGNER_CHANGED',
      `Cannot show the key of ${JSON.stringify(namespace)}: ${current === undefined ? 'none' : 'another one'} is kept by now`,
    );
  }

  return {
    signer,
    pubkey,
    isNew,
    mayBeEvicted: (await keyStore.mayBeEvicted?.()) ?? false,
    words: async (toRecoveryPhrase) => {
      const current = await load();
      const words = toRecoveryPhrase(current);
      current.fill(0);
      return words;
    },
    forget: async () => {
      await keyStore.clear();
      signer.wipe?.();
    },
  };
}

async function keptKey(
  keyStore: KeyStore,
  generateKey: () => Uint8Array,
): Promise<{ readonly key: Uint8Array; readonly isNew: boolean }> {
  const kept = await keyStore.load();
  if (kept !== undefined) return { key: kept, isNew: false };
  const made = generateKey();
  try {
    await keyStore.save(made);
  } catch (error) {
    // Another tab was faster: its key is the one.
    const other = isKeyExists(error) ? await keyStore.load() : undefined;
    if (other === undefined) throw error;
    return { key: other, isNew: false };
  }
  // Before anything is written under it.
  if (isSameKey(await keyStore.load(), made)) return { key: made, isNew: true };
  throw new NostrSyncError(
    'KEY_STORE_FAILED',
    'Cannot keep a key: the store does not give back what was saved',
  );
}

function isKeyExists(error: unknown): boolean {
  return (Object(error) as { readonly code?: unknown }).code === 'KEY_EXISTS';
}

function checked(options: IdentityOptions): IdentityOptions {
  const { namespace, keyStore } = Object(options) as IdentityOptions;
  checkNamespace(namespace);
  const store = Object(keyStore) as Partial<KeyStore>;
  if ([store.load, store.save, store.clear].every((call) => typeof call === 'function'))
    return { namespace, keyStore };
  throw new TypeError(
    `Cannot open an identity: keyStore must have load, save and clear, got ${describe(keyStore)}`,
  );
}
