/** One size of `growth.mjs`, in the process that it starts. */

import { createNostrSync, memoryStore, secretKeySigner } from '../dist/node.js';
import { nodePrimitives } from '../dist/crypto/node-primitives.js';
import { createEventVerifier } from '../dist/protocol/event-verifier.js';
import { countCrypto, countStore } from './support/counting.mjs';
import { categories, createAuthor, NAMESPACE, smallPayload } from './support/events.mjs';
import { createIndexedRelay } from './support/fake-relay.mjs';
import { assertEqual, median, randomKey, until } from './support/harness.mjs';

const size = Number(process.argv[2]);
const REPEATS = Math.min(9, Math.max(1, Math.round(3_000 / size)));

const author = createAuthor(randomKey());

/** No cryptography: hands every event through, and "decrypts" to one text. */
const bareSigner = {
  getPublicKey: async () => author.pubkey,
  signEvent: () => Promise.reject(new Error('not here')),
  nip44: {
    encrypt: () => Promise.reject(new Error('not here')),
    decrypt: async () => JSON.stringify(smallPayload(1)),
  },
};
const bareVerifier = { hash: (event) => event.id, verifySignature: () => true };

async function timed(act) {
  const startedAt = performance.now();
  const value = await act();
  return { took: performance.now() - startedAt, value };
}

async function heap() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

/** A device's life: first sync, the same again, polls, restart, polls. Times in ms per category. */
async function life(count, isBare) {
  const names = categories(count);
  const relay = createIndexedRelay(names.map((name, i) => author.event(name, i)));
  const { store } = countStore(memoryStore());
  const crypto = countCrypto(
    isBare ? bareVerifier : createEventVerifier(nodePrimitives),
    isBare ? bareSigner : secretKeySigner(author.secretKey),
  );
  const start = async () => {
    const sync = createNostrSync({
      ...{ namespace: NAMESPACE, relays: ['ws://127.0.0.1:1'], openSocket: relay.openSocket },
      ...{ store, verifier: crypto.verifier, signer: crypto.signer, keepSigner: true },
    });
    await until(async () => (await sync.getStatus()).ready);
    return sync;
  };
  const get = async (ask, expected) => {
    const { took, value } = await timed(ask);
    assertEqual(value.length, expected, 'values');
    return took / count;
  };
  const counts = {};
  const each = {};

  let sync = await start();
  const before = await heap();
  each.firstSync = await get(() => sync.syncAll(names), count);
  counts.firstSync = crypto.take();
  each.heapBytes = ((await heap()) - before) / count;
  each.syncAgain = await get(() => sync.syncAll(names), count);
  crypto.take();
  await sync.poll(names);
  crypto.take();
  each.emptyPoll = await get(() => sync.poll(names), 0);
  counts.emptyPoll = crypto.take();
  await sync.close();

  const restarted = await timed(async () => {
    sync = await start();
    assertEqual((await sync.poll(names)).length, count, 'values of the first poll');
  });
  each.restart = restarted.took / count;
  counts.restartedPoll = crypto.take();
  await sync.poll(names);
  counts.emptyPollAfterRestart = crypto.take();
  await sync.close();
  return { each, counts };
}

await life(100, false);
await life(300, true);
const real = [];
const bare = [];
for (let i = 0; i < REPEATS; i++) {
  real.push(await life(size, false));
  bare.push(await life(size, true));
}
const medians = (lives) =>
  Object.fromEntries(
    Object.keys(lives[0].each).map((key) => [key, median(lives.map(({ each }) => each[key]))]),
  );
const [each, bareEach] = [medians(real), medians(bare)];
process.send(
  {
    each: {
      ...each,
      bareFirstSync: bareEach.firstSync,
      bareSyncAgain: bareEach.syncAgain,
      bareRestart: bareEach.restart,
      // Without the tables of the curve, which are the same at any size.
      heapBytes: bareEach.heapBytes,
    },
    counts: real[0].counts,
  },
  () => process.exit(0),
);
