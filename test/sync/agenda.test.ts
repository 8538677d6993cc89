/** One timer for whatever is to be done later. */

import { expect, test } from 'vitest';
import { createAgenda, type Agenda } from '../../src/sync/relays/agenda.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';

function setUp(slackMs = 0): { clock: TestClock; agenda: Agenda; told: (readonly [number, string])[] } {
  const clock = createTestClock();
  const start = clock.now();
  const told: (readonly [number, string])[] = [];
  const agenda = createAgenda(clock, slackMs, (keys) => {
    for (const key of keys) told.push([clock.now() - start, key]);
  });
  agenda.start();
  return { clock, agenda, told };
}

test('tells of each in its time, once, with one timer', async () => {
  const { clock, agenda, told } = setUp();
  for (const [key, delayMs] of [
    ['c', 300],
    ['a', 100],
    ['b', 200],
  ] as const)
    agenda.put(key, delayMs);
  agenda.put('b', 250);
  agenda.put('c', 150);
  agenda.put('removed', 50);
  agenda.remove('removed');
  await clock.advance(120);
  expect([agenda.has('a'), agenda.has('b')]).toEqual([false, true]);
  expect(clock.pending).toBe(1);
  await clock.advance(1_000);
  expect(told).toEqual([
    [100, 'a'],
    [150, 'c'],
    [200, 'b'],
  ]);
  expect(clock.pending).toBe(0);
});

test('takes along what is due soon', async () => {
  const { clock, agenda, told } = setUp(50);
  for (const [key, delayMs] of [
    ['a', 100],
    ['b', 150],
    ['c', 151],
  ] as const)
    agenda.put(key, delayMs);
  await clock.advance(1_000);
  expect(told).toEqual([
    [100, 'a'],
    [100, 'b'],
    [151, 'c'],
  ]);
});

test('tells of nothing while it is stopped, and then of what is due', async () => {
  const { clock, agenda, told } = setUp();
  agenda.put('a', 100);
  agenda.stop();
  expect(clock.pending).toBe(0);
  agenda.put('b', 5_000);
  await clock.advance(1_000);
  expect(told).toEqual([]);
  agenda.start();
  await clock.advance(10);
  expect(told.map(([, key]) => key)).toEqual(['a']);
  expect(agenda.has('b')).toBe(true);
});

test('waits no longer for what is put after the clock was set forward', async () => {
  const { clock, agenda, told } = setUp();
  agenda.put('a', 3_600_000);
  await clock.advance(0);
  clock.set(clock.now() + 3_600_000);
  agenda.put('b', 1_000);
  await clock.advance(1_000);
  expect(told.map(([, key]) => key)).toEqual(['a', 'b']);
});

test('waits no longer where the clock is set back', async () => {
  const { clock, agenda, told } = setUp();
  agenda.put('a', 100);
  agenda.put('b', 5_000);
  clock.set(clock.now() - 3_600_000);
  await clock.advance(200);
  expect(told.map(([, key]) => key)).toEqual(['a']);
  await clock.advance(5_000);
  expect(told.map(([, key]) => key)).toEqual(['a', 'b']);
});
