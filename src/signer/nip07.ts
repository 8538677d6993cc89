/** A signer that is the browser extension, or anything else of the NIP-07 shape. */

import { describe, NostrSyncError } from '../errors.ts';
import type { Signer } from './signer.ts';

type Cipher = (peer: string, text: string) => Promise<string>;

/** A provider as far as it can be trusted: any part may be missing. A NIP-46 client of nostr-tools has its ciphers under other names. */
type Provider = Partial<Pick<Signer, 'getPublicKey' | 'signEvent' | 'isRemote'>> & {
  readonly nip44?: Partial<Signer['nip44']>;
  readonly nip44Encrypt?: Cipher;
  readonly nip44Decrypt?: Cipher;
};

function isProvider(value: unknown): value is Provider {
  return typeof value === 'object' && value !== null;
}

/**
 * A signer that asks `provider`, or, without one, what `window.nostr` is at the time of each call: extensions
 * arrive late. Calls reject with `SIGNER_NOT_SET` if there is no provider. If the provider lacks the method, they reject with
 * the code of that method's failure. It holds no key, so there is nothing to wipe.
 *
 * A `BunkerSigner` of nostr-tools is a provider as it is, and counts as remote; so does one that says `isRemote`.
 */
export function nip07Signer(provider?: unknown): Signer {
  if (provider !== undefined && !isProvider(provider)) {
    throw new TypeError(
      `Cannot create a signer: provider must be of the NIP-07 shape, got ${describe(provider)}`,
    );
  }

  function find(): Provider | undefined {
    const found = provider ?? (globalThis as { readonly nostr?: unknown }).nostr;
    return isProvider(found) ? found : undefined;
  }

  function current(): Provider {
    const found = find();
    if (found !== undefined) return found;
    throw new NostrSyncError('SIGNER_NOT_SET', 'Cannot use NIP-07: no signer extension has set window.nostr');
  }

  // Each method is called on its own object: extensions keep their state in `this`.
  return {
    get isRemote() {
      const nostr = find();
      return nostr?.isRemote ?? typeof nostr?.nip44Encrypt === 'function';
    },

    provider: find,

    getPublicKey: async () => {
      const nostr = current();
      if (typeof nostr.getPublicKey === 'function') return nostr.getPublicKey();
      throw new NostrSyncError('SIGNER_NOT_SET', 'Cannot use NIP-07: the provider has no getPublicKey');
    },

    signEvent: async (template) => {
      const nostr = current();
      if (typeof nostr.signEvent === 'function') return nostr.signEvent(template);
      throw new NostrSyncError('SIGNING_FAILED', 'Cannot sign: the NIP-07 provider has no signEvent');
    },

    nip44: {
      encrypt: async (peer, plaintext) => {
        const nostr = current();
        if (typeof nostr.nip44?.encrypt === 'function') return nostr.nip44.encrypt(peer, plaintext);
        if (typeof nostr.nip44Encrypt === 'function') return nostr.nip44Encrypt(peer, plaintext);
        throw new NostrSyncError(
          'ENCRYPTION_FAILED',
          'Cannot encrypt: the NIP-07 provider does not offer NIP-44',
        );
      },

      decrypt: async (peer, ciphertext) => {
        const nostr = current();
        if (typeof nostr.nip44?.decrypt === 'function') return nostr.nip44.decrypt(peer, ciphertext);
        if (typeof nostr.nip44Decrypt === 'function') return nostr.nip44Decrypt(peer, ciphertext);
        throw new NostrSyncError(
          'DECRYPTION_FAILED',
          'Cannot decrypt: the NIP-07 provider does not offer NIP-44',
        );
      },
    },
  };
}
