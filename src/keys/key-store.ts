/** The KeyStore port: the one place of a device where a secret key is kept between two starts. */

import { NostrSyncError } from '../errors.ts';

/**
 * Keeps one key. An app may bring its own: an operating system's keyring, a server's vault. Adapters of ours: `fileKeyStore` (Node),
 * `browserKeyStore` and `passkeyKeyStore` (browsers).
 */
export interface KeyStore {
  /** The 32 bytes that are kept, as a copy; `undefined` if it is certain that there are none. `KEY_STORE_FAILED` if that is not known. */
  load(): Promise<Uint8Array | undefined>;
  /**
   * Keeps `key`, durably, if what is kept is `former` (nothing, if that is not given). Otherwise it rejects with `KEY_EXISTS` and changes
   * nothing: a key that is overwritten is lost, and two tabs may start at once. To save what is kept already is no change.
   */
  save(key: Uint8Array, former?: Uint8Array): Promise<void>;
  /** Deletes what is kept. Does nothing if there is nothing. */
  clear(): Promise<void>;
  /** Whether something else than the user may delete it: a browser that needs space. Left out: no. */
  mayBeEvicted?(): Promise<boolean>;
}

/** Whether two keys are the same one, or both are none. Both are the user's own, so no time has to be hidden. */
export function isSameKey(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one?.length === other?.length && (one ?? []).every((byte, i) => byte === other?.[i]);
}

export function keyExists(where: string): NostrSyncError<'KEY_EXISTS'> {
  return new NostrSyncError('KEY_EXISTS', `Cannot save the key in ${where}: another one is kept there`);
}
