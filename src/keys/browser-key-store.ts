/** A key in the browser: encrypted under a `CryptoKey` that no script can export, both in IndexedDB. */

import { utf8ToBytes } from '@noble/hashes/utils.js';
import { checkedKey, isSecretKey } from '../crypto/key-bytes.ts';
import { NostrSyncError } from '../errors.ts';
import { checkNamespace } from '../protocol/address.ts';
import { askToKeep, mayBeEvicted } from './browser-storage.ts';
import { createKeyDatabase, keyStoreFailed, type Box } from './key-database.ts';
import { isSameKey, keyExists, type KeyStore } from './key-store.ts';
import { isSealed, randomMark, seal, subtle, unseal } from './web-box.ts';

const WHERE = 'this browser';
/** Tabs that save at the same moment: each of these laps, one of them has got further. */
const MAX_LAPS = 8;

/**
 * A key of the app `namespace` in this browser, for pages of this origin. Who copies the profile's files without its program finds no key
 * in plain text; a script in the page can use it, as it can use all that the app can. Saving asks the browser to keep it
 * (`navigator.storage.persist`, which may ask the user). Browsers delete what they did not promise to keep, so as long as `mayBeEvicted`
 * says `true`, show the words, or pair a second device. Throws `INVALID_NAMESPACE`.
 */
export function browserKeyStore(namespace: string): Required<KeyStore> {
  checkNamespace(namespace);
  const database = createKeyDatabase(namespace, 'browser');
  const bound = utf8ToBytes(namespace);

  async function opened(box: Box): Promise<Uint8Array> {
    try {
      const { wrap } = box;
      if (!isCryptoKey(wrap) || !isSealed(box)) throw new Error('what is kept is no key');
      const key = await unseal(wrap, box, bound);
      if (!isSecretKey(key)) throw new Error('what is kept is no key');
      return key;
    } catch (cause) {
      throw keyStoreFailed('read the key in this browser', cause);
    }
  }

  async function sealed(key: Uint8Array): Promise<Box> {
    try {
      const terms = { name: 'AES-GCM', length: 256 } as const;
      const wrap = await subtle().generateKey(terms, false, ['encrypt', 'decrypt']);
      return { mark: randomMark(), wrap, ...(await seal(wrap, key, bound)) };
    } catch (cause) {
      throw keyStoreFailed('save the key in this browser', cause);
    }
  }

  /** `false`: another tab has saved meanwhile. */
  async function tryToSave(key: Uint8Array, former: Uint8Array | undefined): Promise<boolean> {
    const box = await database.read();
    const current = box === undefined ? undefined : await opened(box);
    if (isSameKey(current, key)) return true;
    if (!isSameKey(current, former)) throw keyExists(WHERE);
    return database.replace(box, await sealed(key));
  }

  return {
    load: async () => {
      const box = await database.read();
      return box === undefined ? undefined : opened(box);
    },
    save: async (key, former) => {
      const own = checkedKey(key, 'save a key');
      for (let lap = 0; lap < MAX_LAPS; lap++) {
        if (!(await tryToSave(own, former))) continue;
        own.fill(0);
        await askToKeep();
        return;
      }
      throw new NostrSyncError('KEY_STORE_FAILED', 'Cannot save the key: other tabs go on saving theirs');
    },
    clear: database.clear,
    mayBeEvicted,
  };
}

function isCryptoKey(value: unknown): value is CryptoKey {
  return Object.prototype.toString.call(value) === '[object CryptoKey]';
}
