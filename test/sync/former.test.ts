/** What is shown while the head cannot be read. */

import { describe, expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { formerOf, isKnownReadable } from '../../src/sync/heads/former.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import { EMPTY_RECORD, readableOf, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf, type Reading } from '../../src/sync/heads/version.ts';
import { aRelay } from '../names.ts';
import { IN_PIECES, ownWrite, REMOVAL, told } from './records.ts';

const ENDING = [['expiration', '9999999999']] as const;
const HEAD = told({ stamp: 30 });
const VALUE = told({ stamp: 10 });
const LATER = told({ stamp: 20 });
const LARGE = told({ stamp: 20, tags: IN_PIECES });
const REMOVED = told({ stamp: 20, tags: REMOVAL });
const PASSING = told({ stamp: 20, tags: ENDING });

function record(
  head: VerifiedEvent,
  former: readonly VerifiedEvent[],
  reading: Reading = 'unread',
): HeadRecord {
  return { ...EMPTY_RECORD, head: { ...versionOf(head), reading }, former: former.map(versionOf) };
}

const idsOf = (one: HeadRecord | undefined, isHeadKept = true): readonly string[] =>
  formerOf(one, isHeadKept).map(({ event }) => event.id);

test('nothing is before a first event', () => {
  expect(formerOf(undefined, true)).toEqual([]);
  expect(formerOf(EMPTY_RECORD, true)).toEqual([]);
});

test('what is before a withdrawn first write stays', () => {
  expect(idsOf({ ...EMPTY_RECORD, former: [versionOf(VALUE)] })).toEqual([VALUE.id]);
});

test.each<[string, readonly VerifiedEvent[], readonly VerifiedEvent[]]>([
  ['nothing', [], []],
  ['one', [VALUE], [VALUE]],
  ['two: the lower, which was readable when the other came', [LATER, VALUE], [VALUE]],
  ['one in pieces, for which there is no room', [LARGE], []],
  ['one in pieces, and another', [LARGE, VALUE], [VALUE]],
  ['a removal: better than nothing', [REMOVED], [REMOVED]],
  ['a removal below a value: the value', [VALUE, REMOVED], [VALUE]],
  ['a value that will end below one that lasts: what lasts', [VALUE, PASSING], [VALUE]],
  ['what does not last: the lower', [REMOVED, PASSING], [PASSING]],
])('with a head that was not read stays %s', (_, former, kept) => {
  expect(idsOf(record(HEAD, former))).toEqual([HEAD, ...kept].map(({ id }) => id));
});

test('a head that was read stands alone', () => {
  expect(idsOf(record(HEAD, [LATER, VALUE], 'read'))).toEqual([HEAD.id]);
});

test('a head that is not kept leaves what was before it', () => {
  expect(idsOf(record(HEAD, [LATER, VALUE]), false)).toEqual([LATER.id, VALUE.id]);
});

describe('a head is known to be readable', () => {
  const large = record(LARGE, []);

  test('if it was read, or removes the value', () => {
    expect(isKnownReadable(record(HEAD, [], 'read'))).toBe(true);
    expect(isKnownReadable(record(HEAD, [], 'unreadable'))).toBe(false);
    expect(isKnownReadable(record(HEAD, []))).toBe(false);
    expect(isKnownReadable(record(REMOVED, []))).toBe(true);
  });

  test('if it is in pieces and another wrote it: this device could read its manifest', () => {
    expect(isKnownReadable(large)).toBe(true);
    expect(isKnownReadable({ ...large, own: ownWrite(LARGE) })).toBe(false);
  });
});

describe('what a signer could not read', () => {
  const shown = (event: VerifiedEvent): Input => ({
    ...{ type: 'shown', relay: aRelay('wss://relay.example'), event, relays: [] },
  });
  const after = (...inputs: readonly Input[]): HeadRecord | undefined =>
    inputs.reduce<HeadRecord | undefined>(
      (before, input) => reconcile(before, input, undefined).record,
      undefined,
    );
  const unreadable = ({ id }: VerifiedEvent): Input => ({ type: 'unreadable', id });

  test('stays if nothing was before it: what comes next may be of no key at all, and the signer works again', () => {
    const both = after(shown(VALUE), unreadable(VALUE), shown(LATER), unreadable(LATER));
    expect(both?.former).toMatchObject([{ event: VALUE, reading: 'unreadable' }]);
    // The app has not been shown it: what it writes is not made of that.
    expect(readableOf(both)).toBeUndefined();
    const { record: read } = reconcile(both, { type: 'read', id: VALUE.id }, undefined);
    expect(readableOf(read)).toBe(VALUE);
  });

  test('does not take the place of what was read', () => {
    const read: Input = { type: 'read', id: VALUE.id };
    const record = after(shown(VALUE), read, shown(LATER), unreadable(LATER), shown(HEAD));
    expect(record?.former.map(({ event }) => event)).toEqual([VALUE]);
  });

  test('is not kept without its pieces', () => {
    expect(after(shown(LARGE), unreadable(LARGE), shown(HEAD))?.former).toEqual([]);
  });
});
