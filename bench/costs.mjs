/** Bytes on the wire and store writes of a publish, the start of an engine with many records, and what one more listener costs. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNostrSync, fileStore, memoryStore, secretKeySigner } from '../dist/node.js';
import { openNodeSocket } from '../dist/relay/node-socket.js';
import { callListener } from '../dist/sync/events.js';
import { countStore } from './support/counting.mjs';
import { categories, createAuthor, NAMESPACE, smallPayload } from './support/events.mjs';
import { createIndexedRelay } from './support/fake-relay.mjs';
import { interleave, median, ms, randomKey, until } from './support/harness.mjs';
import { startRelays } from './support/relays.mjs';
import { numbersOf, VALUES } from './support/values.mjs';

const RECORDS = [1_000, 10_000];
const STARTS = 5;

/** One publish to an existing category, until every relay has shown that it has it. */
async function publishOnce(relayCount) {
  const author = createAuthor(randomKey());
  const relays = await startRelays({ count: relayCount });
  const wire = { sent: 0, received: 0, frames: 0 };
  const { store, counts } = countStore(memoryStore());
  const openSocket = (url, handlers) => {
    const onMessage = (text) => {
      wire.received += Buffer.byteLength(text);
      wire.frames++;
      handlers.onMessage(text);
    };
    const socket = openNodeSocket(url, { ...handlers, onMessage });
    return {
      send: (text) => {
        wire.sent += Buffer.byteLength(text);
        wire.frames++;
        socket.send(text);
      },
      ping: () => socket.ping(),
      close: () => socket.close(),
      bufferedAmount: () => socket.bufferedAmount(),
    };
  };
  const sync = createNostrSync({
    namespace: NAMESPACE,
    relays: relays.urls,
    signer: secretKeySigner(author.secretKey),
    openSocket,
    store,
  });
  await until(async () => (await sync.getStatus()).connectedRelayCount === relayCount);
  const stages = new Map();
  sync.on('delivery', ({ eventId, stage }) => stages.set(eventId, stage));
  const publish = async (revision) => {
    const { eventId } = await sync.publish('settings', smallPayload(revision));
    const [bytes, writes] = [{ ...wire }, counts.writes];
    await until(() => stages.get(eventId) === 'replicated');
    // What relays say is saved together, within 3 s.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    return { bytes, writes };
  };
  await publish(1);
  Object.assign(wire, { sent: 0, received: 0, frames: 0 });
  Object.assign(counts, { writes: 0, bytes: 0 });
  const delivered = await publish(2);
  const json = JSON.stringify(smallPayload(2)).length;
  await sync.close();
  await relays.close();
  return { json, delivered, wire, counts };
}

async function startWith(records) {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-bench-'));
  const author = createAuthor(randomKey());
  const names = categories(records);
  const relay = createIndexedRelay(names.map((name, i) => author.event(name, i)));
  const open = (openSocket) =>
    createNostrSync({
      ...{ namespace: NAMESPACE, relays: ['ws://127.0.0.1:1'], openSocket },
      ...{ store: fileStore(folder), signer: secretKeySigner(author.secretKey) },
    });
  try {
    const filling = open(relay.openSocket);
    await until(async () => (await filling.getStatus()).ready);
    await filling.syncAll(names);
    await filling.close();
    const times = [];
    for (let i = 0; i < STARTS; i++) {
      const startedAt = performance.now();
      const sync = open(relay.openSocket);
      // Opened, the outbox worked out, connected.
      await sync.getPubkey();
      await sync.getStatus();
      times.push(performance.now() - startedAt);
      await sync.close();
    }
    return median(times);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What one more listener costs: a copy of its own of the largest value, beside what that has cost to be parsed. */
async function copyPerListener() {
  const text = JSON.stringify(VALUES['minified JSON'](409_600, numbersOf(1)));
  const payload = JSON.parse(text);
  const { copied, parsed } = await interleave(50, {
    copied: () => callListener(() => undefined, { category: 'settings', payload }),
    parsed: () => void JSON.parse(text),
  });
  return {
    name: 'a listener more, of 400 KB',
    what: 'its own copy / JSON.parse of the value',
    ratio: copied / parsed,
    target: { atMost: 5 },
    raw: `copy ${ms(copied)}, parse ${ms(parsed)}`,
  };
}

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const rows = [];
  for (const count of [1, 3]) {
    const { json, delivered, wire, counts } = await publishOnce(count);
    const name = `publish, ${count} relay${count === 1 ? '' : 's'}`;
    rows.push(
      {
        name: `${name}, wire`,
        what: 'bytes on the wire until replicated / bytes of JSON',
        ratio: (wire.sent + wire.received) / json,
        target: undefined,
        raw:
          `${json} B of JSON; until delivered ${delivered.bytes.sent} B out, ${delivered.bytes.received} B in; ` +
          `until replicated ${wire.sent} B out, ${wire.received} B in, ${wire.frames} frames`,
      },
      {
        name: `${name}, store`,
        what: 'store writes until replicated',
        ratio: counts.writes,
        target: { atMost: 3 },
        raw: `${delivered.writes} until delivered; ${counts.bytes} B in all`,
      },
    );
  }
  const [few, many] = [await startWith(RECORDS[0]), await startWith(RECORDS[1])];
  rows.push({
    name: 'start with a file store',
    what: 'ms per record with 10,000 records / with 1,000',
    ratio: many / RECORDS[1] / (few / RECORDS[0]),
    target: undefined,
    raw: `1,000: ${ms(few)}, 10,000: ${ms(many)}`,
  });
  rows.push(await copyPerListener());
  return rows;
}
