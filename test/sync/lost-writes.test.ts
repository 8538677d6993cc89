/** Which write was lost: the one rule for who is told of a conflict, a line for each case of it. */

import { describe, expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import {
  beatenUnseen,
  isFormer,
  isLostTo,
  isMetUnseen,
  isOfTwin,
  isOverlooked,
  isPartOf,
  isTaken,
} from '../../src/sync/heads/conflict.ts';
import { EMPTY_RECORD, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { IN_PIECES, OUR_HASH, OURS, ownWrite, REMOVAL, told, voiding, type Told } from './records.ts';

const MINE = told({ stamp: 10, by: OURS, id: 'c' });
const BACK = told({ stamp: 10, by: OURS, id: 'd' });
const seen = (stamp: number, by = 'their-device'): VerifiedEvent =>
  told({ stamp: Math.max(20, stamp), by, seen: { [OURS]: stamp } });

describe('a twin, which writes under our device id, is told', () => {
  test.each<[string, VerifiedEvent, Partial<OwnWrite>, boolean]>([
    ['by a stamp of ours above our last', seen(11), {}, true],
    ['not by the stamp of our last', seen(10), {}, false],
    ['not by an older stamp', seen(9), {}, false],
    ['by our stamp on another event', told({ stamp: 10, by: OURS }), {}, true],
    [
      'not by a reset that voids ours, and comes to stand at its stamp',
      told({ stamp: 10, seen: { [OURS]: 10 }, tags: voiding(MINE) }),
      {},
      false,
    ],
    [
      'not by a write of ours that was taken back, and had the stamp of what is in its place',
      BACK,
      { withdrawn: [BACK.id] },
      false,
    ],
    ['not by our own write', MINE, {}, false],
    [
      'not by our own write that a signer has stamped later',
      { ...MINE, created_at: 12 },
      { floor: 12 },
      false,
    ],
    ['not by a stamp up to our floor', seen(12), { floor: 12 }, false],
    ['by a stamp above our floor', seen(13), { floor: 12 }, true],
    ['by a stamp up to what turned up while ours was held', seen(12), { heldFloor: 12 }, true],
    ['not by a stamp that this device has undone', seen(15), { undone: [12, 15] }, false],
    ['by a stamp above those that it has undone', seen(16), { undone: [12, 15] }, true],
    ['not by what says nothing of our device', told({ stamp: 20 }), {}, false],
    ['not by a plain write of another', told({ stamp: 20, seen: false }), {}, false],
    ['by a plain write under our id', told({ stamp: 20, seen: false, by: OURS }), {}, true],
  ])('%s', (_, event, more, isTwin) => {
    expect(isOfTwin(event, ownWrite(MINE, more))).toBe(isTwin);
  });

  test('not by what says nothing of us, whatever our stamp is', () => {
    const first = told({ stamp: 0, by: OURS });
    expect(isOfTwin(told({ stamp: 0 }), ownWrite(first))).toBe(false);
    expect(isOfTwin(told({ stamp: 20, seen: { [OURS]: 0 } }), { ...ownWrite(first), stamp: -1 })).toBe(true);
  });
});

describe('our write is lost to', () => {
  test.each<[string, VerifiedEvent, Partial<OwnWrite>, boolean]>([
    ['what had not seen it', told({ stamp: 20 }), {}, true],
    ['what had seen an older one', seen(9), {}, true],
    ['nothing that had seen it', seen(10), {}, false],
    ['what a twin wrote', seen(11), {}, true],
    ['nothing that voids it: that had seen it', told({ stamp: 5, tags: voiding(MINE) }), {}, false],
    ['a writer without vectors, if no relay has it', told({ stamp: 20, seen: false }), {}, true],
    [
      'no writer without vectors that may have seen it',
      told({ stamp: 20, seen: false }),
      { acknowledged: true },
      false,
    ],
    ['what had not seen it, though a relay has it', told({ stamp: 20 }), { acknowledged: true }, true],
  ])('%s', (_, event, more, isLost) => {
    expect(isLostTo(MINE, ownWrite(MINE, more), event)).toBe(isLost);
  });

  test('nothing if it is not the head, or was none', () => {
    expect(isLostTo(told({ stamp: 11 }), ownWrite(MINE), told({ stamp: 20 }))).toBe(false);
    expect(isLostTo(undefined, ownWrite(MINE), told({ stamp: 20 }))).toBe(false);
    expect(isLostTo(MINE, undefined, told({ stamp: 20 }))).toBe(false);
    expect(isLostTo(undefined, undefined, told({ stamp: 20 }))).toBe(false);
  });
});

describe('an older event is overlooked', () => {
  const head = (more: Partial<Told> = {}): VerifiedEvent => told({ stamp: 10, by: OURS, ...more });
  const written = (event: VerifiedEvent, more: Partial<OwnWrite>, before?: VerifiedEvent): HeadRecord => ({
    ...EMPTY_RECORD,
    head: versionOf(event),
    former: before === undefined ? [] : [versionOf(before)],
    own: ownWrite(event, more),
  });
  const BLIND = { isBlind: true };
  const HELD = { heldUntil: 99 };
  const older = told({ stamp: 7 });

  test.each<[string, HeadRecord | undefined, VerifiedEvent, boolean]>([
    ['by nothing', undefined, older, false],
    ['by no write of another', { ...EMPTY_RECORD, head: versionOf(told({ stamp: 10 })) }, older, false],
    [
      'by no write of another, though ours was blind',
      { ...written(head(), BLIND), own: ownWrite(MINE, BLIND) },
      older,
      false,
    ],
    ['by no write that is not blind', written(head(), {}), older, false],
    ['by a blind write', written(head(), BLIND), older, true],
    [
      'by no blind write that has seen it',
      written(head({ seen: { 'their-device': 7 } }), BLIND),
      older,
      false,
    ],
    [
      'by a blind write that has seen less',
      written(head({ seen: { 'their-device': 6 } }), BLIND),
      older,
      true,
    ],
    ['by a blind write without a vector', written(head({ seen: false }), BLIND), older, true],
    ['never if it removes', written(head(), BLIND), told({ stamp: 7, tags: REMOVAL }), false],
    ['by a write that is held', written(head(), HELD), older, true],
    ['by one that is held over less', written(head(), HELD, told({ stamp: 6 })), older, true],
    ['by none that is held over more', written(head(), HELD, told({ stamp: 8 })), older, false],
    [
      'by none that is held, if it is in pieces',
      written(head(), HELD),
      told({ stamp: 7, tags: IN_PIECES }),
      false,
    ],
    [
      'by one that is held, also if it removes',
      written(head(), HELD),
      told({ stamp: 7, tags: REMOVAL }),
      true,
    ],
    ['by none that is held over the same', written(head(), HELD, older), older, false],
  ])('%s', (_, record, event, isLost) => {
    expect(isOverlooked(record, event)).toBe(isLost);
  });

  test('by a held write over nothing, or over what is older', () => {
    expect(isFormer(EMPTY_RECORD, older)).toBe(true);
    expect(isFormer({ ...EMPTY_RECORD, former: [versionOf(older)] }, told({ stamp: 8 }))).toBe(true);
  });
});

test('an event is part of a value by its own word for its stamp, not by that of its renewal', () => {
  const written = told({ stamp: 7 });
  const renewed = { ...written, created_at: 9 };
  const vector = new Map([[ownWrite(written).device, 7]]);
  expect(isPartOf(vector, written)).toBe(true);
  expect(isPartOf(vector, renewed)).toBe(true);
  expect(isPartOf(vector, told({ stamp: 8 }))).toBe(false);
  expect(isPartOf(new Map(), written)).toBe(false);
});

describe('our id is taken', () => {
  const twin = versionOf(seen(11));
  test.each<[string, HeadRecord, boolean]>([
    ['by a head that a twin wrote', { ...EMPTY_RECORD, head: twin, own: ownWrite(MINE) }, true],
    [
      'by none that another wrote',
      { ...EMPTY_RECORD, head: versionOf(seen(10)), own: ownWrite(MINE) },
      false,
    ],
    ['not where there is no head', { ...EMPTY_RECORD, own: ownWrite(MINE) }, false],
    ['not where we have written nothing', { ...EMPTY_RECORD, head: twin }, false],
    [
      'not where we wrote under another id',
      { ...EMPTY_RECORD, head: twin, own: { ...ownWrite(MINE), device: 'former-id' } },
      false,
    ],
  ])('%s', (_, record, isSo) => {
    expect(isTaken(record, OUR_HASH)).toBe(isSo);
  });
});

describe('a write that is held, and what turns up,', () => {
  const over = (event: VerifiedEvent): HeadRecord => ({
    ...EMPTY_RECORD,
    ...{ head: versionOf(event), own: ownWrite(event, { heldUntil: 99 }) },
  });
  test.each<[string, HeadRecord, VerifiedEvent, boolean]>([
    ['have not seen each other', over(MINE), told({ stamp: 20 }), true],
    [
      'have not, if ours has no vector',
      over(told({ stamp: 10, by: OURS, seen: false })),
      told({ stamp: 7 }),
      true,
    ],
    ['have, if that had seen ours', over(MINE), seen(10), false],
    [
      'have, if ours had seen that',
      over(told({ stamp: 10, by: OURS, seen: { 'their-device': 7 } })),
      told({ stamp: 7 }),
      false,
    ],
    ['are no two values, if that removes', over(MINE), told({ stamp: 20, tags: REMOVAL }), false],
  ])('%s', (_, record, event, isSo) => {
    expect(isMetUnseen(record, event)).toBe(isSo);
  });
});

describe('once a held write is let go, it is told of what it beats unseen', () => {
  const theirs = told({ stamp: 7 });
  const removal = (more: Partial<Told> = {}): VerifiedEvent => told({ stamp: 8, tags: REMOVAL, ...more });
  const record = (own: Partial<OwnWrite>, before?: VerifiedEvent, event = MINE): HeadRecord => ({
    ...EMPTY_RECORD,
    ...{ head: versionOf(event), own: ownWrite(event, own) },
    former: before === undefined ? [] : [versionOf(before)],
  });
  const held = (before?: VerifiedEvent): HeadRecord => record({ heldUntil: 99, met: theirs }, before);
  const gone = record({});
  test.each<[string, HeadRecord | undefined, HeadRecord | undefined, boolean]>([
    ['if it has met something', held(), gone, true],
    ['not if it has met nothing', record({ heldUntil: 99 }), gone, false],
    ['not if there was nothing', undefined, gone, false],
    ['not if it was not held', record({ met: theirs }), gone, false],
    ['not if it is gone', held(), undefined, false],
    ['not while it is held', held(), held(), false],
    ['not if it is not the head any more', held(), { ...gone, own: ownWrite(theirs) }, false],
    [
      'not if a later write of ours has seen that',
      held(),
      record({}, undefined, told({ stamp: 30, by: OURS, seen: { 'their-device': 7 } })),
      false,
    ],
    ['not if it does not beat that', held(), record({}, undefined, told({ stamp: 6, by: OURS })), false],
    ['also over the value before it', held(told({ stamp: 8 })), gone, true],
    ['not if another device has removed that since', held(removal()), gone, false],
    ['also if it was removed before that', held(removal({ stamp: 6 })), gone, true],
    ['also if we had removed it', held(removal({ by: OURS })), gone, true],
  ])('%s', (_, before, after, isSo) => {
    const mine = after?.head?.event;
    expect(beatenUnseen(before, after)).toEqual(isSo ? [{ type: 'conflict', mine, theirs }] : []);
  });
});
