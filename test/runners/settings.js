/** The code of an app, which its tests start on a relay in memory. */

import { createNostrSync, memoryStore, secretKeySigner } from 'nostr-sync';

export function createSettings(options) {
  const sync = createNostrSync({ namespace: 'my-app', relays: ['wss://relay.example.com'], ...options });
  return {
    save: async (settings, options) => sync.publish('settings', settings, options),
    load: async () => (await sync.fetch('settings'))?.payload ?? { theme: 'light' },
    onChange: (listener) => sync.subscribe(['settings'], ({ payload }) => listener(payload)),
    close: async () => sync.close(),
  };
}

/** What a test passes: a device that has nothing yet, on a relay in memory. */
export const inMemory = (relay, key) => ({
  openSocket: relay.openSocket,
  store: memoryStore(),
  signer: secretKeySigner(key),
});
