/** What this app syncs, over which relays, and under whose key. */

import { browserKeyStore, createNostrSync, defineCategory, identity } from 'nostr-sync';

interface Settings {
  theme: 'auto' | 'light' | 'dark';
  fontSize: number;
}

const namespace = 'web-svelte-example';
const asked = new URLSearchParams(location.search).getAll('relay');
const { signer } = await identity({ namespace, keyStore: browserKeyStore(namespace) });

export const sync = createNostrSync({
  namespace,
  signer,
  relays: asked.length > 0 ? asked : ['ws://localhost:7447'],
});
export const settings = sync.state(
  defineCategory<Settings>({ name: 'settings', default: { theme: 'auto', fontSize: 16 } }),
);
