/** What every `Signer` must do, as checks that any test runner can run: each throws a plain `Error` if it fails. */

import { noblePrimitives } from '../crypto/noble-primitives.ts';
import { createEventVerifier } from '../protocol/event-verifier.ts';
import type { EventTemplate } from '../protocol/event.ts';
import type { Signer } from '../signer/signer.ts';

/** One thing that a signer must do. */
export interface SignerConformanceCase {
  /** A sentence, for the name of a test. */
  readonly name: string;
  /** Rejects with an `Error` if the signer does not conform. */
  run(signer: Signer): Promise<void>;
}

const template: EventTemplate = {
  kind: 30_078,
  created_at: 1_767_225_600,
  tags: [
    ['d', 'conformance/signer/v1'],
    ['device_id', 'a "quoted"\ndevice 🦩'],
    ['empty', ''],
  ],
  content: 'Zeilen\numbruch, "quotes", \\ and 🦩',
};

/** Run every case against one signer, which must hold a key and agree to everything that it is asked. */
export const signerConformance: readonly SignerConformanceCase[] = [
  {
    name: 'names its public key in 64 lower-case hex digits, always the same',
    async run(signer) {
      const pubkey = await signer.getPublicKey();
      expect(/^[0-9a-f]{64}$/.test(pubkey), `got ${JSON.stringify(pubkey)}`);
      expect((await signer.getPublicKey()) === pubkey, 'two calls returned two keys');
    },
  },
  {
    name: 'signs an event with the right id and signature',
    async run(signer) {
      const verifier = createEventVerifier(noblePrimitives);
      const event = await signer.signEvent(template);
      expect(event.pubkey === (await signer.getPublicKey()), 'pubkey is not the one of getPublicKey');
      expect(event.id === verifier.hash(event), 'id is not the SHA-256 of the serialised event');
      expect(verifier.verifySignature(event), 'sig is not a valid signature of the id');
    },
  },
  {
    name: 'leaves kind, created_at, tags and content of an event as they were',
    async run(signer) {
      const { kind, created_at, tags, content } = await signer.signEvent(template);
      expect(kind === template.kind, `kind became ${kind}`);
      expect(created_at === template.created_at, `created_at became ${created_at}`);
      expect(JSON.stringify(tags) === JSON.stringify(template.tags), 'tags were changed');
      expect(content === template.content, 'content was changed');
    },
  },
  roundTrip('one byte', 'x'),
  roundTrip('characters outside the basic plane', 'ä 🦩 👩‍👩‍👧'),
  roundTrip('65,408 bytes', 'x'.repeat(65_408)),
  {
    name: 'encrypts with NIP-44 v2 and a fresh nonce each time',
    async run(signer) {
      const self = await signer.getPublicKey();
      const first = await signer.nip44.encrypt(self, 'twice');
      expect(atob(first).charCodeAt(0) === 2, 'the first byte is not the version 2');
      expect((await signer.nip44.encrypt(self, 'twice')) !== first, 'one text encrypted twice is the same');
    },
  },
  {
    name: 'refuses to decrypt a text that was tampered with',
    async run(signer) {
      const self = await signer.getPublicKey();
      const ciphertext = await signer.nip44.encrypt(self, 'authenticated');
      // In the version, the nonce, the ciphertext, the MAC.
      for (const index of [0, 10, 60, ciphertext.length - 10]) {
        const flipped = ciphertext[index] === 'A' ? 'B' : 'A';
        const tampered = ciphertext.slice(0, index) + flipped + ciphertext.slice(index + 1);
        const outcome = await signer.nip44.decrypt(self, tampered).then(
          () => 'decrypted',
          () => 'refused',
        );
        expect(outcome === 'refused', `a change of character ${index} went unnoticed`);
      }
    },
  },
];

function roundTrip(what: string, plaintext: string): SignerConformanceCase {
  return {
    name: `decrypts what it encrypted to itself: ${what}`,
    async run(signer) {
      const self = await signer.getPublicKey();
      const ciphertext = await signer.nip44.encrypt(self, plaintext);
      expect((await signer.nip44.decrypt(self, ciphertext)) === plaintext, 'the text came back changed');
    },
  };
}

function expect(condition: boolean, failure: string): void {
  if (!condition) throw new Error(`Signer does not conform: ${failure}`);
}
