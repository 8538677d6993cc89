/** One relay's queue: what is sent, what is not sent twice, and how fast. */

import { expect, test } from 'vitest';
import type { Answer } from '../../src/protocol/answer.ts';
import type { NostrEvent, VerifiedEvent } from '../../src/protocol/event.ts';
import {
  MAX_IN_FLIGHT,
  MAX_PIECES_IN_FLIGHT,
  RATE_LIMIT_PAUSE_MS,
  RETRY_CAP_MS,
} from '../../src/protocol/limits.ts';
import { retryMs } from '../../src/relay/backoff.ts';
import { headItem, pieceItem, type Item } from '../../src/sync/relays/item.ts';
import { createQueue, type Queue } from '../../src/sync/relays/queue.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { anAddress } from '../names.ts';

const OK: Answer = { type: 'acknowledged' };
const SLOW_DOWN: Answer = { type: 'rate-limited', reason: '' };
const HEAD = headItem(anAddress('default/settings/v1'));
const randomBytes = (length: number): Uint8Array => new Uint8Array(length);
const event = { id: 'e', created_at: 1 } as VerifiedEvent;

interface Bench {
  readonly clock: TestClock;
  readonly queue: Queue;
  /** Keys, in the order in which it was their turn. */
  readonly turns: string[];
  /** What the relay answers, to one event after the other. */
  readonly answers: ((answer: Answer) => void)[];
}

function open(isWanted: (item: Item) => boolean = () => true): Bench {
  const clock = createTestClock();
  const turns: string[] = [];
  const answers: Bench['answers'] = [];
  const relay = {
    publish: () => new Promise<Answer>((resolve) => void answers.push(resolve)),
  };
  const send = (item: Item): void => {
    turns.push(item.key);
    queue.occupy(item, 'v1');
  };
  const queue = createQueue(relay, { clock, randomBytes, isWanted, send });
  queue.open();
  return { clock, queue, turns, answers };
}

/** Sends it, and has it answered. */
async function sent({ queue, answers }: Bench, item: Item, version: string, answer: Answer): Promise<void> {
  const sending = queue.transmit(item, version, event);
  answers.shift()!(answer);
  await sending;
  queue.vacate(item, version);
}

test('the head and a piece of one category are two items', () => {
  const { queue, turns } = open();
  const piece = pieceItem(HEAD.dTag, 'ab'.repeat(16));
  queue.schedule(HEAD, 0);
  queue.schedule(piece, 10);
  queue.unschedule(headItem(HEAD.dTag));
  expect(turns).toEqual([HEAD.key]);
  expect([queue.isScheduled(HEAD), queue.isScheduled(piece)]).toEqual([false, true]);
});

test('a version that is in flight is not sent again before its answer is saved, and a newer one is', async () => {
  const bench = open();
  const { queue, turns, answers } = bench;
  queue.scheduleOnce(HEAD, 'v1');
  const sending = queue.transmit(HEAD, 'v1', event);
  queue.scheduleOnce(headItem(HEAD.dTag), 'v1');
  answers.shift()!(OK);
  await sending;
  queue.scheduleOnce(HEAD, 'v1');
  expect(turns).toEqual([HEAD.key]);
  queue.scheduleOnce(HEAD, 'v2');
  expect(turns).toEqual([HEAD.key, HEAD.key]);
});

test('what was sent three times and is still owed waits, until it is forgotten', async () => {
  const bench = open();
  for (let i = 0; i < 3; i++) {
    bench.queue.scheduleOnce(HEAD, 'v1');
    await sent(bench, HEAD, 'v1', OK);
  }
  bench.queue.scheduleOnce(HEAD, 'v1');
  expect(bench.turns).toHaveLength(3);
  await bench.clock.advance(retryMs(0, randomBytes) - 1);
  expect(bench.turns).toHaveLength(3);
  await bench.clock.advance(1);
  expect(bench.turns).toHaveLength(4);
  bench.queue.vacate(HEAD, 'v1');
  bench.queue.forget(HEAD);
  bench.queue.scheduleOnce(HEAD, 'v1');
  expect(bench.turns).toHaveLength(5);
});

test('so many are in flight at once, of pieces fewer, in the order in which they were scheduled', () => {
  const { queue, turns } = open();
  const pieces = Array.from({ length: MAX_PIECES_IN_FLIGHT + 1 }, (_, i) =>
    pieceItem(HEAD.dTag, String(i).padStart(32, '0')),
  );
  for (const piece of pieces) queue.schedule(piece, 0);
  expect(turns).toEqual(pieces.slice(0, -1).map(({ key }) => key));
  queue.vacate(pieces[0]!, 'v1');
  queue.pump();
  expect(turns).toEqual(pieces.map(({ key }) => key));

  const heads = open();
  for (let i = 0; i <= MAX_IN_FLIGHT; i++) heads.queue.schedule(headItem(anAddress(`default/${i}/v1`)), 0);
  expect(heads.turns).toHaveLength(MAX_IN_FLIGHT);
});

test('what is not wanted, or comes while it is shut, is not scheduled; what was delayed is gone with the connection', async () => {
  const unwanted = open(() => false);
  unwanted.queue.schedule(HEAD, 0);
  expect(unwanted.turns).toEqual([]);

  const { queue, turns, clock } = open();
  queue.schedule(HEAD, 10);
  queue.shut();
  queue.schedule(headItem(anAddress('default/other/v1')), 0);
  queue.open();
  await clock.advance(1_000);
  expect(turns).toEqual([]);
});

test('what is delayed goes at once if it is hurried', () => {
  const { queue, turns } = open();
  queue.schedule(HEAD, 100_000);
  queue.hurry();
  expect(turns).toEqual([HEAD.key]);
});

test('a relay that says rate-limited is left alone, once for all that was under way, and then written to more slowly', async () => {
  const bench = open();
  const { queue, turns, answers, clock } = bench;
  const sendings = [HEAD, headItem(anAddress('default/b/v1'))].map((item) => {
    queue.schedule(item, 0);
    return queue.transmit(item, 'v1', event);
  });
  for (const answer of answers.splice(0)) answer(SLOW_DOWN);
  await Promise.all(sendings);
  for (const name of ['c', 'd']) queue.schedule(headItem(anAddress(`default/${name}/v1`)), 0);
  await clock.advance(RATE_LIMIT_PAUSE_MS - 1);
  expect(turns).toHaveLength(2);
  await clock.advance(1);
  expect(turns).toHaveLength(3);
  await clock.advance(4_999);
  expect(turns).toHaveLength(3);
  await clock.advance(1);
  expect(turns).toHaveLength(4);
});

test('what was not taken is sent again after a while: by the answer, and by how often it was sent', () => {
  const { queue, clock } = open();
  const reason = '';
  const stamped = { created_at: clock.now() / 1000 + 3_600 } as NostrEvent;
  const again = (type: 'retry' | 'clock' | 'auth-required' | 'rate-limited', count: number): number =>
    queue.againMs(stamped, { answer: { type, reason }, count });
  expect(again('retry', 1)).toBe(retryMs(0, randomBytes));
  expect(again('retry', 4)).toBe(retryMs(3, randomBytes));
  expect(again('clock', 1)).toBe(3_600_000);
  expect(again('auth-required', 1)).toBe(RETRY_CAP_MS);
  expect(again('rate-limited', 9)).toBe(0);
});
