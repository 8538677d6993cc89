/**
 * Junk from a relay, per frame, against valid events that are verified, saved, decrypted and handed to the app; both through
 * the real connection and inbox of an engine that watches the categories.
 */

import { createNostrSync, secretKeySigner } from '../dist/node.js';
import { systemClock } from '../dist/clock.js';
import { randomBytes } from 'node:crypto';
import { categories, createAuthor, NAMESPACE } from './support/events.mjs';
import { createFakeRelay } from './support/fake-relay.mjs';
import { assertEqual, interleave, randomKey, until, us } from './support/harness.mjs';

const BATCH = 500;
const BATCHES = 10;
/** Bad signatures a minute that are no verdict yet. */
const FORGED_BATCH = 90;
const ROUNDS = 7;
const TARGET = 50;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const author = createAuthor(randomKey());
  const stranger = createAuthor(randomKey());
  const names = categories(BATCH);
  const fake = createFakeRelay();
  let aheadMs = 0;
  const clock = { now: () => systemClock.now() + aheadMs, after: systemClock.after };
  const sync = createNostrSync({
    namespace: NAMESPACE,
    relays: ['ws://127.0.0.1:1'],
    signer: secretKeySigner(author.secretKey),
    openSocket: fake.openSocket,
    clock,
  });
  let missing = 0;
  let allUpdated = () => undefined;
  sync.on('updated', () => {
    if (--missing === 0) allUpdated();
  });
  sync.subscribe(names, () => undefined);
  const socket = () => fake.opened[0];
  await until(() => socket()?.requests.length > 0);
  const { id } = socket().requests[0];
  assertEqual(socket().requests.length, 1, 'subscriptions');

  let stamp = 0;
  /** Newer values of these categories, a minute later. In ms each. */
  async function feedValid(ofNames = names) {
    aheadMs += 61_000;
    stamp++;
    const frames = ofNames.map((name) => `["EVENT","${id}",${JSON.stringify(author.event(name, stamp))}]`);
    missing = frames.length;
    const done = new Promise((resolve) => {
      allUpdated = resolve;
    });
    const startedAt = performance.now();
    for (const frame of frames) socket().handlers.onMessage(frame);
    await done;
    return (performance.now() - startedAt) / frames.length;
  }
  /** A relay that sends more junk in a minute, or with nothing of use between, is hung up on. */
  const minutePasses = () => feedValid(names.slice(0, 1));

  const spoil = (change) =>
    names.map((name) => `["EVENT","${id}",${JSON.stringify(change(author.event(name, 90_000)))}]`);
  const kinds = {
    'random text': { fault: 'frame', frames: names.map(() => randomBytes(600).toString('base64')) },
    'no array': { fault: 'frame', frames: names.map((name) => JSON.stringify(author.event(name, 90_000))) },
    'unknown subscription': {
      fault: 'subscription',
      frames: spoil((event) => event).map((text) => text.replace(`"${id}"`, '"zzz"')),
    },
    'wrong author': {
      fault: 'author',
      frames: spoil((event) => stranger.event(event.tags[0][1].split('/')[1], 1)),
    },
    'wrong kind': { fault: 'kind', frames: spoil((event) => ({ ...event, kind: 1 })) },
    'wrong d-tag': {
      fault: 'd-tag',
      frames: spoil((event) => ({ ...event, tags: [['d', `${NAMESPACE}/other/v1`]] })),
    },
    'wrong id': { fault: 'id', frames: spoil((event) => ({ ...event, created_at: event.created_at + 1 })) },
    'forged signature': {
      fault: 'signature',
      frames: spoil((event) => ({ ...event, sig: author.event('other', 1).sig })).slice(0, FORGED_BATCH),
    },
  };
  const violationsOf = async (fault) => (await sync.getRelays())[0].violations[fault] ?? 0;

  function feed({ fault, frames }) {
    return async () => {
      const before = await violationsOf(fault);
      let took = 0;
      for (let batch = 0; batch < BATCHES; batch++) {
        await minutePasses();
        const startedAt = performance.now();
        for (const frame of frames) socket().handlers.onMessage(frame);
        took += performance.now() - startedAt;
      }
      const dropped = (await violationsOf(fault)) - before;
      assertEqual(dropped, frames.length * BATCHES, `frames dropped for ${fault}`);
      return took / dropped;
    };
  }

  const medians = await interleave(ROUNDS, {
    valid: () => feedValid(),
    ...Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, feed(kind)])),
  });
  assertEqual(fake.opened.length, 1, 'connections');
  await sync.close();

  const { valid: good, 'forged signature': forged, ...junk } = medians;
  const all = Object.values(junk);
  const average = all.reduce((sum, each) => sum + each, 0) / all.length;
  return [
    {
      name: 'junk, all kinds alike',
      what: 'junk frames dropped per s / valid events taken per s',
      ratio: good / average,
      target: { atLeast: TARGET },
      raw: `junk ${us(average)}, valid ${us(good)}`,
    },
    ...Object.entries(junk).map(([name, each]) => ({
      name: `junk, ${name}`,
      what: 'the same',
      ratio: good / each,
      target: { atLeast: TARGET },
      raw: us(each),
    })),
    {
      name: 'junk, forged signature',
      what: 'the same; it costs a verification, so that there is no target',
      ratio: good / forged,
      target: undefined,
      raw: us(forged),
    },
  ];
}
