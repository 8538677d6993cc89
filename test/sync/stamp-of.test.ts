/** The stamp of the next write, of what is known: one line a rule. */

import { describe, expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { DAY_SECONDS } from '../../src/protocol/limits.ts';
import { keptOf, type Kept } from '../../src/sync/heads/kept.ts';
import { EMPTY_RECORD, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import {
  aheadOf,
  isAhead,
  refuseWrongClock,
  resetStampOf,
  stampOf,
  voidsOfReset,
} from '../../src/sync/stamps.ts';
import { anId } from '../names.ts';
import { told } from './records.ts';

const NOW = 1_767_225_600;
const FUTURE = NOW + DAY_SECONDS + 1;

const at = (created_at: number): VerifiedEvent => told({ stamp: created_at, seen: false });
const rival = (stamp: number): Kept => keptOf({ event: at(stamp), pieces: undefined }, undefined, true);
const own = (stamp: number, more: Partial<OwnWrite> = {}): OwnWrite => ({
  ...{ device: 'd', id: anId('own'), stamp, acknowledged: false, lost: false },
  ...more,
});
const record = (more: Partial<HeadRecord>): HeadRecord => ({ ...EMPTY_RECORD, ...more });

describe('the next write is stamped', () => {
  test.each<[string, HeadRecord | undefined, boolean, number]>([
    ['now if nothing is known', undefined, false, NOW],
    ['now above what is older', record({ head: versionOf(at(NOW - 9)) }), false, NOW],
    ['one above a head of this second', record({ head: versionOf(at(NOW)) }), false, NOW + 1],
    ['one above a head from the future', record({ head: versionOf(at(NOW + 50)) }), false, NOW + 51],
    [
      'one above an own write that is not the head',
      record({ head: versionOf(at(5)), own: own(NOW + 3) }),
      false,
      NOW + 4,
    ],
    ['one above one that was withdrawn', record({ own: own(5, { floor: NOW + 7 }) }), false, NOW + 8],
    [
      'as one that no socket has carried',
      record({ head: versionOf(at(NOW + 4)), own: own(NOW + 4) }),
      true,
      NOW + 4,
    ],
    [
      'one above it if a rival has the same stamp',
      record({ head: versionOf(at(NOW + 4)), own: own(NOW + 4), rivals: [rival(NOW + 4)] }),
      true,
      NOW + 5,
    ],
    [
      'as that one if its rivals are older',
      record({ head: versionOf(at(NOW + 4)), own: own(NOW + 4), rivals: [rival(NOW + 3)] }),
      true,
      NOW + 4,
    ],
    [
      'one above a rival that is above the head, since that has got a lower stamp',
      record({ head: versionOf(at(NOW - 9)), own: own(NOW - 9), rivals: [rival(NOW - 20), rival(NOW + 2)] }),
      false,
      NOW + 3,
    ],
    ['now if that one is older', record({ head: versionOf(at(NOW - 4)), own: own(NOW - 4) }), true, NOW],
  ])('%s', (_, known, isReplaceable, stamp) => {
    expect(stampOf(known, NOW, isReplaceable)).toBe(stamp);
  });
});

test('what is not known is below every stamp', () => {
  expect(stampOf(undefined, 0, false)).toBe(0);
  expect(resetStampOf(undefined, 0)).toBe(0);
  expect(resetStampOf(record({ head: versionOf(at(FUTURE)), own: own(FUTURE) }), 0)).toBe(0);
});

describe('a reset is stamped', () => {
  test.each<[string, HeadRecord | undefined, number]>([
    ['now if nothing is known', undefined, NOW],
    [
      'now if all that is known is from the future',
      record({ head: versionOf(at(FUTURE)), own: own(FUTURE) }),
      NOW,
    ],
    ['above what is a day ahead, but no more', record({ head: versionOf(at(FUTURE - 1)) }), FUTURE],
    [
      'above the value before',
      record({ head: versionOf(at(FUTURE)), former: [versionOf(at(NOW + 5))] }),
      NOW + 6,
    ],
    [
      'above the one before that',
      record({ head: versionOf(at(FUTURE)), former: [versionOf(at(NOW)), versionOf(at(NOW + 6))] }),
      NOW + 7,
    ],
    ['above the floor of its own writes', record({ own: own(FUTURE, { floor: NOW + 8 }) }), NOW + 9],
    ['above what turned up while it was held', record({ own: own(NOW, { heldFloor: NOW + 8 }) }), NOW + 9],
    ['above its former writes', record({ own: own(FUTURE, { past: [NOW + 2, NOW + 9] }) }), NOW + 10],
    [
      'above what a value from the future is deemed to have seen',
      record({ head: versionOf(at(FUTURE)), deemed: new Map([['0a0a0a0a', NOW + 11]]) }),
      NOW + 12,
    ],
  ])('%s', (_, known, stamp) => {
    expect(resetStampOf(known, NOW)).toBe(stamp);
  });
});

describe('what is from the future', () => {
  test('is what is stamped more than a day ahead: the head, those before it, and the own write by its own stamp', () => {
    const [head, before, fallback] = [at(FUTURE + 2), at(FUTURE + 1), at(FUTURE)];
    const known = record({
      head: versionOf(head),
      former: [versionOf(before), versionOf(fallback)],
      own: own(FUTURE + 3),
    });
    expect(aheadOf(known, NOW)).toEqual(
      new Map([
        ['own', FUTURE + 3],
        [head.id, FUTURE + 2],
        [before.id, FUTURE + 1],
        [fallback.id, FUTURE],
      ]),
    );
    expect(aheadOf(record({ head: versionOf(at(FUTURE - 1)) }), NOW).size).toBe(0);
    // The head is the own write, signed a little later.
    const late = record({ head: versionOf(head), own: own(FUTURE, { id: head.id }) });
    expect(aheadOf(late, NOW)).toEqual(new Map([[head.id, FUTURE + 2]]));
    expect(aheadOf(undefined, NOW).size).toBe(0);
  });

  test('also raises the next write by the floor of what was withdrawn', () => {
    expect(isAhead(record({ own: own(5, { floor: NOW + 61 }) }), NOW, 60)).toBe(true);
    expect(isAhead(record({ own: own(5, { floor: NOW + 60 }) }), NOW, 60)).toBe(false);
    expect(isAhead(record({ head: versionOf(at(NOW + 61)) }), NOW, 60)).toBe(true);
    expect(isAhead(undefined, NOW, 60)).toBe(false);
  });
});

test('a clock that is a day ahead of every relay is not written by', () => {
  expect(() => refuseWrongClock(DAY_SECONDS - 1)).not.toThrow();
  expect(() => refuseWrongClock(DAY_SECONDS)).toThrow(
    expect.objectContaining({
      code: 'CLOCK_SKEW',
      message: expect.stringContaining('86400 s ahead') as string,
      details: { aheadSeconds: DAY_SECONDS },
    }),
  );
});

test('a reset voids what is more than a day ahead: the head, and what it had seen; of a rival nothing', () => {
  expect(voidsOfReset(undefined, NOW)).toEqual(new Map());
  const [head, past] = [versionOf(at(FUTURE + 9)), [rival(FUTURE), rival(FUTURE - 1), rival(NOW)]];
  expect(voidsOfReset(record({ head, past, rivals: [rival(FUTURE + 5)] }), NOW)).toEqual(
    new Map([
      [past[0]!.id, FUTURE],
      [head.event.id, FUTURE + 9],
    ]),
  );
});
