/** An engine in a worker thread. */

import { parentPort } from 'node:worker_threads';
import { createNostrSync, generateKey, memoryStore, secretKeySigner } from 'nostr-sync';
import { createRelay } from 'nostr-sync/testing';

const relay = createRelay();
const sync = createNostrSync({
  relays: ['wss://relay.example.com'],
  openSocket: relay.openSocket,
  store: memoryStore(),
  signer: secretKeySigner(generateKey()),
});
await sync.publish('settings', { theme: 'dark' });
const { payload } = await sync.fetch('settings');
await sync.close();
parentPort.postMessage(payload);
