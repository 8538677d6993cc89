/**
 * `syncAll` of 100 categories over three relays, connections open, against one round trip. A round trip is a raw REQ for
 * the same categories to its EOSE, on the slowest of the same relays; "opening" is verifying and decrypting the same events
 * alone, from nothing (a new signer and a new verifier), as a new device must.
 */

import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import { nip44 } from 'nostr-tools';
import { verifyEvent } from 'nostr-tools/pure';
import { WebSocket } from 'ws';
import { createNostrSync, secretKeySigner } from '../dist/node.js';
import { nodePrimitives } from '../dist/crypto/node-primitives.js';
import { createEventVerifier } from '../dist/protocol/event-verifier.js';
import { checkEvent } from '../dist/protocol/event.js';
import { decodePayload } from '../dist/protocol/payload.js';
import { categories, createAuthor, dTagOf, NAMESPACE } from './support/events.mjs';
import { assertEqual, interleave, ms, randomKey, until } from './support/harness.mjs';
import { openRaw, startRelays } from './support/relays.mjs';

const CATEGORIES = 100;
const RELAYS = 3;
const ROUNDS = 9;

useWebSocketImplementation(WebSocket);

async function measure(roundTripMs) {
  const author = createAuthor(randomKey());
  const names = categories(CATEGORIES);
  const events = names.map((name, i) => author.event(name, i));
  const dTags = new Set(names.map(dTagOf));
  const relays = await startRelays({ count: RELAYS, latencyMs: roundTripMs / 2, events });
  const raws = await Promise.all(relays.urls.map(openRaw));
  const filterOf = (wanted) => ({ authors: [author.pubkey], kinds: [30_078], '#d': wanted });
  const peerKey = nip44.getConversationKey(author.secretKey, author.pubkey);

  async function device() {
    const sync = createNostrSync({
      namespace: NAMESPACE,
      relays: relays.urls,
      signer: secretKeySigner(author.secretKey),
    });
    await until(async () => (await sync.getStatus()).connectedRelayCount === RELAYS);
    return sync;
  }

  async function timedSync(sync) {
    const startedAt = performance.now();
    const results = await sync.syncAll(names);
    const took = performance.now() - startedAt;
    assertEqual(results.length, CATEGORIES, 'categories synced');
    assertEqual(
      results.every((result) => result.source === 'relay'),
      true,
      'all of them by a relay',
    );
    return took;
  }

  async function timedOpening(check, decrypt) {
    const startedAt = performance.now();
    for (const event of events) {
      assertEqual(check({ ...event }), true, 'a genuine event');
      decodePayload(await decrypt(event.content));
    }
    return performance.now() - startedAt;
  }

  const verifies = () => {
    const verifier = createEventVerifier(nodePrimitives);
    const expected = {
      pubkey: author.pubkey,
      isAsked: (dTag) => dTags.has(dTag),
      known: () => undefined,
      verifier,
    };
    return (event) => checkEvent(event, expected).type === 'new';
  };
  const decrypts = () => {
    const signer = secretKeySigner(author.secretKey);
    return (content) => signer.nip44.decrypt(author.pubkey, content);
  };

  const pool = new SimplePool();
  await Promise.all(relays.urls.map((url) => pool.ensureRelay(url)));
  const known = await device();
  await known.syncAll(names);

  const cases = {
    roundTrip: () => Promise.all(raws.map((raw) => raw.request(filterOf([...dTags])))),
    opening: () => timedOpening(verifies(), decrypts()),
    decrypting: () => timedOpening(() => true, decrypts()),
    again: () => timedSync(known),
    first: async () => {
      const sync = await device();
      const took = await timedSync(sync);
      await sync.close();
      return took;
    },
    simplePool: async () => {
      const found = await pool.querySync(relays.urls, filterOf([...dTags]));
      assertEqual(found.length, CATEGORIES, 'events found by SimplePool');
      for (const event of found) JSON.parse(nip44.decrypt(event.content, peerKey));
    },
  };
  const medians = await interleave(ROUNDS, cases);
  // Seconds each: once is enough.
  const { sequential } = await interleave(
    1,
    {
      sequential: async () => {
        for (const dTag of dTags) {
          const answers = await Promise.all(raws.map((raw) => raw.request(filterOf([dTag]))));
          const event = JSON.parse(answers[0][0])[2];
          assertEqual(verifyEvent(event), true, 'a genuine event');
          JSON.parse(nip44.decrypt(event.content, peerKey));
        }
      },
    },
    0,
  );
  await known.close();
  pool.close(relays.urls);
  raws.forEach((raw) => raw.close());
  await relays.close();
  return { ...medians, sequential };
}

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const rows = [];
  for (const roundTripMs of [50, 100]) {
    const { roundTrip, opening, decrypting, again, first, simplePool, sequential } =
      await measure(roundTripMs);
    const name = `syncAll, ${roundTripMs} ms`;
    rows.push(
      {
        name: `${name}, new device`,
        what: '(syncAll - verifying and decrypting) / round trip',
        ratio: (first - opening) / roundTrip,
        target: { atMost: 1.3 },
        raw: `syncAll ${ms(first)}, round trip ${ms(roundTrip)}, verify + decrypt ${ms(opening)}`,
      },
      {
        name: `${name}, known values`,
        what: 'syncAll / round trip',
        ratio: again / roundTrip,
        target: { atMost: 1.3 },
        raw: `syncAll ${ms(again)}, round trip ${ms(roundTrip)}`,
      },
      {
        name: `${name}, decryption only`,
        what: '(syncAll on a new device - decrypting) / round trip',
        ratio: (first - decrypting) / roundTrip,
        target: undefined,
        raw: `decrypt ${ms(decrypting)}`,
      },
      {
        name: `${name}, SimplePool`,
        what: 'SimplePool / syncAll on a new device',
        ratio: simplePool / first,
        target: undefined,
        raw: `SimplePool ${ms(simplePool)}`,
      },
      {
        name: `${name}, one by one`,
        what: 'one REQ after another (the reference) / syncAll on a new device',
        ratio: sequential / first,
        target: undefined,
        raw: `one by one ${ms(sequential)}`,
      },
    );
  }
  return rows;
}
