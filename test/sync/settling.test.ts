/** When rivals are merged, and how often: with a merge that always leaves another rival, and one that fails. */

import { describe, expect, test } from 'vitest';
import { NostrSyncError } from '../../src/errors.ts';
import type { Address } from '../../src/protocol/address.ts';
import {
  MAX_MERGE_WAIT_MS,
  MAX_MERGES_IN_A_ROW,
  MERGE_WAITS_MS,
  SIGNER_QUIET_MS,
} from '../../src/protocol/limits.ts';
import { createEmitter } from '../../src/sync/events.ts';
import { keptOf, type Kept } from '../../src/sync/heads/kept.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createSettling, waitOf } from '../../src/sync/merging/settling.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { anAddress } from '../names.ts';
import { IN_PIECES, OURS, ownWrite, told, type Told } from './records.ts';

const D: Address = anAddress('default/settings/v1');
const kept = (of: Told): Kept => keptOf({ event: told(of), pieces: undefined }, undefined, true);
const BASE = kept({ stamp: 5 });
const MINE = told({ stamp: 9, by: OURS, seen: { 'their-device': 5 } });
const OWN = ownWrite(MINE);
const RIVAL = { stamp: 8, by: 'third', seen: { 'their-device': 5 } };

const WHOLE = kept({ ...RIVAL, stamp: 7 });
const IN_PARTS = kept({ ...RIVAL, tags: IN_PIECES });

const recordOf = (more: Partial<HeadRecord>): HeadRecord => ({
  ...EMPTY_RECORD,
  head: versionOf(told({ stamp: 20, by: 'fourth', seen: { 'their-device': 5 } })),
  past: [BASE],
  rivals: [kept(RIVAL)],
  ...more,
});

describe('the wait', () => {
  test.each<[string, number, Partial<HeadRecord>]>([
    [
      'of its author is none to speak of',
      MERGE_WAITS_MS.author,
      { own: OWN, rivals: [keptOf({ event: MINE, pieces: undefined }, undefined, true)] },
    ],
    [
      'of its author is none, whatever is known of the base',
      MERGE_WAITS_MS.author,
      { own: OWN, past: [], rivals: [keptOf({ event: MINE, pieces: undefined }, undefined, true)] },
    ],
    [
      'of a device that has a part in either is longer',
      MERGE_WAITS_MS.party,
      { own: OWN, head: versionOf(MINE) },
    ],
    ['of a mere witness is longer still', MERGE_WAITS_MS.witness, {}],
    ['is the longest if what both had seen is not known exactly', MERGE_WAITS_MS.inexact, { past: [] }],
    [
      'is so for a device with a part in it as well',
      MERGE_WAITS_MS.inexact,
      { own: OWN, head: versionOf(MINE), past: [] },
    ],
  ])('%s', (_, waitMs, more) => {
    const record = recordOf(more);
    expect(waitOf(record, record.rivals[0]!)).toBe(waitMs);
  });
});

/** `merged`: how often a merge was asked for, in ms since the start. The least of each wait, for chance is nothing. */
function settling({
  hasRivals = true,
  isWritten = true,
  isSettled = true,
  error = new Error('unreadable'),
} = {}) {
  const clock = createTestClock();
  const start = clock.now();
  const merged: number[] = [];
  const gathered: string[][] = [];
  let shows = 0;
  const loops: unknown[] = [];
  const state = { hasSigner: true, isSender: true };
  const emitter = createEmitter();
  emitter.on('error', (error) => loops.push(error));
  const own = (): HeadRecord['own'] => ({ ...OWN, id: told({ stamp: 21 + merged.length }).id });
  let record = recordOf({
    own: OWN,
    rivals: hasRivals ? (isSettled ? [kept(RIVAL)] : [IN_PARTS, WHOLE]) : [],
  });
  const one = createSettling({
    ...{
      clock,
      emitter,
      randomBytes: (n: number) => new Uint8Array(n),
      isSettled: () => isSettled,
      isMerged: () => true,
    },
    replica: { get: () => record, peek: () => record, dTags: () => [D] },
    hasSigner: () => state.hasSigner,
    isSender: () => state.isSender,
    gather: async (_, ids) => {
      gathered.push([...ids]);
      return Promise.resolve();
    },
    show: async () => {
      shows += 1;
      return Promise.resolve({ head: record.head!.event.id, ids: new Set([WHOLE.id]) });
    },
    merge: async () => {
      merged.push(clock.now() - start);
      if (!isWritten) throw error;
      // What it writes was made in ignorance of another, which is a rival then.
      record = recordOf({ own: own(), rivals: [kept({ ...RIVAL, stamp: 8 + merged.length })] });
      return Promise.resolve({ id: record.own!.id });
    },
  });
  one.changed({ dTag: D });
  const editElsewhere = (): void => {
    record = recordOf({ own: { ...OWN, id: told({ stamp: 1_000 }).id }, rivals: record.rivals });
  };
  return { clock, merged, gathered, shows: () => shows, loops, state, one, editElsewhere };
}
const gapsOf = (times: readonly number[]): number[] => times.map((at, i) => at - (times[i - 1] ?? 0));

