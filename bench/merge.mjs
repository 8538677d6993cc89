/**
 * What a merge of documents costs: two of 200 KB with 10,000 fields, and of 400 KB beside half of it; and what a merge puts on the wire
 * beside an ordinary write.
 */

import { items, merge3, mergeBy } from '../dist/merge.js';
import { createNostrSync, memoryStore, secretKeySigner } from '../dist/node.js';
import { createRelay, createTestClock } from '../dist/testing/index.js';
import { NAMESPACE } from './support/events.mjs';
import { assertEqual, interleave, ms, randomKey } from './support/harness.mjs';

const ROUNDS = 30;

/** A document of so many fields, 20 bytes each. */
function documentOf(count) {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`field${i}`, `v${i % 7}`.padEnd(6)]));
}

/** Every second field changed here, every third there: what both change, alike. */
function sidesOf(base) {
  const changed = (step) =>
    Object.fromEntries(
      Object.entries(base).map(([name, value], i) => [name, i % step === 0 ? 'edited' : value]),
    );
  return { base, mine: changed(2), theirs: changed(3) };
}

const asItems = (document) => Object.entries(document).map(([id, value]) => ({ id, value }));

/** What the device that merges sends and receives: for a merge, and for an edit of the same size after it. */
async function wireOfAMerge() {
  const clock = createTestClock();
  const relay = createRelay({ clock });
  const url = 'ws://127.0.0.1:1';
  const secretKey = randomKey();
  const device = (deviceId, relays) =>
    createNostrSync({
      ...{ namespace: NAMESPACE, clock, deviceId, relays, store: memoryStore() },
      ...{ signer: secretKeySigner(secretKey), openSocket: relay.openSocket },
      categories: { settings: { merge: mergeBy() } },
    });
  const laptop = device('laptop', [url]);
  const phone = device('phone', [url]);
  const settle = async (promise) => {
    let isSettled = false;
    promise.finally(() => (isSettled = true));
    while (!isSettled) await clock.advance(100);
    return promise;
  };
  const edit = (on, fields) =>
    settle(on.update('settings', (now) => ({ ...now, ...fields }), { waitFor: 'saved' }));
  await settle(laptop.publish('settings', { theme: 'grey', font: 12 }, { waitFor: 'replicated' }));
  await clock.advance(5_000);
  await settle(phone.removeRelay(url));
  await edit(laptop, { theme: 'dark' });
  await clock.advance(5_000);
  await edit(phone, { font: 14 });
  let merges = 0;
  laptop.on('merged', () => merges++);
  await settle(phone.addRelay(url));
  // The laptop has heard of the edit, and has merged nothing yet.
  for (let passed = 0; (await laptop.inspect())[0].rivals === 0 && passed < 60_000; passed += 50)
    await clock.advance(50);
  assertEqual(merges, 0, 'merges');
  const [{ connection }] = relay.frames;
  const until = async (work) => {
    const before = relay.frames.length;
    await work();
    await clock.advance(10_000);
    const frames = relay.frames.slice(before).filter((one) => one.connection === connection);
    const bytes = frames.reduce((sum, { frame }) => sum + JSON.stringify(frame).length, 0);
    return { frames: frames.length, bytes };
  };
  const merge = await until(() => undefined);
  assertEqual(merges, 1, 'merges');
  const { payload } = await settle(laptop.fetch('settings'));
  assertEqual(JSON.stringify(payload), '{"theme":"dark","font":14}', 'the value');
  await clock.advance(10_000);
  const write = await until(() => edit(laptop, { theme: 'blue' }));
  await Promise.all([laptop.close(), phone.close()]);
  return {
    name: 'merge, wire',
    what: 'bytes of a merge, sent and received / of an ordinary write',
    ratio: merge.bytes / write.bytes,
    target: { atMost: 1.02 },
    raw: `${merge.bytes} B in ${merge.frames} frames, ${write.bytes} B in ${write.frames}`,
  };
}

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const sides = sidesOf(documentOf(10_000));
  const text = JSON.stringify(sides.mine);
  assertEqual(merge3(sides).clashes.length, 0, 'clashes');
  const half = sidesOf(documentOf(8_300));
  const whole = sidesOf(documentOf(16_600));
  const lists = Object.fromEntries(Object.entries(sides).map(([side, value]) => [side, asItems(value)]));
  const rules = items('id');
  const times = await interleave(ROUNDS, {
    parsed: () => void JSON.parse(text),
    merged: () => void merge3(sides),
    inexact: () => void merge3({ ...sides, isExact: false }),
    half: () => void merge3(half),
    whole: () => void merge3(whole),
    lists: () => void merge3({ ...lists, rules }),
  });
  const { parsed, merged, inexact } = times;
  return [
    {
      name: 'merge, 10,000 fields',
      what: 'merge of two documents of 200 KB / JSON.parse of one',
      ratio: merged / parsed,
      target: { atMost: 20 },
      raw: `${text.length} B; merge ${ms(merged)}, parse ${ms(parsed)}`,
    },
    {
      name: 'merge, every difference listed',
      what: 'with a base that is not exact / with one that is',
      ratio: inexact / merged,
      target: { atMost: 3 },
      raw: `${ms(inexact)} and ${ms(merged)}`,
    },
    {
      name: 'merge, twice as much',
      what: 'ms per field of 400 KB / of 200 KB',
      ratio: times.whole / times.half / 2,
      target: { atMost: 2 },
      raw: `${ms(times.whole)} and ${ms(times.half)}`,
    },
    {
      name: 'merge, 10,000 items',
      what: 'merge of two lists / JSON.parse of one',
      ratio: times.lists / parsed,
      target: undefined,
      raw: ms(times.lists),
    },
    await wireOfAMerge(),
  ];
}
