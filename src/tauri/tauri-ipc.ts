/** The Ipc port over Tauri's own API. */

import { Channel, invoke, isTauri } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { fromWire, type Ipc } from './ipc.ts';

/**
 * What `getCurrentWebview()` reads its label from. Both halves of Tauri, which apps update apart, agree on it; importing that
 * function would cost a window 3 KB of code for windows, images and menus.
 */
interface Internals {
  readonly __TAURI_INTERNALS__: {
    readonly metadata: { readonly currentWebview: { readonly label: string } };
  };
}

const PLUGIN = 'plugin:nostr-sync|';

/** `undefined` if the page does not run in Tauri. */
export function tauriIpc(): Ipc | undefined {
  if (!isTauri()) return undefined;
  // A reloaded page has another one.
  const run = crypto.getRandomValues(new Uint32Array(3)).join('.');
  let calls = 0;
  return {
    label: (globalThis as unknown as Internals).__TAURI_INTERNALS__.metadata.currentWebview.label,
    invoke: (command, args) =>
      // Tauri may deliver a call twice: by its id Rust knows the copy (`once.rs`).
      invoke<unknown>(PLUGIN + command, { ...args, callId: `${run}-${++calls}` }).catch((error: unknown) => {
        throw fromWire(error);
      }),
    listen: (event, onEvent) => listen(event, ({ payload }) => onEvent(payload)),
    channel: (onMessage) => new Channel(onMessage),
  };
}
