/** What becomes of a value of another key, by what this one has. */

import { expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { baseOf } from '../../src/sync/merging/base.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { parseRecord, serializeRecord } from '../../src/sync/heads/record-codec.ts';
import type { HeadRecord } from '../../src/sync/heads/record.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import { aRelay } from '../names.ts';
import { IN_PIECES, nameOf, OUR_HASH, OURS, told } from './records.ts';

const RELAY = aRelay('wss://relay.example');
const mine = told({ stamp: 50, by: OURS });

const carry = (
  record: HeadRecord | undefined,
  more: Partial<Extract<Input, { readonly type: 'carried' }>> = {},
): ReturnType<typeof reconcile> =>
  reconcile(
    record,
    {
      ...{ type: 'carried', event: mine, device: OUR_HASH, isAbsent: false, isDecided: false },
      ...more,
    },
    undefined,
  );
const shown = (event: VerifiedEvent, record?: HeadRecord): HeadRecord =>
  reconcile(record, { type: 'shown', relay: RELAY, event, relays: [RELAY] }, undefined).record!;

test('it is nothing while it is unknown what there is, and the value once it is known that there is none', () => {
  expect(carry(undefined)).toEqual({ record: undefined, effects: [] });
  const { record, effects } = carry(undefined, { isAbsent: true });
  expect(record).toMatchObject({
    head: { event: mine },
    own: { id: mine.id, stamp: 50, acknowledged: false },
  });
  expect(effects).toEqual([{ type: 'advanced', event: mine }]);
  expect(carry(record, { isAbsent: true })).toEqual({ record, effects: [] });
});

test('it is nothing either above a write that was withdrawn, whose stamp it would not be above', () => {
  const taken = told({ stamp: 60, by: OURS });
  const written = reconcile(
    undefined,
    { type: 'write', event: taken, device: OUR_HASH, isRead: true },
    undefined,
  ).record;
  const { record } = reconcile(written, { type: 'withdraw', id: taken.id }, undefined);
  for (const isAbsent of [true, false]) {
    const outcome = carry(record, { isAbsent });
    expect(outcome.record).toBe(record);
    expect(outcome.effects).toEqual([]);
  }
});

test.each([
  ['older', 10],
  ['newer', 90],
])('it gives way to what is %s, and is kept', (_what, stamp) => {
  const theirs = told({ stamp });
  const before = shown(theirs);
  for (const isAbsent of [true, false]) {
    const { record, effects } = carry(before, { isAbsent });
    expect(record!.head!.event).toBe(theirs);
    expect(record!.rivals).toEqual([]);
    expect(record!.past).toMatchObject([{ id: mine.id, isBeforeJoining: true, isOverwritten: false }]);
    expect(effects).toEqual([{ type: 'gave-way', mine, theirs }]);
    expect(carry(record)).toEqual({ record, effects: [] });
    expect(parseRecord(serializeRecord(record!))!.past).toMatchObject([{ isBeforeJoining: true }]);
  }
  expect(carry(before, { isDecided: true }).effects).toEqual([]);
});

test('of a value in pieces these are kept with it', () => {
  const large = told({ stamp: 50, by: OURS, tags: IN_PIECES });
  const made = new Map([[nameOf(1), told({ stamp: 50 })]]);
  const written = carry(undefined, { event: large, made, isAbsent: true }).record;
  expect(written!.head!.pieces).toMatchObject([{ name: nameOf(1), stamp: 50 }]);
  expect(carry(shown(told({ stamp: 9 })), { event: large, made }).record!.past).toMatchObject([
    { id: large.id, pieces: [nameOf(1)] },
  ]);
});

test('it is not taken for the base of a merge: later writes of this device were not made of it', () => {
  const { record } = carry(shown(told({ stamp: 10 })));
  const later = new Map([[OUR_HASH, 60]]);
  expect(baseOf(record!.past, later, later)).toEqual({ newest: [], isExact: false });
});

test('it stays in the ring as long as anything else can go', () => {
  let record: HeadRecord | undefined;
  for (const stamp of [10, 49, 51, 52])
    record = shown(told({ stamp, seen: { 'their-device': stamp - 1 } }), record);
  record = carry(record).record;
  // Its neighbours are closer to each other than those of any other.
  for (let stamp = 100; stamp < 5_000; stamp += 100)
    record = shown(told({ stamp, seen: { 'their-device': stamp - 1 } }), record);
  expect(record!.past).toHaveLength(20);
  expect(record!.past.filter((one) => one.isBeforeJoining)).toHaveLength(1);
});
