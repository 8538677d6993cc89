/** The signer suite passes a good signer, built on nostr-tools, and catches each bad one. */

import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import * as nip44 from 'nostr-tools/nip44';
import { expect, test } from 'vitest';

import type { SignedEvent } from '../../src/protocol/event.ts';
import type { Signer } from '../../src/signer/signer.ts';
import { signerConformance } from '../../src/testing/signer-conformance.ts';
import { anId } from '../names.ts';

function goodSigner(): Signer {
  const key = generateSecretKey();
  const keyWith = (peer: string): Uint8Array => nip44.getConversationKey(key, peer);
  return {
    getPublicKey: async () => getPublicKey(key),
    signEvent: async (template) =>
      finalizeEvent({ ...template, tags: template.tags.map((tag) => [...tag]) }, key),
    nip44: {
      encrypt: async (peer, plaintext) => nip44.encrypt(plaintext, keyWith(peer)),
      decrypt: async (peer, ciphertext) => nip44.decrypt(ciphertext, keyWith(peer)),
    },
  };
}

async function failures(signer: Signer): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, run } of signerConformance) await run(signer).catch(() => failed.push(name));
  return failed;
}

function withSign(change: (event: SignedEvent) => SignedEvent): Partial<Signer> {
  const good = goodSigner();
  return {
    getPublicKey: good.getPublicKey,
    signEvent: async (template) => change(await good.signEvent(template)),
  };
}

test.each(signerConformance.map((check) => [check.name, check] as const))(
  'a good signer %s',
  async (_name, check) => {
    await check.run(goodSigner());
  },
);

const { nip44: good } = goodSigner();
const self = await goodSigner().getPublicKey();
const fixed = await good.encrypt(self, 'twice');

test.each<[string, RegExp, Partial<Signer>]>([
  [
    'names another key each time',
    /public key/,
    { getPublicKey: async () => getPublicKey(generateSecretKey()) },
  ],
  ['names its key in upper case', /public key/, { getPublicKey: async () => 'A'.repeat(64) }],
  ['signs as somebody else', /right id and signature/, { signEvent: goodSigner().signEvent }],
  ['returns a wrong id', /right id/, withSign((event) => ({ ...event, id: anId('0'.repeat(64)) }))],
  ['returns a wrong signature', /right id/, withSign((event) => ({ ...event, sig: '0'.repeat(128) }))],
  ['changes the kind', /leaves/, withSign((event) => ({ ...event, kind: 1 }))],
  ['changes the stamp', /leaves/, withSign((event) => ({ ...event, created_at: event.created_at + 1 }))],
  ['drops tags', /leaves/, withSign((event) => ({ ...event, tags: event.tags.slice(1) }))],
  ['trims the content', /leaves/, withSign((event) => ({ ...event, content: event.content.slice(1) }))],
  [
    'spoils what is not ASCII',
    /basic plane/,
    {
      nip44: {
        encrypt: async (peer, text) => good.encrypt(peer, text.replace(/[^\p{ASCII}]/gu, '?')),
        decrypt: good.decrypt,
      },
    },
  ],
  [
    'cuts long texts',
    /65,408/,
    {
      nip44: {
        encrypt: async (peer, text) => good.encrypt(peer, text.slice(0, 65_407)),
        decrypt: good.decrypt,
      },
    },
  ],
  ['repeats its nonce', /fresh nonce/, { nip44: { encrypt: async () => fixed, decrypt: good.decrypt } }],
  ['decrypts anything', /tampered/, { nip44: { encrypt: good.encrypt, decrypt: async () => 'anything' } }],
])('catches a signer that %s', async (_what, caseName, bad) => {
  const failed = await failures({ ...goodSigner(), ...bad });
  expect(failed.filter((name) => caseName.test(name))).toHaveLength(1);
});
