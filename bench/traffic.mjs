/**
 * Characters both ways on the socket (bytes, as all is ASCII) until a device is up to date again, and the round trips that it takes: at a
 * reconnect, by `syncAll` and by `poll`, with nothing, 1 or half of the values changed meanwhile, on a relay with NIP-77 and on one without. In
 * virtual time, over relays in memory. After each reconnect two others ask the same relay for the same values, over sockets that are counted in
 * the same way: nostr-tools' `SimplePool` by one REQ for all ("the full way"), and a client that sends a REQ for each category, one after the
 * other, as the original plugin does.
 */

import { randomBytes } from 'node:crypto';
import { encrypt } from '../dist/crypto/nip44.js';
import { nodePrimitives } from '../dist/crypto/node-primitives.js';
import { createNostrSync, secretKeySigner } from '../dist/node.js';
import { connectTo, createRelay, createTestClock } from '../dist/testing/browser.js';
import { categories, createAuthor, dTagOf, NAMESPACE } from './support/events.mjs';
import { assertEqual, randomKey } from './support/harness.mjs';
import { askBySimplePool, askOneByOne, createMeter } from './support/peers-on-wire.mjs';

const URL = 'wss://relay.example';
const KB = 1_024;
/** Of one value, as text. */
const VALUE_BYTES = 10_000;
/** One way: so that what waits for an answer is told from what does not. */
const LATENCY_MS = 50;

/** A device that has all values, and was connected before. */
async function setUp(count, negentropy, bytes = VALUE_BYTES) {
  const clock = createTestClock();
  const relay = createRelay({
    ...{ clock, negentropy, latencyMs: LATENCY_MS, frameLogSize: 0 },
    limits: { maxLimit: 100_000 },
  });
  const author = createAuthor(randomKey());
  const names = categories(count);
  const start = Math.floor(clock.now() / 1_000) - 1_000;
  const write = (name, n) => {
    const text = JSON.stringify({ n, filler: 'x'.repeat(bytes) });
    const content = encrypt(nodePrimitives, text, author.sharedKey, new Uint8Array(randomBytes(32)));
    const event = author.event(name, n, { created_at: start + n, tags: [['d', dTagOf(name)]], content });
    relay.inject(event);
    return JSON.stringify(event).length;
  };
  for (const name of names) write(name, 0);
  const openSocket = connectTo({ [URL]: relay });
  const meter = createMeter(openSocket, clock);
  const sync = createNostrSync({
    ...{ clock, namespace: NAMESPACE, relays: [URL] },
    signer: secretKeySigner(author.secretKey),
    openSocket: meter.openSocket,
  });
  sync.subscribe(names, () => undefined);
  await settle(clock, sync.syncAll(names));
  await clock.advance(60_000);
  meter.take();
  return { clock, relay, sync, names, write, openSocket, traffic: meter.take, pubkey: author.pubkey };
}

async function settle(clock, promise) {
  let isSettled = false;
  promise.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  for (let passed = 0; !isSettled && passed < 600_000; passed += 10) await clock.advance(10);
  return promise;
}

/** What it costs to be up to date again after `changed` values were written while the device was away. */
async function reconnect(world, changed) {
  const { clock, relay, names, write, traffic, sync } = world;
  relay.misbehave({ refuseConnections: true });
  relay.disconnectAll();
  await clock.advance(1_000);
  const before = Number(changed.at ?? 0);
  const size = names.slice(0, changed.count).reduce((sum, name) => sum + write(name, before), 0);
  traffic();
  relay.behave();
  await clock.advance(120_000);
  const result = { ...traffic(), size };
  const others = changed.isAlone ? {} : await otherWays(world);
  const known = await settle(clock, sync.syncAll(names));
  const isNew = ({ payload }) => payload.n === before;
  assertEqual(known.filter(isNew).length >= changed.count, true, 'all that changed is known');
  traffic();
  return { ...result, ...others };
}

/** What it costs others to be up to date, by one REQ for all and by one for each. */
async function otherWays({ clock, names, openSocket, pubkey }) {
  const filter = (dTags) => ({ authors: [pubkey], kinds: [30_078], '#d': dTags });
  const dTags = names.map(dTagOf);
  const measure = async (ask) => {
    const meter = createMeter(openSocket, clock);
    const events = await settle(clock, ask(meter.openSocket));
    assertEqual(events.length, names.length, 'events found');
    await clock.advance(1_000);
    return meter.take();
  };
  return {
    full: await measure((open) => askBySimplePool(open, URL, filter(dTags))),
    oneByOne: await measure((open) =>
      askOneByOne(
        open,
        URL,
        dTags.map((dTag) => filter([dTag])),
      ),
    ),
  };
}

