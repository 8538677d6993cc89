import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { parseRecord, serializeRecord } from '../../src/sync/heads/record-codec.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { aRelay } from '../names.ts';
import { written } from './devices.ts';

const event = written() as VerifiedEvent;
const NAME = 'ab'.repeat(16);
const plain: HeadRecord = {
  ...EMPTY_RECORD,
  head: { ...versionOf(event), reading: 'read' },
  deliveries: new Map([[aRelay('wss://a.example'), 'confirmed']]),
  own: { device: 'd', id: event.id, stamp: event.created_at, acknowledged: true, lost: false },
};
const inPieces: HeadRecord = {
  ...plain,
  head: {
    ...versionOf(event),
    pieces: [
      { name: NAME, stamp: 5, deliveries: new Map([[aRelay('wss://a.example'), 'acknowledged']]), buried: 7 },
    ],
  },
  former: [
    { event, pieces: [{ name: NAME, stamp: 4, deliveries: new Map() }], reading: 'unreadable' },
    versionOf(event),
  ],
  proven: new Map([[aRelay('wss://a.example'), event.id]]),
  orphans: [
    { name: 'cd'.repeat(16), since: 17 },
    { name: 'ef'.repeat(16), since: undefined },
  ],
  contradictions: 2,
};

const withPiece = (piece: object): object => ({ head: { event, reading: 'read', pieces: [piece] } });

describe('a stored record', () => {
  test.each([plain, inPieces])('comes back as it was', (record) => {
    expect(parseRecord(serializeRecord(record))).toEqual(record);
  });

  test('of another version is unusable', () => {
    const stored = JSON.parse(serializeRecord(plain)) as object;
    expect(parseRecord(JSON.stringify({ ...stored, v: 2 }))).toBeUndefined();
  });

  test.each([
    ['a head that is no event', { head: { event: {}, reading: 'read' } }],
    ['a head that is half read', { head: { event, reading: 'half' } }],
    ['a former value that is no event', { former: [{ event, reading: 'read' }, { reading: 'read' }] }],
    ['former values that are no list', { former: {} }],
    ['a piece of another name', withPiece({ name: '../x', stamp: 1, deliveries: {} })],
    ['a piece with no stamp', withPiece({ name: NAME, deliveries: {} })],
    ['a delivery that is none', withPiece({ name: NAME, stamp: 1, deliveries: { a: 'refused' } })],
    ['a proof that is no id', { proven: { a: 'x' } }],
    ['an orphan since a word', { orphans: [{ name: NAME, since: 'now' }] }],
    ['orphans that are no list', { orphans: {} }],
  ])('with %s is unusable', (_, damage) => {
    const stored = JSON.parse(serializeRecord(inPieces)) as object;
    expect(parseRecord(JSON.stringify({ ...stored, ...damage }))).toBeUndefined();
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
