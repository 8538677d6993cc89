/** The clock that stands still until a test moves it. */

import { expect, test } from 'vitest';

import { createTestClock, type TestClock } from '../../src/testing/clock.ts';

function logOf(clock: TestClock): { readonly log: string[]; note(what: string): () => void } {
  const log: string[] = [];
  return { log, note: (what) => () => void log.push(`${what}@${clock.now()}`) };
}

test('stands still, and advances by exactly what it is told', async () => {
  const clock = createTestClock(1_000);
  expect(clock.now()).toBe(1_000);
  await clock.advance(250);
  expect(clock.now()).toBe(1_250);
  await expect(clock.advance(-1)).rejects.toThrow(RangeError);
  await expect(clock.advance(Number.NaN)).rejects.toThrow(RangeError);
});

test('fires due timers in order, each at its own time, equals as they were armed', async () => {
  const clock = createTestClock(0);
  const { log, note } = logOf(clock);
  clock.after(20, note('b'));
  clock.after(10, note('a'));
  clock.after(20, note('c'));
  clock.after(31, note('later'));
  await clock.advance(30);
  expect(log).toEqual(['a@10', 'b@20', 'c@20']);
  expect(clock.pending).toBe(1);
});

test('fires timers that timers arm, within the same advance', async () => {
  const clock = createTestClock(0);
  const { log, note } = logOf(clock);
  clock.after(10, () => clock.after(10, note('nested')));
  clock.after(0, note('at once'));
  clock.after(-5, note('overdue'));
  await clock.advance(20);
  expect(log).toEqual(['at once@0', 'overdue@0', 'nested@20']);
});

test('lets promise chains of any length run between timers', async () => {
  const clock = createTestClock(0);
  const { log, note } = logOf(clock);
  async function chain(length: number): Promise<void> {
    for (let link = 0; link < length; link += 1) await Promise.resolve();
    clock.after(5, note('armed after the chain'));
  }
  void chain(1_000);
  clock.after(1, () => void chain(1_000));
  clock.after(7, note('seven'));
  await clock.advance(10);
  expect(log).toEqual(['armed after the chain@5', 'armed after the chain@6', 'seven@7']);
});

test('a cancelled timer does not fire, and cancelling twice is fine', async () => {
  const clock = createTestClock(0);
  const { log, note } = logOf(clock);
  const cancel = clock.after(10, note('cancelled'));
  clock.after(5, cancel);
  await clock.advance(20);
  cancel();
  expect(log).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('a jump of the time of day in either direction moves no timer', async () => {
  const clock = createTestClock(100_000);
  const { log, note } = logOf(clock);
  clock.after(10, note('due'));
  clock.set(0);
  expect(clock.now()).toBe(0);
  clock.set(1_000_000);
  await clock.advance(9);
  expect(log).toEqual([]);
  await clock.advance(1);
  expect(log).toEqual(['due@1000010']);
});

test('rejects with what a timer throws', async () => {
  const clock = createTestClock(0);
  clock.after(1, () => {
    throw new Error('from the timer');
  });
  await expect(clock.advance(1)).rejects.toThrow('from the timer');
});
