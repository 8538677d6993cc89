/** What the embedded relay looks at to answer: what is asked for, not all that it has. */

import { expect, test } from 'vitest';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { createEventStorage } from '../../src/testing/relay-storage.ts';
import {
  matchesFilter,
  parseFilter,
  selectEvents,
  type RelayFilter,
} from '../../src/testing/relay-filter.ts';
import { alicePubkey, START } from './events.ts';

const SIZE = 2_000;
const filterOf = (value: object): RelayFilter => parseFilter(value) as RelayFilter;
const idOf = (i: number): string => i.toString(16).padStart(64, '0');
const eventOf = (i: number): SignedEvent => ({
  ...{ id: idOf(i), pubkey: alicePubkey, kind: 30_078, created_at: START + i, content: '', sig: '' },
  tags: [['d', `app/c${i}/v1`]],
});

/** A storage that counts how often anything is read of its events. */
function setUp() {
  const storage = createEventStorage();
  const state = { looks: 0 };
  for (let i = 0; i < SIZE; i++) {
    const counting: ProxyHandler<SignedEvent> = {
      get: (event, key) => {
        state.looks++;
        return Reflect.get(event, key) as unknown;
      },
    };
    storage.put(new Proxy(eventOf(i), counting), 'lowest-id', START);
  }
  state.looks = 0;
  const select = (...filters: object[]): string[] =>
    selectEvents((filter) => storage.candidates(filter, START), filters.map(filterOf), 500).map(
      ({ id }) => id,
    );
  return { storage, state, select };
}

test.each([
  ['d-tags', { '#d': ['app/c7/v1', 'app/c9/v1', 'app/none/v1'] }],
  ['d-tags of an author', { '#d': ['app/c7/v1', 'app/c9/v1'], authors: [alicePubkey], kinds: [30_078] }],
  ['ids', { ids: [idOf(7), idOf(9), idOf(SIZE)] }],
])('a question for %s looks at these', (_, filter) => {
  const { state, select } = setUp();
  expect(select(filter)).toEqual([idOf(9), idOf(7)]);
  expect(state.looks).toBeLessThan(100);
});

test('one that wants nothing looks at nothing', () => {
  const { state, select } = setUp();
  expect(select({ kinds: [30_078], limit: 0 })).toEqual([]);
  expect(state.looks).toBe(0);
});

test('a deletion request looks at what it names', () => {
  const { storage, state } = setUp();
  const request = {
    ...eventOf(SIZE),
    kind: 5,
    tags: [
      ['e', idOf(3)],
      ['a', `30078:${alicePubkey}:app/c4/v1`],
    ],
  };
  storage.put({ ...request, created_at: START + SIZE }, 'lowest-id', START);
  expect(state.looks).toBeLessThan(100);
  expect(storage.list(START)).toHaveLength(SIZE - 2 + 1);
});

test('what it finds that way is what it would find among all', () => {
  const { storage, select } = setUp();
  const newer = { ...eventOf(7), id: idOf(9_999), created_at: START + 5_000 };
  storage.put(newer, 'lowest-id', START);
  for (const value of [
    { '#d': ['app/c7/v1'] },
    { ids: [idOf(7)] },
    { ids: [idOf(9_999)], '#d': ['app/c8/v1'] },
    { '#d': ['app/c7/v1', 'app/c8/v1'], until: START + 100 },
  ]) {
    const among = storage.list(START).filter((event) => matchesFilter(filterOf(value), event));
    expect(select(value)).toEqual(among.map(({ id }) => id));
  }
});
