/** The code of an app, which its tests start on a relay in memory. */

import { createNostrSync } from 'nostr-sync';

export function createSettings(options) {
  const sync = createNostrSync({ namespace: 'my-app', relays: ['wss://relay.example.com'], ...options });
  return {
    save: async (settings) => sync.publish('settings', settings),
    load: async () => (await sync.fetch('settings'))?.payload ?? { theme: 'light' },
    onChange: (listener) => sync.subscribe(['settings'], ({ payload }) => listener(payload)),
    close: async () => sync.close(),
  };
}
