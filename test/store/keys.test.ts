/** docs/STORE.md names every key that is ever written, and none that is not; and all that are to be deleted to forget a user. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deviceHash } from '../../src/protocol/causality.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import { runSeeds } from '../sim/batch.ts';
import { defineCategory, generateKey, secretKeySigner } from '../../src/node.ts';
import { bringing } from '../../src/unlock/moving.ts';
import { device, OTHER_KEY, written } from '../sync/devices.ts';

const document = readFileSync(join(import.meta.dirname, '../../docs/STORE.md'), 'utf8');

/** Each as far as it is the same for all. */
const documented = [...document.matchAll(/^\| `([^`{]+)/gm)].map(([, key]) => key!);

/** The documented key that a key is one of: the longest, since some begin with others. */
function kindOf(key: string): string {
  const fitting = documented.filter((kind) => (kind.endsWith('/') ? key.startsWith(kind) : key === kind));
  return fitting.toSorted((a, b) => b.length - a.length)[0] ?? `not documented: ${key}`;
}

/** What devices of the simulator write, some of them with several tabs. */
async function keysOfHistories(): Promise<string[]> {
  const { counts } = await runSeeds({ from: 1, to: 40 });
  return [...counts.keys()].flatMap((what) => (what.startsWith('store: ') ? [what.slice(7)] : []));
}

/** A store that notes what is written. */
function noting(keys: Set<string>): Store {
  const memory = memoryStore();
  return {
    ...memory,
    update: (asked, decide) =>
      memory.update(asked, (current) => {
        const changes = decide(current);
        for (const key of changes.keys()) keys.add(key);
        return changes;
      }),
  };
}

/** What a device writes whose id, given by the app, another one has, and whose relay takes no large value. */
async function keysOfOneDevice(): Promise<string[]> {
  const relay = createRelay({ limits: { maxEventBytes: 20_000 } });
  const keys = new Set<string>();
  const kiosk = device(['wss://relay.example'], {
    ...{ deviceId: 'kiosk', store: noting(keys) },
    openSocket: connectTo({ 'wss://relay.example': relay }),
  });
  await kiosk.publish('settings', 'mine');
  // One event: what travels in pieces is cut by a random key, and now and then each of them is small enough.
  const large = randomBytes(25_000).toString('base64');
  await expect(kiosk.publish('large', large)).rejects.toMatchObject({ code: 'NO_RELAYS_ACCEPTED' });
  kiosk.subscribe(['settings'], () => undefined);
  const stamp = Math.floor(Date.now() / 1000) + 5;
  const vv = ['vv', `${deviceHash('kiosk')}:${stamp}`];
  relay.inject(written({ created_at: stamp, tags: [['device_id', 'kiosk'], vv] }));
  await expect.poll(() => kiosk.errors.map(({ code }) => code)).toEqual(['DEVICE_ID_TAKEN']);
  const other = secretKeySigner(OTHER_KEY);
  await kiosk.setSigner(other, { carryOver: 'missing' });
  // Another first device of the person had a secret of its own, and that counts.
  const former = { pubkey: await other.getPublicKey(), signer: other };
  const unread = { open: () => Promise.reject(new Error('offline')) };
  await kiosk.setSigner(bringing(secretKeySigner(generateKey()), [former], unread));
  return [...keys];
}

/** What a device writes that has found out that a relay reconciles: it had something to ask for. */
async function keysOfReconciling(): Promise<string[]> {
  const keys = new Set<string>();
  const url = 'wss://relay.example';
  const laptop = device([url], {
    store: noting(keys),
    openSocket: connectTo({ [url]: createRelay({ negentropy: 'answers' }) }),
  });
  const categories = ['a', 'b', 'c'];
  for (const category of categories)
    await laptop.publish(category, 'x'.repeat(2_000), { waitFor: 'replicated' });
  await laptop.syncAll(categories);
  await expect.poll(() => [...keys].some((key) => key.startsWith('relay-nip77/'))).toBe(true);
  return [...keys];
}

/** What a handle keeps: fields of this device alone, an edit while locked, and that former data were taken in. */
async function keysOfState(): Promise<string[]> {
  const keys = new Set<string>();
  const sync = device(['wss://relay.example'], {
    store: noting(keys),
    openSocket: connectTo({ 'wss://relay.example': createRelay({}) }),
  });
  const state = sync.state(
    defineCategory({
      name: 'settings',
      default: { theme: 'light', width: 1 },
      ...{ local: ['width'], adopt: { value: () => ({ theme: 'dark' }) }, debounceMs: 0 },
    }),
  );
  await state.update({ width: 2 });
  await expect.poll(() => state.get()).toEqual({ theme: 'dark', width: 2 });
  await state.flush();
  await sync.clearSigner();
  expect(await state.update({ theme: 'sepia' })).toEqual({ stage: 'sealed' });
  return [...keys];
}

/** What a device writes that finds a record which cannot be read. */
async function keysOfDamaged(): Promise<string[]> {
  const keys = new Set<string>();
  const store = { ...noting(keys), close: async () => undefined };
  const before = device([], { store });
  await before.publish('settings', 'mine');
  const record = `head/${await before.getPubkey()}/default/settings/v1`;
  await before.close();
  await store.update([], () => new Map([[record, '{']]));
  const after = device([], { store });
  await after.publish('settings', 'next');
  expect(after.errors.map(({ code }) => code)).toEqual(['STORE_FAILED']);
  return [...keys];
}

test(
  'all keys that are written are documented, and the documented ones are written',
  { timeout: 60_000 },
  async () => {
    expect(documented.length).toBeGreaterThan(5);
    const of = [
      ...[keysOfHistories(), keysOfOneDevice(), keysOfReconciling(), keysOfState(), keysOfDamaged()],
    ];
    const keys = (await Promise.all(of)).flat();
    expect(new Set(keys.map(kindOf))).toEqual(new Set(documented));
  },
);

test('what is to be deleted to forget a user is every key that has the user in it, and no other', () => {
  const [, recipe = ''] = /^To forget a user, (.*?)\n(?:If you delete|$)/ms.exec(document) ?? [];
  const named = [...recipe.matchAll(/`([^`{]+)\{pubkey\}\/`/g)].map(([, start]) => start!);
  const ofUser = [...document.matchAll(/^\| `([^`{]+)\{pubkey\}/gm)].map(([, start]) => start!);
  expect(ofUser.length).toBeGreaterThan(8);
  expect(named.toSorted()).toEqual(ofUser.toSorted());
  // Their values are the public key.
  expect(recipe).toContain('`identity/{namespace}`');
});
