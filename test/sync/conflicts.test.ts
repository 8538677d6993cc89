/** Which conflicts the app is told of, when, and with which values: without engine, signer or store. */

import { expect, test } from 'vitest';
import { NostrSyncError, type ErrorCode } from '../../src/errors.ts';
import { toDTag } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { createConflicts, type Conflicts } from '../../src/sync/conflicts.ts';
import { createEmitter, type Conflict, type FetchResult } from '../../src/sync/events.ts';
import type { Effect } from '../../src/sync/heads/input.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { OUR_HASH, OURS, told } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const OTHER = toDTag('default', 'other');
const STAMP = 1_767_225_600;

const MINE = told({ stamp: STAMP, by: OURS });
const THEIRS = told({ stamp: STAMP + 1 });
const NEWER_BLIND = told({ stamp: STAMP + 2 });
const NEWER_SEEING = told({ stamp: STAMP + 2, seen: { [OURS]: STAMP } });

const conflict = (theirs: VerifiedEvent, mine = MINE): Effect => ({ type: 'conflict', mine, theirs });
const advanced = (event: VerifiedEvent): Effect => ({ type: 'advanced', event });

/** The record once `head` has come; our own write was MINE. */
const recordOf = (head: VerifiedEvent): HeadRecord => ({
  ...EMPTY_RECORD,
  head: versionOf(head),
  own: { device: OUR_HASH, id: MINE.id, stamp: STAMP, acknowledged: false, lost: head !== MINE },
});

interface Bench {
  readonly conflicts: Conflicts;
  readonly heard: Conflict[];
  /** Ids of events, in the order in which they were read. */
  readonly read: string[];
  /** Why events cannot be read now, by id. */
  readonly faults: Map<string, ErrorCode>;
  /** Ends the app's listening. */
  readonly deafen: () => void;
  /** `head` takes the place of the head, with these conflicts. */
  come(head: VerifiedEvent, ...lost: readonly Effect[]): void;
}

function setUp(): Bench {
  const emitter = createEmitter();
  const heard: Conflict[] = [];
  const read: string[] = [];
  const faults: Bench['faults'] = new Map();
  const deafen = emitter.on('conflict', (one) => heard.push(one));
  const conflicts = createConflicts({
    emitter,
    decode: async ({ id }, dTag, source) => {
      read.push(id);
      const code = faults.get(id);
      if (code !== undefined) throw new NostrSyncError(code as 'STORE_FAILED', 'cannot be read');
      return Promise.resolve({ eventId: id, category: dTag, source } as unknown as FetchResult);
    },
  });
  const come: Bench['come'] = (head, ...lost) =>
    conflicts.changed(D_TAG, recordOf(head), [advanced(head), ...lost]);
  return { conflicts, heard, read, faults, deafen, come };
}

test('a write that another has overwritten is told of once, with both values', async () => {
  const { conflicts, heard, come } = setUp();
  come(THEIRS, conflict(THEIRS));
  expect(heard).toEqual([]);
  await conflicts.told(D_TAG);
  expect(heard).toMatchObject([
    {
      category: 'settings',
      mine: { eventId: MINE.id, source: 'local' },
      theirs: { eventId: THEIRS.id, source: 'relay' },
      shown: 'theirs',
    },
  ]);
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(heard).toHaveLength(1);
});

test('a blind write that beats what it had not seen is told of as what is shown, and no head has to come', async () => {
  const { conflicts, heard } = setUp();
  const older = told({ stamp: STAMP - 1 });
  conflicts.changed(D_TAG, recordOf(MINE), [conflict(older)]);
  await conflicts.told(D_TAG);
  expect(heard).toMatchObject([{ mine: { eventId: MINE.id }, theirs: { eventId: older.id }, shown: 'mine' }]);
});

test('nothing is read if the app does not listen, and nothing is kept for later', async () => {
  const { conflicts, read, deafen, come } = setUp();
  deafen();
  come(THEIRS, conflict(THEIRS));
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(read).toEqual([]);
});

test('a write that is overwritten without a new head is not told of: the head is as it was', () => {
  const { conflicts, read } = setUp();
  conflicts.changed(D_TAG, recordOf(THEIRS), [conflict(THEIRS)]);
  expect(read).toEqual([]);
});

test('of several that came together the newest counts', async () => {
  const { conflicts, heard, come } = setUp();
  come(NEWER_BLIND, conflict(THEIRS));
  await conflicts.told(D_TAG);
  expect(heard).toMatchObject([{ theirs: { eventId: NEWER_BLIND.id } }]);
});

test('nothing was lost if the newest of several had seen the write', async () => {
  const { conflicts, heard, read, come } = setUp();
  come(NEWER_SEEING, conflict(THEIRS));
  await conflicts.told(D_TAG);
  expect([heard, read]).toEqual([[], []]);
});

