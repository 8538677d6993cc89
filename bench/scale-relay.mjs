/** The embedded relay with as many events as it is told, in a process of its own, so that the memory of the other is the engine's alone. */

import { createHash } from 'node:crypto';
import { startRelay } from '../dist/testing/index.js';
import { categories, dTagOf } from './support/events.mjs';

const [size, pubkey] = [Number(process.argv[2]), process.argv[3]];
const now = Math.floor(Date.now() / 1_000);

/** Of no real key: what is measured is not cryptography. */
const eventOf = (name, i) => ({
  id: createHash('sha256').update(name).digest('hex'),
  pubkey,
  kind: 30_078,
  created_at: now - 200_000 + i,
  tags: [
    ['d', dTagOf(name)],
    ['device_id', '6f1c2a52-0b0e-4a5e-9b43-5b6f0c1d2e3f'],
    ['vv', `0a1b2c3d:${now - 200_000 + i}`],
  ],
  // What 200 bytes of JSON are, encrypted.
  content: createHash('sha512').update(name).digest('base64').repeat(5).slice(0, 432),
  sig: createHash('sha512').update(name).digest('hex'),
});

const { url, relay } = await startRelay({
  frameLogSize: 0,
  verifier: { hash: ({ id }) => id, verifySignature: () => true },
});
relay.restore(categories(size).map(eventOf));
process.on('message', (m) => (m === 'wipe' ? relay.wipe() : relay.disconnectAll()));
process.on('disconnect', () => process.exit(0));
process.send(url);
