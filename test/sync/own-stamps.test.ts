/** What is kept of the ids and stamps of own writes: by it a twin's writes are told from them. */

import { describe, expect, test } from 'vitest';
import { MAX_ABOVE, MAX_WITHDRAWN } from '../../src/protocol/limits.ts';
import {
  hasUndone,
  stampsBefore,
  NOTHING,
  stampsBelow,
  stampsOf,
  undoneBy,
  withIdOf,
} from '../../src/sync/heads/own-stamps.ts';
import { EMPTY_RECORD, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { anId } from '../names.ts';
import { OUR_HASH, OURS, ownWrite, told } from './records.ts';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

describe('the ids of writes that were withdrawn', () => {
  test('are kept, oldest first', () => {
    expect(withIdOf(undefined, anId('a'))).toEqual(['a']);
    expect(withIdOf([anId('a')], anId('b'))).toEqual(['a', 'b']);
  });

  test('are no more than there is room for: the oldest goes', () => {
    const withdrawn = upTo(MAX_WITHDRAWN).map((n) => anId(String(n)));
    expect(withIdOf(withdrawn, anId('new'))).toEqual([...withdrawn.slice(1), 'new']);
  });
});

describe('what somebody may have, below a write', () => {
  const head = told({ stamp: 20, by: OURS });
  const written = (more: Partial<OwnWrite> = {}): HeadRecord => ({
    ...EMPTY_RECORD,
    head: versionOf(head),
    own: ownWrite(head, more),
  });

  test('is nothing if there was nothing', () => {
    expect(stampsBelow(undefined, undefined)).toEqual([]);
    expect(stampsBelow(EMPTY_RECORD, undefined)).toEqual([]);
  });

  test('is the head if another wrote it, or a relay has it', () => {
    expect(stampsBelow({ ...EMPTY_RECORD, head: versionOf(head) }, undefined)).toEqual([20]);
    expect(
      stampsBelow({ ...written(), own: ownWrite(told({ stamp: 9 }), { above: [3] }) }, undefined),
    ).toEqual([20]);
    expect(stampsBelow(written({ acknowledged: true, above: [3] }), undefined)).toEqual([20]);
  });

  test('is the head, and what that is above, if no relay has it', () => {
    expect(stampsBelow(written(), undefined)).toEqual([20]);
    expect(stampsBelow(written({ above: [3, 9] }), undefined)).toEqual([3, 9, 20]);
    expect(stampsBelow(written({ above: [3, 9] }), anId('another'))).toEqual([3, 9, 20]);
  });

  test('is the head behind nothing, if that is above nothing', () => {
    expect(stampsBelow(written({ above: [] }), undefined)).toEqual([NOTHING, 20]);
    expect(stampsBelow(written({ above: [] }), head.id)).toEqual([NOTHING]);
  });

  test('is not a head that no socket has carried', () => {
    expect(stampsBelow(written({ above: [3, 9] }), head.id)).toEqual([3, 9]);
    expect(stampsBelow(written(), head.id)).toEqual([]);
  });

  test('is no more than there is room for: the first stays, for it is no write of ours alone', () => {
    const above = upTo(MAX_ABOVE);
    expect(stampsBelow(written({ above }), undefined)).toEqual([1, ...above.slice(2), 20]);
    expect(stampsBelow(written({ above }), head.id)).toEqual(above);
  });
});

describe('what came before a write', () => {
  const after = (stamp: number, past?: readonly number[], before?: number): HeadRecord => {
    const head = told({ stamp, by: OURS });
    return {
      ...EMPTY_RECORD,
      head: versionOf(head),
      former: before === undefined ? [] : [versionOf(told({ stamp: before }))],
      own: past && ownWrite(head, { past }),
    };
  };

  test('is nothing if there was no head', () => {
    expect(stampsBefore(undefined)).toEqual([]);
    expect(stampsBefore(EMPTY_RECORD)).toEqual([]);
  });

  test('is the head, and what came before that', () => {
    expect(stampsBefore(after(20))).toEqual([20]);
    expect(stampsBefore(after(20, undefined, 7))).toEqual([7, 20]);
    expect(stampsBefore(after(20, [3, 9], 7))).toEqual([3, 7, 9, 20]);
    const { own: _, ...plain } = after(20, [3, 9]);
    expect(stampsBefore({ ...plain, own: ownWrite(plain.head!.event) })).toEqual([20]);
  });

  test('is the last own write as well, and what came before that, however many heads of others followed', () => {
    const { own: _, ...other } = after(20, [], 18);
    const own = ownWrite(told({ stamp: 9, by: OURS }), { past: [3] });
    expect(stampsBefore({ ...other, own })).toEqual([3, 9, 18, 20]);
    const full = ownWrite(told({ stamp: 9, by: OURS }), { past: upTo(MAX_ABOVE) });
    const some = stampsBefore({ ...other, own: full });
    expect([some.length, some.slice(-3)]).toEqual([MAX_ABOVE, [9, 18, 20]]);
  });

  test('is nothing from the future of the head: that did not come before it', () => {
    expect(stampsBefore(after(20, [3, 20, 90]))).toEqual([3, 20]);
  });

  test.each([
    ['in the middle', [10, 30, 50, 51, 53, 80, 110, 140], 170, 51],
    ['never the first', [10, 12, 40, 60, 80, 100, 120, 140], 170, 12],
    ['the last before it', [0, 25, 50, 75, 100, 125, 150, 171], 172, 171],
    ['none on either side of a leap of the clock', [0, 50, 100, 102, 104, 500, 502, 510], 600, 102],
  ])(
    'is no more than there is room for: what is nearest to its neighbours goes, %s',
    (_, past, stamp, gone) => {
      expect(past.length).toBe(MAX_ABOVE);
      expect(stampsBefore(after(stamp, past))).toEqual([...past, stamp].filter((one) => one !== gone));
      expect(stampsBefore(after(stamp, past.slice(1)))).toEqual([...past.slice(1), stamp]);
    },
  );
});

describe('the stamp of a write', () => {
  test('is what its writer says of it: a signer that says its own time is a floor', () => {
    const event = told({ stamp: 10, by: OURS });
    expect(stampsOf(event, OUR_HASH)).toEqual({ device: OUR_HASH, id: event.id, stamp: 10 });
    const late = { ...event, created_at: 12 };
    expect(stampsOf(late, OUR_HASH)).toEqual({ device: OUR_HASH, id: event.id, stamp: 10, floor: 12 });
  });

  test('is that of the event if it says nothing of the device', () => {
    const plain = told({ stamp: 10, by: OURS, seen: false });
    expect(stampsOf(plain, OUR_HASH)).toEqual({ device: OUR_HASH, id: plain.id, stamp: 10 });
    expect(stampsOf(told({ stamp: 10 }), OUR_HASH)).toMatchObject({ stamp: 10 });
  });
});

describe('what this device has undone', () => {
  const own = ownWrite(told({ stamp: 20, by: OURS }));

  test('is a write, its floor and what came before, if what is to come is below', () => {
    expect(undoneBy(undefined, 10)).toBeUndefined();
    expect(undoneBy(own, 20)).toBeUndefined();
    expect(undoneBy(own, 19)).toEqual([20, 20]);
    expect(undoneBy({ ...own, floor: 25 }, 19)).toEqual([20, 25]);
    expect(undoneBy({ ...own, floor: 25 }, 22)).toEqual([25, 25]);
    expect(undoneBy({ ...own, past: [5, 12, 15] }, 10)).toEqual([12, 20]);
  });

  test('stays, and grows', () => {
    expect(undoneBy({ ...own, undone: [30, 40] }, 20)).toEqual([30, 40]);
    expect(undoneBy({ ...own, undone: [30, 40] }, 10)).toEqual([20, 40]);
    expect(undoneBy({ ...own, undone: [12, 15] }, 10)).toEqual([12, 20]);
  });

  test('is told by its span, with both ends', () => {
    const undone = { ...own, undone: [30, 40] };
    const told = [29, 30, 35, 40, 41].map((stamp) => hasUndone(undone, stamp));
    expect(told).toEqual([false, true, true, true, false]);
    expect(hasUndone(own, 20)).toBe(false);
    expect(hasUndone(undefined, 20)).toBe(false);
  });
});

test('where there is no head, nothing is before it', () => {
  const first = told({ stamp: 1, by: OURS });
  expect(stampsBefore({ ...EMPTY_RECORD, own: ownWrite(first) })).toEqual([]);
});
