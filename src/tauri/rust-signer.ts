/** The signer that Rust holds: the key never comes into the webview. */

import type { Signer } from '../signer/signer.ts';
import type { Ipc } from './ipc.ts';

/** Only a window with the permissions of a host can use it, and Rust refuses (`SIGNER_REFUSED`) what is not the plugin's own. */
export function rustSigner(
  ipc: Ipc,
  generation: number,
  { pubkey, isLocal }: { readonly pubkey: string; readonly isLocal: boolean },
): Signer {
  const call = <T>(command: string, args: Readonly<Record<string, unknown>>): Promise<T> =>
    ipc.invoke(command, { generation, ...args }) as Promise<T>;

  return {
    isLocal,
    getPublicKey: async () => pubkey,
    signEvent: async ({ kind, created_at, tags, content }) =>
      call('sign_event', { template: { kind, created_at, tags, content } }),
    nip44: {
      encrypt: async (peer, plaintext) => call('nip44_encrypt', { peer, plaintext }),
      decrypt: async (peer, ciphertext) => call('nip44_decrypt', { peer, ciphertext }),
    },
  };
}
