/** One event of a category, and what this device has of it. */

import { expect, test } from 'vitest';
import { isInPieces, isNewPiece, isReadable, isWhole, versionOf } from '../../src/sync/heads/version.ts';
import { IN_PIECES, nameOf, told } from './records.ts';

const SINGLE = told({ stamp: 10 });
const LARGE = told({ stamp: 10, tags: IN_PIECES });
const DEFLATED = told({ stamp: 10, tags: [['format', 'deflate/1']] });

test('an event that has just come is unread, and none of its pieces are here', () => {
  expect(versionOf(LARGE)).toEqual({ event: LARGE, pieces: undefined, reading: 'unread' });
});

test('only one format is in pieces', () => {
  expect([SINGLE, LARGE, DEFLATED].map(isInPieces)).toEqual([false, true, false]);
});

test('a value is whole, and can be shown, once its pieces are here, unless it could not be read', () => {
  for (const is of [isWhole, isReadable]) {
    expect(is(undefined)).toBe(false);
    expect(is(versionOf(SINGLE))).toBe(true);
    expect(is(versionOf(LARGE))).toBe(false);
    expect(is({ ...versionOf(LARGE), pieces: [] })).toBe(true);
    expect(is({ ...versionOf(SINGLE), reading: 'read' })).toBe(true);
  }
  const unreadable = { ...versionOf(SINGLE), reading: 'unreadable' } as const;
  expect([isWhole(unreadable), isReadable(unreadable)]).toEqual([true, false]);
  expect(isReadable({ ...versionOf(LARGE), reading: 'read' })).toBe(false);
});

test('a piece is new if it was made with the event or later: one that is signed again above a tombstone', () => {
  const piece = (stamp: number) => ({ name: nameOf(1), stamp, deliveries: new Map() });
  expect([9, 10, 11].map((stamp) => isNewPiece(piece(stamp), LARGE))).toEqual([false, true, true]);
  expect(isNewPiece(piece(10), undefined)).toBe(false);
});
