/** What the holder shares with the device that joins: the key and what goes with it. Pure. */

import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { publicKeyOf } from '../crypto/schnorr.ts';
import { NostrSyncError } from '../errors.ts';
import { isHex32 } from '../protocol/event.ts';
import { MAX_PAIRING_PAYLOAD_BYTES } from '../protocol/limits.ts';
import { canonicalRelayUrl } from '../relay/url.ts';
import { deviceName } from './message.ts';

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
const encoder = new TextEncoder();

export function encodeShared(namespace: string, { key, pubkey, relays, metadata, name }: SharedKey): string {
  const hex = key === null ? null : bytesToHex(key);
  return JSON.stringify({ t: TYPE, namespace, key: hex, pubkey, relays, metadata, name });
}

/** Whether it is small enough for relays that are made for pairing. */
export function fitsPayload(payload: string): boolean {
  return encoder.encode(payload).length <= MAX_PAIRING_PAYLOAD_BYTES;
}

/**
 * What the holder shares, or the error that it stands for: `PAIRING_OTHER_APP` if it is not of this app, or is nothing that this version
 * can read; `PAIRING_OTHER_KEY` if key and public key do not belong together. Relays that `addRelay` would refuse are left out.
 */
export function parseShared(
  payload: string,
  expected: { readonly namespace: string; readonly allowInsecure: boolean },
): SharedKey | NostrSyncError<'PAIRING_OTHER_APP' | 'PAIRING_OTHER_KEY'> {
  const fields = fieldsOf(payload);
  const { namespace, key, pubkey, relays, metadata } = fields;
  const other = (what: string, namespace: string | null): NostrSyncError<'PAIRING_OTHER_APP'> =>
    new NostrSyncError('PAIRING_OTHER_APP', `Cannot pair: the other device ${what}`, {
      details: { namespace },
    });
  if (fields['t'] !== TYPE) return other('shares what this version cannot read', null);
  if (namespace !== expected.namespace) return other('is of another app', deviceName(namespace));
  const isKey = key === null || isHex32(key);
  const isMetadata = metadata === 'clear' || metadata === 'sealed';
  if (!isKey || !isHex32(pubkey) || !Array.isArray(relays) || !isMetadata)
    return other('shares what this version cannot read', expected.namespace);
  if (key !== null && !belongs(key, pubkey))
    return new NostrSyncError('PAIRING_OTHER_KEY', 'Cannot pair: the key is not that of the public key', {
      details: { pubkey },
    });
  return {
    key: key === null ? null : hexToBytes(key),
    pubkey,
    relays: relays.flatMap((relay) => relayOf(relay, expected.allowInsecure)),
    metadata,
    name: deviceName(fields['name']),
  };
}

function fieldsOf(payload: string): Readonly<Record<string, unknown>> {
  // Shorter than its bytes: what is longer than that is none of ours.
  if (payload.length > MAX_PAIRING_PAYLOAD_BYTES) return {};
  try {
    return Object(JSON.parse(payload)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

function belongs(key: string, pubkey: string): boolean {
  try {
    return publicKeyOf(hexToBytes(key)) === pubkey;
  } catch {
    return false;
  }
}

function relayOf(url: unknown, allowInsecure: boolean): string[] {
  try {
    return [canonicalRelayUrl(url, allowInsecure)];
  } catch {
    return [];
  }
}
