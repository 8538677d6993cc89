/** What cannot be read since another tab has replaced it is not told of as unreadable. */

import { expect, test } from 'vitest';
import { NostrSyncError } from '../../src/errors.ts';
import { createEmitter } from '../../src/sync/events.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import type { Replica } from '../../src/sync/heads/replica.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createReading } from '../../src/sync/reading.ts';
import type { Content } from '../../src/sync/values/content.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { anAddress } from '../names.ts';
import { IN_PIECES, told } from './records.ts';

const D_TAG = anAddress('settings');
const LARGE = told({ stamp: 10, tags: IN_PIECES });
const NEXT = told({ stamp: 11 });

/** The store's record of the category, as another tab has left it. */
async function readLarge(stored: HeadRecord): Promise<readonly unknown[]> {
  const emitter = createEmitter();
  const reports: unknown[] = [];
  emitter.on('error', ({ code }) => reports.push(code));
  let record: HeadRecord = { ...EMPTY_RECORD, head: versionOf(LARGE) };
  const incomplete = new NostrSyncError('INCOMPLETE', 'Cannot read it: pieces are missing', {
    details: { category: 'settings', eventId: LARGE.id, missing: 1 },
  } as never);
  const reading = createReading({
    ...{ clock: createTestClock(), emitter, isLocal: () => true },
    // Nothing else of these is asked for.
    replica: { get: () => record, apply: async () => [] } as unknown as Replica,
    content: { payloadOf: () => Promise.reject(incomplete) } as unknown as Content,
    lookInStore: async () => void (record = stored),
    carried: () => undefined,
    viewOf: () => undefined,
    onReadable: () => undefined,
    onAgain: () => undefined,
  });
  await expect(reading.decode(LARGE, D_TAG, 'local')).rejects.toBe(incomplete);
  reading.close();
  return reports;
}

test('a value whose pieces another tab has taken away is no report if it is replaced', async () => {
  expect(await readLarge({ ...EMPTY_RECORD, head: versionOf(NEXT) })).toEqual([]);
});

test('and is one if it is still the value', async () => {
  expect(await readLarge({ ...EMPTY_RECORD, head: versionOf(LARGE) })).toEqual(['INCOMPLETE']);
});
