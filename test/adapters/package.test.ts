/** The subpaths as they are published. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const { exports, sideEffects } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const EXPORTED = {
  react: ['useReadable', 'useReady', 'useSync', 'useSyncStatus'],
  vue: ['useReadable', 'useSync', 'useSyncStatus'],
  svelte: ['live', 'liveStatus'],
  zustand: ['bind', 'synced'],
  pinia: ['syncStores'],
};

test.each(Object.entries(EXPORTED))('nostr-sync/%s has %s', async (name, names) => {
  expect(Object.keys(await import(`nostr-sync/${name}`)).sort()).toEqual(names);
});

test.each(Object.keys(EXPORTED))(
  'nostr-sync/%s imports its framework alone, and what all of them share',
  (name) => {
    const built = readFileSync(join(ROOT, exports[`./${name}`].default), 'utf8');
    const imported = [...built.matchAll(/ from ["']([^"']+)["']/g)].map(([, from]) => from!);
    const hosts = name === 'pinia' ? ['vue'] : [name];
    for (const from of imported)
      expect(['../readable.js', ...hosts]).toContain(from.replace(/^(svelte)\/.*/, '$1'));
  },
);

test('the bindings to React are marked for the client, and none has side effects', () => {
  expect(readFileSync(join(ROOT, exports['./react'].default), 'utf8')).toMatch(/^'use client';\n/);
  expect(sideEffects.filter((file: string) => file.includes('adapters'))).toEqual([]);
});
