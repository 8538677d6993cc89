/**
 * Plaintext that stays on this device, as ciphertext: encrypted by a key that is thrown away to the key of the identity. So it takes no
 * signer to close a box, and one to open it.
 */

import { secretKeyFromSeed, SECRET_KEY_SEED_BYTES } from '../crypto/schnorr.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { createSecretKeySigner } from './secret-key.ts';

/** Characters of one ciphertext's text: at most three bytes each, of the 65,535 that NIP-44 takes. */
const PART_CHARS = 20_000;

/** Of a text the parts, none of which ends in half of a character. */
function partsOf(text: string): string[] {
  if (text.length <= PART_CHARS) return [text];
  const isSplit = /[\uD800-\uDBFF]/.test(text[PART_CHARS - 1]!);
  const at = isSplit ? PART_CHARS - 1 : PART_CHARS;
  return [text.slice(0, at), ...partsOf(text.slice(at))];
}

/** What it takes to close a box. */
export interface BoxPorts {
  readonly primitives: Primitives;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** The box as it is stored: JSON. `text` is not empty. */
export async function closeBox(
  text: string,
  pubkey: string,
  { primitives, randomBytes }: BoxPorts,
): Promise<string> {
  const once = createSecretKeySigner(
    primitives,
    randomBytes,
    secretKeyFromSeed(randomBytes(SECRET_KEY_SEED_BYTES)),
  );
  const by = await once.getPublicKey();
  const parts = await Promise.all(partsOf(text).map((part) => once.nip44.encrypt(pubkey, part)));
  once.wipe?.();
  return JSON.stringify({ by, parts });
}

/** What a box holds; `undefined` for what is none. Rejects as `decrypt` does. */
export async function openBox(
  box: string,
  decrypt: (ciphertext: string, peer: string) => Promise<string>,
): Promise<string | undefined> {
  const { by, parts } = parsed(box);
  if (typeof by !== 'string' || !Array.isArray(parts) || !parts.every((part) => typeof part === 'string'))
    return undefined;
  let text = '';
  for (const part of parts) text += await decrypt(part, by);
  return text;
}

function parsed(box: string): { readonly by?: unknown; readonly parts?: unknown } {
  try {
    return Object(JSON.parse(box)) as { readonly by?: unknown; readonly parts?: unknown };
  } catch {
    return {};
  }
}
