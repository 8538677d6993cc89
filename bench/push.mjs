/**
 * From `publish` on one device to `updated` on another over loopback, against the sum of what cannot be left out:
 *
 *     encrypt + sign + verify (the relay) + verify (the other device) + decrypt + one echo (a frame of the same size to a
 *     raw WebSocket server and back: the way to the relay, and the way from it)
 *
 * Not in the sum: the writer's check of what its signer returned, the store, JSON, the OK. Both devices run in this
 * thread; relay and echo server share another one.
 */

import { createNostrSync, secretKeySigner } from '../dist/node.js';
import { noblePrimitives } from '../dist/crypto/noble-primitives.js';
import { nodePrimitives } from '../dist/crypto/node-primitives.js';
import { createEventVerifier } from '../dist/protocol/event-verifier.js';
import { checkEvent } from '../dist/protocol/event.js';
import { decodePayload } from '../dist/protocol/payload.js';
import { categories, createAuthor, NAMESPACE, smallPayload } from './support/events.mjs';
import { assertEqual, interleave, ms, randomKey } from './support/harness.mjs';
import { openRaw, startRelays } from './support/relays.mjs';

const CATEGORIES = 50;
const ROUNDS = 200;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const author = createAuthor(randomKey());
  const names = categories(CATEGORIES);
  const relays = await startRelays();
  const raw = await openRaw(relays.echoUrl);
  const open = () =>
    createNostrSync({
      namespace: NAMESPACE,
      relays: relays.urls,
      signer: secretKeySigner(author.secretKey),
      pacing: { burst: 60, intervalMs: 100 },
    });
  const [laptop, phone] = [open(), open()];
  phone.subscribe(names, () => undefined);
  let heard = () => undefined;
  phone.on('updated', ({ category, payload }) => heard(category, payload));
  // Every category exists: a first write asks the relays before.
  for (const name of names) await laptop.publish(name, smallPayload(0));
  await phone.syncAll(names);

  const signer = secretKeySigner(author.secretKey);
  const verifiers = {
    relay: createEventVerifier(noblePrimitives),
    device: createEventVerifier(nodePrimitives),
  };
  const verify = (which, event) => {
    const expected = {
      pubkey: author.pubkey,
      isAsked: () => true,
      known: () => undefined,
      verifier: verifiers[which],
    };
    assertEqual(checkEvent({ ...event }, expected).type, 'new', 'a genuine event');
  };
  const template = author.event(names[0], 1);
  const content = template.content;
  const frame = JSON.stringify(['EVENT', template]);
  let round = 0;

  async function push() {
    const name = names[round++ % names.length];
    const updated = new Promise((resolve) => {
      heard = (category, payload) => {
        if (category === name && payload.revision === round) resolve(performance.now());
      };
    });
    const startedAt = performance.now();
    const receipt = laptop.publish(name, smallPayload(round));
    const took = (await updated) - startedAt;
    await receipt;
    return took;
  }

  const medians = await interleave(
    ROUNDS,
    {
      push,
      encrypt: () => signer.nip44.encrypt(author.pubkey, JSON.stringify(smallPayload(round))),
      sign: () => signer.signEvent(template),
      'verify (relay)': () => verify('relay', template),
      'verify (device)': () => verify('device', template),
      decrypt: async () => decodePayload(await signer.nip44.decrypt(author.pubkey, content)),
      echo: () => raw.echo(frame),
    },
    60,
  );
  const { push: whole, ...parts } = medians;
  const sum = Object.values(parts).reduce((total, part) => total + part, 0);
  await Promise.all([laptop.close(), phone.close()]);
  raw.close();
  await relays.close();
  return [
    {
      name: 'publish to updated',
      what: 'publish to updated / encrypt + sign + 2 verify + decrypt + echo',
      ratio: whole / sum,
      target: { atMost: 1.5 },
      raw: `${ms(whole)} / ${ms(sum)} (${Object.entries(parts)
        .map(([name, part]) => `${name} ${ms(part)}`)
        .join(', ')})`,
    },
  ];
}
