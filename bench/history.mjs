/** What former values cost: entries, flushes, bytes and time of a write, beside the record alone. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNostrSync, fileStore, memoryStore, secretKeySigner } from '../dist/node.js';
import { createRelay, createTestClock } from '../dist/testing/index.js';
import { NAMESPACE, smallPayload } from './support/events.mjs';
import { assertEqual, interleave, ms, randomKey } from './support/harness.mjs';

/** Twice what is kept: the later ones make room as well. */
const WRITES = 40;
const KEPT = 20;
const ROUNDS = 15;

/** What else is in the store. */
const OTHERS = Array.from({ length: 1_000 }, (_, i) => [`head/other/${i}`, 'x'.repeat(4_000)]);

const isVersion = ([key]) => key.startsWith('version/');
const isRecord = ([key]) => key.startsWith('head/');

/** A store, and each set of changes that it took: one of them is one flush. */
function recordStore() {
  const inner = memoryStore();
  const updates = [];
  const update = (keys, decide) =>
    inner.update(keys, (current) => {
      const changes = decide(current);
      if (changes.size > 0) updates.push([...changes]);
      return changes;
    });
  return { updates, store: { ...inner, update, close: async () => undefined } };
}

/** What a device writes into its store for so many values of one category, each of which a relay has before the next. */
async function writtenFor(count) {
  const clock = createTestClock();
  const relay = createRelay({ clock, frameLogSize: 0 });
  const { updates, store } = recordStore();
  const sync = createNostrSync({
    ...{ namespace: NAMESPACE, clock, store, signer: secretKeySigner(randomKey()) },
    ...{ relays: ['ws://127.0.0.1:1'], openSocket: relay.openSocket },
  });
  for (let i = 0; i < count; i++) {
    let isSettled = false;
    const write = sync.publish('settings', smallPayload(i), { waitFor: 'replicated' });
    void write.finally(() => (isSettled = true));
    while (!isSettled) await clock.advance(100);
    assertEqual((await write).stage, 'replicated', 'stage');
    await clock.advance(60_000);
  }
  await sync.close();
  const entries = await store.list('');
  return { updates, entries: [...entries] };
}

const bytesOf = (entries) =>
  entries.reduce((sum, [key, value]) => sum + key.length + (value?.length ?? 0), 0);

/** What would be written if nothing were kept: no former values, and no list of them in the record. */
function withoutHistory(entries) {
  const records = entries.filter((entry) => !isVersion(entry));
  return records.map((entry) => {
    if (!isRecord(entry)) return entry;
    const { past: _past, ...record } = JSON.parse(entry[1]);
    return [entry[0], JSON.stringify(record)];
  });
}

/** The same updates again, on a disk; with the former values, and without. */
async function timesOnDisk(updates) {
  const without = updates.map(withoutHistory);
  const replay = async (all) => {
    const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-bench-'));
    const store = fileStore(folder);
    try {
      // As a store with some categories: a small one is written afresh every few updates.
      await store.update([], () => new Map(OTHERS));
      const startedAt = performance.now();
      for (const changes of all) await store.update([], () => new Map(changes));
      return performance.now() - startedAt;
    } finally {
      await store.close();
      await rm(folder, { recursive: true });
    }
  };
  return interleave(ROUNDS, { kept: () => replay(updates), alone: () => replay(without) });
}

const perWrite = (bytes) => `${Math.round(bytes / WRITES)} B a write`;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const { updates, entries } = await writtenFor(WRITES);
  const all = updates.flat();
  const added = all.filter((entry) => isVersion(entry) && entry[1] !== null);
  const removed = all.filter((entry) => isVersion(entry) && entry[1] === null);
  // The first value takes no other's place.
  const changes = WRITES - 1;
  assertEqual(entries.filter(isVersion).length, KEPT, 'former values kept');
  const ofTheirOwn = updates.filter((one) => one.some(isVersion) && !one.some(isRecord));
  const atOnce = Math.max(...updates.map((one) => one.filter(isVersion).length));
  const ofCategory = entries.filter((entry) => isVersion(entry) || isRecord(entry));
  const stored = { all: bytesOf(ofCategory), alone: bytesOf(withoutHistory(ofCategory)) };
  const times = await timesOnDisk(updates);
  return [
    {
      name: 'history, entries',
      what: 'entries added / changes of the newest value',
      ratio: added.length / changes,
      target: { atMost: 1 },
      raw: `${added.length} added, ${removed.length} removed, at most ${atOnce} at once, in ${changes} changes`,
    },
    {
      name: 'history, flushes',
      what: 'flushes for former values alone / changes of the newest value',
      ratio: ofTheirOwn.length / changes,
      target: { atMost: 0 },
      raw: `${ofTheirOwn.length} of ${updates.length} flushes`,
    },
    {
      name: 'history, bytes of a write',
      what: 'bytes written with former values, and the list of them / without',
      ratio: bytesOf(all) / bytesOf(withoutHistory(all)),
      target: undefined,
      raw:
        `${perWrite(bytesOf(all))} and ${perWrite(bytesOf(withoutHistory(all)))}, ${perWrite(bytesOf(added))} of it ` +
        `the former value; the rest is the list, in each of ${(updates.length / WRITES).toFixed(1)} updates of the record`,
    },
    {
      name: 'history, bytes kept',
      what: `bytes in the store with ${KEPT} former values / without`,
      ratio: stored.all / stored.alone,
      target: undefined,
      raw: `${stored.all} B and ${stored.alone} B`,
    },
    {
      name: 'history, time of a write',
      what: 'updates of a file store with former values / without',
      ratio: times.kept / times.alone,
      target: { atMost: 1.5 },
      raw: `${ms(times.kept / WRITES)} and ${ms(times.alone / WRITES)} a write, with all that relays say of it`,
    },
  ];
}
