/** What the app is told of a merge, also if what was written has been replaced by then. */

import { expect, test } from 'vitest';
import { NostrSyncError } from '../../src/errors.ts';
import type { FetchResult } from '../../src/sync/events.ts';
import { createEmitter } from '../../src/sync/events.ts';
import { createMergeNews } from '../../src/sync/merging/news.ts';
import type { Merged } from '../../src/sync/merging/composing.ts';
import { anAddress } from '../names.ts';
import { IN_PIECES, told } from './records.ts';

const D = anAddress('default/settings/v1');
const CLASH = { path: ['f'], reason: 'both-changed', mine: 1, theirs: 2 } as const;

function news(fail: (id: string) => Error | undefined) {
  const emitter = createEmitter();
  const merged: unknown[] = [];
  emitter.on('merged', (one) => merged.push(one));
  const decode = async ({ id }: { readonly id: string }): Promise<FetchResult> => {
    const error = fail(id);
    if (error !== undefined) throw error;
    return { eventId: id, payload: 'read' } as unknown as FetchResult;
  };
  return { merged, ...{ of: createMergeNews({ emitter, decode, deviceId: () => 'here' }) } };
}

const gone = (): NostrSyncError =>
  new NostrSyncError('UNDECODABLE', 'a piece is lost', { details: { category: 'settings', eventId: '' } });

/** A write with a clash, upon `head`. */
const made = (head: ReturnType<typeof told>): Merged =>
  ({
    text: '{"f":2}',
    joined: { head, headValue: { f: 1 }, parts: [], clashes: [CLASH], base: 'exact', baseEvent: undefined },
  }) as unknown as Merged;

test('what was given up is told though the written value has lost its pieces, which another has replaced since', async () => {
  const [head, saved] = [told({ stamp: 10, tags: IN_PIECES }), told({ stamp: 11, tags: IN_PIECES })];
  const { merged, of } = news(gone);
  await of.merged(D, made(head), saved);
  expect(merged).toMatchObject([
    { value: { eventId: saved.id, payload: { f: 2 } }, parts: [{ payload: { f: 1 } }], clashes: [CLASH] },
  ]);
});

test('what waits for a signer is told once that can read, and what nobody can read is not', async () => {
  const [head, saved] = [told({ stamp: 10 }), told({ stamp: 11 })];
  let error: Error | undefined = new NostrSyncError('SIGNER_NOT_SET', 'locked');
  const waiting = news(() => error);
  await waiting.of.merged(D, made(head), saved);
  expect(waiting.merged).toEqual([]);
  error = undefined;
  waiting.of.signerChanged();
  await Promise.resolve().then(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(waiting.merged).toMatchObject([{ value: { payload: 'read' } }]);
  const hopeless = news(gone);
  await hopeless.of.merged(D, made(head), saved);
  expect(hopeless.merged).toEqual([]);
});
