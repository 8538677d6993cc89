/** When a peer is asked whether it is there, and when it counts as gone. */

import { describe, expect, test } from 'vitest';
import { createBeat, createLiveness, type Liveness } from '../../src/relay/liveness.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';

interface World {
  readonly clock: TestClock;
  readonly liveness: Liveness;
  /** Times in ms since the start. */
  readonly asked: number[];
  readonly dead: number[];
}

function started(isHidden: () => boolean = () => false): World {
  const clock = createTestClock(0);
  const asked: number[] = [];
  const dead: number[] = [];
  const liveness = createLiveness(
    clock,
    createBeat(clock, isHidden),
    () => asked.push(clock.now()),
    () => dead.push(clock.now()),
  );
  liveness.start();
  return { clock, liveness, asked, dead };
}

describe('a peer', () => {
  test('is asked after 30 s of silence, and is gone 10 s later', async () => {
    const { clock, asked, dead } = started();
    await clock.advance(39_999);
    expect([asked, dead]).toEqual([[30_000], []]);
    await clock.advance(1);
    expect(dead).toEqual([40_000]);
    await clock.advance(100_000);
    expect([asked.length, dead.length, clock.pending]).toEqual([1, 1, 0]);
  });

  test('that answers is asked again at the next beat, and not looked at before', async () => {
    const { clock, liveness, asked, dead } = started();
    await clock.advance(35_000);
    liveness.heard();
    expect(clock.pending).toBe(1);
    await clock.advance(24_999);
    expect([asked, dead]).toEqual([[30_000], []]);
    await clock.advance(1);
    expect(asked).toEqual([30_000, 60_000]);
    await clock.advance(10_000);
    expect(dead).toEqual([70_000]);
  });

  test('is proven from what came until it is asked, and again once it answers', async () => {
    const { clock, liveness } = started();
    await clock.advance(29_999);
    expect(liveness.isProven()).toBe(true);
    await clock.advance(1);
    expect(liveness.isProven()).toBe(false);
    liveness.heard();
    expect(liveness.isProven()).toBe(true);
  });

  test('that keeps sending is not asked', async () => {
    const { clock, liveness, asked } = started();
    for (let n = 0; n < 20; n++) {
      await clock.advance(10_000);
      liveness.heard();
    }
    expect(asked).toEqual([]);
    // Until it stops.
    await clock.advance(50_000);
    expect(asked).toHaveLength(1);
  });

  test('is asked in the same moment as all others, whenever they came', async () => {
    const clock = createTestClock(7);
    const beat = createBeat(clock, () => false);
    const asked: number[] = [];
    for (let n = 0; n < 3; n++) {
      const liveness: Liveness = createLiveness(
        clock,
        beat,
        () => {
          asked.push(clock.now());
          clock.after(100 * n, liveness.heard);
        },
        () => undefined,
      );
      liveness.start();
      await clock.advance(4_000);
    }
    await clock.advance(108_000);
    expect(asked).toEqual([30_007, 60_007, 90_007, 120_007].flatMap((at) => [at, at, at]));
  });

  test('is asked less often in a page that is hidden, and as before once it is shown', async () => {
    let isHidden = true;
    const { clock, liveness, asked } = started(() => isHidden);
    const until = async (end: number): Promise<number[]> => {
      asked.length = 0;
      while (clock.now() < end) {
        const before = asked.length;
        await clock.advance(1_000);
        if (asked.length > before) liveness.heard();
      }
      return [...asked];
    };
    expect(await until(240_000)).toEqual([55_000, 110_000, 165_000, 220_000]);
    isHidden = false;
    expect(await until(360_000)).toEqual([275_000, 300_000, 330_000, 360_000]);
  });

  test('is asked if the clock was set back, since the silence cannot be told', async () => {
    const { clock, liveness, asked } = started();
    liveness.heard();
    clock.set(-3_600_000);
    await clock.advance(30_000);
    expect(asked).toHaveLength(1);
  });

  test('has 5 s after a timer that fires much too late: the machine has slept', async () => {
    const { clock, liveness, asked, dead } = started();
    await clock.advance(29_000);
    liveness.heard();
    clock.set(3_600_000);
    await clock.advance(1_000);
    expect(asked).toHaveLength(1);
    await clock.advance(4_999);
    expect(dead).toEqual([]);
    await clock.advance(1);
    expect(dead).toHaveLength(1);
  });

  test('that is suspected has 5 s, and is not asked a second time meanwhile', async () => {
    const { clock, liveness, asked, dead } = started();
    liveness.suspect();
    await clock.advance(3_000);
    liveness.suspect();
    expect(asked).toEqual([0]);
    await clock.advance(1_999);
    expect(dead).toEqual([]);
    await clock.advance(1);
    expect(dead).toEqual([5_000]);
  });

  test('that has answered a suspicion can be suspected again', async () => {
    const { clock, liveness, asked, dead } = started();
    liveness.suspect();
    liveness.heard();
    liveness.suspect();
    expect(asked).toHaveLength(2);
    await clock.advance(5_000);
    expect(dead).toEqual([5_000]);
  });

  test('whose socket is gone is neither asked nor found dead', async () => {
    const { clock, liveness, asked, dead } = started();
    liveness.suspect();
    liveness.stop();
    await clock.advance(100_000);
    expect([asked.length, dead, clock.pending]).toEqual([1, [], 0]);
  });
});
