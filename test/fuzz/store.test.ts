/**
 * What a store holds, with something changed, by SEED: the bytes of the log (LOGS of them, 300), the text of its entries
 * (ENTRIES, 1,000) and the values of an IndexedDB (100). A device on it shows what somebody wrote or nothing, says what it
 * cannot read by a typed error, and what it publishes then is kept.
 */

import 'fake-indexeddb/auto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDB } from 'idb';
import { afterAll, expect, test } from 'vitest';
import { createNostrSync, fileStore, isNostrSyncError, secretKeySigner } from '../../src/node.ts';
import { encodeHeader, encodeLine, encodeRecord, HEADER_BYTES, readLog } from '../../src/store/file-log.ts';
import { indexedDbStore } from '../../src/store/indexeddb.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { createRandom, numberFrom, type Random } from '../support/random.ts';
import { KEY } from '../sync/devices.ts';
import { mutateBytes, mutateText, mutateValue, strangeText, strangeValue } from './mutate.ts';

const LOGS = numberFrom('LOGS', 300);
const ENTRIES = numberFrom('ENTRIES', 1_000);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
const CATEGORIES = ['settings', 'notes', '__proto__'] as const;

const root = mkdtempSync(join(tmpdir(), 'nostr-sync-fuzz-'));
afterAll(() => rm(root, { recursive: true }));

/** What a device leaves in a store, in the order of its saves. */
const saves: [string, string | null][][] = [];
/** Every payload that it wrote, by category. */
const written = new Map<string, Set<string>>(CATEGORIES.map((category) => [category, new Set()]));

async function fill(): Promise<void> {
  const clock = createTestClock(Date.now() - 3_600_000);
  const relay = createRelay({ clock });
  const inner = memoryStore();
  const store: Store = {
    ...inner,
    update: (keys, decide) =>
      inner.update(keys, (current) => {
        const changes = decide(current);
        saves.push([...changes]);
        return changes;
      }),
  };
  const sync = createNostrSync({
    clock,
    store,
    openSocket: relay.openSocket,
    relays: ['wss://relay.example'],
    signer: secretKeySigner(KEY),
  });
  await clock.advance(100);
  for (let n = 0; n < 12; n++) {
    const category = CATEGORIES[n % CATEGORIES.length]!;
    written.get(category)!.add(JSON.stringify({ n }));
    const receipt = sync.publish(category, { n }, { waitFor: n % 2 === 0 ? 'saved' : 'replicated' });
    await clock.advance(2_000);
    await receipt;
  }
  await sync.close();
}
await fill();
const entries = new Map<string, string>();
for (const changes of saves) for (const [key, value] of changes) if (value !== null) entries.set(key, value);
test('the store that is changed holds values, their deliveries, former values, what is known of a relay, the identity and the device id', () => {
  expect(saves.length).toBeGreaterThan(20);
  expect([...entries.keys()].map((key) => key.split('/')[0]).sort()).toEqual([
    'device-id',
    'head',
    'head',
    'head',
    'identity',
    'relay-nip77',
    ...Array.from({ length: 12 - CATEGORIES.length }, () => 'version'),
  ]);
});

const counts = { shown: 0, former: 0, unknown: 0, refused: 0, published: 0, reported: 0 };

/** A device on a changed store, offline; then another on what the first has left. */
async function live(open: () => Store, why: string): Promise<void> {
  const allowed = (error: unknown): void => {
    counts.refused++;
    // An own write under another id, or a lower stamp, looks like what a copy of this store has not made.
    const codes = ['STORE_FAILED', 'CLOCK_SKEW', 'VERSION_NOT_KEPT', 'DEVICE_ID_TAKEN'];
    expect(isNostrSyncError(error) && codes.includes(error.code), `${why}: ${String(error)}`).toBe(true);
  };
  const first = createNostrSync({ store: open(), signer: secretKeySigner(KEY) });
  const errors: unknown[] = [];
  first.on('error', (error) => errors.push(error));
  let published = false;
  try {
    for (const category of CATEGORIES) {
      try {
        const found = await first.fetch(category);
        expect(written.get(category), why).toContain(JSON.stringify(found?.payload));
        counts.shown++;
        for (const { eventId } of await first.history(category)) {
          const former = await first.readVersion(category, eventId);
          expect(written.get(category), why).toContain(JSON.stringify(former.payload));
          counts.former++;
        }
      } catch (error) {
        if (isNostrSyncError(error, 'NO_RELAYS_REACHABLE')) counts.unknown++;
        else allowed(error);
      }
    }
    published = await first.publish('settings', 'after', { waitFor: 'saved' }).then(
      () => true,
      (error: unknown) => {
        allowed(error);
        return false;
      },
    );
  } finally {
    await first.close();
  }
  errors.forEach(allowed);
  counts.reported += errors.length;
  if (!published) return;
  counts.published++;
  const second = createNostrSync({ store: open(), signer: secretKeySigner(KEY) });
  try {
    expect(await second.fetch('settings'), why).toMatchObject({ payload: 'after', source: 'local' });
  } finally {
    await second.close();
  }
}

