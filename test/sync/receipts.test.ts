/** Who waits for a write that is saved, and what each is answered: without engine, relay or store. */

import { expect, test, vi } from 'vitest';
import type { RelayUrl } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { PUBLISH_TIMEOUT_MS } from '../../src/protocol/limits.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import type { Receipt } from '../../src/sync/events.ts';
import type { Effect } from '../../src/sync/heads/input.ts';
import { EMPTY_RECORD, type Delivery, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createReceipts, type Receipts } from '../../src/sync/receipts.ts';
import type { Write } from '../../src/sync/write.ts';
import { aRelay, anAddress } from '../names.ts';
import { written } from './devices.ts';

const [A, B] = [aRelay('wss://a.example'), aRelay('wss://b.example')] as const;
const D_TAG = anAddress('default/settings/v1');

function recordOf(event: VerifiedEvent, deliveries: Record<string, Delivery>): HeadRecord {
  return {
    ...EMPTY_RECORD,
    head: versionOf(event),
    deliveries: new Map(Object.entries(deliveries).map(([url, delivery]) => [aRelay(url), delivery])),
    own: { device: 'd', id: event.id, stamp: event.created_at, acknowledged: false, lost: false },
  };
}

const writeOf = (more: Partial<Write> = {}): Write => ({
  ...{ text: '1', expiration: undefined, isRemoval: false, waitFor: 'delivered' },
  ...{ signal: undefined, onSaved: undefined },
  ...more,
});

function setUp(relays: readonly RelayUrl[] = [A, B]) {
  const event = written() as VerifiedEvent;
  const clock = createTestClock();
  const known = { record: recordOf(event, {}), relays, isReachable: true };
  const apply = vi.fn(async (): Promise<readonly Effect[]> => [{ type: 'withdrawn' }]);
  const receipts = createReceipts({
    clock,
    replica: { get: () => known.record, apply },
    relays: () => known.relays,
    isReachable: () => known.isReachable,
  });
  const answers: (Receipt | { readonly code: string; readonly details: unknown })[] = [];
  const wait = (write?: Partial<Write>): void => {
    receipts.wait(D_TAG, event, writeOf(write)).then(
      (receipt) => answers.push(receipt),
      (error: unknown) => answers.push(error as { readonly code: string; readonly details: unknown }),
    );
  };
  /** The relays have come to this. */
  const come = async (deliveries: Record<string, Delivery>): Promise<void> => {
    known.record = recordOf(event, deliveries);
    receipts.changed({ dTag: D_TAG, effects: [] });
    await clock.advance(0);
  };
  return { event, clock, known, apply, receipts, answers, wait, come };
}

const refuse = (receipts: Receipts, event: VerifiedEvent, relay: RelayUrl, reason: string): void =>
  receipts.answered(D_TAG, relay, event, { type: 'refused', reason });

test('each is answered at the stage that it waits for', async () => {
  const { answers, wait, come, clock } = setUp();
  for (const waitFor of ['replicated', 'delivered', 'saved'] as const) wait({ waitFor });
  await come({});
  expect(answers).toMatchObject([{ stage: 'saved' }]);
  await come({ [A]: 'acknowledged' });
  expect(answers).toMatchObject([
    { stage: 'saved' },
    { stage: 'delivered', relays: { [A]: 'acknowledged', [B]: 'pending' } },
  ]);
  await come({ [A]: 'confirmed', [B]: 'confirmed' });
  expect(answers.at(-1)).toMatchObject({ stage: 'replicated' });
  expect(clock.pending).toBe(0);
});

test('after its time what is known is the answer, and no timer stays', async () => {
  const { clock, answers, wait } = setUp();
  wait();
  await clock.advance(PUBLISH_TIMEOUT_MS - 1);
  expect(answers).toEqual([]);
  await clock.advance(1);
  expect(answers).toMatchObject([{ stage: 'saved' }]);
  expect(clock.pending).toBe(0);
});

test('nobody waits for relays that cannot be reached', async () => {
  const { known, answers, wait, come } = setUp();
  wait();
  known.isReachable = false;
  await come({});
  expect(answers).toMatchObject([{ stage: 'saved' }]);
});

