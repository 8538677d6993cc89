/** Verified and decrypted events per second and core, against nostr-tools. */

import { nip44 } from 'nostr-tools';
import { verifyEvent } from 'nostr-tools/pure';
import { decrypt } from '../dist/crypto/nip44.js';
import { nodePrimitives } from '../dist/crypto/node-primitives.js';
import { createEventVerifier } from '../dist/protocol/event-verifier.js';
import { checkEvent } from '../dist/protocol/event.js';
import { decodePayload } from '../dist/protocol/payload.js';
import { createAuthor, dTagOf } from './support/events.mjs';
import { assertEqual, interleave, randomKey, us } from './support/harness.mjs';

const EVENTS = 1_000;
const ROUNDS = 5;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const author = createAuthor(randomKey());
  const texts = Array.from({ length: EVENTS }, (_, i) => JSON.stringify(author.event('settings', i)));
  const asked = dTagOf('settings');
  const peerKey = nip44.getConversationKey(author.secretKey, author.pubkey);
  // Parsed anew each time: nostr-tools notes on an event that it was verified.
  const fresh = () => texts.map((text) => JSON.parse(text));

  function ours(verifier) {
    const events = fresh();
    const startedAt = performance.now();
    let opened = 0;
    for (const value of events) {
      const check = checkEvent(value, {
        pubkey: author.pubkey,
        isAsked: (dTag) => dTag === asked,
        known: () => undefined,
        verifier,
      });
      if (check.type !== 'new') continue;
      decodePayload(decrypt(nodePrimitives, check.event.content, author.sharedKey));
      opened++;
    }
    const took = performance.now() - startedAt;
    assertEqual(opened, EVENTS, 'events opened by us');
    return took;
  }

  function nostrTools() {
    const events = fresh();
    const startedAt = performance.now();
    let opened = 0;
    for (const event of events) {
      if (!verifyEvent(event)) continue;
      JSON.parse(nip44.decrypt(event.content, peerKey));
      opened++;
    }
    const took = performance.now() - startedAt;
    assertEqual(opened, EVENTS, 'events opened by nostr-tools');
    return took;
  }

  const kept = createEventVerifier(nodePrimitives);
  const medians = await interleave(ROUNDS, {
    ours: () => ours(kept),
    'nostr-tools': nostrTools,
    'ours, new verifier': () => ours(createEventVerifier(nodePrimitives)),
  });
  const rate = (took) => `${Math.round((EVENTS / took) * 1_000)}/s (${us(took / EVENTS)} each)`;
  const peer = medians['nostr-tools'];
  return [
    {
      name: 'throughput',
      what: 'events verified and decrypted per s, ours / nostr-tools',
      ratio: peer / medians.ours,
      target: { atLeast: 3 },
      raw: `ours ${rate(medians.ours)}, nostr-tools ${rate(peer)}`,
    },
    {
      name: 'throughput, first 1,000',
      what: 'the same by an engine that has just started',
      ratio: peer / medians['ours, new verifier'],
      target: undefined,
      raw: `ours ${rate(medians['ours, new verifier'])}`,
    },
  ];
}
