/** What relays are asked before a first write goes out: without engine, relay or store. */

import { expect, test, vi } from 'vitest';
import type { RelayUrl } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { FIRST_WRITE_MS } from '../../src/protocol/limits.ts';
import type { Answers } from '../../src/relay/pool.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createFirstWrites } from '../../src/sync/first-writes.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { aRelay, anAddress } from '../names.ts';
import { written } from './devices.ts';

const [A, B] = [aRelay('wss://a.example'), aRelay('wss://b.example')] as const;
const EVENT = written() as VerifiedEvent;
const AGAIN = written({ created_at: EVENT.created_at + 5 }) as VerifiedEvent;

/** A first write that is held; `floor`: above what turned up. */
const held = (floor?: number): HeadRecord => ({
  ...EMPTY_RECORD,
  head: versionOf(EVENT),
  own: {
    ...{ device: 'd', id: EVENT.id, stamp: EVENT.created_at, acknowledged: false, lost: false, heldUntil: 1 },
    ...(floor === undefined ? {} : { floor }),
  },
});

function setUp() {
  const clock = createTestClock();
  const records = new Map<string, HeadRecord>();
  const state = { isReachable: true, isClosed: false, relays: [A, B] as readonly RelayUrl[] };
  let answer: (answers: Answers) => void = () => undefined;
  const ask = vi.fn(() => new Promise<Answers>((resolve) => (answer = resolve)));
  const inputs: Input[] = [];
  /** What comes in between a decision and its save. */
  const beforeSaving: (() => void)[] = [];
  const questions = createFirstWrites({
    clock,
    replica: {
      get: (dTag) => records.get(dTag),
      apply: async (dTag, input) => {
        inputs.push(input);
        beforeSaving.shift()?.();
        records.set(dTag, reconcile(records.get(dTag), input, undefined).record!);
        return [];
      },
    },
    network: () => ({ ask }),
    relays: () => state.relays,
    isReachable: () => state.isReachable,
    isClosed: () => state.isClosed,
    restamp: async () => AGAIN,
  });
  const complete = async (relays: readonly RelayUrl[]): Promise<void> => {
    answer({ complete: relays, incomplete: [A, B].filter((url) => !relays.includes(url)) });
    await clock.advance(0);
  };
  return { clock, records, state, ask, inputs, beforeSaving, questions, complete };
}

test('first writes of one turn ask together, those of the next turn again', async () => {
  const { ask, questions, clock } = setUp();
  expect(questions.explore(anAddress('a'))).toBe(questions.explore(anAddress('b')));
  await clock.advance(0);
  expect(ask.mock.calls).toEqual([[['a', 'b'], 'all']]);
  questions.explore(anAddress('c'));
  await clock.advance(0);
  expect(ask).toHaveBeenCalledTimes(2);
});

test('while relays are asked, a write that is made again asks nothing of its own', async () => {
  const { ask, questions, clock, complete } = setUp();
  const question = questions.explore(anAddress('a'));
  await clock.advance(0);
  expect(questions.explore(anAddress('a'))).toBe(question);
  await clock.advance(0);
  expect(ask).toHaveBeenCalledTimes(1);
  await complete([A]);
  expect(questions.explore(anAddress('a'))).not.toBe(question);
});

test('what is known is not asked for, and without a relay nothing is', async () => {
  const { ask, questions, records, state, clock } = setUp();
  records.set('known', held());
  expect(questions.explore(anAddress('known'))).toBeUndefined();
  state.isReachable = false;
  expect(questions.explore(anAddress('new'))).toMatchObject({ isOpen: false, isAnswered: false });
  await clock.advance(0);
  expect(ask).not.toHaveBeenCalled();
});

test('a write goes out as it is once every configured relay has answered, and no other write asks again', async () => {
  const { questions, records, inputs, complete, clock } = setUp();
  const question = questions.explore(anAddress('a'));
  records.set('a', held());
  await clock.advance(0);
  await complete([A, B]);
  expect(question).toMatchObject({ isOpen: false, isAnswered: true });
  expect(inputs).toEqual([
    { type: 'explored', id: EVENT.id, isBlind: false, again: undefined, upTo: EVENT.created_at },
  ]);
  records.delete('a');
  expect(questions.explore(anAddress('a'))).toBeUndefined();
});

test('with one silent relay it goes out blind, and the next first write asks again', async () => {
  const { questions, records, inputs, complete, clock } = setUp();
  questions.explore(anAddress('a'));
  records.set('a', held());
  await clock.advance(0);
  await complete([A]);
  expect(inputs).toMatchObject([{ isBlind: true }]);
  records.delete('a');
  expect(questions.explore(anAddress('a'))).toMatchObject({ isOpen: true });
});

test('it waits no longer than its time, and what comes later changes nothing', async () => {
  const { questions, records, inputs, complete, clock } = setUp();
  const question = questions.explore(anAddress('a'));
  records.set('a', held());
  await clock.advance(FIRST_WRITE_MS - 1);
  expect(inputs).toEqual([]);
  await clock.advance(1);
  expect(inputs).toMatchObject([{ isBlind: true }]);
  await complete([A, B]);
  expect(question).toMatchObject({ isAnswered: false });
  expect(inputs).toHaveLength(1);
});

test('above what has turned up it gets another stamp', async () => {
  const { questions, records, inputs, complete, clock } = setUp();
  questions.explore(anAddress('a'));
  records.set('a', held(EVENT.created_at + 4));
  await clock.advance(0);
  await complete([A, B]);
  expect(inputs).toMatchObject([{ id: EVENT.id, again: { id: AGAIN.id } }]);
  expect(records.get('a')?.head?.event).toBe(AGAIN);
});

test('what turns up between that and its save is above it no more: it gets another stamp', async () => {
  const { questions, records, inputs, beforeSaving, complete, clock } = setUp();
  questions.explore(anAddress('a'));
  records.set('a', held());
  beforeSaving.push(() => records.set('a', held(EVENT.created_at + 4)));
  await clock.advance(0);
  await complete([A, B]);
  expect(inputs).toMatchObject([{ again: undefined }, { again: { id: AGAIN.id } }]);
  expect(records.get('a')?.head?.event).toBe(AGAIN);
});

test('nothing is let go by an engine that was closed', async () => {
  const { questions, records, state, inputs, complete, clock } = setUp();
  questions.explore(anAddress('a'));
  records.set('a', held());
  await clock.advance(0);
  state.isClosed = true;
  await complete([A, B]);
  expect(inputs).toEqual([]);
});

test('whether there was a reset is asked for as long, and not without a relay', async () => {
  const { questions, state, ask, clock } = setUp();
  const looked = vi.fn();
  void questions.lookForReset(anAddress('a')).then(looked);
  await clock.advance(FIRST_WRITE_MS - 1);
  expect(looked).not.toHaveBeenCalled();
  await clock.advance(1);
  expect(looked).toHaveBeenCalled();
  state.isReachable = false;
  await questions.lookForReset(anAddress('a'));
  expect(ask).toHaveBeenCalledTimes(1);
});

test('with the last relay removed while it is asked it goes out blind: nobody has answered', async () => {
  const { records, state, inputs, questions, complete } = setUp();
  const dTag = anAddress('default/a/v1');
  questions.explore(dTag);
  records.set(dTag, held());
  await Promise.resolve();
  state.relays = [];
  await complete([]);
  expect(inputs).toMatchObject([{ type: 'explored', isBlind: true }]);
  records.delete(dTag);
  expect(questions.explore(dTag)).toBeDefined();
});
