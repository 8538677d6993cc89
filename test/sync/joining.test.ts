/** What a merger is given to merge: of several newest values in common all, and their own merge. */

import { expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { keptOf } from '../../src/sync/heads/kept.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createJoining } from '../../src/sync/merging/joining.ts';
import type { Merger, MergeSides } from '../../src/sync/merging/merger.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { anAddress } from '../names.ts';
import { IN_PIECES, ownWrite, told } from './records.ts';

const D = anAddress('default/settings/v1');
const kept = (event: VerifiedEvent) => keptOf({ event, pieces: undefined }, undefined, true);
const FIRST = told({ stamp: 1, by: 'a' });
const LEFT = told({ stamp: 2, by: 'b', seen: { a: 1 } });
const RIGHT = told({ stamp: 3, by: 'c', seen: { a: 1 } });
const BOTH = { a: 1, b: 2, c: 3 };
const RIVAL = told({ stamp: 4, by: 'd', seen: BOTH });
const HEAD = told({ stamp: 5, by: 'e', seen: BOTH });
const NAMES = new Map(
  [FIRST, LEFT, RIGHT, RIVAL, HEAD].map((event, i) => [
    event.id,
    'first left right rival head'.split(' ')[i]!,
  ]),
);

test('values that were written apart and that both sides have seen are all bases, and what they make together', async () => {
  const record: HeadRecord = {
    ...{ ...EMPTY_RECORD, head: versionOf(HEAD), rivals: [kept(RIVAL)] },
    past: [RIGHT, LEFT, FIRST].map(kept),
  };
  const events = new Map(
    [...NAMES.keys()].map((id) => [id, [FIRST, LEFT, RIGHT, RIVAL, HEAD].find((one) => one.id === id)!]),
  );
  const asked: MergeSides[] = [];
  const merger = {
    merge: (sides: MergeSides) => {
      asked.push(sides);
      return { value: `${String(sides.mine)}+${String(sides.theirs)}`, clashes: [] };
    },
  } as unknown as Merger;
  const joining = createJoining({
    clock: createTestClock(),
    replica: { get: () => record, version: async (_, id) => Promise.resolve(events.get(id)) },
    content: { payloadOf: async ({ id }) => Promise.resolve(NAMES.get(id)) },
    mergerOf: () => merger,
  });
  const joined = await joining.join(D, record, () => 'may');
  expect(asked).toEqual([
    { base: 'first', bases: [], mine: 'left', theirs: 'right', isExact: true },
    { base: 'left+right', bases: ['right', 'left'], mine: 'rival', theirs: 'head', isExact: true },
  ]);
  expect(joined).toMatchObject({ value: 'rival+head', base: 'exact', parts: [{ id: RIVAL.id }] });
});

test('while the pieces of what holds an own write are not here, that write stands in its place', async () => {
  const own = told({ stamp: 2, by: 'us', seen: { a: 1 } });
  const large = told({ stamp: 3, by: 'd', seen: { a: 1, us: 2 }, tags: IN_PIECES });
  const head = told({ stamp: 4, by: 'e', seen: { a: 1 } });
  const values = new Map([
    [FIRST.id, 'first'],
    [own.id, 'own'],
    [head.id, 'head'],
  ]);
  const record: HeadRecord = {
    ...{ ...EMPTY_RECORD, head: versionOf(head), rivals: [kept(large)], own: ownWrite(own) },
    past: [own, FIRST].map(kept),
  };
  const asked: MergeSides[] = [];
  const merge = (sides: MergeSides) => {
    asked.push(sides);
    return { value: 'both', clashes: [] };
  };
  const joining = createJoining({
    clock: createTestClock(),
    replica: {
      get: () => record,
      version: async (_, id) => Promise.resolve([FIRST, own, large, head].find((one) => one.id === id)),
    },
    content: { payloadOf: async ({ id }) => Promise.resolve(values.get(id)) },
    mergerOf: () => ({ merge }) as unknown as Merger,
  });
  const joined = await joining.join(D, record, () => 'must');
  expect(asked).toEqual([{ base: 'first', bases: [], mine: 'own', theirs: 'head', isExact: true }]);
  // It is merged once it is whole: what it says beyond that it is not known to contain.
  expect(joined).toMatchObject({ value: 'both', taken: [] });
  expect(joined.seen.get(kept(large).device)).toBeUndefined();
  expect((await joining.join(D, record, () => 'may')).value).toBe('head');
});
