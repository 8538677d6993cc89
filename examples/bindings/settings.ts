import { createNostrSync, defineCategory } from 'nostr-sync';

export const sync = createNostrSync({ relays: ['wss://relay.example.com'] });
export const settings = sync.state(
  defineCategory({ name: 'settings', default: { theme: 'light', size: 12 } }),
);
