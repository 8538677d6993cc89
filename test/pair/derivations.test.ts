/** What both devices derive is what NIP-AB says, and what other programs derive. */

import { scryptAsync } from '@noble/hashes/scrypt.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { expect, test } from 'vitest';
import { sharedX } from '../../src/crypto/nip44.ts';
import { publicKeyOf, secretKeyFromSeed } from '../../src/crypto/schnorr.ts';
import type { RelayUrl } from '../../src/protocol/address.ts';
import { mailboxKey, parseCode, type Scrypt } from '../../src/pair/code.ts';
import { agreementOf, isSame, sessionIdOf } from '../../src/pair/derivations.ts';
import { invitationUri, parseInvitation } from '../../src/pair/invitation-uri.ts';
import { readVectors } from '../crypto/vectors.ts';
import { scryptAtOnce } from './harness.ts';

interface Vectors {
  readonly session: {
    readonly secret: string;
    readonly holder: { readonly secretKey: string; readonly pubkey: string };
    readonly joiner: { readonly secretKey: string; readonly pubkey: string };
    readonly sharedX: string;
    readonly sessionId: string;
    readonly digits: string;
    readonly transcriptHash: string;
    readonly relays: readonly RelayUrl[];
    readonly uri: string;
  };
  readonly code: Readonly<
    Record<'code' | 'data' | 'namespace' | 'seed' | 'mailboxKey' | 'mailboxPubkey', string>
  >;
}

const { session, code } = JSON.parse(readVectors('pairing.json')) as Vectors;
const { holder, joiner } = session;
const secret = hexToBytes(session.secret);

test('both devices share what NIP-AB says', () => {
  expect(publicKeyOf(hexToBytes(holder.secretKey))).toBe(holder.pubkey);
  expect(publicKeyOf(hexToBytes(joiner.secretKey))).toBe(joiner.pubkey);
  expect(bytesToHex(sharedX(hexToBytes(holder.secretKey), joiner.pubkey))).toBe(session.sharedX);
  expect(sessionIdOf(secret)).toBe(session.sessionId);
});

test.each([
  ['holder', holder.secretKey, joiner.pubkey],
  ['joiner', joiner.secretKey, holder.pubkey],
])('the %s derives the digits and the hash of NIP-AB', (_, secretKey, peer) => {
  const agreement = agreementOf({
    ...{ secret, ownKey: hexToBytes(secretKey), peer },
    ...{ holder: holder.pubkey, joiner: joiner.pubkey },
  });
  expect(agreement).toEqual({ digits: session.digits, transcriptHash: session.transcriptHash });
});

test('an invitation is written as NIP-AB says, and read back', () => {
  const parts = { holder: holder.pubkey, secret, relays: session.relays };
  expect(invitationUri(parts)).toBe(session.uri);
  expect(parseInvitation(session.uri, false)).toEqual(parts);
});

test('a code gives the key of its mailbox', async () => {
  expect(parseCode(code.code)).toBe(code.data);
  expect(bytesToHex(secretKeyFromSeed(hexToBytes(code.seed)))).toBe(code.mailboxKey);
  expect(publicKeyOf(hexToBytes(code.mailboxKey))).toBe(code.mailboxPubkey);
  for (const scrypt of [scryptAtOnce, scryptAsync] satisfies Scrypt[]) {
    expect(bytesToHex(await mailboxKey(scrypt, code.data, code.namespace))).toBe(code.mailboxKey);
    expect(bytesToHex(await mailboxKey(scrypt, code.data, 'other-app'))).not.toBe(code.mailboxKey);
  }
});

test('texts are the same only if all of them is', () => {
  expect(isSame('863346', '863346')).toBe(true);
  for (const other of ['863347', '86334', '8633460', '', '963346'])
    expect(isSame(other, '863346')).toBe(false);
});
