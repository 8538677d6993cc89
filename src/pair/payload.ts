/** What the holder shares with the device that joins: the key and what goes with it. Pure. */

import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { isSecretKey } from '../crypto/key-bytes.ts';
import { publicKeyOf } from '../crypto/schnorr.ts';
import { NostrSyncError } from '../errors.ts';
import type { RelayUrl } from '../protocol/address.ts';
import { isHex32 } from '../protocol/event.ts';
import { MAX_PAIRING_PAYLOAD_BYTES } from '../protocol/limits.ts';
import { canonicalRelayUrl } from '../relay/url.ts';
import { deviceName, fieldsOf } from './message.ts';

/** Whether relays can read the names of categories. Only `'clear'` is written today. */
export type Metadata = 'clear' | 'sealed';

/** What a device that invites shares with the one that joins. */
export interface SharedKey {
  /** 32 bytes; `null` if the key is in a signer that does not give it away (NIP-07, NIP-46): the other device needs that signer too. */
  readonly key: Uint8Array | null;
  /** Of the key, hex. */
  readonly pubkey: string;
  readonly relays: readonly string[];
  readonly metadata: Metadata;
  /** The device that shares it, for people. */
  readonly name: string;
}

export const PAYLOAD_TYPE = 'custom';
const TYPE = 'nostr-sync/pair/1';

export function encodeShared(namespace: string, shared: SharedKey): string {
  return JSON.stringify({ t: TYPE, namespace, ...shared, key: shared.key && bytesToHex(shared.key) });
}

/** Whether it is small enough for relays that are made for pairing. */
export function fitsPayload(payload: string): boolean {
  return utf8ToBytes(payload).length <= MAX_PAIRING_PAYLOAD_BYTES;
}

/**
 * What the holder shares, or the error that it stands for: `PAIRING_OTHER_APP` if it is not of this app, or is nothing that this version
 * can read; `PAIRING_OTHER_KEY` if key and public key do not belong together, or there is no key and this device's own signer is of
 * another one. Relays that `addRelay` would refuse are left out.
 */
export function parseShared(
  payload: string,
  own: { readonly namespace: string; readonly allowInsecure: boolean; readonly pubkey?: string | undefined },
): SharedKey | NostrSyncError<'PAIRING_OTHER_APP' | 'PAIRING_OTHER_KEY'> {
  // Shorter than its bytes: what is longer than that is none of ours.
  const fields = payload.length > MAX_PAIRING_PAYLOAD_BYTES ? {} : fieldsOf(payload);
  const { t, namespace, key, pubkey, relays, metadata, name } = fields;
  const otherApp = (what: string, namespace: string | null): NostrSyncError<'PAIRING_OTHER_APP'> =>
    new NostrSyncError('PAIRING_OTHER_APP', `Cannot pair: the other device ${what}`, {
      details: { namespace },
    });
  const unreadable = 'shares what this version cannot read';
  if (t !== TYPE) return otherApp(unreadable, null);
  if (namespace !== own.namespace) return otherApp('is of another app', deviceName(namespace));
  const isKey = key === null || isHex32(key);
  const isMetadata = metadata === 'clear' || metadata === 'sealed';
  if (!isKey || !isHex32(pubkey) || !Array.isArray(relays) || !isMetadata)
    return otherApp(unreadable, namespace);
  const otherKey = (what: string): NostrSyncError<'PAIRING_OTHER_KEY'> =>
    new NostrSyncError('PAIRING_OTHER_KEY', `Cannot pair: ${what} public key`, { details: { pubkey } });
  if (key === null && own.pubkey !== undefined && own.pubkey !== pubkey)
    return otherKey('the signer of this device has another');
  const bytes = key === null ? null : hexToBytes(key);
  if (bytes !== null && !(isSecretKey(bytes) && publicKeyOf(bytes) === pubkey))
    return otherKey('the key is not that of the');
  return {
    key: bytes,
    pubkey,
    relays: usableRelays(relays, own.allowInsecure),
    metadata,
    name: deviceName(name),
  };
}

/** Those that `addRelay` would take, in canonical form. */
export function usableRelays(urls: readonly unknown[], allowInsecure: boolean): RelayUrl[] {
  return urls.flatMap((url) => {
    try {
      return [canonicalRelayUrl(url, allowInsecure)];
    } catch {
      return [];
    }
  });
}
