/** Calls that wait until nothing is owed to any relay: without engine or relay. */

import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { createFlushes, type Flushes } from '../../src/engine/flushes.ts';
import { createTestClock } from '../../src/testing/clock.ts';

interface Bench {
  readonly flushes: Flushes;
  readonly state: { isDone: boolean };
  /** What the calls were answered, in order. */
  readonly answers: unknown[];
  wait(name: string, signal?: AbortSignal): void;
  /** Lets all go on that does not wait for something else. */
  settle(): Promise<void>;
}

function setUp(isDone = false): Bench {
  const state = { isDone };
  const flushes = createFlushes(() => state.isDone);
  const answers: unknown[] = [];
  const wait = (name: string, signal?: AbortSignal): void =>
    void flushes.wait(signal).then(
      () => answers.push(name),
      (error: unknown) => answers.push(error),
    );
  return { flushes, state, answers, wait, settle: () => createTestClock().advance(0) };
}

test('a call is answered at once if nothing is owed', async () => {
  const { answers, wait, settle } = setUp(true);
  wait('a');
  await settle();
  expect(answers).toEqual(['a']);
});

test('all calls are answered once nothing is owed, and not before', async () => {
  const { flushes, state, answers, wait, settle } = setUp();
  wait('a');
  wait('b');
  flushes.check();
  await settle();
  expect(answers).toEqual([]);
  state.isDone = true;
  flushes.check();
  await settle();
  expect(answers).toEqual(['a', 'b']);
});

test('a call that is aborted rejects with its reason, and the others wait on', async () => {
  const { flushes, state, answers, wait, settle } = setUp();
  const abort = new AbortController();
  wait('a', abort.signal);
  wait('b');
  abort.abort('too long');
  await settle();
  expect(answers).toEqual(['too long']);
  state.isDone = true;
  flushes.check();
  await settle();
  expect(answers).toEqual(['too long', 'b']);
});

test('a signal is listened to no longer than its call waits', async () => {
  const { flushes, state, wait, settle } = setUp();
  const { signal } = new AbortController();
  wait('a', signal);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  state.isDone = true;
  flushes.check();
  await settle();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('the end of the engine rejects every call that waits', async () => {
  const { flushes, answers, wait, settle } = setUp();
  const closed = new Error('closed');
  wait('a');
  wait('b');
  flushes.close(closed);
  await settle();
  expect(answers).toEqual([closed, closed]);
});
