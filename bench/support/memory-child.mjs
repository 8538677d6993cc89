/**
 * What a value of 400 KB takes in memory, in a process of its own that has just dealt with ten values of 60 KB in pieces, so
 * that modules and compiled code are not taken for the value's. Arguments: the relay's URL, the key in hex, `publish` or
 * `fetch`, and `live` (heap and external buffers after forced collections, also in the middle of the work: before and after
 * each call of a port, and every 2 ms) or `rss` (resident, garbage and all). The app's own copy of the value counts as well.
 */

import { createNostrSync, memoryStore, secretKeySigner } from '../../dist/node.js';
import { streamCompression } from '../../dist/protocol/compression.js';
import { openNodeSocket } from '../../dist/relay/node-socket.js';
import { NAMESPACE } from './events.mjs';
import { until } from './harness.mjs';
import { valueOf, WARM_CATEGORIES } from './notes.mjs';

const [url, secretKey, what, how] = process.argv.slice(2);
const isLive = how === 'live';
let isWatching = false;
let peak = 0;

function usedNow() {
  if (!isLive) return process.memoryUsage.rss();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function sample() {
  if (isWatching) peak = Math.max(peak, usedNow());
}

/** The port, with a sample before and after each call of these functions, and when it has settled. */
function sampled(port, ...names) {
  const wrap =
    (name) =>
    (...args) => {
      sample();
      const result = port[name](...args);
      sample();
      result?.then?.(sample, () => undefined);
      return result;
    };
  return { ...port, ...Object.fromEntries(names.map((name) => [name, wrap(name)])) };
}

const signer = secretKeySigner(secretKey);
const store = memoryStore();
const sync = createNostrSync({
  namespace: NAMESPACE,
  maxPayloadSize: 409_600,
  relays: [url],
  signer: { ...sampled(signer, 'signEvent'), nip44: sampled(signer.nip44, 'encrypt', 'decrypt') },
  compression: sampled(streamCompression, 'deflate', 'inflate'),
  store: {
    ...sampled(store, 'get', 'list'),
    update: (keys, decide) => store.update(keys, sampled({ decide }, 'decide').decide),
  },
  openSocket: (to, handlers) => {
    const socket = openNodeSocket(to, sampled(handlers, 'onMessage'));
    const { send, ping, close } = sampled(socket, 'send');
    return {
      ...{ send, ping, close },
      bufferedAmount: () => socket.bufferedAmount(),
    };
  },
});

await until(async () => (await sync.getStatus()).ready);
await Promise.all(
  WARM_CATEGORIES.map((category) =>
    what === 'publish'
      ? sync.publish(category, valueOf(60_000), { waitFor: 'replicated' })
      : sync.fetch(category),
  ),
);
const text = JSON.stringify(valueOf(400_000));
let before = Infinity;
// What the warm-up leaves goes in several collections, the ends of its sockets' buffers in later turns.
for (let i = 0; i < 20; i++) {
  before = Math.min(before, usedNow());
  await new Promise((resolve) => setTimeout(resolve, 50));
}
peak = before;
isWatching = true;
const timer = setInterval(sample, 2);
if (what === 'publish') await sync.publish('notes', JSON.parse(text), { waitFor: 'replicated' });
else await sync.fetch('notes');
clearInterval(timer);
process.send({ bytes: peak - before, size: text.length }, () => process.exit(0));
