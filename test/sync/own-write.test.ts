/** What a write of this device leaves in the record, beyond what the table of `reconcile.test.ts` shows. */

import { describe, expect, test } from 'vitest';
import type { EventId, RelayUrl } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { NOTHING } from '../../src/sync/heads/own-stamps.ts';
import {
  explored,
  exported,
  heldAgainst,
  restamp,
  taken,
  withdraw,
  write,
} from '../../src/sync/heads/own-write.ts';
import { EMPTY_RECORD, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import { versionOf, type Piece, type Version } from '../../src/sync/heads/version.ts';
import { aRelay, anId } from '../names.ts';
import { IN_PIECES, nameOf, OUR_HASH, OURS, ownWrite, REMOVAL, told } from './records.ts';

const RELAY = aRelay('wss://relay.example');
const OTHER = aRelay('wss://other.example');
const DAY = 86_400;

const BEFORE = told({ stamp: 5 });
const MINE = told({ stamp: 10, by: OURS });
const NEXT = told({ stamp: 20, by: OURS });
const FUTURE = told({ stamp: 100 * DAY, by: OURS });
const voidsOf = (...events: readonly VerifiedEvent[]): ReadonlyMap<EventId, number> =>
  new Map(events.map(({ id, created_at }) => [id, created_at]));

type Write = Extract<Input, { readonly type: 'write' }>;
const inputOf = (event: VerifiedEvent, more: Partial<Write> = {}): Write => ({
  ...{ type: 'write', event, device: OUR_HASH, isRead: true },
  ...more,
});
/** The record after a write that was not too late. */
function written(
  record: HeadRecord | undefined,
  event: VerifiedEvent,
  more: Partial<Write> = {},
  uncarried?: EventId,
): HeadRecord {
  const outcome = write(record, inputOf(event, more), uncarried);
  expect(outcome.effects).toEqual([]);
  return outcome.record!;
}
const isStale = (...args: Parameters<typeof write>): boolean => {
  const { record, effects } = write(...args);
  return record === args[0] && effects[0]?.type === 'stale' && effects.length === 1;
};
/** A record whose head is an own write. */
const mine = (more: Partial<HeadRecord> = {}, own: Partial<OwnWrite> = {}, event = MINE): HeadRecord => ({
  ...{ ...EMPTY_RECORD, head: versionOf(event), own: ownWrite(event, own) },
  ...more,
});
const theirs = (event: VerifiedEvent = told({ stamp: 10 })): HeadRecord => ({
  ...{ ...EMPTY_RECORD, head: versionOf(event) },
});

describe('a write', () => {
  test('that was made on another head is stale, whatever its stamp', () => {
    const of = (on: EventId | null): Write => inputOf(NEXT, { on });
    expect(isStale(mine(), of(BEFORE.id), undefined)).toBe(true);
    expect(isStale(mine(), of(null), undefined)).toBe(true);
    expect(isStale(undefined, of(MINE.id), undefined)).toBe(true);
    expect(written(mine(), NEXT, { on: MINE.id }).head?.event).toBe(NEXT);
    expect(written(undefined, NEXT, { on: null }).head?.event).toBe(NEXT);
  });

  test('that has not seen all that the own write before it had is stale, unless it is a reset', () => {
    const merge = mine({}, {}, told({ stamp: 10, by: OURS, seen: { 'their-device': 5 } }));
    expect(isStale(merge, inputOf(NEXT), undefined)).toBe(true);
    expect(isStale(merge, inputOf(NEXT, { voids: voidsOf(FUTURE) }), undefined)).toBe(false);
    const upon = told({ stamp: 20, by: OURS, seen: { 'their-device': 5 } });
    expect(written(merge, upon).head?.event).toBe(upon);
  });

  test('keeps the stamp of the newest own one before it that a relay has', () => {
    expect(written(mine({}, { acknowledged: true }), NEXT).own?.acknowledgedBefore).toBe(10);
    expect(written(mine({}, { acknowledgedBefore: 6 }), NEXT).own?.acknowledgedBefore).toBe(6);
    expect(written(undefined, NEXT).own?.acknowledgedBefore).toBeUndefined();
  });

  test('keeps who made it, and that no relay has it', () => {
    expect(written(undefined, MINE)).toEqual({
      ...EMPTY_RECORD,
      head: { event: MINE, pieces: undefined, reading: 'read' },
      own: {
        ...{ device: OUR_HASH, id: MINE.id, stamp: 10, acknowledged: false, lost: false, isBlind: false },
        ...{ heldUntil: undefined, withdrawn: undefined, undone: undefined, former: undefined },
        ...{ above: [], past: [] },
      },
    });
  });

  test('keeps what it is above, what came before it, and the own write before it', () => {
    const own = { above: [3], past: [3], withdrawn: [anId('a')], undone: [40, 50], heldUntil: 99, floor: 12 };
    expect(written(mine({}, { ...own, former: ownWrite(BEFORE) }), NEXT).own).toMatchObject({
      ...{ above: [3, 10], past: [3, 10], withdrawn: [anId('a')], undone: [40, 50], heldUntil: 99 },
      former: {
        ...ownWrite(MINE, { withdrawn: [anId('a')], undone: [40, 50], floor: 12 }),
        ...{ former: undefined, heldUntil: undefined, above: undefined, past: undefined },
      },
    });
    expect(written(mine({}, { above: [3] }), NEXT, {}, MINE.id).own?.above).toEqual([3]);
    expect(written(mine(), told({ stamp: 10, by: OURS }), {}, MINE.id).own?.undone).toBeUndefined();
  });

  test('keeps what is known of relays and of voids, and what the last head is deemed to have seen', () => {
    const known = { deemed: new Map([['0a0a0a0a', 4]]), proven: new Map([[RELAY, BEFORE.id]]) };
    const record = { ...mine(known), voids: voidsOf(FUTURE), contradictions: 2 };
    const next = written({ ...record, deliveries: new Map([[RELAY, 'confirmed']]) }, NEXT);
    expect(next).toMatchObject({ ...known, voids: voidsOf(FUTURE), contradictions: 0 });
    expect(next.deliveries.size).toBe(0);
    expect(written(undefined, NEXT, { voids: voidsOf(FUTURE) }).voids).toEqual(voidsOf(FUTURE));
  });

  test('is read if it is certain to be readable', () => {
    expect(written(undefined, MINE, { isRead: true }).head?.reading).toBe('read');
    expect(written(undefined, MINE, { isRead: false }).head?.reading).toBe('unread');
  });

  test('upon a blind write of its own is blind as well, upon one of another is not', () => {
    const isBlind = true;
    expect(written(undefined, NEXT, { isBlind }).own?.isBlind).toBe(true);
    expect(written(mine({}, { isBlind }), NEXT).own?.isBlind).toBe(true);
    expect(written(mine({}, { isBlind: false }), NEXT).own?.isBlind).toBe(false);
    expect(written({ ...theirs(), own: ownWrite(BEFORE, { isBlind }) }, NEXT).own?.isBlind).toBe(false);
    expect(written(theirs(), NEXT, { isBlind: false }).own?.isBlind).toBe(false);
  });

  test('upon an own write is held if that is, and else if it says so', () => {
    const heldUntil = 99;
    expect(written(undefined, NEXT, { heldUntil }).own?.heldUntil).toBe(99);
    expect(written(mine(), NEXT, { heldUntil }).own?.heldUntil).toBeUndefined();
    expect(written(mine({}, { heldUntil: 50 }), NEXT).own?.heldUntil).toBe(50);
    const overwritten = { ...theirs(), own: ownWrite(BEFORE, { heldUntil: 50 }) };
    expect(written(overwritten, NEXT, { heldUntil }).own?.heldUntil).toBe(99);
  });

  test('upon an own one that the signer cannot read keeps that; upon one of another what was before it', () => {
    const former = [versionOf(BEFORE)];
    const unreadable = (record: HeadRecord): HeadRecord => ({
      ...{ ...record, former, head: { ...record.head!, reading: 'unreadable' } },
    });
    const idsOf = (record: HeadRecord): readonly string[] => record.former.map(({ event }) => event.id);
    expect(idsOf(written(unreadable(mine()), NEXT))).toEqual([MINE.id, BEFORE.id]);
    expect(idsOf(written(unreadable(theirs()), NEXT))).toEqual([BEFORE.id]);
    const notWhole = mine({ former }, {}, told({ stamp: 10, by: OURS, tags: IN_PIECES }));
    expect(idsOf(written(notWhole, NEXT))).toEqual([BEFORE.id]);
  });
});

describe('a write is too late', () => {
  const at = (stamp: number): Write => inputOf(told({ stamp, by: OURS }));
  const reset = (stamp: number, ...voided: readonly VerifiedEvent[]): Write => ({
    ...{ ...at(stamp), voids: voidsOf(...voided) },
  });

  test.each<[string, HeadRecord | undefined, Write, EventId | undefined, boolean]>([
    ['below the head', theirs(), at(9), undefined, true],
    ['with the stamp of the head', theirs(), at(10), undefined, true],
    ['not above the head', theirs(), at(11), undefined, false],
    ['not with any stamp, if nothing is known', undefined, at(0), undefined, false],
    ['not as the first one after one that was withdrawn', EMPTY_RECORD, at(0), undefined, false],
    ['with the stamp of an own head', mine(), at(10), undefined, true],
    ['not with the stamp of an own head that no socket has carried', mine(), at(10), MINE.id, false],
    ['below that', mine(), at(9), MINE.id, true],
    ['with the stamp of a head that another has', theirs(MINE), at(10), MINE.id, true],
    ['up to the floor', mine({}, { floor: 15 }), at(15), undefined, true],
    ['not above the floor', mine({}, { floor: 15 }), at(16), undefined, false],
    [
      'not as a reset below the floor and above the rest',
      mine({}, { floor: 15 }),
      reset(11),
      undefined,
      false,
    ],
    ['not as a reset with any stamp, if nothing is known', undefined, reset(0), undefined, false],
    ['not as a reset of the head with any stamp', mine({}, {}, FUTURE), reset(0, FUTURE), undefined, false],
    ['as a reset with the stamp of the head', mine({}, { floor: 15 }), reset(10), undefined, true],
    ['not as a reset of the head', mine({}, {}, FUTURE), reset(11, FUTURE), undefined, false],
    ['as a reset of another', mine({}, {}, FUTURE), reset(11, NEXT), undefined, true],
  ])('%s', (_, record, input, uncarried, isLate) => {
    expect(isStale(record, input, uncarried)).toBe(isLate);
  });
});

describe('of a write in pieces', () => {
  const large = told({ stamp: 20, by: OURS, tags: IN_PIECES });
  const piece = (n: number, stamp: number, ...on: readonly RelayUrl[]): Piece => ({
    ...{ name: nameOf(n), stamp, deliveries: new Map(on.map((relay) => [relay, 'confirmed'])) },
  });
  const head = (...pieces: readonly Piece[]): Version => ({ event: MINE, pieces, reading: 'read' });
  const madeOf = (...made: readonly number[]): ReadonlyMap<string, VerifiedEvent> =>
    new Map(made.map((n) => [nameOf(n), told({ stamp: 20 })]));
  const said = (piece: Piece): Piece => ({
    ...piece,
    deliveries: new Map([...piece.deliveries.keys()].map((relay) => [relay, 'acknowledged'])),
  });

  test('new pieces are on no relay yet, under the stamp of the write', () => {
    const { head: next } = written(undefined, large, { names: [nameOf(1)], made: madeOf(1) });
    expect(next?.pieces).toEqual([piece(1, 20)]);
    expect(written(undefined, large, { names: [] }).head?.pieces).toEqual([]);
  });

  test('shared pieces go on with what relays have of them; the newest of them must be shown again', () => {
    const known = [piece(1, 5, RELAY), piece(2, 9, RELAY, OTHER), piece(3, 9, RELAY), piece(4, 7)];
    const names = [nameOf(1), nameOf(2), nameOf(3), nameOf(5)];
    const next = written(mine({ head: head(...known) }), large, { names, made: madeOf(5) });
    expect(next.head?.pieces).toEqual([known[0], said(known[1]!), known[2], piece(5, 20)]);
    expect(next.orphans).toEqual([{ name: nameOf(4), since: undefined }]);
    // One that is made again is not shared.
    const again = written(mine({ head: head(...known) }), large, {
      names: [nameOf(2), nameOf(1)],
      made: madeOf(2),
    });
    expect(again.head?.pieces).toEqual([piece(2, 20), said(known[0]!)]);
    const first = mine({ head: head(piece(1, 0, RELAY)) });
    expect(written(first, large, { names: [nameOf(1)] }).head?.pieces).toEqual([said(piece(1, 0, RELAY))]);
  });

  test('a shared piece is as the newest value has it', () => {
    const former = [{ ...head(piece(1, 2)), event: BEFORE }];
    const record = mine({ head: head(piece(1, 5, RELAY)), former });
    expect(written(record, large, { names: [nameOf(1)] }).head?.pieces).toEqual([said(piece(1, 5, RELAY))]);
  });

  test('a shared piece that is gone from the store makes it too late', () => {
    const names = [nameOf(1), nameOf(2)];
    const input = inputOf(large, { names, made: madeOf(1) });
    expect(isStale(mine({ head: head(piece(3, 5)) }), input, undefined)).toBe(true);
    expect(isStale(undefined, input, undefined)).toBe(true);
  });

  test('a write that is in none leaves no pieces', () => {
    const record = mine({ head: head(piece(1, 5)) });
    expect(written(record, NEXT)).toMatchObject({
      head: { pieces: undefined },
      orphans: [{ name: nameOf(1) }],
    });
  });
});

describe('a lower stamp', () => {
  const event = told({ stamp: 6, by: OURS });
  const input = (made: readonly number[] = []): Extract<Input, { readonly type: 'restamp' }> => ({
    ...{ type: 'restamp', id: MINE.id, event },
    made: new Map(made.map((n) => [nameOf(n), told({ stamp: 6 })])),
  });

  test('is given to the same write: what is kept of it stays, but for what its stamp has decided', () => {
    // Of what it was made upon, that at 18 was from the future as well.
    const own = {
      above: [3],
      past: [3, 18],
      withdrawn: [anId('a')],
      restamped: [anId('b')],
      heldUntil: 99,
      heldFloor: 40,
      floor: 30,
      undone: [12, 15],
    };
    const deliveries = new Map([[RELAY, 'refused' as const]]);
    const { record, effects } = restamp(mine({ deliveries, contradictions: 2 }, own), input());
    expect(record).toEqual(
      mine(
        { head: versionOf(event) },
        {
          ...{ id: event.id, stamp: 6, isBlind: false, above: [3], past: [3, 18] },
          ...{ withdrawn: [anId('a'), MINE.id], restamped: [anId('b'), MINE.id], undone: [10, 18] },
        },
      ),
    );
    expect(effects).toEqual([{ type: 'advanced', event, renews: MINE.id }]);
  });

  test('makes it blind if it is above nothing that is known', () => {
    expect(restamp(mine({}, { above: [] }), input()).record?.own?.isBlind).toBe(true);
    expect(restamp(mine({}, { above: [NOTHING, 6] }), input()).record?.own?.isBlind).toBe(true);
    expect(restamp(mine({}, { above: [NOTHING, 5] }), input()).record?.own?.isBlind).toBe(false);
    expect(restamp(mine(), input()).record?.own).toMatchObject({ isBlind: false, undone: [10, 10] });
    expect(restamp(mine({}, { above: [3], isBlind: true }), input()).record?.own?.isBlind).toBe(true);
    expect(restamp(mine({}, { above: [3], isBlind: false }), input()).record?.own?.isBlind).toBe(false);
  });

  test('is given to the pieces that were made for it: no relay has them under it', () => {
    const on = new Map([[RELAY, 'confirmed' as const]]);
    const pieces = [1, 2].map((n) => ({ name: nameOf(n), stamp: 10, deliveries: on }));
    const { record } = restamp(mine({ head: { ...versionOf(MINE), pieces } }), input([2]));
    expect(record?.head?.pieces).toEqual([pieces[0], { ...pieces[1]!, stamp: 6, deliveries: new Map() }]);
  });

  test.each<[string, HeadRecord | undefined]>([
    ['no write that a relay has', mine({}, { acknowledged: true })],
    ['nothing if nothing is known', undefined],
    ['no write of another', theirs(MINE)],
    ['no write that another has replaced', { ...theirs(), own: ownWrite(MINE) }],
    ['no former write', { ...mine(), own: ownWrite(BEFORE) }],
    ['no write that follows what a relay has taken meanwhile', mine({}, { above: [6] })],
  ])('is given to %s', (_, record) => {
    expect(restamp(record, input())).toEqual({ record, effects: [] });
    expect(restamp(record, input()).record).toBe(record);
  });
});

describe('an own write that a relay has, and that the head follows', () => {
  const [first, second] = [told({ stamp: 6, by: OURS }), told({ stamp: 8, by: OURS })];

  test('is the least that the head is above', () => {
    const own = { above: [3, 6, 8], former: ownWrite(second) };
    const after = taken(mine({}, own), first);
    expect(after.own).toMatchObject({
      above: [6, 8],
      acknowledgedBefore: 6,
      former: { acknowledged: false },
    });
    expect(taken(after, first)).toBe(after);
    expect(taken(after, second).own).toMatchObject({
      ...{ above: [8], acknowledgedBefore: 8 },
      former: { acknowledged: true },
    });
    // That it is the least is known already, and not that a relay has it.
    expect(taken(mine({}, { above: [6, 8] }), first).own).toMatchObject({
      ...{ above: [6, 8], acknowledgedBefore: 6 },
    });
    expect(taken(mine({}, { above: [3, 6], acknowledgedBefore: 6 }), first).own?.above).toEqual([6]);
    // An answer to the one before may come last.
    const late = taken(after, second);
    expect(taken(late, first)).toBe(late);
  });

  test.each<[string, HeadRecord]>([
    ['if a relay has the head', mine({}, { above: [3, 6], acknowledged: true })],
    ['if the head is not its own', { ...theirs(), own: ownWrite(MINE, { above: [3, 6] }) }],
    ['to one that does not follow it', mine({}, { above: [3, 7] })],
    ['to one that follows nothing', mine()],
    ['if nothing was written here', theirs()],
  ])('is nothing %s', (_, record) => {
    expect(taken(record, first)).toBe(record);
  });

  test('is nothing if another device has written it', () => {
    const record = mine({}, { above: [3, 6] });
    expect(taken(record, told({ stamp: 6 }))).toBe(record);
  });
});

describe('the end of the question what a first write must be above', () => {
  const held = (own: Partial<OwnWrite> = {}): HeadRecord => mine({}, { heldUntil: 99, ...own });
  const over = { type: 'explored', id: MINE.id, isBlind: true } as const;
  const again = told({ stamp: 15, by: OURS });

  test('lets it go, with its stamp and what is to be above', () => {
    const { record, effects } = explored(held(), over);
    expect([record, effects]).toEqual([mine({}, { isBlind: true }), []]);
    expect(record?.own).not.toHaveProperty('heldFloor');
    expect(explored(held({ heldFloor: 13 }), { ...over, isBlind: false }).record?.own).toEqual(
      ownWrite(MINE, { isBlind: false, heldFloor: 13 }),
    );
  });

  test('gives it the stamp that it was decided on', () => {
    const next = explored(held({ floor: 12, heldFloor: 14 }), { ...over, again });
    expect(next).toEqual({
      record: { ...mine({}, { isBlind: true, id: again.id, stamp: 15 }), head: versionOf(again) },
      effects: [{ type: 'advanced', event: again, renews: MINE.id }],
    });
    expect(explored(held({ heldFloor: 15 }), { ...over, again }).record?.head?.event).toBe(again);
  });

  test('is not yet over if more has turned up since it was decided', () => {
    for (const one of [held({ heldFloor: 16 }), held({ heldFloor: 90 })])
      expect(explored(one, { ...over, again }).record).toBe(one);
    const one = held({ heldFloor: 16 });
    expect(explored(one, { ...over, upTo: 15 }).record).toBe(one);
    expect(explored(one, { ...over, upTo: 16 }).record).not.toBe(one);
    expect(explored(one, { ...over, upTo: 90, again }).record).toBe(one);
  });

  test('is nothing to a write that is not held', () => {
    const other = { ...over, id: again.id };
    expect(explored(undefined, over)).toEqual({ record: undefined, effects: [] });
    for (const [one, input] of [
      [EMPTY_RECORD, over],
      [mine(), over],
      [held(), other],
    ] as const) {
      const { record, effects } = explored(one, input);
      expect([record === one, effects]).toEqual([true, []]);
    }
  });
});

describe('what turns up while a first write is held', () => {
  const held = (own: Partial<OwnWrite> = {}, ...former: readonly VerifiedEvent[]): HeadRecord =>
    mine({ former: former.map(versionOf) }, { heldUntil: 99, ...own });
  const idsOf = ({ former }: HeadRecord): readonly string[] => former.map(({ event }) => event.id);
  const older = told({ stamp: 7 });
  const newer = told({ stamp: 20 });
  // Of one stamp: the lower id wins.
  const [beating, beaten] = [told({ stamp: 10, id: '0' }), told({ stamp: 10, id: 'f' })];

  test('comes back if the write is withdrawn, in the place of what it beats', () => {
    expect(idsOf(heldAgainst(held(), older))).toEqual([older.id]);
    expect(idsOf(heldAgainst(held({}, BEFORE), older))).toEqual([older.id]);
    expect(idsOf(heldAgainst(held({}, newer), older))).toEqual([newer.id]);
    expect(idsOf(heldAgainst(held({}, BEFORE, told({ stamp: 4 })), older)).length).toBe(2);
    const large = told({ stamp: 7, tags: IN_PIECES });
    expect(idsOf(heldAgainst(held({}, BEFORE), large))).toEqual([BEFORE.id]);
  });

  test('is what it goes out above: one above what beats it, and nothing that it beats', () => {
    expect(heldAgainst(held(), newer).own?.heldFloor).toBe(21);
    expect(heldAgainst(held(), beating).own?.heldFloor).toBe(11);
    for (const event of [older, beaten])
      expect(heldAgainst(held(), event).own).not.toHaveProperty('heldFloor');
    expect(heldAgainst(held({ heldFloor: 15 }), newer).own?.heldFloor).toBe(21);
    // What a copy of the store wrote: else it would be taken for an own one.
    const ofTwin = told({ stamp: 20, by: OURS });
    expect(heldAgainst(held(), ofTwin).own).not.toHaveProperty('heldFloor');
  });

  test('that is below its floor changes nothing more', () => {
    for (const heldFloor of [21, 22, 90]) {
      const one = held({ heldFloor }, newer);
      expect(heldAgainst(one, newer)).toBe(one);
    }
    expect(heldAgainst(held({ heldFloor: 20 }, newer), newer).own?.heldFloor).toBe(21);
  });
});

describe('a withdrawal', () => {
  test('restores what was before the write, as it was known, and forgets what relays said', () => {
    const before: Version = { ...versionOf(BEFORE), reading: 'read' };
    const lowest = versionOf(told({ stamp: 2 }));
    const deliveries = new Map([[RELAY, 'refused' as const]]);
    const record = mine({ former: [before, lowest], deliveries, contradictions: 3 });
    const outcome = withdraw(record, MINE.id);
    expect(outcome.effects).toEqual([{ type: 'withdrawn' }]);
    expect(outcome.record).toEqual({
      ...record,
      ...{ head: before, former: [lowest], deliveries: new Map(), contradictions: 0 },
      own: ownWrite(MINE, { withdrawn: [MINE.id], undone: undefined }),
    });
  });

  test('lets what could not be read be read again', () => {
    const before: Version = { ...versionOf(BEFORE), reading: 'unreadable' };
    expect(withdraw(mine({ former: [before] }), MINE.id).record?.head?.reading).toBe('unread');
  });

  test('leaves the own write before it, which cannot be withdrawn as well, under the floor of this', () => {
    const former = ownWrite(BEFORE, { withdrawn: [anId('stale')], undone: [1, 2] });
    const own = withdraw(mine({}, { former, withdrawn: [anId('a')], undone: [30, 40], floor: 12 }), MINE.id)
      .record?.own;
    expect(own).toEqual({
      ...former,
      ...{ acknowledged: true, floor: 12, withdrawn: [anId('a'), MINE.id], undone: [30, 40] },
    });
    expect(withdraw(mine({}, { former }), MINE.id).record?.own?.floor).toBe(10);
    const past = [former.stamp - 1, former.stamp];
    expect(withdraw(mine({}, { former, past }), MINE.id).record?.own?.past).toEqual([former.stamp - 1]);
  });

  test('of a write under a lower stamp: it is withdrawn under each of its stamps, and those before it are not', () => {
    const former = ownWrite(BEFORE, { restamped: [anId('a')] });
    const withdrawn = [anId('a'), anId('high')];
    const own = { withdrawn, restamped: [anId('a'), anId('high')] };
    expect(withdraw(mine({}, { former, ...own }), MINE.id).record?.own).toMatchObject({
      withdrawn: [...withdrawn, MINE.id],
      restamped: [anId('a')],
    });
    expect(withdraw(mine({}, own), MINE.id).record?.own?.restamped).toBeUndefined();
  });

  test('of a reset: what it restores counts again', () => {
    const record = mine({ former: [versionOf(FUTURE)], voids: voidsOf(FUTURE, NEXT) });
    expect(withdraw(record, MINE.id).record?.voids).toEqual(voidsOf(NEXT));
    expect(withdraw(mine({ voids: voidsOf(NEXT) }), MINE.id).record?.voids).toEqual(voidsOf(NEXT));
  });

  test('leaves the pieces of the write behind, but for those of what it restores', () => {
    const pieceOf = (n: number): Piece => ({ name: nameOf(n), stamp: 5, deliveries: new Map() });
    const before = { ...versionOf(BEFORE), pieces: [pieceOf(1)] };
    const head = { ...versionOf(MINE), pieces: [pieceOf(1), pieceOf(2)] };
    const { record } = withdraw(mine({ head, former: [before] }), MINE.id);
    expect(record?.orphans).toEqual([{ name: nameOf(2), since: undefined }]);
    expect(withdraw(mine({ head }), MINE.id).record?.orphans.length).toBe(2);
  });

  test.each<[string, HeadRecord | undefined]>([
    ['nothing', undefined],
    ['a first write that was withdrawn', { ...EMPTY_RECORD, own: ownWrite(MINE) }],
    ['a write of another', theirs(MINE)],
    ['a removal by another', theirs(told({ stamp: 10, tags: REMOVAL }))],
    ['a write that is not the head', { ...theirs(), own: ownWrite(MINE) }],
    [
      'a write that a relay has shown since it refused it',
      mine({ deliveries: new Map([[RELAY, 'confirmed']]) }, { acknowledged: true }),
    ],
  ])('takes back nothing of %s', (_, record) => {
    const outcome = withdraw(record, MINE.id);
    expect(outcome.effects).toEqual([]);
    expect(outcome.record).toBe(record);
  });
});

describe('a first write', () => {
  const there = told({ stamp: 10 });
  const first = (record: HeadRecord | undefined, more: Partial<Write> = {}, event = NEXT) =>
    write(record, inputOf(event, { isFirst: true, ...more }), undefined);

  test('tells what came in meanwhile, unless that removes or was seen, or there is nothing', () => {
    const conflict = { type: 'conflict', mine: NEXT, theirs: there };
    expect(first(theirs(there)).effects).toEqual([conflict]);
    expect(first(theirs(there)).record!.own).toMatchObject({ heldUntil: undefined, met: undefined });
    expect(first(theirs(there), { isFirst: false }).effects).toEqual([]);
    expect(first(theirs(told({ stamp: 10, tags: REMOVAL }))).effects).toEqual([]);
    const seeing = told({ stamp: 20, by: OURS, seen: { 'their-device': 10 } });
    expect(first(theirs(there), {}, seeing).effects).toEqual([]);
    for (const nothing of [undefined, EMPTY_RECORD]) expect(first(nothing).effects).toEqual([]);
  });

  test('that is held tells it once it is let go, and keeps it until then', () => {
    const { record, effects } = first(theirs(there), { heldUntil: 99 });
    expect(effects).toEqual([]);
    expect(record!.own).toMatchObject({ heldUntil: 99, met: there });
    expect(first(undefined, { heldUntil: 99 }).record!.own).toMatchObject({ heldUntil: 99, met: undefined });
  });
});

test('what is exported has its stamp used: an own head that no relay has, once', () => {
  const out = exported(mine());
  expect(out).toEqual(mine({}, { heldFloor: 11 }));
  expect(exported(out)).toBe(out);
  const acknowledged = mine({}, { acknowledged: true });
  expect(exported(acknowledged)).toBe(acknowledged);
  const another = mine({ head: versionOf(told({ stamp: 30 })) });
  expect(exported(another)).toBe(another);
});

test('a write is withdrawn that counts as taken, though no relay has said a word of it', () => {
  const { record, effects } = withdraw(
    mine({ former: [versionOf(BEFORE)] }, { acknowledged: true }),
    MINE.id,
  );
  expect(effects).toEqual([{ type: 'withdrawn' }]);
  expect(record?.head?.event).toBe(BEFORE);
});
