/** How large what a signer is given may be: less if it is remote, and less than what it has refused. */

import { messageOf } from '../../errors.ts';
import { saysTooLarge } from '../../protocol/answer.ts';
import { LARGE_EVENT_BYTES, SIZES } from '../../protocol/limits.ts';

export interface SignerSizes {
  now(): (typeof SIZES)[number];
  /** The call, which gives the signer so many characters, and what it teaches if it is refused: next time smaller ones are tried. */
  learn<T>(chars: number, call: Promise<T>): Promise<T>;
  /** Another signer has refused nothing yet. */
  forget(): void;
}

/** What a signer that failed has said. A NIP-46 client that asks over relays fails with what each of them said. */
function reasonsOf(cause: unknown): string[] {
  const { errors } = Object(cause) as { readonly errors?: unknown };
  const all: unknown[] = Array.isArray(errors) ? errors : [cause];
  return all.map((one) => (typeof one === 'string' ? one : messageOf(one)));
}

export function createSignerSizes(isRemote: () => boolean): SignerSizes {
  /** Of `SIZES`, grown by what it has refused. */
  let learned = 0;
  const index = (): number => Math.max(learned, isRemote() ? 1 : 0);
  return {
    now: () => SIZES[index()]!,
    learn: async (chars, call) => {
      const before = index();
      return call.catch((error: unknown) => {
        const { cause } = error as { readonly cause?: unknown };
        if (chars > LARGE_EVENT_BYTES && reasonsOf(cause).some(saysTooLarge))
          learned = Math.min(before + 1, SIZES.length - 1);
        throw error;
      });
    },
    forget: () => {
      learned = 0;
    },
  };
}