const kb = (bytes) => `${(bytes / KB).toFixed(1)} KB`;

async function rowsOf(negentropy) {
  const name = negentropy === 'answers' ? 'with NIP-77' : 'without NIP-77';
  const hasIt = negentropy === 'answers';
  const world = await setUp(100, negentropy);
  const nothing = await reconnect(world, { count: 0 });
  const one = await reconnect(world, { count: 1, at: 1 });
  const half = await reconnect(world, { count: 50, at: 2 });
  await settle(world.clock, world.sync.poll(world.names));
  world.traffic();
  await settle(world.clock, world.sync.poll(world.names));
  const poll = world.traffic();
  await settle(world.clock, world.sync.syncAll(world.names));
  const again = world.traffic();
  const row = (what, ratio, target, raw = '') => ({
    ...{ name: `traffic, ${name}, ${what}`, ratio, raw },
    what: target.what,
    target: target.atMost === undefined ? undefined : { atMost: target.atMost },
  });
  const ofFull = { what: 'bytes / SimplePool', atMost: 1.05 };
  const trips = { what: 'round trips', atMost: 3 };
  // Without NIP-77 what is watched costs nothing as long as the line is proven alive.
  const ofKb = { what: 'bytes / 1 KB', atMost: hasIt ? 1 : 0 };
  const beside = ({ bytes, full, oneByOne }) =>
    `${kb(bytes)}, SimplePool ${kb(full.bytes)}, one by one ${kb(oneByOne.bytes)}`;
  const besideTrips = ({ full, oneByOne }) =>
    `SimplePool ${full.roundTrips}, one by one ${oneByOne.roundTrips}`;
  const rows = [
    row(
      'reconnect, nothing changed',
      hasIt ? nothing.bytes / (4 * KB) : nothing.bytes / nothing.full.bytes,
      hasIt ? { what: 'bytes / 4 KB', atMost: 1 } : ofFull,
      beside(nothing),
    ),
    row(
      'reconnect, 1 of 100 changed',
      hasIt ? one.bytes / (4 * KB + 1.5 * one.size) : one.bytes / one.full.bytes,
      hasIt ? { what: 'bytes / (4 KB + 1.5 x the event)', atMost: 1 } : ofFull,
      `${beside(one)}, the event ${kb(one.size)}`,
    ),
    row('reconnect, 50 of 100 changed', half.bytes / half.full.bytes, ofFull, beside(half)),
    row(
      'reconnect, nothing changed, beside the original',
      nothing.bytes / nothing.oneByOne.bytes,
      { what: 'bytes / a REQ for each category', atMost: 1 },
      beside(nothing),
    ),
    row('round trips, nothing changed', nothing.roundTrips, trips, besideTrips(nothing)),
    row('round trips, 1 changed', one.roundTrips, trips, besideTrips(one)),
    row('round trips, 50 changed', half.roundTrips, trips, besideTrips(half)),
    row('poll, nothing new', poll.bytes / KB, ofKb, kb(poll.bytes)),
    row('syncAll, nothing new', again.bytes / KB, ofKb, kb(again.bytes)),
    row('round trips, poll', poll.roundTrips, trips),
    row('round trips, syncAll', again.roundTrips, trips),
  ];
  await world.sync.close();
  return rows;
}

/** How what costs nothing new grows with the number of categories. */
async function growth() {
  const found = {};
  for (const count of [100, 1_000, 10_000]) {
    const world = await setUp(count, 'answers', 200);
    await settle(world.clock, world.sync.poll(world.names));
    world.traffic();
    await settle(world.clock, world.sync.poll(world.names));
    const poll = world.traffic().bytes;
    const { bytes } = await reconnect(world, { count: 0, isAlone: true });
    found[count] = { poll, reconnect: bytes };
    await world.sync.close();
  }
  return [1_000, 10_000].flatMap((count) =>
    ['poll', 'reconnect'].map((what) => ({
      name: `traffic, ${what}, nothing new, ${count} categories`,
      what: 'bytes / (of 100 x the square root of the growth)',
      ratio: found[count][what] / (found[100][what] * Math.sqrt(count / 100)),
      target: { atMost: 1 },
      raw: `${kb(found[count][what])}, 100 categories ${kb(found[100][what])}`,
    })),
  );
}

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  return [...(await rowsOf('answers')), ...(await rowsOf('notice')), ...(await growth())];
}
