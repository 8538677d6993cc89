/** The IndexedDB store among other tabs and a failing browser. Real browsers run the conformance checks elsewhere. */

import { randomUUID } from 'node:crypto';
import 'fake-indexeddb/auto';
import { forceCloseDatabase } from 'fake-indexeddb';
import { deleteDB, openDB } from 'idb';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createNostrSync } from '../../src/browser.ts';
import { indexedDbStore } from '../../src/store/indexeddb.ts';
import type { Store } from '../../src/store/store.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

async function put(store: Store, key: string, value: string): Promise<void> {
  await store.update([], () => new Map([[key, value]]));
}

describe('several tabs', () => {
  test('updates from two connections are isolated from each other', async () => {
    const name = randomUUID();
    const tabs = [indexedDbStore(name), indexedDbStore(name)];
    const increment = (store: Store): Promise<void> =>
      store.update(['n'], (current) => new Map([['n', String(Number(current.get('n') ?? '0') + 1)]]));
    await Promise.all(Array.from({ length: 50 }, () => tabs.map(increment)).flat());
    for (const tab of tabs) expect(await tab.get('n')).toBe('100');
    await Promise.all(tabs.map((tab) => tab.close()));
  });

  test('an open store does not block deletion, and its next use finds an empty one', async () => {
    const name = randomUUID();
    const store = indexedDbStore(name);
    await put(store, 'a', '1');
    const blocked = vi.fn();
    await deleteDB(name, { blocked });
    expect(blocked).not.toHaveBeenCalled();
    expect(await store.get('a')).toBeUndefined();
    await put(store, 'a', '2');
    expect(await store.get('a')).toBe('2');
    await store.close();
  });

  test('an older version that another tab holds open rejects instead of waiting, and works once it is closed', async () => {
    const name = randomUUID();
    // As it will be with the next schema version.
    const open = indexedDB.open.bind(indexedDB);
    vi.spyOn(indexedDB, 'open').mockImplementation((database) => open(database, 2));
    const holder = await new Promise<IDBDatabase>((resolve) => {
      const request = open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore('entries');
      request.onsuccess = () => resolve(request.result);
    });
    const store = indexedDbStore(name);
    await expect(put(store, 'a', '1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    holder.close();
    const close = vi.spyOn(IDBDatabase.prototype, 'close');
    await put(store, 'a', '2');
    expect(await store.get('a')).toBe('2');
    await store.close();
    // The connection in use, and the one whose opening had been given up.
    expect(close).toHaveBeenCalledTimes(2);
  });

  test('a database of a newer version is refused', async () => {
    const name = randomUUID();
    (await openDB(name, 2)).close();
    const store = indexedDbStore(name);
    await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(put(store, 'a', '1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.close();
  });
});

describe('a browser that fails', () => {
  test('an aborted transaction rejects with STORE_FAILED and changes nothing', async () => {
    const store = indexedDbStore(randomUUID());
    await put(store, 'a', '1');
    // As a browser does when the quota is used up: the request is accepted, the transaction aborted.
    const original = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (
      this: IDBObjectStore,
      value,
      key,
    ) {
      const request = original.call(this, value, key);
      this.transaction.abort();
      return request;
    });
    await expect(put(store, 'a', '2')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await store.get('a')).toBe('1');
    await put(store, 'a', '3');
    expect(await store.get('a')).toBe('3');
    await store.close();
  });

  test('a change that cannot be stored takes the whole update back', async () => {
    const store = indexedDbStore(randomUUID());
    await put(store, 'a', '1');
    const uncloneable = (() => {}) as unknown as string;
    const update = store.update(
      [],
      () =>
        new Map([
          ['a', '2'],
          ['b', uncloneable],
        ]),
    );
    await expect(update).rejects.toMatchObject({ name: 'DataCloneError' });
    expect(Object.fromEntries(await store.list(''))).toEqual({ a: '1' });
    await store.close();
  });

  test('a connection that the browser closes is opened again', async () => {
    const store = indexedDbStore(randomUUID());
    const open = vi.spyOn(indexedDB, 'open');
    await put(store, 'a', '1');
    const request = open.mock.results[0]?.value as IDBOpenDBRequest;
    forceCloseDatabase(request.result as unknown as Parameters<typeof forceCloseDatabase>[0]);
    expect(await store.get('a')).toBe('1');
    expect(open).toHaveBeenCalledTimes(2);
    await store.close();
  });

  test('a runtime without IndexedDB is told so at creation, and what to do', () => {
    vi.stubGlobal('indexedDB', undefined);
    const told = {
      code: 'STORE_FAILED',
      message: expect.stringContaining('Pass `store: memoryStore()`') as string,
    };
    expect(() => indexedDbStore('store')).toThrow(expect.objectContaining(told));
    expect(() => createNostrSync()).toThrow(expect.objectContaining(told));
  });

  test('a foreign value is not an entry', async () => {
    const name = randomUUID();
    const store = indexedDbStore(name);
    await put(store, 'a', '1');
    const foreign = await openDB(name, 1);
    await foreign.put('entries', { not: 'a string' }, 'b');
    await foreign.put('entries', 'under a number', 7);
    foreign.close();
    expect(await store.get('b')).toBeUndefined();
    expect(Object.fromEntries(await store.list(''))).toEqual({ a: '1' });
    await store.update(['b'], (current) => new Map([['c', String(current.size)]]));
    expect(await store.get('c')).toBe('0');
    await store.close();
  });

  test('every update asks for strict durability', async () => {
    const store = indexedDbStore(randomUUID());
    await store.get('open');
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction');
    await put(store, 'a', '1');
    expect(transaction).toHaveBeenCalledExactlyOnceWith(['entries'], 'readwrite', { durability: 'strict' });
    await store.close();
  });
});
