/** When a removal asks relays to delete what it removes, and what. */

import { expect, test } from 'vitest';
import type { EventTemplate, NostrEvent, VerifiedEvent } from '../../src/protocol/event.ts';
import { createDeletions } from '../../src/sync/deletion.ts';
import { EMPTY_RECORD, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import type { Effect } from '../../src/sync/heads/input.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { anAddress } from '../names.ts';
import { OURS, ownWrite, REMOVAL, told } from './records.ts';

const D_TAG = anAddress('settings');
const VALUE = told({ stamp: 10 });
const FOUND = told({ stamp: 15 });
const REMOVED = told({ stamp: 20, by: OURS, tags: REMOVAL });
const AGAIN = { ...REMOVED, id: told({ stamp: 21 }).id, created_at: 21 } as VerifiedEvent;
const THEIRS = told({ stamp: 20, tags: REMOVAL });

const over = (head: VerifiedEvent, own?: Partial<OwnWrite>, former?: VerifiedEvent): HeadRecord => ({
  ...EMPTY_RECORD,
  head: versionOf(head),
  own: own && ownWrite(head, own),
  former: former === undefined ? [] : [versionOf(former)],
});
const NEWER = told({ stamp: 25 });
const HELD_BELOW = over(REMOVED, { heldUntil: 99 }, NEWER);
const HELD = over(REMOVED, { heldUntil: 99 }, FOUND);

async function requestsAfter(
  previous: HeadRecord | undefined,
  record: HeadRecord | undefined,
  { isNewInStore = true, isLocked = false, effects = [] as readonly Effect[] } = {},
): Promise<readonly unknown[]> {
  const asked: unknown[] = [];
  const deletions = createDeletions({
    hand: {
      sign: (template: EventTemplate) =>
        isLocked ? Promise.reject(new Error('locked')) : Promise.resolve(template as VerifiedEvent),
    },
    network: () => ({
      follow: (dTag, id, { kind, created_at, tags }: NostrEvent) =>
        void asked.push([dTag, id, kind, created_at, tags]),
    }),
  });
  deletions.changed({ dTag: D_TAG, previous, record, effects, isNewInStore, isStored: true });
  await new Promise(setImmediate);
  return asked;
}

const request = (tombstone: VerifiedEvent, removed: VerifiedEvent): readonly unknown[] => [
  D_TAG,
  tombstone.id,
  5,
  tombstone.created_at - 1,
  [
    ['e', removed.id],
    ['k', '30078'],
  ],
];

test.each<[string, HeadRecord | undefined, HeadRecord | undefined, readonly unknown[]]>([
  ['of a value', over(VALUE), over(REMOVED, {}), [request(REMOVED, VALUE)]],
  ['of what turned up while it was held', HELD, over(REMOVED, {}, FOUND), [request(REMOVED, FOUND)]],
  ['of that, above which it was stamped anew', HELD, over(AGAIN, {}, FOUND), [request(AGAIN, FOUND)]],
  ['of nothing', undefined, over(REMOVED, {}), []],
  ['of nothing that turned up', over(REMOVED, { heldUntil: 99 }), over(REMOVED, {}), []],
  ['that goes out below what turned up', HELD_BELOW, over(REMOVED, {}, NEWER), []],
  ['that is still held', over(VALUE), HELD, []],
  ['that is out already', over(REMOVED, {}, VALUE), over(REMOVED, { acknowledged: true }, VALUE), []],
  ['of another device', over(VALUE), over(THEIRS), []],
  ['that was withdrawn', over(REMOVED, {}), undefined, []],
  ['that is none', over(VALUE), over(told({ stamp: 30, by: OURS }), {}), []],
])('a removal %s', async (_, previous, record, expected) => {
  expect(await requestsAfter(previous, record)).toEqual(expected);
});

test('one that says again what is out already asks for nothing more', async () => {
  const effects: readonly Effect[] = [{ type: 'advanced', event: AGAIN, renews: REMOVED.id }];
  expect(await requestsAfter(over(REMOVED, {}, VALUE), over(AGAIN, {}, VALUE), { effects })).toEqual([]);
  expect(await requestsAfter(HELD, over(AGAIN, {}, FOUND), { effects })).toEqual([request(AGAIN, FOUND)]);
});

test('that of another tab is asked for by that tab, and without a signer it is not asked for', async () => {
  expect(await requestsAfter(over(VALUE), over(REMOVED, {}), { isNewInStore: false })).toEqual([]);
  expect(await requestsAfter(over(VALUE), over(REMOVED, {}), { isLocked: true })).toEqual([]);
});