test('each merge without an edit of the app doubles the waits, up to five minutes; the sixth is told of, once', async () => {
  const { clock, merged, loops, one } = settling();
  await clock.advance(3_600_000);
  const { witness } = MERGE_WAITS_MS;
  const expected = [1, 2, 4, 8, 16].map((factor) => Math.min(witness * factor, MAX_MERGE_WAIT_MS));
  expect(gapsOf(merged).slice(0, 5)).toEqual(expected);
  expect(Math.max(...gapsOf(merged))).toBe(MAX_MERGE_WAIT_MS);
  expect(loops).toMatchObject([
    { code: 'MERGE_LOOP', details: { category: 'settings', times: MAX_MERGES_IN_A_ROW } },
  ]);
  // An edit begins from the start.
  one.edited(D);
  const count = merged.length;
  await clock.advance(MAX_MERGE_WAIT_MS + 2 * witness);
  expect(gapsOf(merged)[count + 1]).toBe(2 * witness);
  one.close();
});

test('an edit of the app in another tab, which has written it, ends the row', async () => {
  const { clock, merged, loops, editElsewhere } = settling();
  const { witness } = MERGE_WAITS_MS;
  await clock.advance(31 * witness);
  expect(merged).toHaveLength(5);
  editElsewhere();
  await clock.advance(MAX_MERGE_WAIT_MS + 2 * witness);
  expect(gapsOf(merged)[6]).toBe(2 * witness);
  expect(loops).toEqual([]);
});

test('what cannot be merged is tried less and less often, and is no merge', async () => {
  const { clock, merged, loops } = settling({ isWritten: false });
  await clock.advance(3_600_000);
  const { again, witness } = MERGE_WAITS_MS;
  expect(gapsOf(merged).slice(0, 5)).toEqual([witness, again, 2 * again, 4 * again, 8 * again]);
  expect(Math.max(...gapsOf(merged))).toBe(MAX_MERGE_WAIT_MS);
  expect(loops).toEqual([]);
});

test('what no try can mend is told, once until the app edits', async () => {
  const cause = new NostrSyncError('PAYLOAD_TOO_LARGE', 'too large', { details: { size: 2, limit: 1 } });
  const { clock, loops, one } = settling({ isWritten: false, error: cause });
  await clock.advance(3_600_000);
  expect(loops).toMatchObject([{ code: 'MERGE_FAILED', details: { category: 'settings' }, cause }]);
  one.edited(D);
  await clock.advance(3_600_000);
  expect(loops).toHaveLength(2);
});

test('only the tab that leads merges, and only with a signer: as soon as there is one, and a second of quiet', async () => {
  const { clock, merged, state, one } = settling();
  state.isSender = false;
  await clock.advance(60_000);
  expect(merged).toEqual([]);
  state.isSender = true;
  state.hasSigner = false;
  one.relaysChanged();
  await clock.advance(60_000);
  expect(merged).toEqual([]);
  state.hasSigner = true;
  one.signerChanged();
  // What else changes then does not bring it forward.
  one.changed({ dTag: D });
  one.relaysChanged();
  await clock.advance(900);
  expect(merged).toEqual([]);
  await clock.advance(200);
  expect(merged).toHaveLength(1);
});

test('a clock that is set back makes no wait longer', async () => {
  const { clock, merged } = settling();
  await clock.advance(1_000);
  clock.set(clock.now() - 7_200_000);
  await clock.advance(MERGE_WAITS_MS.witness);
  expect(merged).toHaveLength(1);
});

test('nor a second of quiet', async () => {
  const { clock, merged, one } = settling();
  await clock.advance(MERGE_WAITS_MS.witness - 500);
  one.signerChanged();
  clock.set(clock.now() - 7_200_000);
  await clock.advance(900);
  expect(merged).toEqual([]);
  await clock.advance(200);
  expect(merged).toHaveLength(1);
});

test('if the next edit merges, rivals are shown meanwhile, once; those that cannot be are gathered and tried again', async () => {
  const { clock, merged, gathered, shows, one } = settling({ isSettled: false });
  await clock.advance(MERGE_WAITS_MS.witness - 100);
  expect([one.isDue(D, WHOLE.id), shows()]).toEqual([false, 0]);
  await clock.advance(100);
  // It waits for the edit as long as that takes; what is not whole is looked for again.
  expect([IN_PARTS.id, WHOLE.id].map((id) => one.isDue(D, id))).toEqual([false, true]);
  expect([gathered, shows()]).toEqual([[[IN_PARTS.id, WHOLE.id]], 1]);
  one.changed({ dTag: D });
  await clock.advance(MERGE_WAITS_MS.again);
  expect([gathered.slice(1), shows()]).toEqual([[[IN_PARTS.id]], 2]);
  expect(merged).toEqual([]);
});

test('a tab that has no relays shows rivals too, and asks for no pieces', async () => {
  const { clock, gathered, shows, state } = settling({ isSettled: false });
  state.isSender = false;
  await clock.advance(MERGE_WAITS_MS.witness);
  expect([gathered, shows()]).toEqual([[], 1]);
});

test('with another signer rivals are shown again', async () => {
  const { clock, shows, one } = settling({ isSettled: false });
  await clock.advance(MERGE_WAITS_MS.witness);
  one.signerChanged();
  await clock.advance(SIGNER_QUIET_MS);
  expect(shows()).toBe(2);
});