function log(records: readonly (readonly [string, string | null][])[]): Buffer {
  const lines = records.map((changes) => changes.map(([key, value]) => encodeLine(key, value)));
  return Buffer.concat([encodeHeader(), ...lines.map(encodeRecord)]);
}

function changedLog(random: Random): Buffer {
  const drawn = random.next();
  if (drawn < 0.5) return mutateBytes(random, log(saves));
  const records = [...saves];
  // Every record whole, but not as they were written: in another order, one gone, one twice.
  for (let left = 1 + random.below(5); left > 0; left--) {
    const [taken] = records.splice(random.below(records.length), 1);
    if (random.chance(0.7)) records.splice(random.below(records.length + 1), 0, taken!);
    if (random.chance(0.2)) records.splice(random.below(records.length + 1), 0, taken!);
  }
  return drawn < 0.8 ? log(records) : mutateBytes(random, log(records));
}

test(
  `${LOGS} logs, SEED=${SEED}: what opens shows only what was written`,
  { timeout: 60_000 + LOGS * 1_000 },
  async () => {
    const random = createRandom(SEED);
    for (let n = 0; n < LOGS; n++) {
      const folder = join(root, String(n));
      await mkdir(folder, { mode: 0o700 });
      const bytes = changedLog(random);
      await writeFile(join(folder, 'entries.log'), bytes);
      await live(() => fileStore(folder), `SEED=${SEED}, log ${n}`);
      // A log that it could not open is left as it is; one that it could is whole again.
      const after = await readFile(join(folder, 'entries.log'));
      if (!after.equals(bytes)) {
        const read = async (at: number, length: number): Promise<Buffer> => after.subarray(at, at + length);
        expect((await readLog(after.length, read)).goodBytes).toBe(after.length);
      }
      expect(after.length).toBeGreaterThanOrEqual(Math.min(bytes.length, HEADER_BYTES));
      await rm(folder, { recursive: true });
    }
    console.info(`logs: SEED=${SEED} ${JSON.stringify(counts)}`);
    for (const what of ['shown', 'published'] as const) expect(counts[what], what).toBeGreaterThan(0);
  },
);

/** The text of one entry changed: as text, or as the JSON that it is. */
function changedText(random: Random, text: string): string {
  const drawn = random.next();
  if (drawn < 0.1) return strangeText(random);
  if (drawn < 0.4 || !text.startsWith('{')) return mutateText(random, text);
  return JSON.stringify(mutateValue(random, JSON.parse(text))) ?? '';
}

async function changedStore(random: Random): Promise<Store> {
  const changed = new Map(entries);
  const keys = [...changed.keys()];
  for (let left = 1 + random.below(3); left > 0; left--) {
    const key = random.pick(keys);
    const drawn = random.next();
    if (drawn < 0.1) changed.delete(key);
    // The value of one category in the place of another's.
    else if (drawn < 0.2) changed.set(key, entries.get(random.pick(keys))!);
    else changed.set(key, changedText(random, entries.get(key)!));
  }
  if (random.chance(0.1)) changed.set(random.pick(keys) + strangeText(random), strangeText(random));
  const store = memoryStore();
  await store.update([], () => changed);
  return store;
}

test(
  `${ENTRIES} stores with a changed entry, SEED=${SEED}`,
  { timeout: 60_000 + ENTRIES * 200 },
  async () => {
    const random = createRandom(SEED);
    for (let n = 0; n < ENTRIES; n++) {
      const store = await changedStore(random);
      await live(() => ({ ...store, close: async () => undefined }), `SEED=${SEED}, entry ${n}`);
    }
    console.info(`entries: SEED=${SEED} ${JSON.stringify(counts)}`);
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);

test('an IndexedDB that holds other things than text', { timeout: 120_000 }, async () => {
  const random = createRandom(SEED);
  for (let n = 0; n < 100; n++) {
    const name = `fuzz-${n}`;
    const database = await openDB(name, 1, { upgrade: (made) => void made.createObjectStore('entries') });
    for (const [key, value] of entries) {
      const drawn = random.next();
      const other =
        drawn < 0.2
          ? strangeValue(random)
          : random.pick([new Date(0), new Map(), random.bytes(9), undefined]);
      await database.put('entries', drawn < 0.5 ? other : value, key);
    }
    await database.put(
      'entries',
      strangeValue(random),
      random.pick<IDBValidKey>([7, new Date(), [1, 'a'], '']),
    );
    database.close();
    await live(() => indexedDbStore(name), `SEED=${SEED}, database ${n}`);
  }
});
