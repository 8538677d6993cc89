/** One size of `scale.mjs`, in the process that it starts: how many categories, and where they are kept. */

import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createNostrSync, memoryStore, secretKeySigner } from '../dist/node.js';
import { openNodeSocket } from '../dist/relay/node-socket.js';
import { fileStore } from '../dist/store/file.js';
import { categories, NAMESPACE, smallPayload } from './support/events.mjs';
import { assertEqual, median, randomKey, until } from './support/harness.mjs';

const size = Number(process.argv[2]);
const QUIET_MS = 1_000;
const WAIT_MS = 300_000;
const pubkey = 'ab'.repeat(32);
const names = categories(size);

const real = secretKeySigner(randomKey());
const realKey = await real.getPublicKey();

const written = new Map();
const readable = JSON.stringify(smallPayload(1));

/** No cryptography: "decrypts" to one text, and signs with a random id. */
const signer = {
  getPublicKey: async () => pubkey,
  signEvent: async (template) => ({
    ...template,
    ...{ pubkey, id: randomBytes(32).toString('hex'), sig: '0'.repeat(128) },
  }),
  nip44: {
    encrypt: async (_, text) => {
      const content = await real.nip44.encrypt(realKey, text);
      written.set(content, text);
      return content;
    },
    decrypt: async (_, content) => written.get(content) ?? readable,
  },
};
const verifier = { hash: (event) => event.id, verifySignature: () => true };

const relay = fork(new URL('scale-relay.mjs', import.meta.url), [String(size), pubkey], { execArgv: [] });
const [url] = await once(relay, 'message');

/** Both ways, since the start; and the number of frames. */
let [bytes, frames] = [0, 0];
function count(text) {
  // All is ASCII.
  bytes += text.length;
  frames++;
}
function openSocket(address, handlers) {
  const socket = openNodeSocket(address, {
    ...handlers,
    onMessage: (text) => {
      count(text);
      handlers.onMessage(text);
    },
  });
  return {
    ...socket,
    send: (text) => {
      count(text);
      socket.send(text);
    },
  };
}

/** Until nothing has come or gone for a while. */
async function quiet() {
  for (let seen = -1; seen !== frames;) {
    seen = frames;
    await delay(QUIET_MS);
  }
}

async function memory() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await delay(0);
  }
  return process.memoryUsage();
}

/** Per category: processor time in ms, and bytes of memory. */
const each = {};
/** In all, in ms. */
const tookMs = {};

/** With all that follows until it is quiet. */
async function measure(name, act) {
  await quiet();
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  await act();
  tookMs[name] = performance.now() - startedAt;
  await quiet();
  const { user, system } = process.cpuUsage(cpu);
  each[name] = (user + system) / 1_000 / size;
}

async function start(store) {
  const sync = createNostrSync({
    ...{ namespace: NAMESPACE, relays: [url], openSocket, store, verifier, signer, keepSigner: true },
  });
  // As most apps do.
  sync.on('status', () => undefined);
  await until(async () => (await sync.getStatus()).ready, WAIT_MS);
  return sync;
}

const isReady = async (sync) => (await sync.getStatus()).ready;
const all = async (found, expected = size) => assertEqual((await found).length, expected, 'values');

/** `store`: the same one each time. Returns the bytes of a reconnect, and the ms of a write. */
async function life(store) {
  const before = await memory();
  let sync = await start(store());
  // A call waits for a relay 10 s, and what that has not brought by then comes after it.
  await measure('firstSync', async () => {
    while ((await sync.syncAll(names)).length < size) await quiet();
  });
  const after = await memory();
  each.heapBytes = (after.heapUsed - before.heapUsed) / size;
  each.residentBytes = (after.rss - before.rss) / size;
  await measure('syncAgain', () => all(sync.syncAll(names)));
  await sync.poll(names);
  await measure('poll', () => all(sync.poll(names), 0));
  await measure('subscribe', () => sync.subscribe(names, () => undefined));
  const bytesBefore = bytes;
  await measure('reconnect', async () => {
    relay.send('disconnect');
    await until(async () => !(await isReady(sync)));
    await until(() => isReady(sync), WAIT_MS);
    await quiet();
  });
  const reconnectBytes = bytes - bytesBefore;
  const writes = [];
  for (const name of names.slice(0, 21)) {
    const startedAt = performance.now();
    await sync.publish(name, { changed: true }, { waitFor: 'replicated' });
    writes.push(performance.now() - startedAt);
  }
  await sync.close();
  await measure('open', async () => {
    sync = await start(store());
  });
  await measure('read', async () => {
    while ((await sync.syncAll(names)).length < size) await quiet();
  });
  await sync.close();
  return { reconnectBytes, writeMs: median(writes) };
}

async function inFiles() {
  const folder = mkdtempSync(join(tmpdir(), 'nostr-sync-scale-'));
  try {
    return await life(() => fileStore(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function inMemory() {
  const kept = { ...memoryStore(), close: async () => undefined };
  return life(() => kept);
}

const found = await (process.argv[3] === 'file' ? inFiles() : inMemory());
process.send({ each, tookMs, ...found }, () => process.exit(0));
