/** 60 KB payloads: NIP-44 against nostr-tools. */

import { nip44 } from 'nostr-tools';
import { randomBytes } from 'node:crypto';
import { decrypt, encrypt } from '../dist/crypto/nip44.js';
import { nodePrimitives } from '../dist/crypto/node-primitives.js';
import { createAuthor } from './support/events.mjs';
import { assertEqual, interleave, randomKey, us } from './support/harness.mjs';

const BYTES = 60_000;
const TIMES = 5;
const ROUNDS = 25;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const { sharedKey } = createAuthor(randomKey());
  const text = JSON.stringify({ text: randomBytes(BYTES).toString('base64') }).slice(0, BYTES);
  const payload = encrypt(nodePrimitives, text, sharedKey, new Uint8Array(randomBytes(32)));
  assertEqual(nip44.decrypt(payload, sharedKey), text, 'our ciphertext read by nostr-tools');
  assertEqual(decrypt(nodePrimitives, nip44.encrypt(text, sharedKey), sharedKey), text, 'theirs read by us');
  const times = (act) => () => {
    for (let i = 0; i < TIMES; i++) act();
  };
  const medians = await interleave(
    ROUNDS,
    {
      encrypt: times(() => encrypt(nodePrimitives, text, sharedKey, new Uint8Array(randomBytes(32)))),
      'nostr-tools encrypt': times(() => nip44.encrypt(text, sharedKey)),
      decrypt: times(() => decrypt(nodePrimitives, payload, sharedKey)),
      'nostr-tools decrypt': times(() => nip44.decrypt(payload, sharedKey)),
    },
    5,
  );
  return ['encrypt', 'decrypt'].map((what) => ({
    name: `60 KB ${what}`,
    what: `${what}ions of 60,000 bytes per s, ours / nostr-tools`,
    ratio: medians[`nostr-tools ${what}`] / medians[what],
    target: { atLeast: 10 },
    raw: `ours ${us(medians[what] / TIMES)}, nostr-tools ${us(medians[`nostr-tools ${what}`] / TIMES)}`,
  }));
}
