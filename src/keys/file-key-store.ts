/** A key in a file that only its user can read. */

import { randomUUID } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hexToBytes } from '@noble/hashes/utils.js';
import { decodeNsec, encodeNsec } from '../crypto/bech32.ts';
import { checkedKey, isSecretKey } from '../crypto/key-bytes.ts';
import { describe, isNostrSyncError, NostrSyncError } from '../errors.ts';
import { isSameKey, keyExists, type KeyStore } from './key-store.ts';
import { codeOf, readPrivateFile, reasonOf, refuseLink, writePrivateFile } from './private-file.ts';

/** More than any form of a key with some space around it. */
const MAX_BYTES = 1_024;
const HEX_KEY = /^[0-9a-f]{64}$/i;

/**
 * A key in the file `path`, as an nsec with mode 0600. A file with 64 hex digits is read as well. The folder must exist.
 *
 * `load` rejects with `KEY_STORE_EXPOSED` if others may use the file, or it belongs to a user who is neither this one nor root (not
 * on Windows, where the folder's access list decides), with `INVALID_KEY` if it holds no key, and with `KEY_STORE_FAILED` if it
 * cannot be read. It follows a link to the file that it checks and reads, as mounted secrets are links; `save` and `clear` follow none, and
 * reject with `KEY_STORE_FAILED`. `save` writes beside it and puts it in place at once: after a crash there is the former key or the
 * new one. One process at a time may replace a key.
 */
export function fileKeyStore(path: string): KeyStore {
  if (typeof path !== 'string' || path === '')
    throw new TypeError(`Cannot keep a key: path must be the path of a file, got ${describe(path)}`);
  const quoted = JSON.stringify(path);

  function failed(what: string, cause: unknown): NostrSyncError {
    return new NostrSyncError(
      'KEY_STORE_FAILED',
      `Cannot ${what} the key file ${quoted}: ${reasonOf(cause)}`,
      {
        cause,
      },
    );
  }

  async function load(): Promise<Uint8Array | undefined> {
    const text = await readPrivateFile(path, 'key file', MAX_BYTES).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw isNostrSyncError(error) ? error : failed('read', error);
    });
    if (text === undefined) return undefined;
    const key = textToKey(text.trim());
    if (key !== undefined) return key;
    throw new NostrSyncError(
      'INVALID_KEY',
      `Cannot use the key file ${quoted}: expected an nsec or 64 hex digits`,
    );
  }

  return {
    load,
    save: async (key, former) => {
      const own = checkedKey(key, 'save a key');
      const current = await load();
      if (isSameKey(current, own)) return;
      if (!isSameKey(current, former)) throw keyExists(quoted);
      const beside = `${path}.${randomUUID()}`;
      try {
        await refuseLink(path);
        await writePrivateFile(beside, `${encodeNsec(own)}\n`);
        // Unlike `rename`, `link` never replaces what another process has put there meanwhile.
        await (former === undefined ? link : rename)(beside, path);
        await syncFolder(dirname(path));
      } catch (error) {
        throw codeOf(error) === 'EEXIST' ? keyExists(quoted) : failed('write', error);
      } finally {
        own.fill(0);
        await rm(beside, { force: true });
      }
    },
    clear: async () => {
      try {
        await refuseLink(path);
        await rm(path, { force: true });
      } catch (error) {
        throw failed('delete', error);
      }
    },
  };
}

/** The key that the text stands for; `undefined` if it is neither an nsec nor 64 hex digits of one. */
export function textToKey(text: string): Uint8Array | undefined {
  const key = HEX_KEY.test(text) ? hexToBytes(text) : decodeNsec(text);
  return key !== undefined && isSecretKey(key) ? key : undefined;
}

/** Makes a new name in it last. Not every system can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
