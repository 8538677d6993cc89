/** When one relay is asked what it has: soon, together, again if it did not answer, and all of it after a loss. */

import { expect, test } from 'vitest';
import { ASK_PACING, CONFIRM_DELAY_MS, LOOK_AGAIN_MS } from '../../src/protocol/limits.ts';
import { retryMs } from '../../src/relay/backoff.ts';
import type { RequestEnd } from '../../src/relay/requests.ts';
import type { Step } from '../../src/sync/heads/owed.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createAudit, type Audit } from '../../src/sync/relays/audit.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { anAddress } from '../names.ts';
import { written } from './devices.ts';

const randomBytes = (length: number): Uint8Array => new Uint8Array(length);
const whole: HeadRecord = { ...EMPTY_RECORD, head: versionOf(written() as VerifiedEvent) };
const inPieces: HeadRecord = { ...whole, head: { ...whole.head!, pieces: [] } };

interface Bench {
  readonly clock: TestClock;
  readonly audit: Audit;
  /** What was asked, in ms since the start. */
  readonly log: string[];
  readonly steps: Record<string, Step>;
  end: RequestEnd;
  /** Whether it said so, when it asked. */
  readonly wasAsking: boolean[];
}

function open(records: Record<string, HeadRecord>, pending: readonly string[] = []): Bench {
  const clock = createTestClock();
  const start = clock.now();
  const log: string[] = [];
  const audit = createAudit({
    ...{ clock, randomBytes },
    replica: { dTags: () => Object.keys(records).map(anAddress), peek: (dTag) => records[dTag] },
    ask: async (dTags) => {
      bench.wasAsking.push(audit.isAsking(dTags[0]!));
      log.push(`${clock.now() - start} ask ${dTags.join()}`);
      return Promise.resolve(bench.end);
    },
    isPending: (dTag) => pending.includes(dTag),
    stepOf: (dTag) => bench.steps[dTag] ?? 'nothing',
    onAsked: (dTag) => void log.push(`asked ${dTag}`),
    readBackPieces: async (dTag) => Promise.resolve(void log.push(`pieces ${dTag}`)),
  });
  audit.start();
  const bench: Bench = { clock, audit, log, steps: {}, end: 'complete', wasAsking: [] };
  return bench;
}

test('what is due soon goes along in one question, and then the pieces of what is in pieces', async () => {
  const { clock, audit, log } = open({ a: whole, b: inPieces });
  audit.put(anAddress('a'), CONFIRM_DELAY_MS);
  audit.put(anAddress('b'), CONFIRM_DELAY_MS * 1.5);
  await clock.advance(LOOK_AGAIN_MS * 2);
  expect(log).toEqual(['1000 ask a,b', 'asked a', 'asked b', 'pieces b']);
});

test('a relay that does not answer is asked again, later each time, and has shown no pieces', async () => {
  const bench = open({ a: inPieces });
  bench.steps['a'] = 'read-back';
  bench.end = 'incomplete';
  bench.audit.put(anAddress('a'), 0);
  const [first, second] = [retryMs(0, randomBytes), retryMs(1, randomBytes)];
  await bench.clock.advance(first + second);
  expect(bench.log).toEqual([0, first, first + second].flatMap((at) => [`${at} ask a`, 'asked a']));
  bench.end = 'complete';
  await bench.clock.advance(LOOK_AGAIN_MS);
  expect(bench.audit.askAgainMs()).toBe(first);
});

test('it is asked about one category so many times at once, then every few seconds, and about others all the same', async () => {
  const { audit, clock, log } = open({ a: whole, b: whole });
  for (let i = 0; i < 100; i++) {
    audit.put(anAddress('a'), 0);
    await clock.advance(100);
  }
  audit.put(anAddress('b'), 0);
  await clock.advance(60_000);
  const asked = log.filter((line) => line.includes(' ask ')).map((line) => line.split(' ask '));
  const { burst, intervalMs } = ASK_PACING;
  const times = asked.filter(([, what]) => what === 'a').map(([at]) => Number(at));
  expect(times.slice(0, burst).at(-1)).toBe((burst - 1) * 100);
  // Those that came meanwhile, and the last one that waited.
  expect(times).toHaveLength(burst + Math.ceil(10_000 / intervalMs));
  for (const [i, at] of times.slice(burst + 1).entries()) expect(at - times[burst + i]!).toBe(intervalMs);
  expect(asked).toContainEqual(['10000', 'b']);
});

test('of what it refused it is asked now and then', async () => {
  const bench = open({ a: whole });
  bench.steps['a'] = 'look-again';
  bench.audit.put(anAddress('a'), 0);
  await bench.clock.advance(LOOK_AGAIN_MS);
  expect(bench.log.filter((line) => line.includes('ask a'))).toEqual(['0 ask a', `${LOOK_AGAIN_MS} ask a`]);
});

test('after a loss it is asked for all but what is owed to it, at most so often', async () => {
  const bench = open({ a: whole, b: whole, owed: whole, dueAndOwed: whole, gone: EMPTY_RECORD }, [
    'owed',
    'dueAndOwed',
  ]);
  const { audit, clock, log } = bench;
  audit.put(anAddress('dueAndOwed'), 0);
  audit.lost();
  await clock.advance(0);
  audit.lost();
  await clock.advance(LOOK_AGAIN_MS);
  expect(log.filter((line) => line.includes(' ask '))).toEqual([
    '0 ask a,b,dueAndOwed',
    `${LOOK_AGAIN_MS} ask a,b`,
  ]);
});

test('it says what it is asking for, and all that waits can be hurried', async () => {
  const bench = open({ a: whole });
  bench.audit.put(anAddress('a'), LOOK_AGAIN_MS);
  bench.audit.hurry();
  await bench.clock.advance(0);
  expect(bench.log[0]).toBe('0 ask a');
  expect([...bench.wasAsking, bench.audit.isAsking(anAddress('a'))]).toEqual([true, false]);
});
