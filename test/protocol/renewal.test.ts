/** What says again what some app wrote: one second above it, with its device and its vector, and told from a write by that. */

import { describe, expect, test } from 'vitest';
import { deviceHash } from '../../src/protocol/causality.ts';
import type { NostrEvent } from '../../src/protocol/event.ts';
import { endOf, isRenewalOf, renewalOf, renewedBy, restampOf } from '../../src/protocol/renewal.ts';
import { anId } from '../names.ts';

const TAGS = [
  ['d', 'app/settings/v1'],
  ['device_id', 'phone'],
  ['expiration', '1100'],
  ['vv', `${deviceHash('phone')}:1000`, '0000000a:7'],
  ['format', 'deflate/1'],
];

const eventOf = (changes: Partial<NostrEvent> = {}): NostrEvent => ({
  ...{ id: anId('0'.repeat(64)), pubkey: 'f'.repeat(64), kind: 30078, created_at: 1_000 },
  ...{ tags: TAGS, content: 'secret', sig: '', ...changes },
});

test('a renewal is the same event, one second later', () => {
  expect(renewalOf(eventOf(), new Map())).toEqual({
    kind: 30078,
    created_at: 1_001,
    tags: TAGS,
    content: 'secret',
  });
});

test('a renewal tells of what does not count by now, and of nothing else', () => {
  const [former, later] = [`${'1'.repeat(64)}:5000`, `${'2'.repeat(64)}:6000`];
  const voids = new Map([[anId('2'.repeat(64)), 6_000]]);
  const again = renewalOf(eventOf({ tags: [...TAGS, ['void', former]] }), voids);
  expect(again.tags).toEqual([...TAGS, ['void', later]]);
});

test('another stamp changes the stamp, and the own entry of the vector', () => {
  const { tags, ...rest } = restampOf(eventOf(), deviceHash('phone'), 900);
  expect(rest).toEqual({ kind: 30078, created_at: 900, content: 'secret' });
  expect(tags.map(([name]) => name)).toEqual(TAGS.map(([name]) => name));
  const isVector = ([name]: readonly string[]): boolean => name === 'vv';
  expect(tags.filter((tag) => !isVector(tag))).toEqual(TAGS.filter((tag) => !isVector(tag)));
  expect(new Set(tags.find(isVector)!.slice(1))).toEqual(
    new Set([`${deviceHash('phone')}:900`, '0000000a:7']),
  );
});

test('the end of a value is a tombstone one second above it, without what only a value has', () => {
  expect(endOf(eventOf(), new Map(), 'null, encrypted')).toEqual({
    ...{ kind: 30078, created_at: 1_001, content: 'null, encrypted' },
    tags: [TAGS[0], TAGS[1], TAGS[3], ['deleted', '']],
  });
});

describe('an event says again what another says', () => {
  const removed = (content: string, stamp = 1_000, tags = TAGS): NostrEvent =>
    eventOf({ content, created_at: stamp, tags: [...tags, ['deleted', '']] });
  const silent = TAGS.filter(([name]) => name !== 'vv');
  test.each([
    ['if it has the same content and tags', true, eventOf({ created_at: 1_001 }), eventOf()],
    ['not if the content differs', false, eventOf({ content: 'other' }), eventOf()],
    ['not if a tag differs', false, eventOf({ tags: TAGS.slice(1) }), eventOf()],
    [
      'if both are ends of a value, encrypted each on its own',
      true,
      removed('a', 1_001),
      removed('b', 1_001),
    ],
    [
      'if both are tombstones without a vector',
      true,
      removed('a', 1_000, silent),
      removed('b', 1_000, silent),
    ],
    ['not if it is a write, by its vector', false, removed('a'), removed('b')],
    ['not if it alone is a tombstone', false, removed('a', 1_001), eventOf({ content: 'b' })],
    ['not if the other alone is one', false, eventOf({ content: 'a', created_at: 1_001 }), removed('b')],
    [
      'not if the content is the same, and one is a tombstone',
      false,
      removed('a'),
      eventOf({ content: 'a' }),
    ],
  ])('%s', (_, says, event, former) => {
    expect(isRenewalOf(event, former)).toBe(says);
  });
});

test.each([
  ['a write', 0, eventOf()],
  ['a renewal of a renewal', 2, eventOf({ created_at: 1_002 })],
  ['an event without a vector', 0, eventOf({ tags: TAGS.slice(0, 3) })],
  ['an event whose vector lacks its writer', 0, eventOf({ tags: [TAGS[1]!, ['vv', '0000000a:7']] })],
  ['an event without a device id', 0, eventOf({ tags: [TAGS[3]!] })],
])('%s is stamped %i s above the write', (_, seconds, event) => {
  expect(renewedBy(event)).toBe(seconds);
});
