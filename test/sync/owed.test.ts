/** What a relay is owed or asked next: record x what is known of the relay → step. */

import { describe, expect, test } from 'vitest';
import type { EventId } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { HOLD_MS } from '../../src/protocol/limits.ts';
import {
  holdOf,
  isOpenAfterAnswer,
  isOwed,
  isProven,
  missingPiecesOf,
  owed,
  type RelayKnowledge,
  type Step,
} from '../../src/sync/heads/owed.ts';
import { EMPTY_RECORD, type Delivery, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf, type Piece } from '../../src/sync/heads/version.ts';
import { aRelay, anId } from '../names.ts';
import { IN_PIECES, told } from './records.ts';

const HERE = aRelay('wss://here.example');
const ELSEWHERE = aRelay('wss://elsewhere.example');
const single = told({ stamp: 1_000 });
const manifest = told({ stamp: 1_000, tags: IN_PIECES });
const stamp = manifest.created_at;

interface Draft {
  readonly isOwn?: boolean;
  /** Of the head, on the relay that is looked at. */
  readonly has?: Delivery;
  /** Given: the head is in pieces, which are here. */
  readonly pieces?: readonly Piece[];
  readonly event?: VerifiedEvent | undefined;
  /** The id of the last head in pieces that the relay was known to have. */
  readonly proven?: EventId;
  readonly heldUntil?: number;
}

function record(draft: Draft): HeadRecord {
  const { isOwn = false, has, pieces, proven, heldUntil } = draft;
  const event = 'event' in draft ? draft.event : pieces === undefined ? single : manifest;
  const own = { device: 'd', id: event?.id ?? anId(''), stamp, acknowledged: false, lost: false, heldUntil };
  return {
    ...EMPTY_RECORD,
    head: event && { ...versionOf(event), pieces },
    own: isOwn ? own : undefined,
    deliveries: new Map([[ELSEWHERE, 'confirmed'], ...(has === undefined ? [] : [[HERE, has] as const])]),
    proven: new Map(proven === undefined ? [] : [[HERE, proven]]),
  };
}

function piece(name: string, made: number, has?: 'acknowledged' | 'confirmed'): Piece {
  const deliveries = new Map([[ELSEWHERE, 'confirmed' as const], ...(has ? [[HERE, has] as const] : [])]);
  return { name: name.repeat(32), stamp: made, deliveries };
}

function known(more: Partial<RelayKnowledge> = {}): RelayKnowledge {
  return { relay: HERE, isAsked: false, lately: undefined, ...more };
}

/** Made for this head, and taken from a former one. */
const [fresh, shared] = [stamp, stamp - 100];
const offered = [piece('a', fresh)];
const halfThere = [piece('a', fresh), piece('b', fresh, 'acknowledged')];
const allThere = [piece('a', fresh, 'confirmed'), piece('b', fresh, 'confirmed')];
const onlyToldOf = [piece('a', fresh, 'confirmed'), piece('b', fresh, 'acknowledged')];
const sharedThere = [piece('a', fresh), piece('b', shared, 'confirmed')];
const saidNothing = { id: undefined };

const TABLE: readonly [string, Draft, Partial<RelayKnowledge>, Step][] = [
  ['a head that was withdrawn', { event: undefined, has: 'pending' }, {}, 'nothing'],
  ['one that it has shown', { has: 'confirmed' }, {}, 'nothing'],
  ['one that it said OK to', { has: 'acknowledged' }, {}, 'read-back'],
  ['one that another relay showed', { has: 'unseen' }, {}, 'look-after-spread'],
  ['one that it refused', { has: 'refused' }, {}, 'look-again'],
  ['one that it lacks', { has: 'pending' }, {}, 'send-head'],
  ['one of another device, if it was added since', {}, {}, 'ask-first'],
  ['that one, once it was asked', {}, { isAsked: true }, 'send-head'],
  ['one of this device, if it was added since', { isOwn: true }, {}, 'send-head'],
  ['one whose pieces are not here', { event: manifest, has: 'pending' }, {}, 'not-whole'],
  ['that one, if it was added since', { event: manifest }, {}, 'not-whole'],
  ['that one, of which it said OK', { event: manifest, has: 'acknowledged' }, {}, 'read-back'],
  ['one without its pieces', { pieces: offered, has: 'pending' }, {}, 'send-pieces'],
  ['one without one of its pieces', { pieces: halfThere, has: 'pending' }, {}, 'send-pieces'],
  ['one that it has without a piece', { pieces: halfThere, has: 'confirmed' }, {}, 'send-pieces'],
  ['one whose pieces it has', { pieces: allThere, has: 'pending' }, {}, 'send-head'],
  ['one that it has with its pieces', { pieces: allThere, has: 'confirmed' }, {}, 'nothing'],
  ['one of whose pieces it only said OK', { pieces: onlyToldOf, has: 'confirmed' }, {}, 'read-back'],
  ['one in pieces, if it was added since', { pieces: offered }, {}, 'ask-first'],
  ['one that shares a piece', { pieces: sharedThere, has: 'pending' }, {}, 'prove-pieces'],
  [
    'that one, if it has lately shown the head that it shares with',
    { pieces: sharedThere, has: 'pending', proven: single.id },
    { lately: { id: single.id } },
    'send-pieces',
  ],
  [
    'that one, if it has lately shown another',
    { pieces: sharedThere, has: 'pending', proven: single.id },
    { lately: { id: manifest.id } },
    'prove-pieces',
  ],
  [
    'that one, if it has lately shown nothing',
    { pieces: sharedThere, has: 'pending', proven: single.id },
    { lately: saidNothing },
    'prove-pieces',
  ],
  [
    'that one, if it never had a head and says so',
    { pieces: sharedThere, has: 'pending' },
    { lately: saidNothing },
    'send-pieces',
  ],
];

