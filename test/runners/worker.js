/** An engine in a worker thread. */

import { parentPort } from 'node:worker_threads';
import { generateKey } from 'nostr-sync';
import { createRelay } from 'nostr-sync/testing';
import { createSettings, inMemory } from './settings.js';

const settings = createSettings(inMemory(createRelay(), generateKey()));
await settings.save({ theme: 'dark' });
const loaded = await settings.load();
await settings.close();
parentPort.postMessage(loaded);
