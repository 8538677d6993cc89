/** A record as one store entry, and back. What is in a store is as hostile as what a relay sends. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRecord, serializeRecord, verifyRecord } from '../../src/sync/heads/record-codec.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { aRelay, anAddress } from '../names.ts';
import { told } from './records.ts';

const event = told({ stamp: 10 });
const A = aRelay('wss://a.example');
const NAME = 'ab'.repeat(16);
const plain: HeadRecord = {
  ...EMPTY_RECORD,
  head: { ...versionOf(event), reading: 'read' },
  deliveries: new Map([[A, 'confirmed']]),
  own: { device: '0d0d0d0d', id: event.id, stamp: event.created_at, acknowledged: true, lost: false },
};
const inPieces: HeadRecord = {
  ...plain,
  head: {
    ...versionOf(event),
    pieces: [{ name: NAME, stamp: 5, deliveries: new Map([[A, 'acknowledged']]), buried: 7 }],
  },
  former: [
    { event, pieces: [{ name: NAME, stamp: 4, deliveries: new Map() }], reading: 'unreadable' },
    versionOf(event),
  ],
  proven: new Map([[A, event.id]]),
  orphans: [
    { name: 'cd'.repeat(16), since: 17 },
    { name: 'ef'.repeat(16), since: undefined },
  ],
  contradictions: 2,
};

/** All that an own write may keep. */
const written: HeadRecord = {
  ...plain,
  own: {
    ...plain.own!,
    ...{
      isBlind: true,
      heldUntil: 5_000.5,
      floor: 12,
      heldFloor: 13,
      met: event,
      withdrawn: [event.id],
      restamped: [event.id],
      undone: [3, 4],
      above: [1],
      past: [2],
    },
    former: { ...plain.own!, acknowledged: false, floor: 3 },
  },
  deemed: new Map([['0a0a0a0a', 7]]),
  voids: new Map([[event.id, 99]]),
};
const kept = {
  ...{ id: event.id, stamp: 9, device: '0a0a0a0a', written: 8, seen: new Map([['0a0a0a0a', 8]]), bytes: 99 },
  ...{ pieces: [NAME], isInPieces: true, isRemoval: false, isOverwritten: true },
};
/** With a frontier, and a history. */
const branched: HeadRecord = {
  ...plain,
  own: { ...plain.own!, taken: { rivals: [kept], joint: new Map([['0b0b0b0b', 3]]) } },
  rivals: [kept],
  past: [
    kept,
    { ...kept, written: 9, pieces: undefined, isInPieces: false, isRemoval: true, isOverwritten: false },
  ],
  joint: new Map([['0c0c0c0c', 4]]),
};
const withdrawn: HeadRecord = { ...plain, head: undefined };
const unwritten: HeadRecord = { ...plain, own: undefined };
const deliveries = new Map(
  (['pending', 'unseen', 'acknowledged', 'confirmed', 'refused'] as const).map((one) => [aRelay(one), one]),
);
const pieceOn: HeadRecord = {
  ...plain,
  head: {
    ...plain.head!,
    reading: 'unread',
    pieces: [{ name: NAME, stamp: 5, deliveries: new Map([[aRelay('a'), 'confirmed']]) }],
  },
};

const withPiece = (piece: object): object => ({ head: { event, reading: 'read', pieces: [piece] } });
const withOwn = (more: object): object => ({ own: { ...plain.own, ...more } });

/** The record of a stored text in which something was changed. */
function changed(damage: object, record = inPieces): ReturnType<typeof parseRecord> {
  const stored = JSON.parse(serializeRecord(record)) as object;
  return parseRecord(JSON.stringify({ ...stored, ...damage }));
}

const joined: HeadRecord = { ...branched, past: [{ ...kept, isBeforeJoining: true }] };