test.each<ErrorCode>(['INCOMPLETE', 'DECRYPTION_FAILED', 'SIGNER_NOT_SET', 'STORE_FAILED'])(
  'after %s it is told of once it can be read',
  async (code) => {
    const { conflicts, heard, faults, come } = setUp();
    faults.set(THEIRS.id, code);
    come(THEIRS, conflict(THEIRS));
    await conflicts.told(D_TAG);
    faults.clear();
    conflicts.retry(OTHER);
    await conflicts.told(D_TAG);
    expect(heard).toEqual([]);
    conflicts.retry(D_TAG);
    await conflicts.told(D_TAG);
    expect(heard).toHaveLength(1);
  },
);

test('one of each category is tried again when another signer is set', async () => {
  const { conflicts, heard, faults } = setUp();
  faults.set(THEIRS.id, 'SIGNER_NOT_SET');
  for (const dTag of [D_TAG, OTHER])
    conflicts.changed(dTag, recordOf(THEIRS), [advanced(THEIRS), conflict(THEIRS)]);
  await Promise.all([D_TAG, OTHER].map(conflicts.told));
  faults.clear();
  conflicts.retry();
  await Promise.all([D_TAG, OTHER].map(conflicts.told));
  expect(heard.map(({ category }) => category)).toEqual(['settings', 'other']);
});

test('what can never be read is not told of, and not tried again', async () => {
  const { conflicts, read, faults, come } = setUp();
  faults.set(MINE.id, 'UNDECODABLE');
  come(THEIRS, conflict(THEIRS));
  await conflicts.told(D_TAG);
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(read).toEqual([MINE.id]);
});

test('one that is read twice at a time, for two signers, is told of once', async () => {
  const { conflicts, heard, read, come } = setUp();
  come(THEIRS, conflict(THEIRS));
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(read).toEqual([MINE.id, MINE.id, THEIRS.id, THEIRS.id]);
  expect(heard).toHaveLength(1);
});

test('one that waits is told with what has overwritten it by then', async () => {
  const { conflicts, heard, faults, come } = setUp();
  faults.set(THEIRS.id, 'INCOMPLETE');
  come(THEIRS, conflict(THEIRS));
  await conflicts.told(D_TAG);
  come(NEWER_BLIND);
  await conflicts.told(D_TAG);
  expect(heard).toMatchObject([{ mine: { eventId: MINE.id }, theirs: { eventId: NEWER_BLIND.id } }]);
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(heard).toHaveLength(1);
});

test('one that waits is forgotten once what comes had seen the write', async () => {
  const { conflicts, heard, faults, come } = setUp();
  faults.set(THEIRS.id, 'INCOMPLETE');
  come(THEIRS, conflict(THEIRS));
  await conflicts.told(D_TAG);
  come(NEWER_SEEING);
  faults.clear();
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(heard).toEqual([]);
});

test('one that waits is read again when the same head has become whole', async () => {
  const { conflicts, heard, faults, come } = setUp();
  faults.set(THEIRS.id, 'INCOMPLETE');
  come(THEIRS, conflict(THEIRS));
  await conflicts.told(D_TAG);
  faults.clear();
  come(THEIRS);
  await conflicts.told(D_TAG);
  expect(heard).toMatchObject([{ theirs: { eventId: THEIRS.id } }]);
});

test('one that waits is not touched by what comes in another category', async () => {
  const { conflicts, heard, faults, come } = setUp();
  faults.set(THEIRS.id, 'INCOMPLETE');
  come(THEIRS, conflict(THEIRS));
  await conflicts.told(D_TAG);
  conflicts.changed(OTHER, recordOf(NEWER_SEEING), [advanced(NEWER_SEEING)]);
  faults.clear();
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(heard).toHaveLength(1);
});

test('what a blind write has beaten stays beaten, whatever comes before it can be told of', async () => {
  const { conflicts, heard, faults, come } = setUp();
  const older = told({ stamp: STAMP - 1 });
  faults.set(older.id, 'INCOMPLETE');
  conflicts.changed(D_TAG, recordOf(MINE), [conflict(older)]);
  await conflicts.told(D_TAG);
  come(NEWER_SEEING);
  faults.clear();
  conflicts.retry();
  await conflicts.told(D_TAG);
  expect(heard).toMatchObject([{ theirs: { eventId: older.id }, shown: 'mine' }]);
});

test('what is read of another category is not waited for', async () => {
  const emitter = createEmitter();
  emitter.on('conflict', () => undefined);
  const conflicts = createConflicts({ emitter, decode: () => new Promise(() => undefined) });
  conflicts.changed(OTHER, recordOf(THEIRS), [advanced(THEIRS), conflict(THEIRS)]);
  await expect(conflicts.told(D_TAG)).resolves.toBeUndefined();
});