test('refused by all, it is withdrawn with the notes of all who wait, and each is told why', async () => {
  const { event, apply, receipts, answers, wait, come } = setUp();
  wait({ note: () => [['note/1', 'text']] });
  wait({ note: () => [['note/2', 'text']] });
  refuse(receipts, event, A, 'blocked: no');
  await come({ [A]: 'refused' });
  expect(answers).toEqual([]);
  await come({ [A]: 'refused', [B]: 'refused' });
  const error = { code: 'NO_RELAYS_ACCEPTED', details: { reasons: { [A]: 'blocked: no', [B]: 'refused' } } };
  expect(answers).toMatchObject([error, error]);
  expect(apply).toHaveBeenCalledTimes(1);
  const [[, input]] = apply.mock.calls as unknown as [[string, { id: string; along: () => unknown }]];
  expect(input.id).toBe(event.id);
  expect(input.along()).toEqual([
    ['note/1', null],
    ['note/2', null],
  ]);
});

test('a relay that was removed meanwhile may have it: then it is not withdrawn', async () => {
  const { known, apply, wait, come } = setUp();
  wait();
  known.relays = [B];
  await come({ [B]: 'refused' });
  expect(apply).not.toHaveBeenCalled();
});

test('what a relay says of an older write is no reason for this one, and takes none away', async () => {
  const { event, receipts, answers, wait, come } = setUp();
  const older = written({ created_at: event.created_at - 1 }) as VerifiedEvent;
  wait();
  refuse(receipts, event, A, 'blocked: no');
  refuse(receipts, older, B, 'blocked: not then');
  refuse(receipts, event, B, 'blocked: never');
  await come({ [A]: 'refused', [B]: 'refused' });
  expect(answers).toMatchObject([{ details: { reasons: { [A]: 'blocked: no', [B]: 'blocked: never' } } }]);
});

test('what one call was told is saved is not withdrawn under another', async () => {
  const { apply, answers, wait, come } = setUp();
  wait({ waitFor: 'saved' });
  wait();
  await come({ [A]: 'refused', [B]: 'refused' });
  expect(apply).not.toHaveBeenCalled();
  expect(answers).toMatchObject([{ stage: 'saved' }, { stage: 'saved' }]);
});

test('nor if a call for an older write has its answer after that', async () => {
  const { event, clock, known, receipts, apply, answers, wait, come } = setUp();
  const older = written({ created_at: event.created_at - 1 }) as VerifiedEvent;
  known.record = recordOf(older, {});
  void receipts.wait(D_TAG, older, writeOf()).then((receipt) => answers.push(receipt));
  await clock.advance(PUBLISH_TIMEOUT_MS / 2);
  known.record = recordOf(event, {});
  wait({ waitFor: 'saved' });
  wait();
  await clock.advance(PUBLISH_TIMEOUT_MS / 2);
  expect(answers).toMatchObject([{ eventId: event.id }, { eventId: older.id }]);
  await come({ [A]: 'refused', [B]: 'refused' });
  expect(apply).not.toHaveBeenCalled();
  expect(answers).toHaveLength(3);
});

test('that holds under its next stamp as well', async () => {
  const { event, known, apply, receipts, answers, wait } = setUp();
  wait({ waitFor: 'saved' });
  wait();
  const again = written({ created_at: event.created_at + 1 }) as VerifiedEvent;
  known.record = recordOf(again, { [A]: 'refused', [B]: 'refused' });
  receipts.changed({ dTag: D_TAG, effects: [{ type: 'advanced', event: again, renews: event.id }] });
  await Promise.resolve();
  expect(apply).not.toHaveBeenCalled();
  expect(answers).toMatchObject([{ eventId: event.id }, { eventId: again.id }]);
});

test.each<[string, number, () => Promise<readonly Effect[]>]>([
  ['the store fails', 0, () => Promise.reject(new Error('full'))],
  ['a newer write was saved before that', PUBLISH_TIMEOUT_MS, async () => []],
])('what could not be withdrawn since %s stays saved, which is said after %i ms', async (_, ms, withdraw) => {
  const { known, apply, answers, wait, come, clock } = setUp();
  const newer = written({ created_at: 1_800_000_000 }) as VerifiedEvent;
  apply.mockImplementation(() => {
    known.record = recordOf(newer, {});
    return withdraw();
  });
  wait();
  await come({ [A]: 'refused', [B]: 'refused' });
  await clock.advance(ms);
  expect(answers).toMatchObject([{ stage: 'saved', supersededBy: newer.id }]);
});

test('an abort, and the end of the engine, end the waiting with what is known', async () => {
  const { receipts, answers, wait, clock } = setUp();
  const abort = new AbortController();
  wait({ signal: abort.signal });
  wait();
  abort.abort();
  await clock.advance(0);
  expect(answers).toMatchObject([{ stage: 'saved' }]);
  receipts.close();
  await clock.advance(0);
  expect(answers).toMatchObject([{ stage: 'saved' }, { stage: 'saved' }]);
});
