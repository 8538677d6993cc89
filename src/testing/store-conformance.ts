/** What every `Store` must do, as named checks that need no test runner and run in Node and browsers. */

import {
  assertEntries,
  assertEqual,
  check,
  increment,
  put,
  rejection,
  valuesOf,
  type StoreCheck,
} from './store-check.ts';

/**
 * Run each against your own `Store`, with a fresh `StoreUnderTest` for each:
 * `for (const { name, run } of storeConformance) test(name, () => run(subject()))`.
 */
export const storeConformance: readonly StoreCheck[] = [
  check('an empty store has nothing', async (store) => {
    assertEqual(await store.get('a'), undefined);
    await assertEntries(store, '', {});
  }),

  check('what an update sets can be read', async (store) => {
    await put(store, { a: '1', b: '' });
    assertEqual(await store.get('a'), '1');
    assertEqual(await store.get('b'), '');
    assertEqual(await store.get('c'), undefined);
  }),

  check('an update leaves keys alone that it does not change', async (store) => {
    await put(store, { a: '1', b: '2' });
    await put(store, { b: '3', c: '4' });
    await assertEntries(store, '', { a: '1', b: '3', c: '4' });
  }),

  check('null deletes, also a key that is not there', async (store) => {
    await put(store, { a: '1', b: '2' });
    await put(store, { a: null, c: null });
    assertEqual(await store.get('a'), undefined);
    await assertEntries(store, '', { b: '2' });
  }),

  check('decide gets the values of the keys it asked for, and of no others', async (store) => {
    await put(store, { a: '1', b: '2' });
    let seen: ReadonlyMap<string, string> = new Map();
    await store.update(['a', 'missing'], (current) => {
      seen = new Map(current);
      return new Map();
    });
    assertEqual(JSON.stringify([...seen]), '[["a","1"]]');
  }),

  check('an update may change keys that it did not read', async (store) => {
    await put(store, { a: '1', b: '2' });
    await store.update(
      ['a'],
      () =>
        new Map([
          ['b', '3'],
          ['c', '4'],
        ]),
    );
    await assertEntries(store, '', { a: '1', b: '3', c: '4' });
  }),

  check('an update without changes resolves', async (store) => {
    await put(store, { a: '1' });
    await store.update([], () => new Map());
    await assertEntries(store, '', { a: '1' });
  }),

  check('when decide throws, nothing changes and the update rejects with what it threw', async (store) => {
    await put(store, { a: '1' });
    const thrown = new Error('decided against it');
    const refused = store.update(['a'], () => {
      throw thrown;
    });
    assertEqual(await rejection(refused), thrown);
    await assertEntries(store, '', { a: '1' });
    await put(store, { a: '2' });
    assertEqual(await store.get('a'), '2');
  }),

  check('an update that throws takes nothing from those around it', async (store) => {
    const refused = new Error('decided against it');
    const outcomes = await Promise.allSettled([
      put(store, { a: '1' }),
      store.update(['a'], () => {
        throw refused;
      }),
      put(store, { b: '2' }),
    ]);
    assertEqual(outcomes.map(({ status }) => status).join(), 'fulfilled,rejected,fulfilled');
    await assertEntries(store, '', { a: '1', b: '2' });
  }),

  check('100 concurrent increments count to 100', async (store) => {
    await Promise.all(Array.from({ length: 100 }, () => increment(store, 'n')));
    assertEqual(await store.get('n'), '100');
  }),

  check('concurrent updates of two keys are never seen apart', async (store) => {
    let torn = 0;
    const move = (): Promise<void> =>
      store.update(['x', 'y'], (current) => {
        if (current.get('x') !== current.get('y')) torn++;
        const next = String(Number(current.get('x') ?? '0') + 1);
        return new Map([
          ['x', next],
          ['y', next],
        ]);
      });
    const look = async (): Promise<void> => {
      const both = await store.list('');
      if (both.get('x') !== both.get('y')) torn++;
    };
    await Promise.all(Array.from({ length: 20 }, () => [move(), look()]).flat());
    assertEqual(torn, 0);
    await assertEntries(store, '', { x: '20', y: '20' });
  }),

  check('list returns exactly the keys with the prefix', async (store) => {
    await put(store, { a: '0', 'a/': '1', 'a/b': '2', 'a/b/c': '3', a0: '4', 'b/a/': '5', 'A/': '6' });
    await assertEntries(store, 'a/', { 'a/': '1', 'a/b': '2', 'a/b/c': '3' });
    await assertEntries(store, 'a/b/c', { 'a/b/c': '3' });
    await assertEntries(store, 'c', {});
  }),

  check('list compares code units, whatever they are', async (store) => {
    const keys = [
      'p',
      'p\u0000',
      'pé',
      'pe\u0301',
      'p\u{1f600}',
      'p\ud83d',
      'p\uffff',
      'p\uffff\uffffz',
      'p\uffffa',
      'q',
      '\uffff',
      '\uffffx',
      '%',
      '_',
    ];
    await put(store, valuesOf(keys));
    for (const prefix of [
      '',
      'p',
      'p\u0000',
      'pe',
      'pé',
      'p\ud83d',
      'p\uffff',
      'p\uffff\uffff',
      '\uffff',
      '%',
      '_',
    ]) {
      const expected = keys.filter((key) => key.startsWith(prefix));
      await assertEntries(store, prefix, valuesOf(expected));
    }
  }),

  check('list is a snapshot, and changing it changes nothing', async (store) => {
    await put(store, { a: '1' });
    const before = await store.list('');
    await put(store, { a: '2', b: '3' });
    assertEqual(JSON.stringify([...before]), '[["a","1"]]');
    before.set('c', '4');
    assertEqual(await store.get('c'), undefined);
  }),

  check('names of Object.prototype are keys like any other', async (store) => {
    for (const key of ['__proto__', 'constructor', 'hasOwnProperty']) {
      assertEqual(await store.get(key), undefined);
      await store.update([key], (current) => new Map([[key, `${current.size}`]]));
      assertEqual(await store.get(key), '0');
      assertEqual((await store.list(key)).get(key), '0');
    }
    assertEqual('polluted' in {}, false);
  }),

  check('the empty string is a key', async (store) => {
    await store.update([''], () => new Map([['', 'empty']]));
    assertEqual(await store.get(''), 'empty');
    assertEqual((await store.list('')).get(''), 'empty');
  }),

  check('a value of 200 KB comes back as it was', async (store) => {
    const big = 'é\u0000"\\\u{1f600}\ud800'.repeat(30_000);
    await put(store, { big });
    assertEqual((await store.get('big')) === big, true);
  }),

  check('pieces of large values are entries like any other', async (store, subject) => {
    const piece = (n: number, round: number): string => `${n}/${round} `.repeat(10_000);
    const pieces = (count: number, round: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`piece/${n}`, piece(n, round)]));
    // Enough of them, changed often enough, that a log would be rewritten.
    for (let round = 0; round < 8; round++) await put(store, { ...pieces(12, round), head: `${round}` });
    await put(store, { 'piece/0': null, 'piece/"\\\u2028': 'é\ud800', 'piece/': '' });
    const expected: Record<string, string> = {
      ...pieces(12, 7),
      'piece/"\\\u2028': 'é\ud800',
      'piece/': '',
    };
    delete expected['piece/0'];
    assertEqual(await store.get('piece/0'), undefined);
    assertEqual(await store.get('piece/11'), piece(11, 7));
    await store.update(
      ['piece/1', 'piece/0'],
      (current) => new Map([['seen', [...current.values()].join()]]),
    );
    assertEqual(await store.get('seen'), piece(1, 7));
    await assertEntries(store, 'piece/', expected);
    await store.close();
    const again = await subject.reopen?.();
    if (again) await assertEntries(again, 'piece/', expected);
    await again?.close();
  }),

  check('close can be called twice, and everything after it rejects with CLOSED', async (store) => {
    await put(store, { a: '1' });
    await Promise.all([store.close(), store.close()]);
    await store.close();
    for (const call of [store.get('a'), store.list(''), put(store, { a: '2' })]) {
      assertEqual(((await rejection(call)) as { code?: unknown } | undefined)?.code, 'CLOSED');
    }
  }),

  check('a store that was never used can be closed', (store) => store.close()),

  check('close finishes the updates that were started', async (store, subject) => {
    await increment(store, 'n');
    let finished = 0;
    const started = Array.from({ length: 10 }, () => increment(store, 'n').then(() => finished++));
    // A store that gets this wrong fails the assertion, not the runner's watch for unhandled rejections.
    void Promise.allSettled(started);
    await store.close();
    assertEqual(finished, 10);
    const again = await subject.reopen?.();
    if (again) assertEqual(await again.get('n'), '11');
    await again?.close();
  }),

  check('a durable store has after reopening what it had before', async (store, subject) => {
    await put(store, { a: '1', gone: '2', ['p\ud800']: 'x\ud800\u0000' });
    await put(store, { gone: null, b: '3' });
    await rejection(
      store.update(['a'], () => {
        throw new Error('decided against it');
      }),
    );
    await store.close();
    const again = await subject.reopen?.();
    if (!again) return;
    await assertEntries(again, '', { a: '1', b: '3', ['p\ud800']: 'x\ud800\u0000' });
    await put(again, { b: '4' });
    assertEqual(await again.get('b'), '4');
    await again.close();
  }),
];
