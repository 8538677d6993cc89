/** `identity`: one key for one store, made once, never lost to a race, and nothing of it told. */

import { bytesToHex } from '@noble/hashes/utils.js';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { NostrSyncError } from '../../src/errors.ts';
import type { KeyStore } from '../../src/keys/key-store.ts';
import { fromRecoveryPhrase, toRecoveryPhrase } from '../../src/keys/recovery.ts';
import { generateKey, identity, secretKeySigner } from '../../src/node.ts';
import { memoryKeyStore } from './memory-key-store.ts';

const open = (keyStore: KeyStore): ReturnType<typeof identity> => identity({ namespace: 'my-app', keyStore });

test('a first start makes a key and keeps it; the next one has the same', async () => {
  const keyStore = memoryKeyStore();
  const first = await open(keyStore);
  expect(first).toMatchObject({ isNew: true, mayBeEvicted: false });
  expect(await secretKeySigner(keyStore.kept!).getPublicKey()).toBe(first.pubkey);
  const second = await open(keyStore);
  expect(second).toMatchObject({ isNew: false, pubkey: first.pubkey });
  expect(await second.signer.getPublicKey()).toBe(first.pubkey);
  expect(keyStore.saves).toBe(1);
});

test('two that start at once have one key, and one of them is told that it is new', async () => {
  const keyStore = memoryKeyStore();
  const both = await Promise.all([open(keyStore), open(keyStore), open(keyStore)]);
  expect(new Set(both.map(({ pubkey }) => pubkey)).size).toBe(1);
  expect(both.filter(({ isNew }) => isNew)).toHaveLength(1);
});

test('a store that cannot be read has perhaps a key: none is made', async () => {
  const keyStore = memoryKeyStore();
  const failed = new NostrSyncError('KEY_STORE_FAILED', 'Cannot read');
  keyStore.load = async () => Promise.reject(failed);
  await expect(open(keyStore)).rejects.toBe(failed);
  expect(keyStore.saves).toBe(0);
});

test('a store that loses what it was given is found out before anything is written', async () => {
  const keyStore = memoryKeyStore();
  keyStore.save = async () => undefined;
  await expect(open(keyStore)).rejects.toMatchObject({ code: 'KEY_STORE_FAILED' });
});

test('a store that fails to save leaves no identity', async () => {
  const keyStore = memoryKeyStore();
  keyStore.save = async () => Promise.reject(new NostrSyncError('KEY_STORE_FAILED', 'disk full'));
  await expect(open(keyStore)).rejects.toMatchObject({ message: 'disk full' });
});

test('the words are the key’s, and bring it back on another device', async () => {
  const [laptop, phone] = [memoryKeyStore(), memoryKeyStore()];
  const mine = await open(laptop);
  const words = await mine.words(toRecoveryPhrase);
  expect(words.split(' ')).toHaveLength(24);
  await phone.save(fromRecoveryPhrase(words));
  expect(await open(phone)).toMatchObject({ isNew: false, pubkey: mine.pubkey });
});

test.each([
  ['another key', generateKey(), 'another one'],
  ['none', undefined, 'none'],
])('words of %s are not shown as this one’s', async (_what, kept, message) => {
  const keyStore = memoryKeyStore();
  const mine = await open(keyStore);
  keyStore.kept = kept;
  const words = mine.words(toRecoveryPhrase);
  await expect(words).rejects.toMatchObject({ code: 'SIGNER_CHANGED' });
  await expect(words).rejects.toThrow(`${message} is kept by now`);
});

test('to forget deletes the key here and wipes the signer', async () => {
  const keyStore = memoryKeyStore();
  const mine = await open(keyStore);
  await mine.forget();
  expect(keyStore.kept).toBeUndefined();
  await expect(mine.signer.getPublicKey()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  expect(await open(keyStore)).toMatchObject({ isNew: true });
});

test('what the store says of a browser that may delete it is told', async () => {
  const keyStore = memoryKeyStore();
  keyStore.mayBeEvicted = async () => true;
  expect(await open(keyStore)).toMatchObject({ mayBeEvicted: true });
});

test('no inspection shows the key', async () => {
  const keyStore = memoryKeyStore();
  const mine = await open(keyStore);
  const text = inspect(mine, { depth: 10, showHidden: true });
  expect(text).not.toContain(bytesToHex(keyStore.kept!));
  expect(text).not.toContain(String(keyStore.kept));
});

test.each([
  ['no options', undefined, 'INVALID_NAMESPACE'],
  ['a bad namespace', { namespace: 'a/b', keyStore: memoryKeyStore() }, 'INVALID_NAMESPACE'],
  ['no store', { namespace: 'a' }, undefined],
  [
    'half a store',
    { namespace: 'a', keyStore: { load: async (): Promise<undefined> => undefined } },
    undefined,
  ],
])('%s is misuse', async (_what, options, code) => {
  const call = identity(options as never);
  await expect(call).rejects.toThrow(code === undefined ? TypeError : NostrSyncError);
  if (code !== undefined) await expect(call).rejects.toMatchObject({ code });
});
