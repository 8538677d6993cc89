/** The official vectors, as the files of their authors have them: vectors.test.ts pins them. */

import { readFileSync } from 'node:fs';

export function readVectors(name: string): string {
  return readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8');
}

interface LongMessage {
  readonly conversation_key: string;
  readonly nonce: string;
  readonly pattern: string;
  readonly repeat: number;
  readonly plaintext_sha256: string;
  readonly payload_sha256: string;
}

export interface Nip44Vectors {
  readonly valid: {
    readonly get_conversation_key: readonly { sec1: string; pub2: string; conversation_key: string }[];
    readonly get_message_keys: {
      readonly conversation_key: string;
      readonly keys: readonly { nonce: string; chacha_key: string; chacha_nonce: string; hmac_key: string }[];
    };
    readonly calc_padded_len: readonly (readonly [number, number])[];
    readonly encrypt_decrypt: readonly {
      readonly sec1: string;
      readonly sec2: string;
      readonly conversation_key: string;
      readonly nonce: string;
      readonly plaintext: string;
      readonly payload: string;
    }[];
    readonly encrypt_decrypt_long_msg: readonly LongMessage[];
  };
  readonly invalid: {
    readonly encrypt_msg_lengths: readonly number[];
    readonly get_conversation_key: readonly { sec1: string; pub2: string; note: string }[];
    readonly decrypt: readonly { conversation_key: string; payload: string; note: string }[];
  };
}

export const nip44Vectors: Nip44Vectors = (
  JSON.parse(readVectors('nip44.vectors.json')) as { v2: Nip44Vectors }
).v2;

export interface Bip340Vector {
  readonly index: string;
  /** Empty where the vector is about verifying only. */
  readonly secretKey: string;
  readonly publicKey: string;
  readonly auxRand: string;
  readonly message: string;
  readonly signature: string;
  readonly isValid: boolean;
  readonly comment: string;
}

/** Hex in lower case, as Nostr writes it. */
export const bip340Vectors: readonly Bip340Vector[] = readVectors('bip340-test-vectors.csv')
  .trim()
  .split(/\r?\n/)
  .slice(1)
  .map((line) => {
    const [
      index = '',
      secretKey = '',
      publicKey = '',
      auxRand = '',
      message = '',
      signature = '',
      result,
      ...comment
    ] = line.split(',');
    return {
      index,
      secretKey: secretKey.toLowerCase(),
      publicKey: publicKey.toLowerCase(),
      auxRand: auxRand.toLowerCase(),
      message: message.toLowerCase(),
      signature: signature.toLowerCase(),
      isValid: result === 'TRUE',
      comment: comment.join(','),
    };
  });