const OWED: readonly Step[] = ['ask-first', 'prove-pieces', 'send-pieces', 'send-head'];

describe('what a relay is owed or asked next', () => {
  test.each(TABLE)('of %s', (_, draft, more, step) => {
    expect(owed(record(draft), known(more))).toBe(step);
    expect(isOwed(record(draft), HERE)).toBe(OWED.includes(step));
  });

  test('of a category of which nothing is known: nothing', () => {
    expect(owed(undefined, known())).toBe('nothing');
    expect(isOwed(undefined, HERE)).toBe(false);
  });

  test('is its own matter: what another relay has decides nothing', () => {
    const relay = ELSEWHERE;
    expect(owed(record({ has: 'pending' }), known({ relay: aRelay(relay) }))).toBe('nothing');
    expect(owed(record({ pieces: offered, has: 'pending' }), known({ relay: aRelay(relay) }))).toBe(
      'nothing',
    );
  });
});

test('the pieces that are missing are those of this relay', () => {
  expect(missingPiecesOf(record({ pieces: halfThere }), HERE)).toEqual([halfThere[0]]);
  expect(missingPiecesOf(record({ pieces: halfThere }), ELSEWHERE)).toEqual([]);
  for (const one of [record({}), EMPTY_RECORD]) expect(missingPiecesOf(one, HERE)).toEqual([]);
});

test('only a shared piece that the relay is known to have must be proven', () => {
  const other = [piece('a', shared)];
  expect(isProven(record({ pieces: other }), HERE, undefined)).toBe(true);
  expect(isProven(record({ pieces: allThere }), HERE, undefined)).toBe(true);
  expect(isProven(record({ pieces: sharedThere }), HERE, undefined)).toBe(false);
  for (const one of [record({}), EMPTY_RECORD]) expect(isProven(one, HERE, undefined)).toBe(true);
});

test.each<[Step, boolean, boolean]>([
  ['look-again', true, true],
  ['read-back', false, true],
  ['look-after-spread', false, true],
  ['nothing', false, false],
  ['not-whole', false, false],
  ['ask-first', false, false],
  ['send-head', false, false],
])('%s is open after a complete answer: %s, after another: %s', (step, complete, incomplete) => {
  expect([isOpenAfterAnswer(step, true), isOpenAfterAnswer(step, false)]).toEqual([complete, incomplete]);
});

describe('a first write', () => {
  const held = (heldUntil: number): HeadRecord => record({ isOwn: true, heldUntil });

  test('is held for what is left of its time', () => {
    expect(holdOf(held(5_000), 1_000)).toBe(4_000);
    expect(holdOf(held(HOLD_MS), 0)).toBe(HOLD_MS);
  });

  test('is not held longer: not after its time, nor if the clock was set back', () => {
    expect(holdOf(held(5_000), 5_000)).toBe('over');
    expect(holdOf(held(5_000 + HOLD_MS), 4_999)).toBe('over');
  });

  test('is not held at all if it is not held, or another is the head', () => {
    expect(holdOf(record({ isOwn: true }), 0)).toBe('none');
    expect(holdOf({ ...held(5_000), head: versionOf(manifest) }, 1_000)).toBe('none');
  });
});
