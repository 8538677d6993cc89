/** What a record says: of what can be shown, of the pieces, and of how far a write has come. */

import { describe, expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import {
  buriedOf,
  deliveryOf,
  EMPTY_RECORD,
  floorOf,
  isHeld,
  isOwnHead,
  isPending,
  isShown,
  newPiecesOf,
  piecesOf,
  readableOf,
  stageOf,
  versionsOf,
  type Delivery,
  type HeadRecord,
  type OwnWrite,
  type Stage,
} from '../../src/sync/heads/record.ts';
import { versionOf, type Piece, type Version } from '../../src/sync/heads/version.ts';
import { aRelay } from '../names.ts';
import { IN_PIECES, nameOf, OURS, ownWrite, told } from './records.ts';

const HERE = aRelay('wss://here.example');
const ELSEWHERE = aRelay('wss://elsewhere.example');
const MINE = told({ stamp: 10, by: OURS });
const LARGE = told({ stamp: 10, tags: IN_PIECES });
const [BEFORE, FIRST] = [told({ stamp: 5 }), told({ stamp: 2 })];

const over = (head: Version | VerifiedEvent, more: Partial<HeadRecord> = {}): HeadRecord => ({
  ...{ ...EMPTY_RECORD, head: 'event' in head ? head : versionOf(head) },
  ...more,
});
const mine = (own: Partial<OwnWrite> = {}, more: Partial<HeadRecord> = {}): HeadRecord =>
  over(MINE, { own: ownWrite(MINE, own), ...more });
const piece = (n: number, stamp: number, more: Partial<Piece> = {}): Piece => ({
  ...{ name: nameOf(n), stamp, deliveries: new Map() },
  ...more,
});

describe('what a record keeps', () => {
  const pieces = [piece(1, 10), piece(2, 5)];
  const before = { ...versionOf(BEFORE), pieces: [piece(2, 4)] };
  const record = over({ ...versionOf(LARGE), pieces }, { former: [before, versionOf(FIRST)] });

  test('are its values, newest first', () => {
    expect(versionsOf(record).map(({ event }) => event)).toEqual([LARGE, BEFORE, FIRST]);
    expect(versionsOf({ ...record, head: undefined }).map(({ event }) => event)).toEqual([BEFORE, FIRST]);
    expect(versionsOf(undefined)).toEqual([]);
    expect(versionsOf(EMPTY_RECORD)).toEqual([]);
  });

  test('are the pieces of all of them', () => {
    expect(piecesOf(record)).toEqual([...pieces, ...before.pieces]);
    expect(piecesOf(over(MINE))).toEqual([]);
    expect(piecesOf(undefined)).toEqual([]);
  });

  test('are pieces that are new with the head', () => {
    expect(newPiecesOf(record)).toBe(1);
    expect(newPiecesOf(over(MINE))).toBe(0);
    expect(newPiecesOf(EMPTY_RECORD)).toBe(0);
  });

  test('are pieces of the head that must be signed above a tombstone', () => {
    const buried = [10, 11, 9, undefined].map((stamp, n) =>
      piece(n, 10, stamp === undefined ? {} : { buried: stamp }),
    );
    expect(buriedOf(over({ ...versionOf(LARGE), pieces: buried }))).toEqual(buried.slice(0, 2));
    expect(buriedOf(over({ ...versionOf(LARGE), pieces: [piece(1, 0)] }))).toEqual([]);
    for (const one of [undefined, EMPTY_RECORD, over(MINE)]) expect(buriedOf(one)).toEqual([]);
  });

  test('shows the head, or what was before it while that cannot be read', () => {
    const former = [versionOf(BEFORE), versionOf(FIRST)];
    expect(readableOf(over(MINE, { former }))).toBe(MINE);
    expect(readableOf(over({ ...versionOf(MINE), reading: 'unreadable' }, { former }))).toBe(BEFORE);
    expect(readableOf(over(LARGE, { former }))).toBe(BEFORE);
    expect(readableOf(over(LARGE))).toBeUndefined();
    const unreadable = former.map((one) => ({ ...one, reading: 'unreadable' as const }));
    expect(readableOf(over(LARGE, { former: unreadable }))).toBeUndefined();
    expect(readableOf({ ...EMPTY_RECORD, former })).toBeUndefined();
    expect(readableOf(undefined)).toBeUndefined();
  });
});

describe('what a relay has of the head', () => {
  const has = (delivery: Delivery | undefined, ...said: readonly (Delivery | undefined)[]): Delivery => {
    const deliveries = new Map(delivery === undefined ? [] : [[HERE, delivery] as const]);
    const pieces = said.map((one, n) =>
      piece(n, 10, { deliveries: new Map(one === undefined ? [] : [[HERE, one as 'confirmed']]) }),
    );
    const head = said.length === 0 ? versionOf(MINE) : { ...versionOf(LARGE), pieces };
    return deliveryOf(over(head, { deliveries }), HERE);
  };

  test.each<Delivery>(['pending', 'unseen', 'acknowledged', 'confirmed', 'refused'])('is %s', (delivery) => {
    expect(has(delivery)).toBe(delivery);
  });

  test('is nothing if it was added since', () => {
    expect(has(undefined)).toBe('pending');
    expect(deliveryOf(EMPTY_RECORD, HERE)).toBe('pending');
  });

  test.each<[Delivery, readonly (Delivery | undefined)[], Delivery]>([
    ['confirmed', ['confirmed', 'confirmed'], 'confirmed'],
    ['confirmed', ['confirmed', 'acknowledged'], 'acknowledged'],
    ['confirmed', ['confirmed', undefined], 'pending'],
    ['confirmed', ['acknowledged', undefined], 'pending'],
    ['acknowledged', ['confirmed', 'confirmed'], 'acknowledged'],
    ['acknowledged', ['confirmed', undefined], 'pending'],
    ['unseen', ['confirmed', undefined], 'unseen'],
    ['unseen', ['acknowledged'], 'unseen'],
    ['refused', [undefined], 'refused'],
    ['refused', ['acknowledged'], 'refused'],
    ['pending', ['confirmed'], 'pending'],
    ['pending', ['acknowledged'], 'pending'],
  ])('of one in pieces is %s with pieces that are %j: %s', (delivery, said, whole) => {
    expect(has(delivery, ...said)).toBe(whole);
  });
});

describe('an own write', () => {
  test('is the head, or was', () => {
    expect(isOwnHead(mine())).toBe(true);
    expect(isOwnHead(over(BEFORE, { own: ownWrite(MINE) }))).toBe(false);
    expect(isOwnHead(over(MINE))).toBe(false);
    expect(isOwnHead(EMPTY_RECORD)).toBe(false);
    expect(isOwnHead({ ...EMPTY_RECORD, own: ownWrite(MINE) })).toBe(false);
  });

  test('is held if it says so, while it is the head', () => {
    expect(isHeld(mine({ heldUntil: 99 }))).toBe(true);
    expect(isHeld(mine())).toBe(false);
    expect(isHeld(over(BEFORE, { own: ownWrite(MINE, { heldUntil: 99 }) }))).toBe(false);
    expect(isHeld(undefined)).toBe(false);
    expect(isHeld(EMPTY_RECORD)).toBe(false);
  });

  test('is followed by a stamp above it and above its floor', () => {
    expect(floorOf(undefined)).toBe(-1);
    expect(floorOf(over(BEFORE))).toBe(-1);
    expect(floorOf(mine())).toBe(10);
    expect(floorOf(mine({ floor: 12 }))).toBe(12);
    expect(floorOf(mine({ floor: 8 }))).toBe(10);
    expect(floorOf(mine({ floor: 12, heldFloor: 14 }))).toBe(14);
    expect(floorOf(mine({ stamp: 0 }))).toBe(0);
    expect(floorOf(mine({ stamp: -5 }))).toBe(-1);
  });

  test.each<[Delivery, Delivery, Stage]>([
    ['confirmed', 'confirmed', 'replicated'],
    ['confirmed', 'acknowledged', 'delivered'],
    ['acknowledged', 'acknowledged', 'delivered'],
    ['acknowledged', 'refused', 'delivered'],
    ['refused', 'confirmed', 'delivered'],
    ['pending', 'unseen', 'saved'],
    ['refused', 'refused', 'saved'],
  ])('that is %s here and %s elsewhere is %s', (here, elsewhere, stage) => {
    const record = mine(
      {},
      {
        deliveries: new Map([
          [HERE, here],
          [ELSEWHERE, elsewhere],
        ]),
      },
    );
    expect(stageOf(record, [HERE, ELSEWHERE])).toBe(stage);
    expect(isPending(record, [HERE, ELSEWHERE])).toBe(stage === 'saved');
  });

  test('with no relay is saved', () => {
    expect(stageOf(mine(), [])).toBe('saved');
    expect(isPending(mine(), [])).toBe(true);
  });

  test('is not pending if another is the head, or a relay has had it', () => {
    expect(isPending(undefined, [HERE])).toBe(false);
    expect(isPending(over(BEFORE), [HERE])).toBe(false);
    expect(isPending(over(BEFORE, { own: ownWrite(MINE) }), [HERE])).toBe(false);
    expect(isPending(mine({ acknowledged: true }), [HERE])).toBe(false);
  });
});

test('a head is shown once a relay has handed it out, and not by an OK', () => {
  const on = (...said: readonly Delivery[]): HeadRecord =>
    mine({}, { deliveries: new Map(said.map((one, i) => [[HERE, ELSEWHERE][i]!, one])) });
  expect(isShown(on())).toBe(false);
  expect(isShown(on('acknowledged', 'pending'))).toBe(false);
  expect(isShown(on('acknowledged', 'confirmed'))).toBe(true);
});
