/** What an event that a relay shows leaves in the record, beyond what the table of `reconcile.test.ts` shows. */

import { describe, expect, test } from 'vitest';
import type { EventId, RelayUrl } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import { advance, assembled, shown } from '../../src/sync/heads/arrival.ts';
import type { Input, Outcome } from '../../src/sync/heads/input.ts';
import { EMPTY_RECORD, type Delivery, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import { versionOf, type Piece, type Version } from '../../src/sync/heads/version.ts';
import { aRelay, anId } from '../names.ts';
import { IN_PIECES, nameOf, OUR_HASH, OURS, ownWrite, REMOVAL, told, voiding } from './records.ts';

const HERE = aRelay('wss://here.example');
const ELSEWHERE = aRelay('wss://elsewhere.example');
const RELAYS = [HERE, ELSEWHERE];
const DAY = 86_400;
const NOTHING = new Map<RelayUrl, Delivery>();

const BEFORE = told({ stamp: 5 });
const THEIRS = told({ stamp: 10 });
const MINE = told({ stamp: 10, by: OURS });
const NEWER = told({ stamp: 20 });
const LARGE = told({ stamp: 10, tags: IN_PIECES });
const SHOWN_HERE = new Map<RelayUrl, Delivery>([
  [HERE, 'confirmed'],
  [ELSEWHERE, 'unseen'],
]);

const show = (record: HeadRecord | undefined, event: VerifiedEvent): Outcome =>
  shown(record, HERE, event, RELAYS);
const over = (event: VerifiedEvent, more: Partial<HeadRecord> = {}): HeadRecord => ({
  ...{ ...EMPTY_RECORD, head: versionOf(event) },
  ...more,
});
const mine = (own: Partial<OwnWrite> = {}, more: Partial<HeadRecord> = {}, event = MINE): HeadRecord =>
  over(event, { own: ownWrite(event, own), ...more });
const piece = (n: number, ...on: readonly RelayUrl[]): Piece => ({
  ...{ name: nameOf(n), stamp: 10, deliveries: new Map(on.map((relay) => [relay, 'confirmed'])) },
});
const formerIn = (record: HeadRecord | undefined): readonly string[] =>
  record?.former.map(({ event }) => event.id) ?? [];

describe('a greater event', () => {
  test('becomes the head: this relay has shown it, the others may have it', () => {
    expect(show(undefined, NEWER)).toEqual({
      record: over(NEWER, { deliveries: SHOWN_HERE }),
      effects: [{ type: 'advanced', event: NEWER }],
    });
    const known: Partial<HeadRecord> = {
      proven: new Map([[HERE, LARGE.id]]),
      orphans: [{ name: nameOf(1), since: 7 }],
      contradictions: 2,
      own: ownWrite(BEFORE),
    };
    expect(show(over(THEIRS, known), NEWER).record).toEqual(
      over(NEWER, { ...known, contradictions: 0, deliveries: SHOWN_HERE, former: [versionOf(THEIRS)] }),
    );
  });

  test('without a vector is deemed to have seen all that was known; one with a vector says it itself', () => {
    const plain = told({ stamp: 20, seen: false });
    const seen = told({ stamp: 10, seen: { third: 4 } });
    const [theirs, third, writer] = ['their-device', 'third', 'fourth'].map(deviceHash) as [
      string,
      string,
      string,
    ];
    expect(show(over(seen), plain).record?.deemed).toEqual(
      new Map([
        [theirs, 10],
        [third, 4],
      ]),
    );
    const deemed = new Map([[third, 3]]);
    const before = over(told({ stamp: 9, by: 'fourth', seen: false }), { deemed });
    expect(show(before, plain).record?.deemed).toEqual(
      new Map([
        [writer, 9],
        [third, 3],
      ]),
    );
    expect(show(before, NEWER).record?.deemed).toBe(deemed);
    expect(show(undefined, plain).record?.deemed.size).toBe(0);
  });

  test('in the place of our write, which it had not seen, is in conflict with it', () => {
    const conflict = { type: 'conflict', mine: MINE, theirs: NEWER };
    expect(show(mine(), NEWER).effects).toEqual([{ type: 'advanced', event: NEWER }, conflict]);
  });

  test('without a vector is not deemed to have seen a write of ours that no relay has shown, but the one before it', () => {
    const plain = told({ stamp: 20, by: 'reference', seen: false });
    const upon = told({ stamp: 10, by: OURS, seen: { 'their-device': 5 } });
    const deemedOf = (own: Partial<OwnWrite>, more: Partial<HeadRecord> = {}): unknown =>
      show(mine(own, more, upon), plain).record?.deemed;
    const theirs = [deviceHash('their-device'), 5] as const;
    expect(deemedOf({})).toEqual(new Map([theirs]));
    expect(deemedOf({ acknowledgedBefore: 7 })).toEqual(new Map([theirs, [OUR_HASH, 7]]));
    expect(deemedOf({}, { deliveries: SHOWN_HERE })).toEqual(new Map([theirs, [OUR_HASH, 10]]));
    const byOthers = over(THEIRS, { own: ownWrite(BEFORE, { acknowledgedBefore: 7 }) });
    expect(show(byOthers, plain).record?.deemed).toEqual(new Map([[deviceHash('their-device'), 10]]));
  });

  test('over a head that cannot be read leaves what was before that, if there was anything', () => {
    const unreadable = { head: { ...versionOf(THEIRS), reading: 'unreadable' as const } };
    expect(formerIn(show(over(THEIRS, unreadable), NEWER).record)).toEqual([THEIRS.id]);
    const former = [versionOf(BEFORE)];
    expect(formerIn(show(over(THEIRS, { ...unreadable, former }), NEWER).record)).toEqual([BEFORE.id]);
    expect(formerIn(show(over(LARGE), NEWER).record)).toEqual([]);
  });

  test('in the place of our write is no loss of it once it was overwritten', () => {
    expect(show(mine(), NEWER).record?.own?.lost).toBe(true);
    expect(show(mine({ lost: false }), told({ stamp: 20, seen: { [OURS]: 10 } })).record?.own?.lost).toBe(
      false,
    );
    expect(show(over(THEIRS, { own: ownWrite(BEFORE) }), NEWER).record?.own?.lost).toBe(false);
    expect(show({ ...EMPTY_RECORD, own: ownWrite(MINE) }, NEWER).effects.length).toBe(1);
  });

  test('over a head that hides a value in pieces leaves that value in the place of the head', () => {
    const hidden: Version = { ...versionOf(told({ stamp: 5, tags: IN_PIECES })), pieces: [piece(1)] };
    expect(formerIn(show(over(THEIRS, { former: [hidden] }), NEWER).record)).toEqual([hidden.event.id]);
    const read = { head: { ...versionOf(THEIRS), reading: 'read' as const }, former: [hidden] };
    expect(formerIn(show(over(THEIRS, read), NEWER).record)).toEqual([THEIRS.id]);
    const bare = over(THEIRS, { former: [versionOf(BEFORE)] });
    expect(formerIn(show(bare, NEWER).record)).toEqual([THEIRS.id, BEFORE.id]);
  });

  test('leaves the pieces of what is gone behind, if it is whole', () => {
    const head = { ...versionOf(LARGE), pieces: [piece(1)] };
    const known = [{ name: nameOf(9), since: 7 }];
    const orphans = [...known, { name: nameOf(1), since: undefined }];
    expect(show(over(LARGE, { head, orphans: known }), NEWER).record?.orphans).toEqual(orphans);
    const inPieces = told({ stamp: 20, tags: IN_PIECES });
    expect(show(over(LARGE, { head, orphans: known }), inPieces).record?.orphans).toEqual(known);
    expect(show(undefined, inPieces).record?.orphans).toEqual([]);
  });
});

describe('the head', () => {
  test('that a relay shows is confirmed there, if it is held as well', () => {
    const one = mine({ heldUntil: 99 });
    expect(show(one, MINE).record?.deliveries.get(HERE)).toBe('confirmed');
    expect(show(one, MINE).effects).toEqual([]);
    expect(shown(one, undefined, MINE, RELAYS).record).toBe(one);
  });

  test('is not what is greater while it is a write that is held', () => {
    const { record, effects } = show(mine({ heldUntil: 99 }), NEWER);
    expect(record).toEqual(
      mine({ heldUntil: 99, heldFloor: 21, met: NEWER }, { former: [versionOf(NEWER)] }),
    );
    expect(effects).toEqual([]);
    expect(show(record, NEWER).record).toBe(record);
  });

  test('is not what a relay shows that it beats', () => {
    const one = over(THEIRS, { own: ownWrite(BEFORE, { isBlind: true }) });
    expect(show(one, BEFORE)).toEqual({ record: one, effects: [] });
    expect(show(one, BEFORE).record).toBe(one);
  });

  test('is, if it is a blind write, in conflict with one that it beats, once', () => {
    const { record, effects } = show(mine({ isBlind: true }), BEFORE);
    expect(record).toEqual(mine({ isBlind: false }));
    expect(effects).toEqual([{ type: 'conflict', mine: MINE, theirs: BEFORE }]);
    expect(show(record, BEFORE)).toEqual({ record, effects: [] });
  });
});

describe('a renewal of the head', () => {
  const again = (event: VerifiedEvent): VerifiedEvent => ({
    ...event,
    id: anId('9'.repeat(64)),
    created_at: 11,
  });

  test('is the same value: what is known of it stays, but for what relays have', () => {
    const head: Version = { ...versionOf(THEIRS), reading: 'read' };
    const one = over(THEIRS, {
      head,
      deliveries: SHOWN_HERE,
      contradictions: 2,
      former: [versionOf(BEFORE)],
    });
    const outcome = advance(one, again(THEIRS), NOTHING);
    expect(outcome.record).toEqual({
      ...one,
      ...{ head: { ...head, event: again(THEIRS) }, deliveries: NOTHING, contradictions: 0 },
    });
    expect(outcome.effects).toEqual([{ type: 'advanced', event: again(THEIRS), renews: THEIRS.id }]);
  });

  test('of an own write is still that write, under its stamp', () => {
    const own = { acknowledged: true };
    expect(advance(mine(own), again(MINE), NOTHING).record?.own).toEqual(
      ownWrite(MINE, { ...own, id: again(MINE).id }),
    );
    const other = over(THEIRS, { own: ownWrite(BEFORE) });
    expect(advance(other, again(THEIRS), NOTHING).record?.own).toEqual(ownWrite(BEFORE));
  });

  test('is no event with another content', () => {
    expect(advance(over(THEIRS), NEWER, NOTHING).effects).toEqual([{ type: 'advanced', event: NEWER }]);
  });
});

describe('a head whose pieces are found', () => {
  type Assembled = Extract<Input, { readonly type: 'assembled' }>;
  const input = (lacking: Assembled['lacking'] = new Map(), id = LARGE.id): Assembled => ({
    ...{ type: 'assembled', id, lacking },
    made: new Map([
      [nameOf(1), told({ stamp: 10 })],
      [nameOf(2), told({ stamp: 8 })],
    ]),
  });
  const deliveries = new Map<RelayUrl, Delivery>([
    [HERE, 'confirmed'],
    [ELSEWHERE, 'unseen'],
  ]);
  const [first, second] = [piece(1, HERE), { ...piece(2, HERE), stamp: 8 }];

  test('is whole: who has shown it has them', () => {
    const before = { ...versionOf(BEFORE), pieces: [piece(2), piece(3)] };
    const proven = new Map([[ELSEWHERE, BEFORE.id]]);
    const { record, effects } = assembled(over(LARGE, { deliveries, proven, former: [before] }), input());
    expect(record).toEqual(
      over(LARGE, {
        ...{ deliveries, former: [before], head: { ...versionOf(LARGE), pieces: [first, second] } },
        proven: new Map([...proven, [HERE, LARGE.id]]),
        orphans: [{ name: nameOf(3), since: undefined }],
      }),
    );
    expect(effects).toEqual([{ type: 'advanced', event: LARGE }]);
  });

  test('is not taken to be on a relay that did not show it when it was asked', () => {
    const lacking = new Map([
      [HERE, new Set([nameOf(2)])],
      [ELSEWHERE, new Set([nameOf(1)])],
    ]);
    const { record } = assembled(over(LARGE, { deliveries }), input(lacking));
    expect(record?.head?.pieces).toEqual([first, { ...second, deliveries: new Map() }]);
  });

  test.each<[string, HeadRecord | undefined, EventId]>([
    ['nothing is known', undefined, LARGE.id],
    ['another is the head', over(NEWER), LARGE.id],
    ['it is whole', over(LARGE, { head: { ...versionOf(LARGE), pieces: [] } }), LARGE.id],
    ['it is in none', over(THEIRS), THEIRS.id],
  ])('changes nothing if %s', (_, record, id) => {
    expect(assembled(record, input(undefined, id))).toEqual({ record, effects: [] });
  });
});

describe('what does not count', () => {
  const future = told({ stamp: 100 * DAY });
  const reset = told({ stamp: 20, tags: voiding(future) });
  const voids = new Map([[future.id, future.created_at]]);

  test('is not shown', () => {
    const one = over(THEIRS, { voids });
    expect(show(one, future).record).toBe(one);
    expect(show(one, future).effects).toEqual([]);
    const withdrawn = { ...EMPTY_RECORD, voids };
    expect(show(withdrawn, future).record).toBe(withdrawn);
  });

  test('is known by every event that says so, and stays so', () => {
    expect(show(undefined, reset).record?.voids).toEqual(voids);
    expect(show(over(THEIRS), reset).record?.voids).toEqual(voids);
    expect(show(over(THEIRS, { voids }), NEWER).record?.voids).toBe(voids);
    // An older one as well.
    const later = told({ stamp: 30 });
    const { record, effects } = show(over(later), reset);
    expect(record).toEqual(over(later, { voids }));
    expect(effects).toEqual([]);
    expect(show({ ...EMPTY_RECORD, own: ownWrite(MINE) }, reset).record).toMatchObject({ voids, former: [] });
    // A first event that says of itself that it does not count.
    const own = told({ stamp: 20 });
    const odd = { ...own, tags: [...own.tags, ...voiding(own)] };
    expect(show(EMPTY_RECORD, odd).record?.head?.event).toBe(odd);
  });

  test('gives its place to the reset, with what was before it if that counts', () => {
    const one = over(future, {
      former: [versionOf(BEFORE)],
      deliveries: new Map([[ELSEWHERE, 'confirmed']]),
    });
    const { record, effects } = show(one, reset);
    expect(record).toEqual(over(reset, { voids, deliveries: SHOWN_HERE, former: [versionOf(BEFORE)] }));
    expect(effects).toEqual([{ type: 'advanced', event: reset }]);
    expect(formerIn(show(over(future), reset).record)).toEqual([]);
    expect(
      formerIn(show({ ...one, former: [versionOf(BEFORE), versionOf(told({ stamp: 3 }))] }, reset).record),
    ).toEqual([BEFORE.id]);
    const both = told({ stamp: 20, tags: voiding(future, BEFORE) });
    expect(formerIn(show(one, both).record)).toEqual([BEFORE.id]);
    const far = told({ stamp: 90 * DAY });
    const all = told({ stamp: 20, tags: voiding(future, far) });
    expect(formerIn(show(over(future, { former: [versionOf(far)] }), all).record)).toEqual([]);
  });

  test('gives its place to what was before it if that is above the reset, and no other device knows it', () => {
    const pieces = [piece(1, HERE)];
    const above = told({ stamp: 30, tags: IN_PIECES, by: 'third' });
    const before: Version = { event: above, pieces, reading: 'unreadable' };
    const { record, effects } = show(over(future, { former: [before], deliveries: SHOWN_HERE }), reset);
    expect(record?.head).toEqual({ event: above, pieces: [piece(1)], reading: 'unread' });
    expect(record).toMatchObject({ former: [], deliveries: NOTHING, orphans: [] });
    expect(effects).toEqual([{ type: 'advanced', event: above }]);
    const bare = show(over(future, { former: [versionOf(told({ stamp: 30, by: 'third' }))] }), reset);
    expect(bare.record?.head?.pieces).toBeUndefined();
  });

  test.each<[string, VerifiedEvent, VerifiedEvent, boolean]>([
    ['what the void head has seen', future, told({ stamp: 30, by: 'their-device' }), false],
    ['what it has not seen', future, told({ stamp: 30, by: 'third' }), true],
    ['what is a day ahead of the reset', future, told({ stamp: 20 + DAY, by: 'third' }), true],
    ['nothing that is more than a day ahead', future, told({ stamp: 21 + DAY, by: 'third' }), false],
  ])('comes back: %s', (_, head, before, isBack) => {
    const { record } = show(over(head, { former: [versionOf(before)] }), reset);
    expect(record?.head?.event).toBe(isBack ? before : reset);
    expect(formerIn(record)).toEqual([]);
  });

  test('leaves the pieces of what is gone behind', () => {
    const large = told({ stamp: 100 * DAY, tags: IN_PIECES });
    const head = { ...versionOf(large), pieces: [piece(1)] };
    const { record } = show(over(large, { head }), told({ stamp: 20, tags: voiding(large) }));
    expect(record?.orphans).toEqual([{ name: nameOf(1), since: undefined }]);
  });
});

describe('a reset of our own write', () => {
  const future = told({ stamp: 100 * DAY, by: OURS });
  const reset = told({ stamp: 20, tags: voiding(future) });
  const ownAfter = (
    own: Partial<OwnWrite>,
    one: VerifiedEvent = reset,
    ...former: readonly VerifiedEvent[]
  ): OwnWrite => show(mine(own, { former: former.map(versionOf) }, future), one).record!.own!;

  test('lowers its floor to what counts: it is undone', () => {
    expect(ownAfter({})).toEqual(ownWrite(future, { stamp: 20, floor: 20, undone: [100 * DAY, 100 * DAY] }));
    expect(ownAfter({ floor: 101 * DAY })).toMatchObject({ floor: 20, undone: [100 * DAY, 101 * DAY] });
    expect(ownAfter({ heldFloor: 101 * DAY })).not.toHaveProperty('heldFloor');
    expect(ownAfter({ undone: [50 * DAY, 60 * DAY] }).undone).toEqual([50 * DAY, 100 * DAY]);
  });

  test('stays above what it wrote before, up to a day ahead of the reset', () => {
    const past = [3, 20 + DAY, 21 + DAY, 90 * DAY];
    expect(ownAfter({ past })).toMatchObject({ stamp: 20, floor: 20 + DAY });
    expect(ownAfter({ past: [3, 4] }).floor).toBe(20);
  });

  test('goes by what comes back', () => {
    const above = told({ stamp: 30, by: 'third' });
    expect(ownAfter({}, reset, above)).toMatchObject({
      stamp: 30,
      floor: 30,
      undone: [100 * DAY, 100 * DAY],
    });
  });

  test('never raises its stamp, and leaves one that is not above what counts', () => {
    const low = over(future, { own: ownWrite(told({ stamp: 9, by: OURS }), { floor: 50 * DAY }) });
    expect(show(low, reset).record?.own).toMatchObject({ stamp: 9, floor: 20, undone: [50 * DAY, 50 * DAY] });
    for (const stamp of [9, 20]) {
      const own = ownWrite(told({ stamp, by: OURS }));
      expect(show(over(future, { own }), reset).record?.own).toEqual(own);
    }
    expect(show(over(future), reset).record?.own).toBeUndefined();
  });

  test('is no conflict, and a removal may be one', () => {
    expect(show(mine({}, {}, future), reset).effects.map(({ type }) => type)).toEqual(['advanced']);
    const removal = told({ stamp: 20, tags: [...REMOVAL, ...voiding(future)] });
    expect(show(mine({}, {}, future), removal).record?.own?.lost).toBe(false);
  });
});

test('an own write that a relay has is one also while the head, which follows it, is held: it is not looked at again', () => {
  const first = told({ stamp: 6, by: OURS });
  const held = mine({ heldUntil: 1_000, above: [3, 6] });
  const { record } = show(held, first);
  expect(record?.own).toMatchObject({ heldUntil: 1_000, above: [6], acknowledgedBefore: 6 });
  expect(show(record, first).record).toBe(record);
});

test('a plain event over a record without a head has seen nothing of it', () => {
  expect(
    show({ ...EMPTY_RECORD, own: ownWrite(BEFORE) }, told({ stamp: 20, seen: false })).effects,
  ).toHaveLength(1);
});

test('of what a held write meets unseen the greatest is kept', () => {
  const [one, two] = [told({ stamp: 12 }), told({ stamp: 14, by: 'third-device' })];
  const metOf = (...events: readonly VerifiedEvent[]): VerifiedEvent | undefined => {
    let record: HeadRecord | undefined = mine({ heldUntil: 99 });
    for (const event of events) ({ record } = show(record, event));
    return record?.own?.met;
  };
  expect([metOf(one), metOf(one, two), metOf(two, one)]).toEqual([one, two, two]);
});
