/** What is kept of a relay's behaviour, and how much work it may make. */

import { expect, test } from 'vitest';
import { createEventCount, type EventCount } from '../../src/relay/event-count.ts';
import { createHealth } from '../../src/relay/health.ts';
import { createTestClock } from '../../src/testing/clock.ts';

const START = Date.UTC(2026, 0, 1);

test('a relay that has sent nothing valid has no history', () => {
  expect(createHealth(createTestClock()).report()).toEqual({
    ...{ lastSeen: null, latencyMs: null, lastError: null, violations: {} },
  });
});

test('the last valid frame is its last sign, and an answer also tells the round trip', async () => {
  const clock = createTestClock(START);
  const health = createHealth(clock);
  health.seen();
  expect(health.report()).toMatchObject({ lastSeen: '2026-01-01T00:00:00.000Z', latencyMs: null });
  await clock.advance(1_500);
  health.seen(START + 1_250);
  expect(health.report()).toMatchObject({ lastSeen: '2026-01-01T00:00:01.500Z', latencyMs: 250 });
  await clock.advance(1_000);
  health.seen();
  expect(health.report()).toMatchObject({ lastSeen: '2026-01-01T00:00:02.500Z', latencyMs: 250 });
});

test('a clock that was set back makes no round trip negative', () => {
  const clock = createTestClock(START);
  const health = createHealth(clock);
  clock.set(START - 10_000);
  health.seen(START);
  expect(health.report().latencyMs).toBe(0);
});

test('the last complaint is kept, and violations are counted by kind', () => {
  const health = createHealth(createTestClock());
  for (const reason of ['first', 'second']) health.complained(reason);
  for (const kind of ['frame', 'answer', 'frame'] as const) health.violation(kind);
  expect(health.report()).toMatchObject({ lastError: 'second', violations: { frame: 2, answer: 1 } });
});

test('a report does not change with what comes later', () => {
  const health = createHealth(createTestClock());
  health.violation('frame');
  const { violations } = health.report();
  health.violation('frame');
  expect(violations).toEqual({ frame: 1 });
});

test('10,000 of work in a minute are borne, one more is too much, and the count starts again', () => {
  const health = createHealth(createTestClock());
  expect(health.burden(10_000)).toBe(false);
  expect(health.burden(1)).toBe(true);
  expect(health.burden(10_000)).toBe(false);
});

test.each([
  ['a minute later', 60_001, false],
  ['within the minute', 60_000, true],
  ['after the clock was set back by more than a minute', -60_001, false],
])('work that comes %s counts apart: %s ms', (_, ms, isTooMuch) => {
  const clock = createTestClock(START);
  const health = createHealth(clock);
  health.burden(10_000);
  clock.set(START + ms);
  expect(health.burden(1)).toBe(isTooMuch);
});

/** A count of a REQ for three events, and the work that was charged. */
function count(): {
  readonly count: EventCount;
  readonly work: number[];
  readonly violations: () => object;
  readonly lastSeen: () => string | null;
} {
  const health = createHealth(createTestClock());
  const work: number[] = [];
  return {
    count: createEventCount(3, health, (one) => work.push(one)),
    work,
    violations: () => health.report().violations,
    lastSeen: () => health.report().lastSeen,
  };
}

test('as many events as were asked for cost nothing; news beyond them do', () => {
  const { count: made, work } = count();
  expect(Array.from({ length: 5 }, () => made.take('useful'))).toEqual([true, true, true, true, true]);
  expect([work, made.isFlood()]).toEqual([[5, 5], false]);
});

test('an event of use is a sign of the relay, any other is none', () => {
  const { count: made, lastSeen } = count();
  for (const verdict of ['useless', 'id', 'signature'] as const) made.take(verdict);
  expect(lastSeen()).toBeNull();
  made.take('useful');
  expect(lastSeen()).not.toBeNull();
});

test('a useless event beyond the ones that were asked for was not asked for', () => {
  const { count: made, work, violations } = count();
  expect(Array.from({ length: 4 }, () => made.take('useless'))).toEqual([true, true, true, false]);
  expect([work, violations()]).toEqual([[], {}]);
});

test('a bad event is a violation, and a bad signature costs most', () => {
  const { count: made, work, violations } = count();
  made.take('id');
  expect(work).toEqual([]);
  expect(made.take('signature')).toBe(true);
  expect([work, violations()]).toEqual([[100], { id: 1, signature: 1 }]);
});

test.each(['useless', 'signature'] as const)(
  'more than 2n + 32 events in a row that are %s are a flood; one of use begins the row again',
  (verdict) => {
    const { count: made } = count();
    for (let n = 0; n < 38; n++) made.take(verdict);
    expect(made.isFlood()).toBe(false);
    made.take('useful');
    for (let n = 0; n < 38; n++) made.take(verdict);
    expect(made.isFlood()).toBe(false);
    made.take(verdict);
    expect(made.isFlood()).toBe(true);
  },
);
