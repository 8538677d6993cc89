/** What comes from another realm (a test runner's, a frame's, a worker's) or another copy of this package is what it is. */

import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from 'vitest';
import {
  createNostrSync,
  deriveSyncKey,
  isNostrSyncError,
  memoryStore,
  nsecEncode,
  secretKeySigner,
  type NostrSync,
  type Store,
} from '../src/node.ts';
import { fileStore } from '../src/store/file.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const SRC = join(import.meta.dirname, '../src');

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Of the context that the code runs in. */
function foreign(code: string, globals: object = {}): unknown {
  return runInNewContext(code, { ...globals });
}

function device(options: Parameters<typeof createNostrSync>[0] = {}): NostrSync {
  const sync = createNostrSync({ signer: secretKeySigner(KEY), ...options });
  cleanups.push(() => sync.close());
  return sync;
}

test('no source asks for the class of what may come from elsewhere', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    // The command is a process of its own.
    (name) => name.endsWith('.ts') && !name.startsWith('cli'),
  );
  const found = files.flatMap((name) =>
    [...readFileSync(join(SRC, name), 'utf8').matchAll(/instanceof \w+/g)].map(
      ([text]) => `${name}: ${text}`,
    ),
  );
  // Made and caught in one file.
  expect(found).toEqual(['store/indexeddb.ts: instanceof DecideError']);
});

test('bytes of another realm are a key', () => {
  const key = foreign(`Uint8Array.from(${JSON.stringify([...Buffer.from(KEY, 'hex')])})`) as Uint8Array;
  expect(key instanceof Uint8Array).toBe(false);
  expect(() => secretKeySigner(key)).not.toThrow();
  expect(nsecEncode(key)).toBe(nsecEncode(Buffer.from(KEY, 'hex')));
  expect(deriveSyncKey(key, { namespace: 'app', account: 0 })).toEqual(
    deriveSyncKey(Buffer.from(KEY, 'hex'), { namespace: 'app', account: 0 }),
  );
});

test('a payload of another realm is JSON, and what is no JSON there is refused', async () => {
  const sync = device();
  await sync.publish('settings', foreign('({ theme: "dark", list: [1, { a: null }] })'), {
    waitFor: 'saved',
  });
  expect(await sync.fetch('settings')).toMatchObject({ payload: { theme: 'dark', list: [1, { a: null }] } });
  for (const code of ['new Date()', 'new Map()', '({ a: new Set() })'])
    await expect(sync.publish('settings', foreign(code))).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
});

test('a signal of another realm is heard', async () => {
  const sync = device();
  const aborting = new AbortController();
  const signal = foreign(
    `({
      get aborted() { return inner.aborted; }, get reason() { return inner.reason; },
      throwIfAborted: () => inner.throwIfAborted(),
      addEventListener: (type, act) => inner.addEventListener(type, act),
      removeEventListener: (type, act) => inner.removeEventListener(type, act),
    })`,
    { inner: aborting.signal },
  ) as AbortSignal;
  aborting.abort();
  await expect(sync.publish('settings', 1, { signal })).rejects.toMatchObject({ name: 'AbortError' });
});

test('a store may answer with maps, and fail with errors, of another realm', async () => {
  const inner = memoryStore();
  const failure = foreign('new RangeError("disk")') as Error;
  let isBroken = false;
  const store: Store = {
    ...inner,
    list: async (prefix) =>
      foreign('new Map(entries)', { entries: [...(await inner.list(prefix))] }) as Map<string, string>,
    update: (keys, decide) => (isBroken ? Promise.reject(failure) : inner.update(keys, decide)),
  };
  const sync = device({ store });
  await sync.publish('settings', 1, { waitFor: 'saved' });
  isBroken = true;
  await expect(sync.publish('settings', 2)).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('an error of another copy of this package is told by its code', () => {
  const error = foreign('Object.assign(new Error("x"), { name: "NostrSyncError", code: "CLOSED" })');
  expect(isNostrSyncError(error)).toBe(true);
  expect(isNostrSyncError(error, 'CLOSED')).toBe(true);
  expect(isNostrSyncError(error, 'STORE_FAILED')).toBe(false);
  for (const other of [undefined, null, 'CLOSED', new Error('x'), { code: 'CLOSED' }])
    expect(isNostrSyncError(other)).toBe(false);
});

test('a file store opens where the errors of `fs` are of another realm', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-realm-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  // As under Jest: the classes that this module sees are not those of Node's own modules.
  const { Error: own } = globalThis;
  globalThis.Error = class extends own {} as ErrorConstructor;
  try {
    const store = fileStore(join(folder, 'state'));
    expect(await store.get('x')).toBeUndefined();
    await store.close();
  } finally {
    globalThis.Error = own;
  }
});