describe('a stored record', () => {
  test.each([
    ...[plain, inPieces, written, withdrawn, unwritten, pieceOn, branched, joined],
    { ...plain, deliveries },
  ])('comes back as it was', (record) => {
    expect(parseRecord(serializeRecord(record))).toEqual(record);
  });

  test('says nothing of a former value that is so by default', () => {
    const stored = JSON.parse(serializeRecord(branched)) as { past: readonly object[] };
    expect(stored.past.map((one) => Object.keys(one))).toEqual([
      ['id', 'stamp', 'device', 'bytes', 'seen', 'pieces', 'written', 'isInPieces', 'isOverwritten'],
      ['id', 'stamp', 'device', 'bytes', 'seen', 'isRemoval'],
    ]);
  });

  test.each([
    { device: 12_345_678 },
    { device: '0a0a0a0a0' },
    { device: '0a0a0a0A' },
    { pieces: [NAME, 'no name'] },
    { pieces: ['no name', NAME] },
  ])('keeps none of a list in which one is damaged by %o', (damage) => {
    const stored = JSON.parse(serializeRecord(branched)) as { past: readonly object[] };
    expect(changed({}, branched)?.past).toHaveLength(2);
    const past = stored.past.map((one, i) => (i === 0 ? { ...one, ...damage } : one));
    expect(changed({ past }, branched)?.past).toEqual([]);
  });

  test('has no entry for what it has none of', () => {
    const keys = ['v', 'head', 'own', 'contradictions', 'deliveries'];
    expect(Object.keys(JSON.parse(serializeRecord(plain)) as object)).toEqual(keys);
    const stored = JSON.parse(serializeRecord(pieceOn)) as { head: { pieces: readonly object[] } };
    expect(stored.head.pieces).toEqual([{ name: NAME, stamp: 5, deliveries: { a: 'confirmed' } }]);
    expect(changed({}, pieceOn)?.head?.pieces?.[0]).not.toHaveProperty('buried');
  });

  test.each([
    ['an id that is none', { id: 'x' }],
    ['a device that is none', { device: '../' }],
    ['a stamp that is none', { stamp: 1.5 }],
    ['a size that is none', { bytes: 'x' }],
    ['a vector that is none', { seen: ['x'] }],
    ['a piece of another name', { pieces: ['../x'] }],
  ])('with a former value of %s loses the list and nothing else', (_, damage) => {
    const stored = JSON.parse(serializeRecord(branched)) as { past: object[] };
    const parsed = parseRecord(JSON.stringify({ ...stored, past: [{ ...stored.past[0], ...damage }] }));
    expect(parsed).toEqual({ ...branched, past: [] });
    expect(changed({ past: 'x', rivals: 7 }, branched)).toMatchObject({ past: [], rivals: [] });
  });

  test('says of a former value no more than there is, and its event not at all', () => {
    const stored = JSON.parse(serializeRecord({ ...branched, past: [{ ...kept, event }] })) as {
      past: object[];
    };
    expect(Object.keys(stored.past[0]!)).toEqual([
      ...['id', 'stamp', 'device', 'bytes', 'seen', 'pieces', 'written', 'isInPieces', 'isOverwritten'],
    ]);
  });

  test('of another version is unusable', () => {
    expect(changed({ v: 2 }, plain)).toBeUndefined();
    expect(changed({}, plain)).toBeDefined();
  });

  test('without contradictions, or with some that are no number, has none', () => {
    for (const contradictions of [undefined, 'x', null, {}])
      expect(changed({ contradictions })?.contradictions).toBe(0);
  });

  test.each([
    ['a head that is no event', { head: { event: {}, reading: 'read' } }],
    ['a head that is half read', { head: { event, reading: 'half' } }],
    ['a former value that is no event', { former: [{ event, reading: 'read' }, { reading: 'read' }] }],
    ['former values that are no list', { former: {} }],
    ['neither a head nor an own write', { head: undefined, own: undefined }],
    ['a piece of another name', withPiece({ name: '../x', stamp: 1, deliveries: {} })],
    ['a piece with no stamp', withPiece({ name: NAME, deliveries: {} })],
    ['a piece with a stamp that is no whole number', withPiece({ name: NAME, stamp: 1.5, deliveries: {} })],
    [
      'a piece under a tombstone with no stamp',
      withPiece({ name: NAME, stamp: 1, deliveries: {}, buried: 'x' }),
    ],
    ['a piece without deliveries', withPiece({ name: NAME, stamp: 1 })],
    ['a delivery that is none', withPiece({ name: NAME, stamp: 1, deliveries: { a: 'refused' } })],
    [
      'two deliveries, of which one is none',
      withPiece({ name: NAME, stamp: 1, deliveries: { a: 'confirmed', b: 1 } }),
    ],
    ['what a relay cannot have', { deliveries: { a: 'confirmed', b: 'half' } }],
    ['no deliveries', { deliveries: undefined }],
    ['a proof that is no id', { proven: { a: event.id, b: 'x' } }],
    ['an orphan since a word', { orphans: [{ name: NAME, since: 'now' }] }],
    ['an orphan of another name', { orphans: [{ name: 'x', since: 1 }] }],
    ['orphans that are no list', { orphans: {} }],
    ['a vector that is none', { deemed: ['x'] }],
    ['a vector from beyond the end of time', { deemed: ['0a0a0a0a:999999999999'] }],
    ['voids that are none', { voids: ['x'] }],
    ['an own write that is nothing', { own: null }],
    ['an own write of no device', withOwn({ device: 1 })],
    ['an own write of a device that is none', withOwn({ device: '0D0D0D0D' })],
    ['an own write with no id', withOwn({ id: 1 })],
    ['an own write with an id that is none', withOwn({ id: 'x'.repeat(64) })],
    ['an own write over one that has met something', withOwn({ former: { ...plain.own, met: event } })],
    ['an own write that has met what is no event', withOwn({ met: { ...event, sig: 'x' } })],
    ['an own write with no stamp', withOwn({ stamp: '1' })],
    ['an own write with half a stamp', withOwn({ stamp: 0.5 })],
    ['an own write that may be taken', withOwn({ acknowledged: 'maybe' })],
    ['an own write that may be lost', withOwn({ lost: 0 })],
    ['an own write that may be blind', withOwn({ isBlind: 1 })],
    ['an own write that is held until a word', withOwn({ heldUntil: 'then' })],
    ['an own write with a floor that is none', withOwn({ floor: 0.5 })],
    ['an own write held over what is no stamp', withOwn({ heldFloor: 0.5 })],
    ['a withdrawn write that is no id', withOwn({ withdrawn: [event.id, 'x'] })],
    ['what was withdrawn as a text', withOwn({ withdrawn: 'x' })],
    ['a write under a lower stamp that is no id', withOwn({ restamped: ['x'] })],
    ['what was undone at no stamps', withOwn({ undone: [1, 'x'] })],
    ['a write above no stamps', withOwn({ above: [1, 'x'] })],
    ['a write after no stamps', withOwn({ past: [1, 0.5] })],
    ['a former own write that is none', withOwn({ former: { ...plain.own, stamp: 'x' } })],
  ])('with %s is unusable', (_, damage) => {
    expect(changed(damage)).toBeUndefined();
  });

  test('of any bytes never throws', () => {
    const text = serializeRecord(inPieces);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 4 }), (at, junk) => {
        parseRecord(text.slice(0, at) + junk + text.slice(at + 1));
        parseRecord(text.slice(0, at));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the events of a stored record', () => {
  const [dTag, pubkey] = [anAddress('default/settings/v1'), 'a'.repeat(64)];
  const [one, two] = [event, told({ stamp: 9 })];
  const kept = { ...plain, former: [versionOf(two)] };
  /** A verifier that takes none of these for genuine. */
  const verified = (
    record: HeadRecord,
    forged: readonly string[],
    more: object = {},
  ): HeadRecord | undefined =>
    verifyRecord(record, {
      ...{ pubkey, dTag },
      verifier: {
        hash: ({ content }) => [one, two].find((known) => known.content === content)!.id,
        verifySignature: ({ id }) => !forged.includes(id),
      },
      ...more,
    });

  test('are verified as if a relay had sent them', () => {
    expect(verified(kept, [])).toEqual(kept);
    expect(verified({ ...kept, own: undefined }, [])).toEqual({ ...kept, own: undefined });
    expect(verified(kept, [one.id])).toBeUndefined();
    expect(verified(kept, [two.id])).toBeUndefined();
    expect(verified(kept, [], { pubkey: 'b'.repeat(64) })).toBeUndefined();
    expect(verified(kept, [], { dTag: 'default/other/v1' })).toBeUndefined();
  });

  test('are what a write that is held has met as well', () => {
    const held = { ...plain, own: { ...plain.own!, heldUntil: 9, met: two } };
    expect(verified(held, [])).toEqual(held);
    expect(verified(held, [two.id])).toBeUndefined();
  });

  test('are none of a first write that was withdrawn', () => {
    expect(verified({ ...kept, head: undefined }, [])).toEqual({ ...kept, head: undefined });
    expect(verified({ ...kept, head: undefined }, [two.id])).toBeUndefined();
    expect(verified({ ...kept, former: [] }, [])).toEqual({ ...kept, former: [] });
  });
});
