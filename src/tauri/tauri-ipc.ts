/** The Ipc port over Tauri's own API. */

import { Channel, invoke, isTauri } from '@tauri-apps/api/core';
import { fromRefusal, type Ipc } from './ipc.ts';

const PLUGIN = 'plugin:nostr-sync|';

/** `undefined` if the page does not run in Tauri. */
export function tauriIpc(): Ipc | undefined {
  if (!isTauri()) return undefined;
  const page = crypto.getRandomValues(new Uint32Array(3)).join('.');
  let calls = 0;
  return {
    page,
    invoke: (command, args) =>
      // Tauri may deliver a call twice: by its id Rust knows the copy (`once.rs`).
      invoke<unknown>(PLUGIN + command, { ...args, callId: `${page}-${++calls}` }).catch((error: unknown) => {
        throw fromRefusal(error);
      }),
    channel: (onMessage) => new Channel(onMessage),
  };
}
