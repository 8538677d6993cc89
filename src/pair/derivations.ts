/** What both devices derive from a session (NIP-AB): its id, the digits, and the hash of all that they agree on. Pure. */

import { extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { equalBytes } from '../crypto/equal-bytes.ts';
import { sharedX } from '../crypto/nip44.ts';

/** HKDF-SHA256 (RFC 5869) of 32 bytes, which are the first block. */
function derive(ikm: Uint8Array, salt: Uint8Array, info: string): Uint8Array {
  const key = extract(sha256, ikm, salt);
  const derived = hmac(sha256, key, concatBytes(utf8ToBytes(info), Uint8Array.of(1)));
  key.fill(0);
  return derived;
}

/** Names the session to somebody who knows its secret (32 bytes), and says nothing of it. Hex. */
export function sessionIdOf(secret: Uint8Array): string {
  return bytesToHex(derive(secret, new Uint8Array(), 'nostr-pair-session-id'));
}

/** What the two devices of a session share. */
export interface Agreement {
  /** Six decimal digits: equal on both devices if no other one is in between. */
  readonly digits: string;
  /** Binds secret, both keys and the digits. Hex. */
  readonly transcriptHash: string;
}

/** `own` and `peer` are the keys of one device and of the other; `holder` and `joiner` say which is whose. All public keys in hex. */
export function agreementOf(session: {
  readonly secret: Uint8Array;
  readonly ownKey: Uint8Array;
  readonly peer: string;
  readonly holder: string;
  readonly joiner: string;
}): Agreement {
  const { secret, ownKey, peer, holder, joiner } = session;
  const shared = sharedX(ownKey, peer);
  const sasInput = derive(shared, secret, 'nostr-pair-sas-v1');
  const transcript = concatBytes(
    hexToBytes(sessionIdOf(secret)),
    hexToBytes(holder),
    hexToBytes(joiner),
    sasInput,
  );
  const number = Number.parseInt(bytesToHex(sasInput.subarray(0, 4)), 16);
  const agreement = {
    digits: String(number % 1_000_000).padStart(6, '0'),
    transcriptHash: bytesToHex(derive(transcript, secret, 'nostr-pair-transcript-v1')),
  };
  for (const bytes of [shared, sasInput, transcript]) bytes.fill(0);
  return agreement;
}

/** Whether two texts are equal, in a time that depends on their lengths alone. */
export function isSame(text: string, expected: string): boolean {
  return equalBytes(utf8ToBytes(text), utf8ToBytes(expected));
}
