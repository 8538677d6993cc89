/** What a page writes as it goes: no transaction is promised an end then. Real browsers: `test/browser/leaving.test.ts`. */

import { randomUUID } from 'node:crypto';
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { indexedDbStore } from '../../src/store/indexeddb.ts';
import { changesIn } from '../../src/store/journal.ts';

const listeners = new Map<string, Set<(event: object) => void>>();
const tell = (type: string): void => listeners.get(type)?.forEach((listener) => listener({ type }));
/** As browsers have it: what is stored are its own properties. */
let storage: Record<string, string>;
const stored = (): [string, string][] => Object.entries(storage);

function pageStorage(): Record<string, string> {
  const methods = {
    getItem: (key: string) => storage[key] ?? null,
    setItem: (key: string, text: string) => void (storage[key] = text),
    removeItem: (key: string) => void delete storage[key],
  };
  return Object.create(methods) as Record<string, string>;
}

beforeEach(() => {
  storage = pageStorage();
  vi.stubGlobal('localStorage', storage);
  vi.stubGlobal('addEventListener', (type: string, listener: (event: object) => void) => {
    listeners.set(type, (listeners.get(type) ?? new Set()).add(listener));
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  listeners.clear();
});

const draft = (text: string): Map<string, string | null> => new Map([['draft/1', text]]);

describe('a page that goes', () => {
  test('has written when the call is over, and the next page finds it', async () => {
    const name = randomUUID();
    const going = indexedDbStore(name);
    await going.update([], () => new Map([['draft/0', 'older']]));
    expect(going.updateSync!(draft('too early'))).toBe(false);
    tell('pagehide');
    expect(
      going.updateSync!(
        new Map([
          ['draft/0', null],
          ['draft/1', 'last'],
        ]),
      ),
    ).toBe(true);
    const next = indexedDbStore(name);
    expect(await next.list('draft/')).toEqual(new Map([['draft/1', 'last']]));
    await vi.waitFor(() => expect(stored()).toEqual([]));
    expect(await next.get('draft/1')).toBe('last');
  });

  test('and comes back finds it, too', async () => {
    const store = indexedDbStore(randomUUID());
    await store.get('x');
    tell('pagehide');
    expect(store.updateSync!(draft('last'))).toBe(true);
    tell('pageshow');
    expect(store.updateSync!(draft('it is back'))).toBe(false);
    expect(await store.get('draft/1')).toBe('last');
  });

  test('tells a page that is open already, once that lists', async () => {
    const name = randomUUID();
    const [open, going] = [indexedDbStore(name), indexedDbStore(name)];
    expect(await open.list('draft/')).toEqual(new Map());
    tell('pagehide');
    going.updateSync!(draft('last'));
    expect(await open.list('draft/')).toEqual(draft('last'));
  });

  test('has written nothing without a place for it', async () => {
    const store = indexedDbStore(randomUUID());
    tell('pagehide');
    vi.spyOn(Object.getPrototypeOf(storage), 'setItem').mockImplementation(() => {
      throw new Error('QuotaExceededError');
    });
    expect(store.updateSync!(draft('last'))).toBe(false);
    await store.update([], () => draft('by a transaction'));
    await store.update([], () => new Map([['draft/1', null]]));
    vi.restoreAllMocks();
    // What there was no room for is not written once there is.
    expect(store.updateSync!(new Map([['draft/2', 'last']]))).toBe(true);
    expect(await store.list('draft/')).toEqual(new Map([['draft/2', 'last']]));
    vi.stubGlobal('localStorage', undefined);
    expect(store.updateSync!(draft('last'))).toBe(false);
  });
});

describe('what was written', () => {
  test('is not written again over what used it up, whether the page lived to take it back or not', async () => {
    const name = randomUUID();
    const going = indexedDbStore(name);
    tell('pagehide');
    going.updateSync!(draft('last'));
    going.updateSync!(new Map([['draft/2', 'of another handle']]));
    const [[item, text] = []] = stored();
    await going.update([], () => draft(''));
    expect(stored()).toEqual([]);
    // As if it had died before that.
    storage[item!] = text!;
    const next = indexedDbStore(name);
    expect(await next.list('draft/')).toEqual(
      new Map([
        ['draft/1', ''],
        ['draft/2', 'of another handle'],
      ]),
    );
  });

  test('waits for a database that works', async () => {
    const name = randomUUID();
    const going = indexedDbStore(name);
    tell('pagehide');
    going.updateSync!(draft('last'));
    const next = indexedDbStore(name);
    const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function fail(
      this: IDBObjectStore,
    ) {
      this.transaction.abort();
      throw new DOMException('no room', 'QuotaExceededError');
    });
    await next.list('draft/').catch(() => undefined);
    await vi.waitFor(() => expect(put).toHaveBeenCalled());
    put.mockRestore();
    expect(stored()).toHaveLength(1);
    await vi.waitFor(async () => expect(await next.list('draft/')).toEqual(draft('last')));
    await vi.waitFor(() => expect(stored()).toEqual([]));
  });

  test('is of its own database alone', async () => {
    const name = randomUUID();
    const going = indexedDbStore(`${name}/"b`);
    tell('pagehide');
    going.updateSync!(draft('last'));
    storage['settings'] = 'of the app';
    for (const other of [name, `${name}/`, `${name}/"`])
      expect(await indexedDbStore(other).list('')).toEqual(new Map());
    expect(await indexedDbStore(`${name}/"b`).list('')).toEqual(draft('last'));
    await vi.waitFor(() => expect(stored()).toEqual([['settings', 'of the app']]));
  });

  test.each([
    'no JSON',
    'null',
    '{}',
    '[["draft/1"]]',
    '[["draft/1",1]]',
    '[[1,"x"]]',
    '[["draft/1","x","y"]]',
    '[["draft/1","x"],"y"]',
    '["ab"]',
  ])('is nothing if another script wrote it: %s', async (text) => {
    expect(changesIn(text)).toEqual(new Map());
    const name = randomUUID();
    storage[`nostr-sync/${JSON.stringify(name)}/draft/1`] = text;
    expect(await indexedDbStore(name).list('')).toEqual(new Map());
    await vi.waitFor(() => expect(stored()).toEqual([]));
  });
});
