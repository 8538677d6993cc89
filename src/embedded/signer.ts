/** The Signer port on the program's signer: the key never comes into this engine. */

import type { SignedEvent } from '../protocol/event.ts';
import type { Signer } from '../signer/signer.ts';
import type { Answers } from './answers.ts';
import { native, wellFormed } from './native.ts';

export function createSigner(answers: Answers, pubkey: string, isLocal: boolean): Signer {
  const text = async (question: (id: number) => void): Promise<string> => (await answers.ask(question)) ?? '';

  return {
    isLocal,
    getPublicKey: async () => pubkey,
    signEvent: async ({ kind, created_at, tags, content }) =>
      JSON.parse(
        await text((id) =>
          native.signEvent(id, wellFormed(JSON.stringify({ kind, created_at, tags, content }))),
        ),
      ) as SignedEvent,
    nip44: {
      encrypt: (peer, plaintext) => text((id) => native.encrypt(id, peer, wellFormed(plaintext))),
      decrypt: (peer, ciphertext) => text((id) => native.decrypt(id, peer, wellFormed(ciphertext))),
    },
  };
}
