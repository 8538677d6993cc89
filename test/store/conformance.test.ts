/** The conformance checks over every store of the package. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'fake-indexeddb/auto';
import { afterAll, describe, expect, test } from 'vitest';
import { fileStore } from '../../src/store/file.ts';
import { indexedDbStore } from '../../src/store/indexeddb.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import type { StoreUnderTest } from '../../src/testing/store-check.ts';
import { storeConformance } from '../../src/testing/store-conformance.ts';

const root = await mkdtemp(join(tmpdir(), 'nostr-sync-conformance-'));
afterAll(() => rm(root, { recursive: true }));

const subjects: Record<string, () => StoreUnderTest> = {
  memoryStore: () => ({ open: async () => memoryStore() }),
  fileStore: () => {
    let folder = '';
    return {
      async open() {
        folder = await mkdtemp(join(root, 'store-'));
        return fileStore(folder);
      },
      reopen: async () => fileStore(folder),
    };
  },
  indexedDbStore: () => {
    const name = randomUUID();
    return { open: async () => indexedDbStore(name), reopen: async () => indexedDbStore(name) };
  },
};

for (const [name, subject] of Object.entries(subjects)) {
  describe(name, () => {
    for (const check of storeConformance) test(check.name, () => check.run(subject()));
  });
}

describe('storeConformance', () => {
  /** A store that is right except for what `faults` replaces. */
  const faulty = (faults: (right: Store) => Partial<Store>): StoreUnderTest => ({
    async open() {
      const right = memoryStore();
      return { ...right, ...faults(right) };
    },
  });
  const failing = async (subject: () => StoreUnderTest): Promise<readonly string[]> => {
    const names: string[] = [];
    for (const check of storeConformance) await check.run(subject()).catch(() => names.push(check.name));
    return names;
  };

  test('finds updates that are not isolated', async () => {
    const racy = (): StoreUnderTest =>
      faulty((right) => ({
        async update(keys, decide) {
          const current = new Map<string, string>();
          for (const key of keys) {
            const value = await right.get(key);
            if (value !== undefined) current.set(key, value);
          }
          const changes = decide(current);
          await right.update([], () => changes);
        },
      }));
    expect(await failing(racy)).toContain('100 concurrent increments count to 100');
  });

  test('finds a prefix that is a range too short, and one that ignores case', async () => {
    const name = 'list compares code units, whatever they are';
    const short = (): StoreUnderTest =>
      faulty((right) => ({
        list: async (prefix) =>
          new Map([...(await right.list(prefix))].filter(([key]) => key <= `${prefix}\uffff`)),
      }));
    expect(await failing(short)).toEqual([name]);
  });

  test('finds changes that are applied one by one until decide fails', async () => {
    const halfway = (): StoreUnderTest =>
      faulty((right) => ({
        async update(keys, decide) {
          let current: ReadonlyMap<string, string> = new Map();
          await right.update(keys, (values) => {
            current = values;
            return new Map();
          });
          for (const change of decide(current)) await right.update([], () => new Map([change]));
        },
      }));
    expect(await failing(halfway)).not.toEqual([]);
  });
});
