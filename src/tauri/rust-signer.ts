/** The signer that Rust holds: the key never comes into the webview. */

import type { NostrEvent } from '../protocol/event.ts';
import type { Signer } from '../signer/signer.ts';
import type { Ipc } from './ipc.ts';

/** Only a window with the permissions of a host can use it, and Rust refuses (`SIGNER_REFUSED`) what is not the plugin's own. */
export function rustSigner(ipc: Ipc, pubkey: string): Signer {
  return {
    getPublicKey: async () => pubkey,
    signEvent: async (template) => (await ipc.invoke('sign_event', { template })) as NostrEvent,
    nip44: {
      encrypt: async (peer, plaintext) => (await ipc.invoke('nip44_encrypt', { peer, plaintext })) as string,
      decrypt: async (peer, ciphertext) =>
        (await ipc.invoke('nip44_decrypt', { peer, ciphertext })) as string,
    },
  };
}
