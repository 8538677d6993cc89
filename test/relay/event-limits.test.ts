/** What is learned of a relay's size limit, answer by answer. */

import { describe, expect, test } from 'vitest';
import {
  createLimitsLearner,
  UNKNOWN_LIMITS,
  type EventLimits,
  type LimitsLearner,
} from '../../src/relay/event-limits.ts';
import { aRelay } from '../names.ts';

const URL_OF_RELAY = aRelay('wss://relay.example');

function learner(): { limits: LimitsLearner; known: () => EventLimits } {
  let known = UNKNOWN_LIMITS;
  const limits = createLimitsLearner(URL_OF_RELAY, {
    get: () => known,
    set: (_url, learned) => void (known = learned),
  });
  return { limits, known: () => known };
}

describe('a relay', () => {
  test('refuses nothing before it has refused something, and then that size and all above', () => {
    const { limits, known } = learner();
    expect(limits.refuses(1_000_000)).toBe(false);
    limits.tooLarge(20_000);
    limits.tooLarge(30_000);
    expect([19_999, 20_000].map(limits.refuses)).toEqual([false, true]);
    expect(known()).toEqual({ acceptedBytes: null, refusedBytes: 20_000 });
  });

  test('that takes what it refused before has other limits now', () => {
    const { limits, known } = learner();
    limits.tooLarge(20_000);
    limits.taken(10_000);
    limits.taken(9_000);
    expect(known()).toEqual({ acceptedBytes: 10_000, refusedBytes: 20_000 });
    limits.taken(20_000);
    expect(known()).toEqual({ acceptedBytes: 20_000, refusedBytes: null });
  });

  test('does not mean the size when it refuses one that it has taken', () => {
    const { limits, known } = learner();
    limits.taken(20_000);
    limits.tooLarge(20_000);
    expect(known()).toEqual({ acceptedBytes: 20_000, refusedBytes: null });
  });
});

describe('a hang-up', () => {
  test('is the answer the fourth time in a row, for the smallest of the four', () => {
    const { limits, known } = learner();
    expect([20_000, 25_000, 20_000].map(limits.hungUp)).toEqual([false, false, false]);
    expect(known()).toEqual(UNKNOWN_LIMITS);
    expect(limits.hungUp(30_000)).toBe(true);
    expect(known()).toEqual({ acceptedBytes: null, refusedBytes: 20_000 });
    // And a row of four again after that.
    expect([20_000, 20_000, 20_000, 20_000].map(limits.hungUp)).toEqual([false, false, false, true]);
  });

  test('on a smaller one begins the row again', () => {
    const { limits } = learner();
    const sizes = [30_000, 30_000, 30_000, 20_000, 20_000, 20_000, 20_000];
    expect(sizes.map(limits.hungUp)).toEqual([false, false, false, false, false, false, true]);
  });

  test('is forgotten when the relay takes one as large, not when it takes a smaller one', () => {
    const { limits } = learner();
    for (let n = 0; n < 3; n++) limits.hungUp(20_000);
    limits.taken(20_000);
    expect(limits.hungUp(20_001)).toBe(false);
    for (let n = 0; n < 2; n++) limits.hungUp(20_001);
    limits.taken(20_000);
    expect(limits.hungUp(20_001)).toBe(true);
  });

  test('on an event of the usual size says nothing about sizes', () => {
    const { limits, known } = learner();
    for (let n = 0; n < 10; n++) expect(limits.hungUp(8_191)).toBe(false);
    expect(known()).toEqual(UNKNOWN_LIMITS);
  });
});
