import { expect, test } from 'vitest';
import type { Address, RelayUrl } from '../../src/protocol/address.ts';
import { createCount } from '../../src/sync/heads/count.ts';
import type { HeadRecord } from '../../src/sync/heads/record.ts';
import { aRelay } from '../names.ts';

const record = {} as HeadRecord;

function setUp(size: number) {
  const records = new Map<Address, HeadRecord | undefined>();
  for (let i = 0; i < size; i++) records.set(`app/c${i}/v1` as Address, record);
  const state = { looks: 0, urls: [aRelay('wss://one')] as readonly RelayUrl[] };
  const count = createCount(
    {
      dTags: () => records.keys(),
      peek: (dTag) => {
        state.looks++;
        return records.get(dTag);
      },
    },
    () => state.urls,
    (one, urls) => (one === undefined ? 0 : urls.length),
  );
  return { count, records, state };
}

test('a category that changes costs one look, however many there are', () => {
  const { count, records, state } = setUp(1_000);
  expect(count.total()).toBe(1_000);
  state.looks = 0;
  for (let i = 0; i < 100; i++) {
    const dTag = `app/c${i}/v1` as Address;
    records.set(dTag, undefined);
    count.changed(dTag);
    expect(count.total()).toBe(999 - i);
  }
  expect(state.looks).toBe(100);
});

test('one that is new counts, and one that comes back counts once', () => {
  const { count, records } = setUp(2);
  expect(count.total()).toBe(2);
  const dTag = 'app/new/v1' as Address;
  for (const present of [record, undefined, record]) {
    records.set(dTag, present);
    count.changed(dTag);
    count.changed(dTag);
    expect(count.total()).toBe(present === undefined ? 2 : 3);
  }
});

test('what changed before anybody asked is counted once', () => {
  const { count } = setUp(3);
  count.changed('app/c1/v1' as Address);
  expect(count.total()).toBe(3);
});

test('other relays: all are counted again', () => {
  const { count, state } = setUp(10);
  expect(count.total()).toBe(10);
  state.urls = [aRelay('wss://one'), aRelay('wss://two')];
  expect(count.total()).toBe(20);
  state.urls = [];
  expect(count.total()).toBe(0);
});
