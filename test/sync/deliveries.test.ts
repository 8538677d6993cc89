/** What each relay has of the head and of its pieces, and which pieces are left behind. */

import { describe, expect, test } from 'vitest';
import type { RelayUrl } from '../../src/protocol/address.ts';
import { MAX_ORPHANS } from '../../src/protocol/limits.ts';
import {
  buried,
  lacking,
  orphansOf,
  remade,
  withDelivery,
  withoutBefore,
  withoutPieces,
  withPiece,
} from '../../src/sync/heads/deliveries.ts';
import { EMPTY_RECORD, type Delivery, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import { versionOf, type Piece, type Version } from '../../src/sync/heads/version.ts';
import { aRelay } from '../names.ts';
import { IN_PIECES, nameOf, OURS, ownWrite, REMOVAL, told } from './records.ts';

const HERE = aRelay('wss://here.example');
const ELSEWHERE = aRelay('wss://elsewhere.example');
const MINE = told({ stamp: 10, by: OURS });
const LARGE = told({ stamp: 10, by: OURS, tags: IN_PIECES });
const BEFORE = told({ stamp: 5 });

type Said = Readonly<Record<RelayUrl, 'acknowledged' | 'confirmed'>>;
const piece = (n: number, stamp: number, said: Said = {}, more: Partial<Piece> = {}): Piece => ({
  ...{
    name: nameOf(n),
    stamp,
    deliveries: new Map(Object.entries(said) as [RelayUrl, 'acknowledged' | 'confirmed'][]),
  },
  ...more,
});
const record = (more: Partial<HeadRecord> = {}): HeadRecord => ({
  ...EMPTY_RECORD,
  head: versionOf(MINE),
  ...more,
});
const own = (more: Partial<OwnWrite> = {}, head: Partial<Version> = {}): HeadRecord =>
  record({ own: ownWrite(MINE, more), head: { ...versionOf(MINE), ...head }, former: [versionOf(BEFORE)] });
const large = (...pieces: readonly Piece[]): HeadRecord => record({ head: { ...versionOf(LARGE), pieces } });
const ownLarge = (...pieces: readonly Piece[]): HeadRecord => ({ ...large(...pieces), own: ownWrite(LARGE) });
const piecesOf = ({ head }: HeadRecord): readonly Piece[] | undefined => head?.pieces;

describe('what a relay has of the head', () => {
  test('is kept, beside what others have', () => {
    const one = record({ deliveries: new Map([[ELSEWHERE, 'unseen']]) });
    expect(withDelivery(one, HERE, 'refused')).toEqual({
      ...one,
      deliveries: new Map<RelayUrl, Delivery>([
        [ELSEWHERE, 'unseen'],
        [HERE, 'refused'],
      ]),
    });
    expect(withDelivery(one, ELSEWHERE, 'unseen')).toBe(one);
  });

  test.each<[Delivery, boolean]>([
    ['acknowledged', true],
    ['confirmed', true],
    ['refused', false],
    ['pending', false],
    ['unseen', false],
  ])('if %s, means that our write is taken: %s', (delivery, isTaken) => {
    const one = own({ former: ownWrite(BEFORE), above: [3] });
    const next = withDelivery(one, HERE, delivery).own;
    expect(next).toEqual(
      isTaken ? ownWrite(MINE, { acknowledged: true, former: undefined, above: undefined }) : one.own,
    );
    expect(withDelivery(one, HERE, delivery, true).own).toBe(one.own);
  });

  test('means nothing for an own write that is not the head', () => {
    const one = record({ own: ownWrite(BEFORE) });
    expect(withDelivery(one, HERE, 'confirmed').own).toBe(one.own);
  });

  test('proves that it has the pieces of a head in pieces', () => {
    expect(withDelivery(record(), HERE, 'confirmed').proven.size).toBe(0);
    const proven = new Map([
      [ELSEWHERE, BEFORE.id],
      [HERE, BEFORE.id],
    ]);
    for (const one of [large(), ownLarge()]) {
      const next = withDelivery({ ...one, proven }, HERE, 'acknowledged');
      expect([...next.proven]).toEqual([
        [ELSEWHERE, BEFORE.id],
        [HERE, LARGE.id],
      ]);
      expect(withDelivery({ ...one, proven }, HERE, 'refused').proven).toBe(proven);
      expect(withDelivery({ ...one, proven }, HERE, 'confirmed', true).proven).toBe(proven);
    }
  });

  test('if it shows it, is all pieces: those that this device sent it is still asked to show', () => {
    const pieces = [piece(1, 10), piece(2, 10, { [HERE]: 'acknowledged', [ELSEWHERE]: 'confirmed' })];
    const shown = (said: 'acknowledged' | 'confirmed'): Piece[] => [
      piece(1, 10, { [HERE]: said }),
      pieces[1]!,
    ];
    expect(piecesOf(withDelivery(large(...pieces), HERE, 'confirmed'))).toEqual(shown('confirmed'));
    expect(piecesOf(withDelivery(ownLarge(...pieces), HERE, 'confirmed'))).toEqual(shown('acknowledged'));
    expect(piecesOf(withDelivery(large(...pieces), HERE, 'acknowledged'))).toEqual(pieces);
    const elsewhere = piece(1, 10, { [ELSEWHERE]: 'confirmed', [HERE]: 'confirmed' });
    const there = large(piece(1, 10, { [ELSEWHERE]: 'confirmed' }));
    expect(piecesOf(withDelivery(there, HERE, 'confirmed'))).toEqual([elsewhere]);
  });
});

describe('what was before a write', () => {
  test('goes once a relay has the write and it is known to be readable', () => {
    expect(withoutBefore(own({ acknowledged: true }, { reading: 'read' })).former).toEqual([]);
    for (const one of [
      own({ acknowledged: true }),
      own({}, { reading: 'read' }),
      { ...own({ acknowledged: true }, { reading: 'read' }), own: ownWrite(BEFORE, { acknowledged: true }) },
      { ...own({}, { reading: 'read' }), own: undefined },
    ])
      expect(withoutBefore(one)).toBe(one);
    expect(withDelivery(own({}, { reading: 'read' }), HERE, 'acknowledged').former).toEqual([]);
    expect(withDelivery(own(), HERE, 'acknowledged').former).toEqual([versionOf(BEFORE)]);
  });
});

describe('a relay that lacks the head', () => {
  const there = (delivery: Delivery, event = MINE): HeadRecord =>
    record({ head: versionOf(event), deliveries: new Map([[HERE, delivery]]), contradictions: 1 });

  test('is owed it, but one that refuses it', () => {
    const one = there('refused');
    expect(lacking(one, HERE, 10)).toBe(one);
    expect(lacking(there('confirmed'), HERE, 9)).toEqual(there('pending'));
    const owed = there('pending');
    expect(lacking(owed, HERE, undefined)).toBe(owed);
  });

  test.each<[Delivery, number | undefined, boolean]>([
    ['confirmed', 10, true],
    ['acknowledged', 10, true],
    ['confirmed', 9, false],
    ['confirmed', undefined, false],
    ['unseen', 10, false],
    ['pending', 10, false],
  ])('that was %s and shows one of stamp %s contradicts itself: %s', (delivery, instead, isContradiction) => {
    expect(lacking(there(delivery), HERE, instead).contradictions).toBe(isContradiction ? 2 : 1);
    expect(lacking(there(delivery), ELSEWHERE, instead).contradictions).toBe(1);
  });

  test('contradicts itself if it took a removal and shows nothing', () => {
    const removal = told({ stamp: 10, tags: REMOVAL });
    expect(lacking(there('confirmed', removal), HERE, undefined).contradictions).toBe(2);
    expect(lacking(there('confirmed', removal), HERE, 9).contradictions).toBe(1);
    expect(lacking(there('pending', removal), HERE, undefined).contradictions).toBe(1);
  });

  test('proves no pieces any more', () => {
    const one = { ...large(piece(1, 10, { [HERE]: 'confirmed' })), proven: new Map([[HERE, LARGE.id]]) };
    const next = lacking(one, HERE, undefined);
    expect([piecesOf(next), next.proven.size]).toEqual([[piece(1, 10)], 0]);
  });
});

describe('what a relay has of a piece', () => {
  const [fresh, shared] = [piece(1, 10, { [ELSEWHERE]: 'confirmed' }), piece(2, 9)];
  const on = (said: 'acknowledged' | 'confirmed' | undefined, of = fresh): Piece => {
    const deliveries = new Map(of.deliveries);
    if (said !== undefined) deliveries.set(HERE, said);
    return { ...of, deliveries };
  };

  test.each(['acknowledged', 'confirmed'] as const)('is kept: %s', (said) => {
    const one = large(fresh, shared);
    expect(piecesOf(withPiece(one, HERE, fresh.name, said))).toEqual([on(said), shared]);
    expect(piecesOf(withPiece(one, HERE, shared.name, said))).toEqual([fresh, on(said, shared)]);
    const there = large(on(said), shared);
    expect(withPiece(there, HERE, fresh.name, said)).toBe(there);
  });

  test('is no less after an OK that comes late', () => {
    const one = large(on('confirmed'));
    expect(withPiece(one, HERE, fresh.name, 'acknowledged')).toBe(one);
    expect(piecesOf(withPiece(large(on('acknowledged')), HERE, fresh.name, 'confirmed'))).toEqual([
      on('confirmed'),
    ]);
  });

  test('is nothing once it lacks it: then it may lack all, if it had this one before the head', () => {
    const [both, former] = [on('confirmed'), on('confirmed', shared)];
    expect(piecesOf(withPiece(large(both, former), HERE, fresh.name, undefined))).toEqual([fresh, former]);
    expect(piecesOf(withPiece(large(both, former), HERE, shared.name, undefined))).toEqual([fresh, shared]);
  });

  test('is nothing to know of what is no piece of the head', () => {
    for (const one of [large(fresh), record(), EMPTY_RECORD])
      expect(withPiece(one, HERE, nameOf(7), 'confirmed')).toBe(one);
    const one = large(fresh, shared);
    expect(withPiece(one, HERE, shared.name, undefined)).toBe(one);
  });
});

describe('a piece under a tombstone', () => {
  const bury = (one: HeadRecord, stamp: number, n = 1): HeadRecord =>
    buried(one, { type: 'buried', relay: HERE, id: LARGE.id, name: nameOf(n), stamp });
  const there = piece(1, 10, { [HERE]: 'confirmed', [ELSEWHERE]: 'confirmed' });
  const gone = piece(1, 10, { [ELSEWHERE]: 'confirmed' });

  test('is not on that relay, and must go out above it', () => {
    expect(piecesOf(bury(large(there), 12))).toEqual([{ ...gone, buried: 12 }]);
    expect(piecesOf(bury(large({ ...there, buried: 13 }), 12))).toEqual([{ ...gone, buried: 13 }]);
    expect(piecesOf(bury(large({ ...gone, buried: 11 }), 12))).toEqual([{ ...gone, buried: 12 }]);
    expect(piecesOf(bury(large(gone), 0))).toEqual([{ ...gone, buried: 0 }]);
  });

  test('is none of another name, and nothing new if that is known', () => {
    const one = large(there);
    expect(bury(one, 12, 2)).toBe(one);
    for (const known of [12, 13]) {
      const two = large({ ...gone, buried: known });
      expect(bury(two, 12)).toBe(two);
    }
    expect(bury(record(), 12).head?.pieces).toBeUndefined();
  });

  test('that is made again has the new stamp', () => {
    const made = new Map([[nameOf(1), told({ stamp: 13 })]]);
    const input = { type: 'remade', id: LARGE.id, made } as const;
    expect(piecesOf(remade(large(there, piece(2, 10)), input))).toEqual([
      { ...there, stamp: 13 },
      piece(2, 10),
    ]);
    const one = large(piece(2, 10), piece(1, 13));
    expect(remade(one, input)).toBe(one);
  });
});

test('what a relay had of the pieces is forgotten, with its proof, and that of no other', () => {
  const there = piece(1, 10, { [HERE]: 'confirmed', [ELSEWHERE]: 'confirmed' });
  const proven = new Map([
    [HERE, LARGE.id],
    [ELSEWHERE, LARGE.id],
  ]);
  expect(withoutPieces({ ...large(there), proven }, HERE)).toEqual({
    ...large(piece(1, 10, { [ELSEWHERE]: 'confirmed' })),
    proven: new Map([[ELSEWHERE, LARGE.id]]),
  });
  for (const one of [large(piece(1, 10, { [ELSEWHERE]: 'confirmed' })), record(), EMPTY_RECORD])
    expect(withoutPieces(one, HERE)).toBe(one);
  expect(withoutPieces({ ...record(), proven }, HERE).proven.size).toBe(1);
});

describe('the pieces that are left behind', () => {
  const before: Version = { ...versionOf(BEFORE), pieces: [piece(1, 5), piece(2, 5)] };
  const one: HeadRecord = { ...large(piece(2, 5), piece(3, 10)), former: [before] };

  test('are all but those that the next head has, oldest first', () => {
    const all = [1, 2, 3].map((n) => ({ name: nameOf(n), since: undefined }));
    expect(orphansOf(one)).toEqual(all);
    expect(orphansOf(one, [piece(2, 5)])).toEqual([all[0], all[2]]);
    expect(orphansOf(record())).toEqual([]);
    expect(orphansOf(undefined)).toEqual([]);
    expect(orphansOf(undefined, [piece(1, 5)])).toEqual([]);
  });

  test('stay so since when they were, and where they stood', () => {
    const known = [
      { name: nameOf(9), since: 17 },
      { name: nameOf(2), since: 18 },
    ];
    expect(orphansOf({ ...one, orphans: known })).toEqual([
      ...known,
      { name: nameOf(1), since: undefined },
      { name: nameOf(3), since: undefined },
    ]);
    expect(orphansOf({ ...record(), orphans: known }, [piece(9, 5)])).toEqual([known[1]]);
  });

  test('are no more than there is room for: the oldest are forgotten', () => {
    const orphans = Array.from({ length: MAX_ORPHANS }, (_, n) => ({ name: nameOf(n + 100), since: 1 }));
    const next = orphansOf({ ...one, orphans });
    expect(next.length).toBe(MAX_ORPHANS);
    expect(next.at(0)).toEqual(orphans[3]);
    expect(next.at(-1)?.name).toBe(nameOf(3));
  });
});
